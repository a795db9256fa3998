// A clock that stands until a test moves it: both of its faces show the same time.

import type { Clock, Timer } from "../../../runtime/platform.ts";

export class FakeClock implements Clock {
  timeMs = 0;
  turns = 0;
  readonly #timers = new Set<{ dueMs: number; run: () => void }>();

  nowMs = (): number => this.timeMs;
  monotonicMs = (): number => this.timeMs;

  after(delayMs: number, run: () => void): Timer {
    const timer = { dueMs: this.timeMs + delayMs, run };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  soon(run: () => void): void {
    this.turns += 1;
    queueMicrotask(run);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Runs what has become due, once. */
  advance(ms: number): void {
    this.timeMs += ms;
    for (const timer of [...this.#timers]) {
      if (timer.dueMs > this.timeMs) continue;
      this.#timers.delete(timer);
      timer.run();
    }
  }
}
