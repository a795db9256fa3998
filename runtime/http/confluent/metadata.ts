// Topics, partitions and brokers of v2.

import type { Context } from "hono";
import type { PartitionRecord, TopicRecord } from "../../../cluster/control-plane.ts";
import { BrokerError } from "../../errors.ts";
import { internalTopics } from "../../topic-name.ts";
import { type Door, pathParameter } from "../route.ts";
import { restJson } from "./answer.ts";
import { noPartition, noTopic } from "./error.ts";

const v2 = { version: "v2" } as const;

export function listTopics(door: Door): Response {
  const names = [...door.broker.cluster().topics.keys()].filter((name) => !isInternal(name));
  return restJson(names.sort(), v2);
}

export async function describeTopic(door: Door, context: Context): Promise<Response> {
  const topic = topicIn(door, context);
  const entries = await door.broker.describeConfigs({ kind: "topic", name: topic.name }, null);
  const configs = Object.fromEntries(
    entries.filter(({ sensitive }) => !sensitive).map(({ name, value }) => [name, value]),
  );
  const partitions = topic.partitions.map(partitionJson);
  return restJson({ name: topic.name, configs, partitions }, v2);
}

export function listPartitions(door: Door, context: Context): Response {
  return restJson(topicIn(door, context).partitions.map(partitionJson), v2);
}

export function describePartition(door: Door, context: Context): Response {
  return restJson(partitionJson(partitionIn(door, context).record), v2);
}

export async function partitionOffsets(door: Door, context: Context): Promise<Response> {
  const { topic, record } = partitionIn(door, context);
  const place = { topic, partition: record.partition };
  const [view] = await door.broker.describePartitions([place]);
  if (view === undefined || view instanceof BrokerError) throw view;
  const { logStartOffset, highWatermark } = view;
  return restJson({ beginning_offset: logStartOffset, end_offset: highWatermark }, v2);
}

export function listBrokers(door: Door): Response {
  const brokers = [...door.broker.cluster().brokers.values()].filter(({ fenced }) => !fenced);
  return restJson({ brokers: brokers.map(({ id }) => id).sort((a, b) => a - b) }, v2);
}

/** Of Kafka, or of ours: their names begin with two underscores. */
export function isInternal(name: string): boolean {
  return internalTopics.has(name) || name.startsWith("__");
}

export function topicIn(door: Door, context: Context): TopicRecord {
  const name = pathParameter(context, "topic");
  const topic = door.broker.cluster().topics.get(name);
  if (topic === undefined) throw noTopic(name);
  return topic;
}

export function partitionIn(
  door: Door,
  context: Context,
): { topic: string; record: PartitionRecord } {
  const { name, partitions } = topicIn(door, context);
  const text = pathParameter(context, "partition");
  const record = /^\d{1,9}$/.test(text) ? partitions[Number(text)] : undefined;
  if (record === undefined) throw noPartition(name, text);
  return { topic: name, record };
}

function partitionJson({ partition, leader, replicas, isr }: PartitionRecord): unknown {
  return {
    partition,
    leader,
    replicas: replicas.map((broker) => {
      return { broker, leader: broker === leader, in_sync: isr.includes(broker) };
    }),
  };
}
