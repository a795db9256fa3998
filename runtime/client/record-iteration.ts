// RecordIteration: records one by one as an async iterator. What is at hand comes as a resolved promise, which costs
// half of what an async generator does. Only `consumer.ts`.

export interface RecordSource<T> {
  /** The next that is at hand, or null. */
  take(): T | null;
  /** Something may be at hand now. */
  arrival(): Promise<void>;
  readonly isStopped: boolean;
}

export class RecordIteration<T> implements AsyncIterableIterator<T> {
  readonly #source: RecordSource<T>;
  /** The last `next` that had to wait: those after it come after it. */
  #waiting: Promise<IteratorResult<T>> | null = null;
  #isDone = false;

  constructor(source: RecordSource<T>) {
    this.#source = source;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#waiting !== null) return this.#wait(this.#waiting);
    try {
      const found = this.#take();
      return found === null ? this.#wait(null) : Promise.resolve(found);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  return(): Promise<IteratorResult<T>> {
    this.#isDone = true;
    return Promise.resolve({ value: undefined, done: true });
  }

  #take(): IteratorResult<T> | null {
    if (this.#isDone || this.#source.isStopped) return { value: undefined, done: true };
    try {
      const value = this.#source.take();
      return value === null ? null : { value, done: false };
    } catch (error) {
      this.#isDone = true;
      throw error;
    }
  }

  #wait(before: Promise<unknown> | null): Promise<IteratorResult<T>> {
    const waiting = this.#arrive(before).finally(() => {
      if (this.#waiting === waiting) this.#waiting = null;
    });
    this.#waiting = waiting;
    return waiting;
  }

  async #arrive(before: Promise<unknown> | null): Promise<IteratorResult<T>> {
    await before?.catch(() => {});
    for (;;) {
      const found = this.#take();
      if (found !== null) return found;
      await this.#source.arrival();
    }
  }
}
