// ClusterImage: the whole truth of a control plane as an immutable value, and the changes that lead from one image
// to the next. Pure: no clock, no randomness, no I/O. Changes are what journals and the metadata log persist: their
// field names are frozen ("Persisted: never rename").

import type {
  BrokerRecord,
  ClusterChange,
  ClusterState,
  PartitionRecord,
  TopicId,
  TopicRecord,
} from "./control-plane.ts";
import { LateLeaders, ledAnew } from "./lone-restart.ts";
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
  /** How often the controller changed, and how many entries made this image; 0 for a broker that is alone. */
  readonly controllerEpoch: number;
  readonly version: number;
}

/** Each holds the new truth of one thing, so replaying a change twice does no harm. */
export type ImageChange =
  | { readonly put: "topic"; readonly topic: TopicRecord }
  | { readonly put: "topic-removal"; readonly name: string }
  /** Some partitions of a topic that exists; of one that is gone it says nothing. */
  | {
      readonly put: "partitions";
      readonly topicId: TopicId;
      readonly partitions: readonly PartitionRecord[];
    }
  /** A broker that is alone; unfenced it leads anew what it leads. */
  | { readonly put: "broker"; readonly broker: BrokerRecord }
  /** A broker of a cluster: nothing but its record changes. */
  | { readonly put: "member"; readonly broker: BrokerRecord }
  | { readonly put: "member-removal"; readonly id: number }
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
    controllerEpoch: 0,
    version: 0,
  };
}

/** The image that many changes make, built at once: what opening a folder or following an entry needs. */
export function imageOf(
  clusterId: string,
  changes: Iterable<ImageChange>,
  from: ClusterImage = emptyImage(clusterId),
): ClusterImage {
  const draft = new Draft(from);
  for (const change of changes) draft.apply(change);
  return draft.image();
}

export function applyChange(image: ClusterImage, change: ImageChange): ClusterImage {
  switch (change.put) {
    case "topic":
      return withTopic(image, change.topic);
    case "topic-removal":
      return withoutTopic(image, change.name);
    case "partitions": {
      const topic = image.topicsById.get(change.topicId);
      return topic ? withTopic(image, withPartitions(topic, change.partitions)) : image;
    }
    case "broker": {
      const { broker } = change;
      const controllerId =
        image.controllerId < 0 && !broker.fenced ? broker.id : image.controllerId;
      const brokers = image.brokers.with(broker.id, broker);
      return { ...withLeaderBack(image, broker), controllerId, brokers };
    }
    case "member":
      return { ...image, brokers: image.brokers.with(change.broker.id, change.broker) };
    case "member-removal":
      return { ...image, brokers: image.brokers.without(change.id) };
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

/** Beyond this many a change by change copy of the maps costs more than a copy of everything. */
const SINGLE_CHANGES_MAX = 32;

export function applyChanges(image: ClusterImage, changes: readonly ImageChange[]): ClusterImage {
  if (changes.length <= SINGLE_CHANGES_MAX) return changes.reduce(applyChange, image);
  return imageOf(image.clusterId, changes, image);
}

/** What watchers are told of a change, given the images around it; undefined: nothing they can see. */
export function describeChange(
  change: ImageChange,
  { before, after }: { readonly before: ClusterImage; readonly after: ClusterImage },
): ClusterChange | undefined {
  switch (change.put) {
    case "topic": {
      const known = before.topics.get(change.topic.name)?.id === change.topic.id;
      return { kind: known ? "topic-changed" : "topic-created", topic: change.topic };
    }
    case "topic-removal": {
      const topic = before.topics.get(change.name);
      return topic && { kind: "topic-deleted", topic };
    }
    case "partitions": {
      const topic = after.topicsById.get(change.topicId);
      return topic && { kind: "topic-changed", topic };
    }
    case "broker":
    case "member":
      return { kind: "broker-changed", broker: change.broker };
    case "member-removal": {
      const broker = before.brokers.get(change.id);
      return broker && { kind: "broker-changed", broker };
    }
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

/** Maps that change in place while an image is made from many changes. */
class Draft {
  readonly #from: ClusterImage;
  readonly #brokers: Map<number, BrokerRecord>;
  readonly #topics: Map<string, TopicRecord>;
  readonly #names = new Map<TopicId, string>();
  readonly #brokerConfigs: Map<number | null, Configs>;
  readonly #groupConfigs: Map<string, Configs>;
  readonly #leaders = new LateLeaders();
  #nextProducerId: number;

  constructor(from: ClusterImage) {
    this.#from = from;
    this.#brokers = new Map(from.brokers);
    this.#topics = new Map(from.topics);
    for (const topic of from.topics.values()) this.#names.set(topic.id, topic.name);
    this.#brokerConfigs = new Map(from.brokerConfigs);
    this.#groupConfigs = new Map(from.groupConfigs);
    this.#nextProducerId = from.nextProducerId;
  }

  apply(change: ImageChange): void {
    if (change.put === "topic") this.#putTopic(change.topic);
    else if (change.put === "topic-removal") this.#topics.delete(change.name);
    else if (change.put === "partitions") this.#putPartitions(change);
    else if (change.put === "member-removal") this.#brokers.delete(change.id);
    else if (change.put === "broker-configs") {
      this.#brokerConfigs.set(change.broker, change.configs);
    } else if (change.put === "group-configs") {
      if (change.configs.size === 0) this.#groupConfigs.delete(change.groupId);
      else this.#groupConfigs.set(change.groupId, change.configs);
    } else if (change.put === "producer-ids") {
      this.#nextProducerId = Math.max(this.#nextProducerId, change.next);
    } else {
      this.#brokers.set(change.broker.id, change.broker);
      if (change.put === "broker" && !change.broker.fenced) this.#leaders.registered(change.broker);
    }
  }

  image(): ClusterImage {
    for (const [name, topic] of this.#topics) this.#topics.set(name, this.#leaders.lead(topic));
    const topicsById = new Map([...this.#topics.values()].map((topic) => [topic.id, topic]));
    return {
      ...this.#from,
      brokers: VersionedMap.of(this.#brokers),
      topics: VersionedMap.of(this.#topics),
      topicsById: VersionedMap.of(topicsById),
      brokerConfigs: VersionedMap.of(this.#brokerConfigs),
      groupConfigs: VersionedMap.of(this.#groupConfigs),
      nextProducerId: this.#nextProducerId,
    };
  }

  #putTopic(topic: TopicRecord): void {
    this.#leaders.topicChanged(topic.name);
    this.#topics.set(topic.name, topic);
    this.#names.set(topic.id, topic.name);
  }

  #putPartitions({ topicId, partitions }: Extract<ImageChange, { put: "partitions" }>): void {
    const topic = this.#topics.get(this.#names.get(topicId) ?? "");
    if (topic?.id !== topicId) return;
    this.#putTopic(withPartitions(this.#leaders.lead(topic), partitions));
  }
}

function withPartitions(topic: TopicRecord, changed: readonly PartitionRecord[]): TopicRecord {
  const partitions = [...topic.partitions];
  for (const each of changed) partitions[each.partition] = each;
  return { ...topic, partitions };
}

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
