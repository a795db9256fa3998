// ClusterImage: the whole truth of the in-process control plane as an immutable value, and the changes that lead
// from one image to the next. Pure: no clock, no randomness, no I/O. Changes are what the journal persists:
// their field names are frozen ("Persisted: never rename").

import type {
  BrokerRecord,
  ClusterChange,
  ClusterState,
  PartitionRecord,
  TopicId,
  TopicRecord,
} from "./control-plane.ts";
import { VersionedMap } from "./versioned-map.ts";

type Configs = ReadonlyMap<string, string>;

export interface ClusterImage extends ClusterState {
  readonly brokers: VersionedMap<number, BrokerRecord>;
  readonly topics: VersionedMap<string, TopicRecord>;
  readonly topicsById: VersionedMap<TopicId, TopicRecord>;
  readonly brokerConfigs: VersionedMap<number | null, Configs>;
  readonly groupConfigs: VersionedMap<string, Configs>;
  /** First producer id that was never handed out. */
  readonly nextProducerId: number;
}

/** Each holds the new truth of one thing, so replaying a change twice does no harm. */
export type ImageChange =
  | { readonly put: "topic"; readonly topic: TopicRecord }
  | { readonly put: "topic-removal"; readonly name: string }
  | { readonly put: "broker"; readonly broker: BrokerRecord }
  | { readonly put: "broker-configs"; readonly broker: number | null; readonly configs: Configs }
  | { readonly put: "group-configs"; readonly groupId: string; readonly configs: Configs }
  | { readonly put: "producer-ids"; readonly next: number };

export function emptyImage(clusterId: string): ClusterImage {
  return {
    clusterId,
    controllerId: -1,
    brokers: VersionedMap.of(),
    topics: VersionedMap.of(),
    topicsById: VersionedMap.of(),
    brokerConfigs: VersionedMap.of(),
    groupConfigs: VersionedMap.of(),
    nextProducerId: 0,
  };
}

/** The image that many changes make, built at once: what opening a folder needs. */
export function imageOf(clusterId: string, changes: Iterable<ImageChange>): ClusterImage {
  const brokers = new Map<number, BrokerRecord>();
  const topics = new Map<string, TopicRecord>();
  const brokerConfigs = new Map<number | null, Configs>();
  const groupConfigs = new Map<string, Configs>();
  let nextProducerId = 0;
  const leaders = new LateLeaders();
  for (const change of changes) {
    leaders.note(change);
    if (change.put === "topic") topics.set(change.topic.name, change.topic);
    else if (change.put === "topic-removal") topics.delete(change.name);
    else if (change.put === "broker") brokers.set(change.broker.id, change.broker);
    else if (change.put === "broker-configs") brokerConfigs.set(change.broker, change.configs);
    else if (change.put === "group-configs") groupConfigs.set(change.groupId, change.configs);
    else nextProducerId = Math.max(nextProducerId, change.next);
  }
  for (const [name, topic] of topics) topics.set(name, leaders.lead(topic));
  for (const [groupId, { size }] of groupConfigs) if (size === 0) groupConfigs.delete(groupId);
  const topicsById = new Map([...topics.values()].map((topic) => [topic.id, topic]));
  return {
    ...emptyImage(clusterId),
    brokers: VersionedMap.of(brokers),
    topics: VersionedMap.of(topics),
    topicsById: VersionedMap.of(topicsById),
    brokerConfigs: VersionedMap.of(brokerConfigs),
    groupConfigs: VersionedMap.of(groupConfigs),
    nextProducerId,
  };
}

export function applyChange(image: ClusterImage, change: ImageChange): ClusterImage {
  switch (change.put) {
    case "topic":
      return withTopic(image, change.topic);
    case "topic-removal":
      return withoutTopic(image, change.name);
    case "broker": {
      const { broker } = change;
      const controllerId =
        image.controllerId < 0 && !broker.fenced ? broker.id : image.controllerId;
      const brokers = image.brokers.with(broker.id, broker);
      return { ...withLeaderBack(image, broker), controllerId, brokers };
    }
    case "broker-configs": {
      const { broker, configs } = change;
      return { ...image, brokerConfigs: image.brokerConfigs.with(broker, configs) };
    }
    case "group-configs":
      return { ...image, groupConfigs: withGroupConfigs(image.groupConfigs, change) };
    case "producer-ids":
      return { ...image, nextProducerId: Math.max(image.nextProducerId, change.next) };
  }
}

