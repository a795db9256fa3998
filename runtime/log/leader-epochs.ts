// Leader epochs of one partition: which leader wrote from which offset on. Answers OffsetForLeaderEpoch and
// tells followers where to truncate (KIP-101, KIP-279). Pure: the caller persists `entries()` on a change.

import type { EpochStart } from "./checkpoints.ts";

export class LeaderEpochs {
  #entries: EpochStart[];

  constructor(entries: readonly EpochStart[] = []) {
    this.#entries = [...entries];
  }

  entries(): readonly EpochStart[] {
    return this.#entries;
  }

  /** The newest epoch, -1 before the first record. */
  latest(): number {
    return this.#entries.at(-1)?.epoch ?? -1;
  }

  /**
   * Says that `epoch` begins at `startOffset`. Entries that contradict it (a later epoch, or one that starts
   * at or after it) are dropped. Returns true when something changed.
   */
  assign(epoch: number, startOffset: number): boolean {
    if (this.latest() === epoch) return false;
    this.#entries = this.#entries.filter(
      (entry) => entry.epoch < epoch && entry.startOffset < startOffset,
    );
    this.#entries.push({ epoch, startOffset });
    return true;
  }

  /**
   * The largest epoch ≤ `epoch` and the offset where it ended; undefined if none is known.
   * Source: OffsetForLeaderEpoch in the protocol.
   */
  endOffset(epoch: number, logEndOffset: number): { epoch: number; endOffset: number } | undefined {
    if (epoch < 0 || this.#entries.length === 0 || epoch > this.latest()) return undefined;
    if (epoch === this.latest()) return { epoch, endOffset: logEndOffset };
    const next = this.#entries.findIndex((entry) => entry.epoch > epoch);
    const end = this.#entries[next]!;
    const own = this.#entries[next - 1];
    // Asked for an epoch before the first we know: it ended where our first one begins.
    return { epoch: own?.epoch ?? epoch, endOffset: end.startOffset };
  }

  /** The epoch of the record at `offset`; -1 if unknown. */
  epochAt(offset: number): number {
    return this.#entries.findLast((entry) => entry.startOffset <= offset)?.epoch ?? -1;
  }

  /** The log now ends at `endOffset`. */
  truncateEnd(endOffset: number): boolean {
    const kept = this.#entries.filter((entry) => entry.startOffset < endOffset);
    const changed = kept.length !== this.#entries.length;
    this.#entries = kept;
    return changed;
  }

  /** The log now starts at `startOffset`: the epoch that covers it begins there. */
  truncateStart(startOffset: number): boolean {
    const covering = this.#entries.findLastIndex((entry) => entry.startOffset <= startOffset);
    if (covering < 0 || this.#entries[covering]!.startOffset === startOffset) {
      if (covering <= 0) return false;
      this.#entries = this.#entries.slice(covering);
      return true;
    }
    const { epoch } = this.#entries[covering]!;
    this.#entries = [{ epoch, startOffset }, ...this.#entries.slice(covering + 1)];
    return true;
  }
}
