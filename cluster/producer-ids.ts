// The producer ids that a member may give out: blocks reserved through the controller, one ahead of need. New producers
// must be able to begin while the metadata service is away.

/** Reserved at once, so that not every producer costs an entry of the metadata. */
const PRODUCER_ID_BLOCK = 1_000;

interface Block {
  next: number;
  readonly end: number;
}

export class ProducerIds {
  /** Reserves so many; resolves with the first. */
  readonly #reserve: (count: number) => Promise<number>;
  #block: Block = { next: 0, end: 0 };
  #spare: Block | undefined;
  #isReserving = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(reserve: (count: number) => Promise<number>) {
    this.#reserve = reserve;
  }

  /** The first of `count` ids in a row. */
  take(count: number): Promise<number> {
    if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`count is ${count}`);
    const turn = this.#turn.then(() => this.#take(count));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Whoever takes ids does not wait for it. If it fails, the next one who takes some tries again. */
  reserveAhead(): void {
    if (this.#isReserving || this.#spare !== undefined) return;
    this.#isReserving = true;
    const reserved = this.#blockOf(PRODUCER_ID_BLOCK).then((block) => {
      this.#spare = block;
    });
    reserved
      .catch(() => undefined)
      .finally(() => {
        this.#isReserving = false;
      });
  }

  async #take(count: number): Promise<number> {
    if (this.#left < count && this.#spare !== undefined) {
      this.#block = this.#spare;
      this.#spare = undefined;
    }
    if (this.#left < count) this.#block = await this.#blockOf(Math.max(count, PRODUCER_ID_BLOCK));
    const first = this.#block.next;
    this.#block.next += count;
    if (this.#left < PRODUCER_ID_BLOCK / 2) this.reserveAhead();
    return first;
  }

  get #left(): number {
    return this.#block.end - this.#block.next;
  }

  async #blockOf(count: number): Promise<Block> {
    const next = await this.#reserve(count);
    return { next, end: next + count };
  }
}
