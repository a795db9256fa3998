// Who waits with acks=all for the high watermark to pass their records, and for how long. One per partition that
// this broker leads, in the order of offsets; one timer for all of them.

import type { Appended } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { Clock, Timer } from "../platform.ts";

interface Waiter {
  readonly appended: Appended;
  readonly deadlineMs: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: BrokerError) => void;
}

export interface ReplicationWaitsOptions {
  readonly clock: Clock;
  /** Why records that all have are still too few copies, if so: asked when a wait ends. */
  tooFew(): BrokerError | undefined;
  /** For messages: "flights-3". */
  readonly name: string;
}

export class ReplicationWaits {
  readonly #options: ReplicationWaitsOptions;
  #waiters: Waiter[] = [];
  /** Waiters before it are settled. */
  #head = 0;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(options: ReplicationWaitsOptions) {
    this.#options = options;
  }

  until(appended: Appended, timeoutMs: number): Promise<Appended> {
    const deadlineMs = this.#options.clock.monotonicMs() + timeoutMs;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ appended, deadlineMs, resolve, reject });
      this.#arm(deadlineMs);
    });
  }

  /** Everything below `highWatermark` is on all in-sync replicas. */
  settle(highWatermark: number): void {
    const waiters = this.#waiters;
    let head = this.#head;
    if (head === waiters.length || waiters[head]!.appended.nextOffset > highWatermark) return;
    const tooFew = this.#options.tooFew();
    for (; head < waiters.length; head++) {
      const { appended, resolve, reject } = waiters[head]!;
      if (appended.nextOffset > highWatermark) break;
      if (tooFew === undefined) resolve(appended);
      else reject(tooFew);
    }
    this.#forget(head);
  }

  fail(error: BrokerError): void {
    const failed = this.#waiters.slice(this.#head);
    this.#forget(this.#waiters.length);
    this.#timer?.cancel();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    for (const { reject } of failed) reject(error);
  }

  #forget(head: number): void {
    this.#head = head;
    if (head === this.#waiters.length) {
      this.#waiters = [];
      this.#head = 0;
    } else if (head > 1024) {
      this.#waiters = this.#waiters.slice(head);
      this.#head = 0;
    }
  }

  /** A timer that fires early finds nobody and looks at the next deadline: settling costs no timer. */
  #arm(deadlineMs: number): void {
    if (deadlineMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = deadlineMs;
    const delayMs = Math.max(0, deadlineMs - this.#options.clock.monotonicMs());
    this.#timer = this.#options.clock.after(delayMs, () => this.#expire());
  }

  #expire(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const waiting = this.#waiters.slice(this.#head);
    const late = waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    this.#waiters = waiting.filter(({ deadlineMs }) => deadlineMs > nowMs);
    this.#head = 0;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const { deadlineMs } of this.#waiters) next = Math.min(next, deadlineMs);
    if (next < Number.POSITIVE_INFINITY) this.#arm(next);
    for (const { reject } of late) reject(this.#late());
  }

  #late(): BrokerError {
    const tooFew = this.#options.tooFew();
    if (tooFew !== undefined) return tooFew;
    const what = `the in-sync replicas of ${this.#options.name} have not all confirmed it in time`;
    return new BrokerError("REQUEST_TIMED_OUT", what);
  }
}