/** What watchers are told of a change, given the image before it; undefined: nothing they can see. */
export function describeChange(
  before: ClusterImage,
  change: ImageChange,
): ClusterChange | undefined {
  switch (change.put) {
    case "topic": {
      const known = before.topics.has(change.topic.name);
      return { kind: known ? "topic-changed" : "topic-created", topic: change.topic };
    }
    case "topic-removal": {
      const topic = before.topics.get(change.name);
      return topic && { kind: "topic-deleted", topic };
    }
    case "broker":
      return { kind: "broker-changed", broker: change.broker };
    case "broker-configs":
      return { kind: "broker-configs-changed", broker: change.broker };
    case "group-configs":
      return { kind: "group-configs-changed", groupId: change.groupId };
    case "producer-ids":
      return undefined;
  }
}

/** The changes that make this image from an empty one. */
export function* changesOf(image: ClusterImage): Generator<ImageChange> {
  for (const broker of image.brokers.values()) yield { put: "broker", broker };
  for (const topic of image.topics.values()) yield { put: "topic", topic };
  for (const [broker, configs] of image.brokerConfigs) {
    yield { put: "broker-configs", broker, configs };
  }
  for (const [groupId, configs] of image.groupConfigs) {
    yield { put: "group-configs", groupId, configs };
  }
  yield { put: "producer-ids", next: image.nextProducerId };
}

/** Nobody of a previous process is alive until it registers again. */
export function fenceAll(image: ClusterImage): ClusterImage {
  let { brokers } = image;
  for (const broker of image.brokers.values()) {
    brokers = brokers.with(broker.id, { ...broker, fenced: true });
  }
  return { ...image, controllerId: -1, brokers };
}

export function newPartition(
  partition: number,
  replicas: readonly number[],
  leaderEpoch = 0,
): PartitionRecord {
  return {
    partition,
    leader: replicas[0] as number,
    leaderEpoch,
    partitionEpoch: 0,
    replicas,
    isr: replicas,
  };
}

/**
 * A broker that comes back leads anew: what it lost may be written differently now, and only a new leader epoch
 * lets clients see that. Broker epochs grow with each incarnation, so they serve as the new leader epochs.
 */
function withLeaderBack(image: ClusterImage, broker: BrokerRecord): ClusterImage {
  if (broker.fenced) return image;
  const topics = new Map<string, TopicRecord>();
  let changed = false;
  for (const topic of image.topics.values()) {
    const led = ledAnew(topic, broker);
    changed ||= led !== topic;
    topics.set(topic.name, led);
  }
  if (!changed) return image;
  const topicsById = new Map([...topics.values()].map((topic) => [topic.id, topic]));
  return { ...image, topics: VersionedMap.of(topics), topicsById: VersionedMap.of(topicsById) };
}

function ledAnew(topic: TopicRecord, broker: BrokerRecord): TopicRecord {
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

/** `withLeaderBack` for many changes at once: thousands of restarts must not each touch thousands of topics. */
class LateLeaders {
  readonly #topicPuts = new Map<string, number>();
  readonly #registrations = new Map<number, { at: number; broker: BrokerRecord }>();
  #at = 0;

  note(change: ImageChange): void {
    this.#at++;
    if (change.put === "topic") this.#topicPuts.set(change.topic.name, this.#at);
    else if (change.put === "broker" && !change.broker.fenced) {
      this.#registrations.set(change.broker.id, { at: this.#at, broker: change.broker });
    }
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

/** Groups come and go: one without configs leaves nothing behind. */
function withGroupConfigs(
  all: VersionedMap<string, Configs>,
  { groupId, configs }: { readonly groupId: string; readonly configs: Configs },
): VersionedMap<string, Configs> {
  return configs.size === 0 ? all.without(groupId) : all.with(groupId, configs);
}

function withTopic(image: ClusterImage, topic: TopicRecord): ClusterImage {
  return {
    ...image,
    topics: image.topics.with(topic.name, topic),
    topicsById: image.topicsById.with(topic.id, topic),
  };
}

function withoutTopic(image: ClusterImage, name: string): ClusterImage {
  const topic = image.topics.get(name);
  if (!topic) return image;
  return {
    ...image,
    topics: image.topics.without(name),
    topicsById: image.topicsById.without(topic.id),
  };
}
