// ByteBudget: how many bytes of requests all connections together may hold. Who finds none waits its turn in
// order, with its socket paused; nothing is dropped. Whoever holds bytes gives them back also when it fails.

interface Waiter {
  readonly bytes: number;
  readonly granted: () => void;
}

export class ByteBudget {
  readonly #bytesMax: number;
  readonly #waiters = new Set<Waiter>();
  #used = 0;
  #kept = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get used(): number {
    return this.#used;
  }

  get kept(): number {
    return this.#kept;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Takes `bytes` now (returns undefined), or later: then `granted` runs once they are taken, unless the
   * returned function was called before. More than the whole budget is granted when nothing else is held.
   */
  take(bytes: number, granted: () => void): (() => void) | undefined {
    if (this.#waiters.size === 0 && this.#fits(bytes)) {
      this.#used += bytes;
      return undefined;
    }
    const waiter = { bytes, granted };
    this.#waiters.add(waiter);
    return () => {
      if (this.#waiters.delete(waiter)) this.#grant();
    };
  }

  /** Counts bytes that wait in a paused connection: seen in metrics, never refused. */
  keep(bytes: number): void {
    this.#kept += bytes;
  }

  unkeep(bytes: number): void {
    this.#kept -= bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
    if (this.#used < 0) throw new Error("more bytes given back than were taken");
    this.#grant();
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#bytesMax;
  }

  #grant(): void {
    for (const waiter of this.#waiters) {
      if (!this.#fits(waiter.bytes)) return;
      this.#waiters.delete(waiter);
      this.#used += waiter.bytes;
      waiter.granted();
    }
  }
}
