// Who waits for an append to be as durable as its topic promises. One per partition, in the order of offsets.

import type { Appended } from "../broker.ts";
import type { BrokerError } from "../errors.ts";

interface Waiter {
  readonly nextOffset: number;
  readonly settle: (error: BrokerError | undefined) => void;
}

export class DurabilityWaits {
  #waiters: Waiter[] = [];

  until(appended: Appended): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({
        nextOffset: appended.nextOffset,
        settle: (error) => (error ? reject(error) : resolve(appended)),
      });
    });
  }

  /** Settles those whose records lie below `durableOffset`; returns how many. */
  settle(durableOffset: number): number {
    const done = this.#waiters.filter((waiter) => waiter.nextOffset <= durableOffset);
    this.#waiters = this.#waiters.filter((waiter) => waiter.nextOffset > durableOffset);
    for (const waiter of done) waiter.settle(undefined);
    return done.length;
  }

  fail(error: BrokerError): void {
    const failed = this.#waiters;
    this.#waiters = [];
    for (const waiter of failed) waiter.settle(error);
  }
}
