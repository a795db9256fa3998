// The clock inside workerd. An object with a pending timer is never taken out of memory, and is paid for as long: so
// when nobody uses it, all its timers rest, and when somebody comes they go on, those that are due at once.

import type { Clock, Timer } from "../platform.ts";

/** Longest delay a timer takes (2^31 − 1 ms); more would fire at once. */
const timerDelayMsMax = 0x7fffffff;

/** Time stands still between two waits for I/O. */
export class RestingClock implements Clock {
  readonly #timers = new Set<RestingTimer>();
  #isResting = false;

  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void): Timer {
    const dueMs = performance.now() + Math.min(delayMs, timerDelayMsMax);
    const timer = new RestingTimer(dueMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
    if (!this.#isResting) timer.start();
    return {
      cancel: () => {
        this.#timers.delete(timer);
        timer.stop();
      },
    };
  }

  soon(run: () => void): void {
    setTimeout(run, 0);
  }

  rest(): void {
    this.#isResting = true;
    for (const timer of this.#timers) timer.stop();
  }

  wake(): void {
    if (!this.#isResting) return;
    this.#isResting = false;
    for (const timer of this.#timers) timer.start();
  }
}

class RestingTimer {
  readonly #dueMs: number;
  readonly #run: () => void;
  #handle: ReturnType<typeof setTimeout> | undefined;

  constructor(dueMs: number, run: () => void) {
    this.#dueMs = dueMs;
    this.#run = run;
  }

  start(): void {
    this.#handle = setTimeout(this.#run, Math.max(0, this.#dueMs - performance.now()));
  }

  stop(): void {
    clearTimeout(this.#handle);
  }
}

/** Calls `idle` once nobody has used the object for a while, and `busy` when somebody comes. */
export class UseCount {
  readonly #options: { readonly idleMs: number; idle(): void; busy(): void };
  #users = 0;
  #waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(options: { readonly idleMs: number; idle(): void; busy(): void }) {
    this.#options = options;
  }

  enter(): void {
    this.#users++;
    clearTimeout(this.#waiting);
    this.#options.busy();
  }

  leave(): void {
    this.#users--;
    if (this.#users > 0) return;
    this.#waiting = setTimeout(() => this.#options.idle(), this.#options.idleMs);
  }
}
