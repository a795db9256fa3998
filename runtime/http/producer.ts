// What every produce route needs to know of its request: topic (created if it may be), partition, acks,
// compression. And the choice of a partition, exactly as Kafka's clients make it.

import type { Context } from "hono";
import type { EncodeOptions } from "../../storage-wasm/core.ts";
import { codecId } from "../compression/codecs.ts";
import { BrokerError } from "../errors.ts";
import { type KeylessPartitioner, partitionForKey } from "../partitioner.ts";
import type { CodecName } from "../platform.ts";
import type { AppendOptions } from "./appends.ts";
import { invalid } from "./error.ts";
import type { ProducedRecord, RecordDefaults } from "./record-input.ts";
import { type Door, pathParameter } from "./route.ts";
import type { Parsed } from "./schemas.ts";
import { validQuery } from "./validation.ts";

type ProduceQuery = Parsed<"produceQuery">;

export interface Producer extends AppendOptions {
  /** All records go here; null: each record's own, its key's, or sticky. */
  readonly partition: number | null;
  readonly compression: CodecName | null;
  readonly keyless: KeylessPartitioner;
  readonly defaults: RecordDefaults;
  readonly query: ProduceQuery;
}

const noQuery: ProduceQuery = {};

/** Reads path and query, and creates the topic if it is missing and the broker may. At once where it can. */
export function openProducer(
  door: Door,
  context: Context,
  keyless: KeylessPartitioner,
): Producer | Promise<Producer> {
  const topic = pathParameter(context, "topic");
  const isKnown = door.broker.cluster().topics.has(topic);
  // Without a query there is nothing to validate: the plain append pays for nothing it does not use.
  const hasQuery = context.req.url.includes("?");
  if (isKnown && !hasQuery) return newProducer(door, context, { topic, keyless, query: noQuery });
  return openSlowly(door, context, { topic, keyless });
}

async function openSlowly(
  door: Door,
  context: Context,
  { topic, keyless }: { topic: string; keyless: KeylessPartitioner },
): Promise<Producer> {
  const hasQuery = context.req.url.includes("?");
  const query = hasQuery ? await validQuery(context, "produceQuery") : noQuery;
  const producer = newProducer(door, context, { topic, keyless, query });
  if (!door.broker.cluster().topics.has(topic)) await door.broker.autoCreateTopic(topic);
  return producer;
}

function newProducer(
  door: Door,
  context: Context,
  { topic, keyless, query }: { topic: string; keyless: KeylessPartitioner; query: ProduceQuery },
): Producer {
  const { limits } = door.config;
  const { expected_offset: expectedOffset, fence } = query;
  const partition = partitionOf(topic, context.req.param("partition"), query.partition);
  if (partition === null && (expectedOffset ?? fence) !== undefined) {
    throw invalid("query: expected_offset and fence are of one partition: use its route");
  }
  return {
    ...{ topic, partition, expectedOffset, fence },
    acks: query.acks === "0" ? 0 : query.acks === "1" ? 1 : -1,
    timeoutMs: Math.min(query.timeout_ms ?? limits.produceTimeoutMsMax, limits.produceTimeoutMsMax),
    compression:
      query.compression === undefined || query.compression === "none" ? null : query.compression,
    keyless,
    defaults: {
      keyEncoding: query.key_encoding,
      valueEncoding: query.value_encoding,
      nowMs: door.platform.clock.nowMs(),
      limits,
    },
    query,
  };
}

function partitionOf(
  topic: string,
  ofPath: string | undefined,
  ofQuery: number | undefined,
): number | null {
  if (ofPath === undefined) return ofQuery ?? null;
  if (ofQuery === undefined) return partitionNumber(topic, ofPath);
  throw invalid("query: partition: the path already names the partition");
}

/** The path's partition. What is no number cannot exist. */
export function partitionNumber(topic: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new BrokerError(
    "UNKNOWN_TOPIC_OR_PARTITION",
    `topic ${topic} has no partition ${JSON.stringify(text)}: partitions are numbers from 0 on`,
  );
}

/** The record's or the request's partition; else murmur2 of the key; else sticky. */
export function choosePartition(
  door: Door,
  producer: Pick<Producer, "topic" | "partition" | "keyless">,
  { record, bytes }: { record: ProducedRecord; bytes: number },
): number {
  const { topic } = producer;
  const count = door.broker.cluster().topics.get(topic)?.partitions.length ?? 0;
  const named = namedPartition(producer.partition, record.partition);
  if (named !== null && named < count) return named;
  if (named !== null || count === 0) throw noPartition(topic, named, count);
  if (record.key === null) return producer.keyless.next(topic, count, bytes);
  return partitionForKey(record.key, count);
}

/** Throws UNKNOWN_TOPIC_OR_PARTITION or INVALID_REQUEST for a partition that a record must not name. */
export function checkPartition(door: Door, producer: Producer, record: ProducedRecord): void {
  const named = namedPartition(producer.partition, record.partition);
  if (named === null) return;
  const count = door.broker.cluster().topics.get(producer.topic)?.partitions.length ?? 0;
  if (named >= count) throw noPartition(producer.topic, named, count);
}

function namedPartition(ofRequest: number | null, ofRecord: number | null): number | null {
  if (ofRequest === null) return ofRecord;
  if (ofRecord === null || ofRecord === ofRequest) return ofRequest;
  throw invalid(`the record names partition ${ofRecord}, the request partition ${ofRequest}`);
}

export function noPartition(topic: string, partition: number | null, count: number): BrokerError {
  const range = `${count} partition${count === 1 ? "" : "s"} (0 to ${count - 1})`;
  return new BrokerError(
    "UNKNOWN_TOPIC_OR_PARTITION",
    count === 0 || partition === null
      ? `topic ${topic} does not exist`
      : `topic ${topic} has ${range}, no partition ${partition}`,
  );
}

const plain: EncodeOptions = { compression: null };

export function encodeOptions(
  door: Door,
  { compression }: { readonly compression: CodecName | null },
): EncodeOptions {
  if (compression === null) return plain;
  const codec = door.platform.codecs[compression];
  return {
    compression: { id: codecId(compression), compress: (bytes) => codec.compress(bytes) },
  };
}
