// Lanes: a producer's way to each broker: how many requests are on it, and when a broken one is tried again. Only
// `sender.ts` uses it.

import type { ConnectionPool } from "./connection-pool.ts";
import type { Context } from "./context.ts";
import type { BrokerMetadata, Metadata } from "./metadata.ts";

export interface Lane {
  /** Requests without an answer yet. */
  inFlight: number;
  isConnecting: boolean;
  notBeforeMs: number;
  failures: number;
}

interface Surroundings {
  readonly metadata: Metadata;
  readonly pool: ConnectionPool;
  /** A connection was opened, or could not be. */
  wake(): void;
}

export class Lanes {
  readonly #context: Context;
  readonly #around: Surroundings;
  /** By broker id. */
  readonly #lanes = new Map<number, Lane>();

  constructor(context: Context, around: Surroundings) {
    this.#context = context;
    this.#around = around;
  }

  of({ id }: BrokerMetadata): Lane {
    let lane = this.#lanes.get(id);
    if (lane === undefined) {
      lane = { inFlight: 0, isConnecting: false, notBeforeMs: 0, failures: 0 };
      this.#lanes.set(id, lane);
    }
    return lane;
  }

  /** Connects, unless that is under way or must wait: then the time before which it is not tried. */
  connect(leader: BrokerMetadata, topics: readonly string[], nowMs: number): number {
    const lane = this.of(leader);
    if (lane.isConnecting || lane.notBeforeMs > nowMs) return lane.notBeforeMs;
    const { metadata, pool, wake } = this.#around;
    lane.isConnecting = true;
    const done = () => {
      lane.isConnecting = false;
      wake();
    };
    const opened = () => {
      lane.failures = 0;
      done();
    };
    pool.to(leader).then(opened, () => {
      lane.failures++;
      lane.notBeforeMs = this.#context.nowMs() + this.#context.backoffMs(lane.failures);
      // The partition may have moved away from a broker that is gone.
      for (const topic of topics) metadata.invalidate(topic);
      done();
    });
    return nowMs;
  }
}
