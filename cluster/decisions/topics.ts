// Decisions on topics and configs: an image and a request become changes, or a fault. Pure but for the given
// source of randomness, which places first replicas.

import { applyChange, type ClusterImage, type ImageChange } from "../cluster-image.ts";
import {
  type BrokerRecord,
  type ConfigChanges,
  type ControlPlane,
  ControlPlaneError,
  type PartitionRecord,
  type TopicId,
  type TopicRecord,
} from "../control-plane.ts";
import { newPartition } from "../partition-record.ts";
import { checkAssignments, decideLayout, PARTITIONS_MAX, placeReplicas } from "../placement.ts";
import { PartitionEdits } from "./partition-edits.ts";

/** Configs of a name that was never set. */
const NO_CONFIGS: ReadonlyMap<string, string> = new Map();

type TopicRequest = Parameters<ControlPlane["createTopic"]>[0];
type GrowthRequest = Parameters<ControlPlane["createPartitions"]>[0];

export interface TopicDecision {
  readonly topic: TopicRecord;
  readonly changes: readonly ImageChange[];
}

/** Faults: topic-exists and those of placement. `id` is one that no topic has. */
export function decideTopic(
  image: ClusterImage,
  request: Omit<TopicRequest, "id"> & { readonly id: TopicId },
  random: { integer(below: number): number },
): TopicDecision {
  const { name, id, layout, leaderEpoch = 0 } = request;
  if (image.topics.has(name)) {
    throw new ControlPlaneError("topic-exists", `Topic '${name}' already exists.`);
  }
  const replicas = decideLayout({
    layout,
    brokers: brokersOf(image, "assignments" in layout ? () => true : isStaying),
    start: (brokers) => random.integer(brokers),
  });
  const topic: TopicRecord = {
    name,
    id,
    partitions: begun(image, replicas, { leaderEpoch }),
    configs: new Map(request.configs),
  };
  return { topic, changes: [{ put: "topic", topic }] };
}

/** Faults: topic-unknown. */
export function decideTopicRemoval(image: ClusterImage, name: string): readonly ImageChange[] {
  topicOf(image, name);
  return [{ put: "topic-removal", name }];
}

/** Faults: topic-unknown, invalid-partitions, and those of placement. */
export function decideGrowth(image: ClusterImage, request: GrowthRequest): TopicDecision {
  const now = topicOf(image, request.name);
  const replicas = grownReplicas(image, now, request);
  const added = begun(image, replicas, { first: now.partitions.length });
  const topic: TopicRecord = { ...now, partitions: [...now.partitions, ...added] };
  return { topic, changes: [{ put: "topic", topic }] };
}

/** Faults: topic-unknown. */
export function decideTopicConfigs(
  image: ClusterImage,
  name: string,
  changes: ConfigChanges,
): TopicDecision {
  const now = topicOf(image, name);
  const altered: TopicRecord = { ...now, configs: merged(now.configs, changes) };
  const after = applyChange(image, { put: "topic", topic: altered });
  const edits = new PartitionEdits(after);
  // Another min.insync.replicas means other eligible leaders, in the same step: see `withEligible`.
  for (const { partition } of altered.partitions) edits.wish(altered, partition, {});
  const partitions = altered.partitions.map((each) => edits.get(altered, each.partition) ?? each);
  const isSame = partitions.every((each, index) => each === altered.partitions[index]);
  const topic = isSame ? altered : { ...altered, partitions };
  return { topic, changes: [{ put: "topic", topic }] };
}

export function decideBrokerConfigs(
  image: ClusterImage,
  broker: number | null,
  changes: ConfigChanges,
): readonly ImageChange[] {
  const configs = merged(image.brokerConfigs.get(broker) ?? NO_CONFIGS, changes);
  const change: ImageChange = { put: "broker-configs", broker, configs };
  if (broker !== null) return [change];
  const edits = new PartitionEdits(applyChange(image, change));
  edits.wishAll(() => ({}));
  return [change, ...edits.changes()];
}

export function decideGroupConfigs(
  image: ClusterImage,
  groupId: string,
  changes: ConfigChanges,
): readonly ImageChange[] {
  const configs = merged(image.groupConfigs.get(groupId) ?? NO_CONFIGS, changes);
  return [{ put: "group-configs", groupId, configs }];
}

/** Fault: topic-unknown. */
export function topicOf(image: ClusterImage, name: string): TopicRecord {
  const topic = image.topics.get(name);
  if (topic) return topic;
  throw new ControlPlaneError("topic-unknown", `Topic '${name}' does not exist.`);
}

/** Brokers that may get partitions, in order. */
export function brokersOf(
  image: ClusterImage,
  isWanted: (broker: BrokerRecord) => boolean,
): readonly BrokerRecord[] {
  return [...image.brokers.values()].filter(isWanted).sort((a, b) => a.id - b.id);
}

export function isStaying(broker: BrokerRecord): boolean {
  return !broker.fenced && !broker.draining;
}

function grownReplicas(image: ClusterImage, topic: TopicRecord, request: GrowthRequest) {
  const now = topic.partitions.length;
  const added = request.partitions - now;
  if (!Number.isInteger(added) || added < 1 || request.partitions > PARTITIONS_MAX) {
    throw new ControlPlaneError(
      "invalid-partitions",
      `Topic '${topic.name}' has ${now} partitions: the new total must be above that and at most ` +
        `${PARTITIONS_MAX}, not ${request.partitions}.`,
    );
  }
  const { assignments } = request;
  if (assignments) {
    const brokers = brokersOf(image, () => true);
    return checkAssignments(assignments, { brokers, count: added });
  }
  const brokers = brokersOf(image, isStaying);
  const [first] = topic.partitions;
  const firstLeader = first!.replicas[0];
  return placeReplicas({
    brokers,
    partitions: added,
    replicationFactor: first!.replicas.length - first!.adding.length,
    start: Math.max(
      0,
      brokers.findIndex(({ id }) => id === firstLeader),
    ),
    firstPartition: now,
  });
}

/** New partitions; in sync are those replicas that take part now, of which there must be one. */
function begun(
  image: ClusterImage,
  replicas: readonly (readonly number[])[],
  { first = 0, leaderEpoch = 0 }: { first?: number; leaderEpoch?: number },
): PartitionRecord[] {
  const takesPart = (id: number) => isStaying(image.brokers.get(id)!);
  return replicas.map((each, index) => {
    const isr = each.every(takesPart) ? each : each.filter(takesPart);
    if (isr.length > 0) return newPartition(first + index, each, { leaderEpoch, isr });
    throw new ControlPlaneError(
      "invalid-assignment",
      `Invalid replica assignment: none of [${each}] is alive.`,
    );
  });
}

function merged(configs: ReadonlyMap<string, string>, changes: ConfigChanges) {
  const result = new Map(configs);
  for (const [name, value] of changes) {
    if (value === null) result.delete(name);
    else result.set(name, value);
  }
  return result;
}
