// Throttles of replication (KIP-73): bytes per second for replicas that are named in a topic's config and not in
// sync, so that catching up leaves room for clients. One for what this broker feeds, one for what it fetches.

import type { Clock } from "../platform.ts";

/** Bytes may come in bursts of what this time allows: longer ones are felt by producers. */
const burstMs = 100;

export class Throttle {
  readonly #clock: Clock;
  readonly #bytesPerSecond: () => number;
  #credit = Number.NaN;
  #atMs = 0;

  /** `bytesPerSecond` is asked each time; Infinity: no limit. */
  constructor(clock: Clock, bytesPerSecond: () => number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  get isLimited(): boolean {
    return this.#bytesPerSecond() < Number.POSITIVE_INFINITY;
  }

  get isExceeded(): boolean {
    return this.#refill() <= 0;
  }

  /** May go beyond what is left: the next wait is longer then. */
  note(bytes: number): void {
    this.#credit = this.#refill() - bytes;
  }

  #refill(): number {
    const rate = this.#bytesPerSecond();
    if (rate === Number.POSITIVE_INFINITY) return rate;
    const most = (rate * burstMs) / 1000;
    const nowMs = this.#clock.monotonicMs();
    const earned = (rate * (nowMs - this.#atMs)) / 1000;
    const isFresh = !Number.isFinite(this.#credit);
    this.#credit = isFresh ? most : Math.min(most, this.#credit + earned);
    this.#atMs = nowMs;
    return this.#credit;
  }
}

/** Whether a config like "0:1,3:2" (partition:broker) or "*" names this replica. */
export function namesReplica(text: string | undefined, partition: number, broker: number): boolean {
  if (text === undefined || text === "") return false;
  if (text.trim() === "*") return true;
  return text.split(",").some((pair) => pair.trim() === `${partition}:${broker}`);
}
