// Pump: runs one function at the end of the turn, or at the earliest time somebody asked for, however many asked.
// Producer and consumer are each driven by one.

import type { Timer } from "../platform.ts";
import type { Context } from "./context.ts";

export class Pump {
  readonly #context: Context;
  readonly #run: () => void;
  #isScheduled = false;
  #isStopped = false;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(context: Context, run: () => void) {
    this.#context = context;
    this.#run = run;
  }

  soon(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#context.platform.clock.soon(() => {
      this.#isScheduled = false;
      if (!this.#isStopped) this.#run();
    });
  }

  /** Monotonic time. Whoever asks for a later time than another asks again when run. */
  at(atMs: number): void {
    if (atMs >= this.#timerAtMs || this.#isStopped) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const fire = () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      if (!this.#isStopped) this.#run();
    };
    const delayMs = Math.max(0, atMs - this.#context.nowMs());
    this.#timer = this.#context.platform.clock.after(delayMs, fire, { keepAlive: true });
  }

  /** Nothing is left to wait for: no timer keeps the process alive. */
  rest(): void {
    this.#timer?.cancel();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  stop(): void {
    this.#isStopped = true;
    this.rest();
  }
}
