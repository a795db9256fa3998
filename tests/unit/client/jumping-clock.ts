// A clock for tests that need waits to happen but not to be waited for: whenever nothing else is going on, time
// jumps to the next timer. What takes a minute by the clock takes no time.

import type { Clock, Timer } from "../../../runtime/platform.ts";

/** Turns of the event loop without work after which the next timer is due. */
const quietTurns = 3;

export class JumpingClock implements Clock {
  #elapsedMs = 0;
  #timers: { atMs: number; run: () => void }[] = [];
  #soons = 0;
  #isWatching = false;

  nowMs(): number {
    return Date.UTC(2026, 0, 1) + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.#elapsedMs + delayMs, run };
    this.#timers.push(timer);
    this.#watch();
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  soon(run: () => void): void {
    this.#soons++;
    setImmediate(() => {
      this.#soons--;
      run();
    });
  }

  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#quiet(quietTurns);
  }

  #quiet(turnsLeft: number): void {
    setImmediate(() => {
      if (this.#soons > 0) this.#quiet(quietTurns);
      else if (turnsLeft > 0) this.#quiet(turnsLeft - 1);
      else this.#jump();
    });
  }

  #jump(): void {
    this.#isWatching = false;
    const next = this.#timers.sort((a, b) => a.atMs - b.atMs).shift();
    if (next === undefined) return;
    this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
    if (this.#timers.length > 0) this.#watch();
    next.run();
  }
}
