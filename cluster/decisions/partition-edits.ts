// Many partitions changed by one decision: collects the new records topic by topic, so that a broker that leaves a
// thousand partitions makes a few changes and not a thousand. Pure.

import type { ClusterImage, ImageChange } from "../cluster-image.ts";
import {
  isUncleanElectionAllowed,
  minInsyncReplicasOf,
  type PartitionRecord,
  type TopicId,
  type TopicRecord,
} from "../control-plane.ts";
import { nextPartition, type PartitionContext, type PartitionWish } from "./partition-state.ts";

export class PartitionEdits {
  readonly #image: ClusterImage;
  readonly #edited = new Map<TopicId, Map<number, PartitionRecord>>();
  readonly #contexts = new Map<TopicId, PartitionContext>();

  /** `image` has what else the decision changes, such as the brokers that are fenced by it. */
  constructor(image: ClusterImage) {
    this.#image = image;
  }

  /** As edited so far. */
  get(topic: TopicRecord, partition: number): PartitionRecord | undefined {
    return this.#edited.get(topic.id)?.get(partition) ?? topic.partitions[partition];
  }

  /** Whether anything changed. */
  wish(topic: TopicRecord, partition: number, wish: PartitionWish): boolean {
    const now = this.get(topic, partition);
    if (now === undefined) return false;
    const next = nextPartition(now, wish, this.context(topic));
    if (next === now) return false;
    const edited = this.#edited.get(topic.id);
    if (edited) edited.set(partition, next);
    else this.#edited.set(topic.id, new Map([[partition, next]]));
    return true;
  }

  /** Asks about every partition of the cluster; undefined: it stays. */
  wishAll(wishFor: (partition: PartitionRecord) => PartitionWish | undefined): void {
    for (const topic of this.#image.topics.values()) {
      for (const record of topic.partitions) {
        const wish = wishFor(record);
        if (wish) this.wish(topic, record.partition, wish);
      }
    }
  }

  context(topic: TopicRecord): PartitionContext {
    let context = this.#contexts.get(topic.id);
    if (context === undefined) {
      context = contextOf(this.#image, topic);
      this.#contexts.set(topic.id, context);
    }
    return context;
  }

  changes(): ImageChange[] {
    return [...this.#edited].map(([topicId, records]) => ({
      put: "partitions",
      topicId,
      partitions: [...records.values()],
    }));
  }
}

export function contextOf(image: ClusterImage, topic: TopicRecord): PartitionContext {
  const { brokers } = image;
  return {
    isUp: (id) => brokers.get(id)?.fenced === false,
    isStaying: (id) => {
      const broker = brokers.get(id);
      return broker !== undefined && !broker.fenced && !broker.draining;
    },
    minInsync: minInsyncReplicasOf(image, topic),
    isUncleanAllowed: isUncleanElectionAllowed(image, topic),
  };
}
