// The restart of a broker that is alone: its registration raises the leader epochs of what it leads, without a
// change per topic in the journal. Members of a cluster are elected by explicit changes instead. Pure; called by
// `cluster-image.ts` only.

import type { BrokerRecord, PartitionRecord, TopicRecord } from "./control-plane.ts";

/**
 * A broker that comes back leads anew: what it lost may be written differently now, and only a new leader epoch
 * lets clients see that. Broker epochs grow with each incarnation, so they serve as the new leader epochs.
 */
export function ledAnew(topic: TopicRecord, broker: BrokerRecord): TopicRecord {
  const isBehind = (partition: PartitionRecord) =>
    partition.leader === broker.id && partition.leaderEpoch < broker.epoch;
  if (!topic.partitions.some(isBehind)) return topic;
  const partitions = topic.partitions.map((partition) =>
    isBehind(partition)
      ? {
          ...partition,
          leaderEpoch: broker.epoch,
          partitionEpoch: partition.partitionEpoch + 1,
        }
      : partition,
  );
  return { ...topic, partitions };
}

/** The same for many changes at once: thousands of restarts must not each touch thousands of topics. */
export class LateLeaders {
  readonly #topicPuts = new Map<string, number>();
  readonly #registrations = new Map<number, { at: number; broker: BrokerRecord }>();
  #at = 0;

  topicChanged(name: string): void {
    this.#topicPuts.set(name, ++this.#at);
  }

  registered(broker: BrokerRecord): void {
    this.#registrations.set(broker.id, { at: ++this.#at, broker });
  }

  /** The topic as the registrations after its last change leave it. */
  lead(topic: TopicRecord): TopicRecord {
    const put = this.#topicPuts.get(topic.name) ?? 0;
    let led = topic;
    for (const { at, broker } of this.#registrations.values()) {
      if (at > put) led = ledAnew(led, broker);
    }
    return led;
  }
}
