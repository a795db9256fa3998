// SlowBodies: senders that fall silent, or take for ever, are told 408 and what they held of the budget is free again.
// One timer looks after all bodies that are being read: a timer each would cost more than a plain append's parsing.

import type { Clock, Timer } from "../platform.ts";
import { HttpError } from "./error.ts";

/** How late a silence may be noticed. */
const lookMs = 1_000;

interface Reading {
  readonly limitMs: number;
  readonly dueMs: number;
  readonly reject: (error: HttpError) => void;
}

export class SlowBodies {
  readonly #clock: Clock;
  readonly #readings = new Set<Reading>();
  #timer: Timer | null = null;
  /** When it was looked at last: near enough to now, and free. */
  #nowMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What `read` gives; rejects with 408 unless that is within `limitMs`. */
  within<T>(limitMs: number, read: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#start();
      const reading = { limitMs, dueMs: this.#nowMs + limitMs, reject };
      this.#readings.add(reading);
      read.then(
        (value) => {
          this.#readings.delete(reading);
          resolve(value);
        },
        (cause: unknown) => {
          this.#readings.delete(reading);
          reject(cutOff(cause));
        },
      );
    });
  }

  #start(): void {
    if (this.#timer !== null) return;
    this.#nowMs = this.#clock.monotonicMs();
    this.#timer = this.#clock.after(lookMs, () => this.#look());
  }

  #look(): void {
    this.#timer = null;
    if (this.#readings.size === 0) return;
    this.#start();
    for (const reading of this.#readings) {
      if (reading.dueMs > this.#nowMs) continue;
      this.#readings.delete(reading);
      reading.reject(tooSlow(reading.limitMs));
    }
  }
}

function cutOff(cause: unknown): HttpError {
  const what = "body: the connection ended before the body did";
  return new HttpError("NETWORK_EXCEPTION", what, { status: 400, cause });
}

function tooSlow(limitMs: number): HttpError {
  const what = `body: not all here after ${Math.round(limitMs / 1000)} s; send it again`;
  return new HttpError("REQUEST_TIMED_OUT", what, {
    status: 408,
    // The rest of it would be taken for the next request.
    headers: { connection: "close" },
  });
}
