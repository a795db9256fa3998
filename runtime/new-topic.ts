// What a new topic may be and will be: name, layout and configs checked against the cluster as it is, before
// anything is asked of the control plane. Pure; used by `local-broker.ts`.

import type { ClusterState, TopicRecord } from "../cluster/control-plane.ts";
import type { CreatedTopic, CreateTopicRequest } from "./broker.ts";
import { type BrokerConfig, describeTopicConfigs, validateTopicConfigs } from "./config.ts";
import { BrokerError } from "./errors.ts";
import { checkTopicName, collidingName, offsetsTopic, transactionsTopic } from "./topic-name.ts";

/** Partitions of one topic at most, as Kafka takes in one request. */
export const partitionsMax = 10_000;

/** The id of a topic that is not there: 16 zero bytes. */
const noTopicId = "AAAAAAAAAAAAAAAAAAAAAA";

export type TopicLayout =
  | { partitions: number; replicationFactor: number }
  | { assignments: readonly (readonly number[])[] };

export interface NewTopic {
  readonly name: string;
  readonly layout: TopicLayout;
  /** In canonical form. */
  readonly configs: ReadonlyMap<string, string>;
}

/**
 * Throws INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR or
 * INVALID_CONFIG.
 */
export function checkNewTopic(
  request: CreateTopicRequest,
  cluster: ClusterState,
  config: BrokerConfig,
): NewTopic {
  const { name } = request;
  checkTopicName(name);
  if (cluster.topics.has(name)) {
    throw new BrokerError("TOPIC_ALREADY_EXISTS", `Topic '${name}' already exists.`);
  }
  const other = collidingName(name, cluster.topics.keys());
  if (other !== undefined) {
    throw new BrokerError(
      "INVALID_TOPIC_EXCEPTION",
      `topic name '${name}' collides with '${other}': they differ only in '.' and '_'`,
    );
  }
  const layout = request.assignments
    ? { assignments: request.assignments }
    : layoutOf(request, cluster, config);
  return { name, layout, configs: validateTopicConfigs(request.configs) };
}

/** How the topic of consumer groups is made. */
export function offsetsTopicRequest(
  config: BrokerConfig,
  cluster: ClusterState,
): CreateTopicRequest {
  return {
    name: offsetsTopic,
    partitions: config.number("offsets.topic.num.partitions"),
    replicationFactor: ownFactor(config.number("offsets.topic.replication.factor"), cluster),
    configs: new Map([
      ["cleanup.policy", "compact"],
      ["compression.type", "producer"],
      ["segment.bytes", String(config.number("offsets.topic.segment.bytes"))],
    ]),
  };
}

export function transactionsTopicRequest(
  config: BrokerConfig,
  cluster: ClusterState,
): CreateTopicRequest {
  const wished = config.number("transaction.state.log.replication.factor");
  const replicationFactor = ownFactor(wished, cluster);
  return {
    name: transactionsTopic,
    partitions: config.number("transaction.state.log.num.partitions"),
    replicationFactor,
    configs: new Map([
      ["cleanup.policy", "compact"],
      ["compression.type", "uncompressed"],
      // A decision on one disk alone could be lost after it was carried out.
      ["min.insync.replicas", replicationFactor > 2 ? "2" : "1"],
      ["segment.bytes", String(config.number("transaction.state.log.segment.bytes"))],
    ]),
  };
}

/** The broker's own topics are made with as many replicas as there can be: nobody is there to choose. */
function ownFactor(wished: number, { brokers }: ClusterState): number {
  const live = [...brokers.values()].filter(({ fenced }) => !fenced).length;
  return Math.max(1, Math.min(wished, live));
}

/** The answer to a request that only validates. */
export function plannedTopic(
  { name, layout, configs }: NewTopic,
  config: BrokerConfig,
): CreatedTopic {
  const [partitions, replicationFactor] =
    "assignments" in layout
      ? [layout.assignments.length, layout.assignments[0]?.length ?? 0]
      : [layout.partitions, layout.replicationFactor];
  return {
    name,
    id: noTopicId,
    partitions,
    replicationFactor,
    configs: describeTopicConfigs(configs, config),
  };
}

export function createdTopic(topic: TopicRecord, config: BrokerConfig): CreatedTopic {
  return {
    name: topic.name,
    id: topic.id,
    partitions: topic.partitions.length,
    replicationFactor: topic.partitions[0]?.replicas.length ?? 0,
    configs: describeTopicConfigs(topic.configs, config),
  };
}

function layoutOf(
  request: CreateTopicRequest,
  cluster: ClusterState,
  config: BrokerConfig,
): TopicLayout {
  const or = (asked: number, ifUnset: number) => (asked === -1 ? ifUnset : asked);
  const partitions = or(request.partitions, config.number("num.partitions"));
  if (partitions < 1 || partitions > partitionsMax) {
    throw new BrokerError(
      "INVALID_PARTITIONS",
      `the number of partitions must be 1 to ${partitionsMax}, not ${partitions}`,
    );
  }
  const factor = config.number("default.replication.factor");
  const replicationFactor = or(request.replicationFactor, factor);
  const brokers = cluster.brokers.size;
  if (replicationFactor < 1 || replicationFactor > brokers) {
    throw new BrokerError(
      "INVALID_REPLICATION_FACTOR",
      `replication factor ${replicationFactor} needs as many brokers, there are ${brokers}`,
    );
  }
  return { partitions, replicationFactor };
}
