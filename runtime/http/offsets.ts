// Offsets of a topic's partitions by name or time, deleting records up to one, and the cluster at a glance.

import type { Context } from "hono";
import type { OffsetSpec } from "../broker.ts";
import { withText } from "./body.ts";
import { errorAnswer, invalid } from "./error.ts";
import { checkPartitionExists } from "./position.ts";
import { partitionNumber } from "./producer.ts";
import { type Door, json, type Route } from "./route.ts";
import { parseTime } from "./time.ts";
import { knownTopic } from "./topics.ts";
import { validJson, validQuery } from "./validation.ts";

export function offsetRoutes(door: Door): Route[] {
  return [
    {
      method: "GET",
      path: "/v1/topics/:topic/offsets",
      doc: {
        tag: "topics",
        summary: "Offsets of all partitions at a place or time",
        description: "-1 where no record is at or after the time.",
        query: "offsetsQuery",
        answers: { 200: { description: "Offsets", content: { "application/json": "offsets" } } },
      },
      handle: (context) => listOffsets(door, context),
    },
    {
      method: "POST",
      path: "/v1/topics/:topic/partitions/:partition/delete-records",
      doc: {
        tag: "records",
        summary: "Delete the records before an offset",
        body: { "application/json": "deleteRecords" },
        answers: {
          200: { description: "Deleted", content: { "application/json": "deletedRecords" } },
        },
      },
      handle: (context) => deleteRecords(door, context),
    },
    {
      method: "POST",
      path: "/v1/topics/:topic/partitions/:partition/fence",
      doc: {
        tag: "records",
        summary: "Shut other writers out",
        description:
          "Takes the partition's next token, or a higher one. Appends that carry an older one (?fence=) are " +
          "refused from here on, in any broker and after any restart; those without one are not.",
        query: "fenceQuery",
        answers: { 200: { description: "Taken", content: { "application/json": "fence" } } },
      },
      handle: (context) => takeFence(door, context),
    },
    {
      method: "GET",
      path: "/v1/cluster",
      doc: {
        tag: "cluster",
        summary: "The cluster and its brokers",
        answers: { 200: { description: "Cluster", content: { "application/json": "cluster" } } },
      },
      handle: () => json(describeCluster(door)),
    },
  ];
}

async function listOffsets(door: Door, context: Context): Promise<Response> {
  const { name, partitions } = knownTopic(door, context);
  const query = await validQuery(context, "offsetsQuery");
  const spec = offsetSpec(query.at ?? "latest");
  const isolation = query.isolation ?? "read_uncommitted";
  const offsets = partitions.map(async ({ partition }) => {
    const asked = { topic: name, partition, spec, currentLeaderEpoch: -1, isolation };
    const found = await door.broker.listOffsets(asked);
    if (found.error !== null) return { partition, error: errorAnswer(found.error).body.error };
    const timestamp = found.timestampMs < 0 ? null : found.timestampMs;
    return { partition, offset: found.offset, timestamp, leader_epoch: found.leaderEpoch };
  });
  return json({ offsets: await Promise.all(offsets) });
}

function offsetSpec(at: string): OffsetSpec {
  if (at === "earliest" || at === "latest" || at === "max-timestamp") return at;
  const timestampMs = parseTime(at);
  if (timestampMs !== null) return { timestampMs };
  throw invalid(
    "query: at: not earliest, latest, max-timestamp, ms since 1970 or an ISO 8601 time",
  );
}

async function deleteRecords(door: Door, context: Context): Promise<Response> {
  const { name } = knownTopic(door, context);
  const partition = partitionNumber(name, context.req.param("partition") ?? "");
  checkPartitionExists(door, name, partition);
  const given = await withText(door, context, (text) => validJson(text, "deleteRecords"));
  const offset = given.offset === "latest" ? -1 : given.offset;
  const start_offset = await door.broker.deleteRecords({ topic: name, partition, offset });
  return json({ partition, start_offset });
}

async function takeFence(door: Door, context: Context): Promise<Response> {
  const { name: topic } = knownTopic(door, context);
  const partition = partitionNumber(topic, context.req.param("partition") ?? "");
  checkPartitionExists(door, topic, partition);
  const { token } = await validQuery(context, "fenceQuery");
  const fence = await door.broker.takeFence({ topic, partition, token });
  return json({ topic, partition, fence });
}

function describeCluster(door: Door): unknown {
  const { clusterId, controllerId, brokers, topics } = door.broker.cluster();
  const partitions = [...topics.values()].flatMap((topic) => topic.partitions);
  const leads = new Map<number, number>();
  const replicas = new Map<number, number>();
  for (const partition of partitions) {
    count(leads, partition.leader);
    for (const id of partition.replicas) count(replicas, id);
  }
  return {
    cluster_id: clusterId,
    controller_id: controllerId,
    broker_id: door.broker.brokerId,
    brokers: [...brokers.values()].map(({ id, host, port, rack, fenced, draining }) => ({
      ...{ id, host, port, rack, fenced, draining },
      leads: leads.get(id) ?? 0,
      replicas: replicas.get(id) ?? 0,
    })),
    topics: topics.size,
    partitions: partitions.length,
    under_replicated: partitions.filter((each) => each.isr.length < each.replicas.length).length,
    offline: partitions.filter(({ leader }) => leader === -1).length,
  };
}

function count(of: Map<number, number>, id: number): void {
  of.set(id, (of.get(id) ?? 0) + 1);
}
