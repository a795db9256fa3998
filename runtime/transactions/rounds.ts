// Rounds: work of the coordinator that comes again and again, until it is closed.

import type { Clock, Timer } from "../platform.ts";

export class Rounds {
  readonly #clock: Clock;
  readonly #timers = new Map<string, Timer>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The interval is asked before each round. */
  every(name: string, intervalMs: () => number, run: () => void): void {
    if (this.#isClosed) return;
    const timer = this.#clock.after(intervalMs(), () => {
      if (this.#isClosed) return;
      run();
      this.every(name, intervalMs, run);
    });
    this.#timers.set(name, timer);
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }
}
