// Topics, partitions, replicas and reassignments, v3.

import type { Context } from "hono";
import type { PartitionRecord, TopicRecord } from "../../../../cluster/control-plane.ts";
import { BrokerError } from "../../../errors.ts";
import { type Door, pathParameter } from "../../route.ts";
import { noContent } from "../answer.ts";
import {
  type Fields,
  fieldsOf,
  flagField,
  listField,
  numberField,
  onlyFields,
  requireBody,
  requiredNumber,
  requiredText,
  textField,
} from "../body.ts";
import { unprocessable } from "../error.ts";
import { isInternal } from "../metadata.ts";
import { brokerIn } from "./clusters.ts";
import { answer, found, type Links, linksIn } from "./resource.ts";

export function listTopics(door: Door, context: Context): Response {
  const links = linksIn(door, context);
  const topics = [...door.broker.cluster().topics.values()];
  topics.sort((a, b) => (a.name < b.name ? -1 : 1));
  return links.list(
    "KafkaTopicList",
    ["topics"],
    topics.map((each) => topicJson(links, each)),
  );
}

export function getTopic(door: Door, context: Context): Response {
  const links = linksIn(door, context);
  return answer(topicJson(links, topicIn(door, context)));
}

export async function createTopic(door: Door, context: Context): Promise<Response> {
  const links = linksIn(door, context);
  const body = await requireBody(door, context);
  onlyFields(body, "body", topicFields);
  const name = requiredText(body, "topic_name");
  const validateOnly = flagField(body, "validate_only") ?? false;
  const assignments = assignmentsIn(body);
  const created = await door.broker.createTopic({
    name,
    partitions: numberField(body, "partitions_count", 1) ?? -1,
    replicationFactor: numberField(body, "replication_factor", 1) ?? -1,
    configs: configsIn(body),
    validateOnly,
    ...(assignments === undefined ? {} : { assignments }),
  });
  const counts = { partitions: created.partitions, replicas: created.replicationFactor };
  return answer(topicResource(links, name, counts), validateOnly ? 200 : 201);
}

export async function growTopic(door: Door, context: Context): Promise<Response> {
  const links = linksIn(door, context);
  const { name } = topicIn(door, context);
  const body = await requireBody(door, context);
  onlyFields(body, "body", ["partitions_count"]);
  await door.broker.createPartitions({
    name,
    partitions: requiredNumber(body, "partitions_count"),
  });
  return answer(topicJson(links, topicIn(door, context)));
}

export async function deleteTopic(door: Door, context: Context): Promise<Response> {
  linksIn(door, context);
  await door.broker.deleteTopic(topicIn(door, context).name);
  return noContent();
}

// ---- partitions and replicas ----

export function listPartitions(door: Door, context: Context): Response {
  const links = linksIn(door, context);
  const { name, partitions } = topicIn(door, context);
  return links.list(
    "KafkaPartitionList",
    ["topics", name, "partitions"],
    partitions.map((each) => partitionJson(links, name, each)),
  );
}

export function getPartition(door: Door, context: Context): Response {
  const links = linksIn(door, context);
  const { topic, record } = partitionIn(door, context);
  return answer(partitionJson(links, topic, record));
}

export function listReplicas(door: Door, context: Context): Response {
  const links = linksIn(door, context);
  const { topic, record } = partitionIn(door, context);
  return links.list(
    "KafkaReplicaList",
    ["topics", topic, "partitions", record.partition, "replicas"],
    record.replicas.map((broker) => replicaJson(links, topic, { record, broker })),
  );
}

export function getReplica(door: Door, context: Context): Response {
  const links = linksIn(door, context);
  const { topic, record } = partitionIn(door, context);
  const text = pathParameter(context, "broker");
  const broker = found(
    record.replicas.find((each) => String(each) === text),
    `replica of ${topic}-${record.partition} on broker ${text}`,
  );
  return answer(replicaJson(links, topic, { record, broker }));
}

export function listReplicasOfBroker(door: Door, context: Context): Response {
  const links = linksIn(door, context);
  const { id: broker } = brokerIn(door, context);
  const data = [...door.broker.cluster().topics.values()].flatMap(({ name, partitions }) =>
    partitions
      .filter(({ replicas }) => replicas.includes(broker))
      .map((record) => replicaJson(links, name, { record, broker })),
  );
  return links.list("KafkaReplicaList", ["brokers", broker, "partition-replicas"], data);
}

// ---- reassignments ----

/** `-` stands for all topics, and for all partitions. */
export function listReassignments(door: Door, context: Context): Response {
  const links = linksIn(door, context);
  const name = pathParameter(context, "topic");
  const topics =
    name === "-" ? [...door.broker.cluster().topics.values()] : [topicIn(door, context)];
  const data = topics.flatMap((topic) =>
    topic.partitions.filter(isMoving).map((each) => reassignmentJson(links, topic.name, each)),
  );
  const path = ["topics", name, "partitions", "-", "reassignment"];
  return links.list("KafkaReassignmentList", path, data);
}

