// A clock that lets time pass as soon as nothing else is to be done: the next timer runs in the next turn of the event
// loop, however far away it is. Tests of waiting code then take no time, and no luck.

import type { Clock, Timer } from "../../runtime/platform.ts";

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class EagerClock implements Clock {
  #monotonicMs = 0;
  #order = 0;
  #due = new Set<Due>();
  #isPumping = false;

  nowMs(): number {
    return Date.UTC(2026, 0, 1) + this.#monotonicMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const due = { atMs: this.#monotonicMs + delayMs, order: this.#order++, run };
    this.#due.add(due);
    this.#pump();
    return { cancel: () => void this.#due.delete(due) };
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  /** Ends all timers: nothing runs any more. */
  stop(): void {
    this.#due.clear();
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      const [next] = [...this.#due].sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      if (next === undefined) return;
      this.#due.delete(next);
      this.#monotonicMs = Math.max(this.#monotonicMs, next.atMs);
      next.run();
      if (this.#due.size > 0) this.#pump();
    });
  }
}
