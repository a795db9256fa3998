// Topics: list, create, describe, alter, delete, and their configs.

import type { Context } from "hono";
import type { PartitionRecord, TopicRecord } from "../../cluster/control-plane.ts";
import type { ConfigEntry, ConfigOperation } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { DescribedPartition } from "../routable-broker.ts";
import { withText } from "./body.ts";
import { errorAnswer } from "./error.ts";
import { noPartition } from "./producer.ts";
import { type Door, json, pathParameter, type Route } from "./route.ts";
import type { Parsed } from "./schemas.ts";
import { validJson, validQuery } from "./validation.ts";

const path = "/v1/topics/:topic";
const described = { description: "The topic", content: { "application/json": "topic" } } as const;

export function topicRoutes(door: Door): Route[] {
  return [
    {
      method: "GET",
      path: "/v1/topics",
      doc: {
        tag: "topics",
        summary: "List topics",
        query: "topicListQuery",
        answers: {
          200: { description: "By name", content: { "application/json": "topicList" } },
        },
      },
      handle: (context) => listTopics(door, context),
    },
    {
      method: "POST",
      path: "/v1/topics",
      doc: {
        tag: "topics",
        summary: "Create a topic",
        body: { "application/json": "topicCreate" },
        answers: {
          200: { description: "validate_only: it could be created" },
          201: described,
        },
      },
      handle: (context) => createTopic(door, context),
    },
    {
      method: "GET",
      path,
      doc: { tag: "topics", summary: "Describe a topic", answers: { 200: described } },
      handle: async (context) => json(await describeTopic(door, knownTopic(door, context))),
    },
    ...changeRoutes(door),
  ];
}

/** Routes of a topic that is there. */
function changeRoutes(door: Door): Route[] {
  return [
    {
      method: "PATCH",
      path,
      doc: {
        tag: "topics",
        summary: "Alter a topic",
        description: "Sets configs, returns them to their defaults (null), adds partitions.",
        body: { "application/json": "topicAlter" },
        answers: { 200: described },
      },
      handle: (context) => alterTopic(door, context),
    },
    {
      method: "DELETE",
      path,
      doc: {
        tag: "topics",
        summary: "Delete a topic and its records",
        answers: { 204: { description: "Deleted" } },
      },
      handle: async (context) => {
        await door.broker.deleteTopic(knownTopic(door, context).name);
        return new Response(null, { status: 204 });
      },
    },
    {
      method: "GET",
      path: `${path}/configs`,
      doc: {
        tag: "topics",
        summary: "All configs of a topic, with defaults, sources and meaning",
        query: "configsQuery",
        answers: { 200: { description: "Configs", content: { "application/json": "configs" } } },
      },
      handle: (context) => topicConfigs(door, context),
    },
  ];
}

/** The path's topic. Throws UNKNOWN_TOPIC_OR_PARTITION. */
export function knownTopic(door: Door, context: Context): TopicRecord {
  const name = pathParameter(context, "topic");
  const topic = door.broker.cluster().topics.get(name);
  if (topic === undefined) throw noPartition(name, null, 0);
  return topic;
}

async function listTopics(door: Door, context: Context): Promise<Response> {
  const query = await validQuery(context, "topicListQuery");
  const { topicsPageMax } = door.config.limits;
  const limit = Math.min(query.limit ?? topicsPageMax, topicsPageMax);
  const { after } = query;
  const matches = matcher(query.filter);
  const topics = [...door.broker.cluster().topics.values()]
    .filter((topic) => query.internal === true || !isInternal(topic.name))
    .filter((topic) => matches(topic.name) && (after === undefined || topic.name > after))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = topics.slice(0, limit);
  const next = topics.length > limit ? page[page.length - 1]!.name : null;
  return json({ topics: page.map(summary), next });
}

/** Contains the filter's pieces in order; `*` parts them. No regular expression: it may come from anyone. */
function matcher(filter: string | undefined): (name: string) => boolean {
  const pieces = (filter ?? "").split("*").filter((piece) => piece !== "");
  return (name) => {
    let at = 0;
    return pieces.every((piece) => {
      const found = name.indexOf(piece, at);
      at = found + piece.length;
      return found >= 0;
    });
  };
}

