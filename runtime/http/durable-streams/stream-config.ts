// What a stream is, for good: content type, life and origin, kept in its topic's configs, so that every broker knows
// them at once and any Kafka client can read them. The keys are in the table of topic configs. Pure.

import type { TopicRecord } from "../../../cluster/control-plane.ts";

export interface ForkPoint {
  readonly topic: string;
  readonly partition: number;
  /** A topic of that name made later is another one. */
  readonly topicId: string;
  /** In the source's positions. */
  readonly position: number;
  /** Behind it: messages of a JSON stream, else bytes of the next record. */
  readonly subOffset: number;
}

export interface StreamConfig {
  /** As its creator wrote it; null of a topic that was made elsewhere. */
  readonly contentType: string | null;
  readonly isJson: boolean;
  /** Without a read or a write for so long it is removed. */
  readonly ttlSeconds: number | null;
  readonly expiresAtMs: number | null;
  /** When a broker that does not lead it last told of a reader. */
  readonly usedMs: number | null;
  readonly fork: ForkPoint | null;
  /** Removed, and kept for those that were forked from it. */
  readonly isGone: boolean;
}

export const contentTypeDefault = "application/octet-stream";

export const streamKeys = {
  contentType: "timberline.stream.content.type",
  expiresAt: "timberline.stream.expires.at.ms",
  fork: "timberline.stream.fork",
  gone: "timberline.stream.gone",
  ttl: "timberline.stream.ttl.seconds",
  used: "timberline.stream.used.ms",
} as const;

const known = new WeakMap<ReadonlyMap<string, string>, StreamConfig>();

export function streamConfig({ configs }: Pick<TopicRecord, "configs">): StreamConfig {
  let config = known.get(configs);
  if (config === undefined) {
    config = parse(configs);
    known.set(configs, config);
  }
  return config;
}

/** The topic configs of a new stream. Its records stay until it is removed, and a POST may be larger than a batch. */
export function topicConfigs(config: StreamConfig): Map<string, string> {
  const configs = new Map([
    ["cleanup.policy", "delete"],
    ["retention.ms", "-1"],
    ["retention.bytes", "-1"],
    ["max.message.bytes", String(messageBytesMax)],
    [streamKeys.contentType, config.contentType ?? contentTypeDefault],
  ]);
  const { ttlSeconds, expiresAtMs, fork } = config;
  if (ttlSeconds !== null) configs.set(streamKeys.ttl, String(ttlSeconds));
  if (expiresAtMs !== null) configs.set(streamKeys.expiresAt, String(expiresAtMs));
  if (fork !== null) configs.set(streamKeys.fork, forkText(fork));
  return configs;
}

/** One POST is one batch. */
export const messageBytesMax = 32 * 1024 * 1024;

/** Type and subtype, lower case: parameters do not make another type. */
export function mediaType(contentType: string): string {
  const end = contentType.indexOf(";");
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

/** Where a stream's own records begin, in its positions. */
export function ownBase({ fork, isJson }: StreamConfig): number {
  if (fork === null) return 0;
  return isJson ? fork.position + fork.subOffset : fork.position;
}

/** `TOPIC/PARTITION TOPIC-ID POSITION+SUB`. Persisted. */
function forkText({ topic, partition, topicId, position, subOffset }: ForkPoint): string {
  return `${topic}/${partition} ${topicId} ${position}+${subOffset}`;
}

const forkPattern = /^([a-zA-Z0-9._-]+)\/(\d+) (\S+) (\d+)\+(\d+)$/;

function parse(configs: ReadonlyMap<string, string>): StreamConfig {
  const contentType = configs.get(streamKeys.contentType) ?? "";
  const [, topic, partition, topicId, position, sub] =
    forkPattern.exec(configs.get(streamKeys.fork) ?? "") ?? [];
  const point = {
    partition: Number(partition),
    position: Number(position),
    subOffset: Number(sub),
  };
  return {
    contentType: contentType === "" ? null : contentType,
    isJson: mediaType(contentType) === "application/json",
    ttlSeconds: numberOf(configs.get(streamKeys.ttl)),
    expiresAtMs: numberOf(configs.get(streamKeys.expiresAt)),
    usedMs: numberOf(configs.get(streamKeys.used)),
    fork: topic === undefined || topicId === undefined ? null : { topic, topicId, ...point },
    isGone: configs.get(streamKeys.gone) === "true",
  };
}

function numberOf(text: string | undefined): number | null {
  return text === undefined || text === "" || text === "-1" ? null : Number(text);
}
