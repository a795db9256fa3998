// Which transactions of a partition are not decided yet for its readers: those without a marker, and those
// whose marker is not below the high watermark. The first offset among them bounds read_committed. Pure; part of
// `producer-state.ts`.

export interface EndedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** Of the marker. */
  readonly lastOffset: number;
  readonly isAborted: boolean;
}

export class OpenTransactions {
  /** Producer id to first offset. Offsets only grow, so the first entry is the smallest. */
  readonly #open = new Map<number, number>();
  /** Ended by markers that readers cannot see yet. */
  #ended: EndedTransaction[] = [];

  get size(): number {
    return this.#open.size;
  }

  /** Where the oldest without a marker begins; undefined if there is none. */
  get firstOpen(): number | undefined {
    for (const offset of this.#open.values()) return offset;
    return undefined;
  }

  /** Where the oldest begins whose outcome readers cannot know; undefined if there is none. */
  get firstUndecided(): number | undefined {
    let first = this.firstOpen;
    for (const { firstOffset } of this.#ended) first = Math.min(first ?? Infinity, firstOffset);
    return first;
  }

  /** The same without that producer's. */
  firstOpenBut(producerId: number): number | undefined {
    for (const [id, offset] of this.#open) if (id !== producerId) return offset;
    return undefined;
  }

  firstOffsetOf(producerId: number): number | undefined {
    return this.#open.get(producerId);
  }

  begin(producerId: number, firstOffset: number): void {
    if (!this.#open.has(producerId)) this.#open.set(producerId, firstOffset);
  }

  end(transaction: EndedTransaction): void {
    this.#open.delete(transaction.producerId);
    this.#ended.push(transaction);
  }

  /** Readers see everything below `highWatermark`. */
  reveal(highWatermark: number): void {
    if (this.#ended.length === 0) return;
    this.#ended = this.#ended.filter(({ lastOffset }) => lastOffset >= highWatermark);
  }

  /** From a snapshot: in any order. */
  load(open: readonly (readonly [producerId: number, firstOffset: number])[]): void {
    this.#open.clear();
    this.#ended = [];
    for (const [id, offset] of [...open].sort((a, b) => a[1] - b[1])) this.#open.set(id, offset);
  }
}