async function createTopic(door: Door, context: Context): Promise<Response> {
  const given = await withText(door, context, (text) => validJson(text, "topicCreate"));
  const created = await door.broker.createTopic({
    name: given.name,
    partitions: given.partitions ?? -1,
    replicationFactor: given.replication_factor ?? -1,
    configs: new Map(Object.entries(given.configs ?? {}).map(([key, value]) => [key, `${value}`])),
    validateOnly: given.validate_only ?? false,
    ...(given.assignments === undefined ? {} : { assignments: given.assignments }),
  });
  if (given.validate_only === true) {
    const { name, partitions, replicationFactor: replication_factor } = created;
    return json({ name, partitions, replication_factor, validate_only: true });
  }
  const topic = door.broker.cluster().topics.get(given.name);
  if (topic === undefined) throw new Error(`topic ${given.name} was created and is not there`);
  const answer = json(await describeTopic(door, topic), 201);
  answer.headers.set("location", `/v1/topics/${encodeURIComponent(given.name)}`);
  return answer;
}

/** Checks configs before it adds partitions, so that a bad config leaves the topic as it was. */
async function alterTopic(door: Door, context: Context): Promise<Response> {
  const { name } = knownTopic(door, context);
  const given = await withText(door, context, (text) => validJson(text, "topicAlter"));
  const { broker } = door;
  const operations = configOperations(given.configs ?? {});
  const validateOnly = given.validate_only ?? false;
  const resource = { kind: "topic", name } as const;
  if (operations.length > 0)
    await broker.alterConfigs(resource, operations, { validateOnly: true });
  if (given.partitions !== undefined) {
    await broker.createPartitions({ name, partitions: given.partitions, validateOnly });
  }
  if (operations.length > 0 && !validateOnly) {
    await broker.alterConfigs(resource, operations, { validateOnly });
  }
  return json(await describeTopic(door, knownTopic(door, context)));
}

function configOperations(
  configs: NonNullable<Parsed<"topicAlter">["configs"]>,
): ConfigOperation[] {
  return Object.entries(configs).map(([name, value]) =>
    value === null ? { name, op: "delete" } : { name, op: "set", value: `${value}` },
  );
}

async function topicConfigs(door: Door, context: Context): Promise<Response> {
  const { name } = knownTopic(door, context);
  const query = await validQuery(context, "configsQuery");
  const names = query.name === undefined ? null : [query.name].flat();
  const entries = await door.broker.describeConfigs({ kind: "topic", name }, names);
  return json({ configs: entries.map(configJson) });
}

function configJson(entry: ConfigEntry): unknown {
  const { name, value, source, type, documentation, synonyms, sensitive } = entry;
  return {
    name,
    value: sensitive ? null : value,
    source,
    type,
    read_only: entry.readOnly,
    sensitive,
    documentation,
    synonyms: sensitive ? [] : synonyms,
  };
}

async function describeTopic(door: Door, topic: TopicRecord): Promise<unknown> {
  const places = topic.partitions.map(({ partition }) => ({ topic: topic.name, partition }));
  const views = await door.broker.describePartitions(places);
  return {
    ...summary(topic),
    configs: Object.fromEntries(topic.configs),
    partitions: topic.partitions.map((record, i) => partitionJson(record, views[i]!)),
  };
}

function partitionJson(record: PartitionRecord, view: DescribedPartition): unknown {
  const { partition, replicas, elr, adding, removing } = record;
  // The leader may know of a change that the record does not show yet.
  const { leader, leaderEpoch: leader_epoch, isr } = view instanceof BrokerError ? record : view;
  const known = { partition, leader, leader_epoch, replicas, isr, elr, adding, removing };
  // One partition may be offline; the others are still worth telling.
  if (view instanceof BrokerError) return { ...known, error: errorAnswer(view).body.error };
  return {
    ...known,
    start_offset: view.logStartOffset,
    high_watermark: view.highWatermark,
    end_offset: view.logEndOffset,
    size_bytes: view.sizeBytes,
    segments: view.segments,
  };
}

function summary({ name, id, partitions }: TopicRecord): object {
  return {
    name,
    id,
    partitions: partitions.length,
    replication_factor: partitions[0]?.replicas.length ?? 0,
    internal: isInternal(name),
  };
}

function isInternal(name: string): boolean {
  return name.startsWith("__");
}
