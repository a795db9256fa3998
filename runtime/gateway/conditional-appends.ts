// ConditionalAppends: appends that name the offset they expect. Timberline's leaders keep that condition themselves;
// before other Kafkas this gateway takes the partition as its own first.

import type { Appended } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import {
  type ConditionalAppend,
  OwnedPartition,
  type OwnedPartitionHost,
} from "./owned-partition.ts";

/** Partitions this gateway writes to as their owner; the one used longest ago goes first. */
const ownedMax = 10_000;

export class ConditionalAppends {
  readonly #host: OwnedPartitionHost;
  readonly #owned = new Map<string, OwnedPartition>();

  constructor(host: OwnedPartitionHost) {
    this.#host = host;
  }

  async append(request: ConditionalAppend): Promise<Appended> {
    const { upstream } = this.#host;
    if (await upstream.isTimberline()) return upstream.append(request);
    const { topic, partition } = request;
    const topicId = upstream.view.cluster().topics.get(topic)?.id;
    if (topicId === undefined) {
      throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `there is no topic ${topic}`);
    }
    return this.#partition(topicId, { topic, partition }).append(request);
  }

  #partition(topicId: string, place: { topic: string; partition: number }): OwnedPartition {
    const key = `${topicId} ${place.partition}`;
    const known = this.#owned.get(key) ?? new OwnedPartition(this.#host, place, topicId);
    // Last in order of use.
    this.#owned.delete(key);
    this.#owned.set(key, known);
    if (this.#owned.size > ownedMax) {
      for (const [oldest, { isIdle }] of this.#owned) {
        if (!isIdle) continue;
        this.#owned.delete(oldest);
        break;
      }
    }
    return known;
  }
}
