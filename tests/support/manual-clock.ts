// A clock in the test's hand: nothing happens until `advance` says so.

import type { Clock, Timer } from "../../runtime/platform.ts";

interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

export class ManualClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  #due: Due[] = [];
  #soon: (() => void)[] = [];

  constructor(nowMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const due = { atMs: this.#monotonicMs + delayMs, run };
    this.#due.push(due);
    return {
      cancel: () => {
        this.#due = this.#due.filter((each) => each !== due);
      },
    };
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** Ends the current turn of the event loop: runs what `soon` was given, and what that gives. */
  async turn(): Promise<void> {
    for (let round = 0; round < 20; round++) {
      const now = this.#soon;
      this.#soon = [];
      for (const run of now) run();
      for (let i = 0; i < 10; i++) await Promise.resolve();
    }
  }

  /** Lets time pass; timers run in order. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    for (;;) {
      const next = this.#due
        .filter((each) => each.atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((each) => each !== next);
      this.#pass(next.atMs);
      next.run();
      await this.turn();
    }
    this.#pass(endMs);
    await this.turn();
  }

  #pass(toMs: number): void {
    this.#nowMs += Math.max(0, toMs - this.#monotonicMs);
    this.#monotonicMs = Math.max(toMs, this.#monotonicMs);
  }
}