export function getReassignment(door: Door, context: Context): Response {
  const links = linksIn(door, context);
  const { topic, record } = partitionIn(door, context);
  const what = `reassignment of ${topic}-${record.partition} now`;
  return answer(reassignmentJson(links, topic, found(isMoving(record) ? record : undefined, what)));
}

function isMoving({ adding, removing }: PartitionRecord): boolean {
  return adding.length > 0 || removing.length > 0;
}

// ---- requests ----

export function topicIn(door: Door, context: Context): TopicRecord {
  const name = pathParameter(context, "topic");
  const topic = door.broker.cluster().topics.get(name);
  if (topic !== undefined) return topic;
  throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `topic ${name} does not exist`);
}

function partitionIn(door: Door, context: Context): { topic: string; record: PartitionRecord } {
  const { name, partitions } = topicIn(door, context);
  const text = pathParameter(context, "partition");
  const record = /^\d{1,9}$/.test(text) ? partitions[Number(text)] : undefined;
  if (record !== undefined) return { topic: name, record };
  const message = `topic ${name} has partitions 0 to ${partitions.length - 1}, no ${text}`;
  throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", message);
}

const topicFields: readonly string[] = [
  ...["topic_name", "partitions_count", "replication_factor"],
  ...["replicas_assignments", "configs", "validate_only"],
];

function configsIn(body: Fields): ReadonlyMap<string, string> {
  const configs = new Map<string, string>();
  for (const [index, given] of (listField(body, "configs") ?? []).entries()) {
    const each = fieldsOf(given, `configs[${index}]`);
    const value = textField(each, "value");
    if (value !== undefined) configs.set(requiredText(each, "name"), value);
  }
  return configs;
}

function assignmentsIn(body: Fields): number[][] | undefined {
  const list = listField(body, "replicas_assignments");
  if (list === undefined || list.length === 0) return undefined;
  const assignments: number[][] = [];
  for (const [index, given] of list.entries()) {
    const where = `replicas_assignments[${index}]`;
    const each = fieldsOf(given, where);
    const partition = requiredNumber(each, "partition_id");
    const brokers = listField(each, "broker_ids") ?? [];
    if (!brokers.every((id) => Number.isInteger(id))) {
      throw unprocessable(`${where}: broker_ids: must be whole numbers`);
    }
    if (partition >= list.length || assignments[partition] !== undefined) {
      throw unprocessable(
        `${where}: partition_id: partitions are 0 to ${list.length - 1}, once each`,
      );
    }
    assignments[partition] = brokers as number[];
  }
  return assignments;
}

// ---- answers ----

function topicJson(links: Links, { name, partitions }: TopicRecord): unknown {
  const replicas = partitions[0]?.replicas.length ?? 0;
  return topicResource(links, name, { partitions: partitions.length, replicas });
}

function topicResource(
  links: Links,
  name: string,
  counts: { partitions: number; replicas: number },
): unknown {
  const path = ["topics", name] as const;
  return links.resource("KafkaTopic", {
    path,
    name: `/topic=${name}`,
    fields: {
      topic_name: name,
      is_internal: isInternal(name),
      replication_factor: counts.replicas,
      partitions_count: counts.partitions,
      partitions: links.related(...path, "partitions"),
      configs: links.related(...path, "configs"),
      partition_reassignments: links.related(...path, "partitions", "-", "reassignment"),
    },
  });
}

function partitionJson(
  links: Links,
  topic: string,
  { partition, leader }: PartitionRecord,
): unknown {
  const path = ["topics", topic, "partitions", partition] as const;
  const led = leader < 0 ? {} : { leader: links.related(...path, "replicas", leader) };
  return links.resource("KafkaPartition", {
    path,
    name: `/topic=${topic}/partition=${partition}`,
    fields: {
      topic_name: topic,
      partition_id: partition,
      ...led,
      replicas: links.related(...path, "replicas"),
      reassignment: links.related(...path, "reassignment"),
    },
  });
}

function replicaJson(
  links: Links,
  topic: string,
  { record, broker }: { record: PartitionRecord; broker: number },
): unknown {
  const { partition, leader, isr } = record;
  return links.resource("KafkaReplica", {
    path: ["topics", topic, "partitions", partition, "replicas", broker],
    name: `/topic=${topic}/partition=${partition}/replica=${broker}`,
    fields: {
      topic_name: topic,
      partition_id: partition,
      broker_id: broker,
      is_leader: broker === leader,
      is_in_sync: isr.includes(broker),
      broker: links.related("brokers", broker),
    },
  });
}

function reassignmentJson(
  links: Links,
  topic: string,
  { partition, adding, removing }: PartitionRecord,
): unknown {
  const path = ["topics", topic, "partitions", partition] as const;
  return links.resource("KafkaReassignment", {
    path: [...path, "reassignment"],
    name: `/topic=${topic}/partition=${partition}/reassignment`,
    fields: {
      topic_name: topic,
      partition_id: partition,
      adding_replicas: adding,
      removing_replicas: removing,
      replicas: links.related(...path, "replicas"),
    },
  });
}
