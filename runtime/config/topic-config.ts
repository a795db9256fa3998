// TopicConfig: what a topic's configs mean, typed, after the broker's defaults. Made once per topic and change,
// read on hot paths. Numbers are plain; -1 means "no limit" where Kafka says so, Infinity where Kafka writes the
// largest LONG.

import { BrokerError } from "../errors.ts";
import type { BrokerConfig } from "./broker-config.ts";
import type { ConfigKey } from "./key.ts";
import { splitList } from "./key.ts";
import { findTopicKey, nearestKey, type TopicKeyName } from "./keys.ts";
import { type FlushMode, parseFlushMode } from "./rules.ts";
import { TOPIC_KEYS } from "./topic-keys.ts";
import { checkPlain, toNumber } from "./value.ts";

export type CompressionType = "producer" | "uncompressed" | "gzip" | "snappy" | "lz4" | "zstd";

export interface TopicConfig {
  readonly cleanupPolicy: { readonly compact: boolean; readonly delete: boolean };
  readonly compressionType: CompressionType;
  readonly compressionLevels: {
    readonly gzip: number;
    readonly lz4: number;
    readonly zstd: number;
  };
  readonly deleteRetentionMs: number;
  readonly fileDeleteDelayMs: number;
  readonly flush: FlushMode;
  /** Infinity: no limit. */
  readonly flushMessages: number;
  /** Infinity: no limit. */
  readonly flushMs: number;
  readonly indexIntervalBytes: number;
  readonly maxCompactionLagMs: number;
  readonly maxMessageBytes: number;
  readonly messageTimestampAfterMaxMs: number;
  readonly messageTimestampBeforeMaxMs: number;
  readonly messageTimestampType: "CreateTime" | "LogAppendTime";
  readonly minCleanableDirtyRatio: number;
  readonly minCompactionLagMs: number;
  readonly minInsyncReplicas: number;
  readonly preallocate: boolean;
  /** -1: no limit. */
  readonly retentionBytes: number;
  /** -1: no limit. */
  readonly retentionMs: number;
  readonly segmentBytes: number;
  readonly segmentIndexBytes: number;
  readonly segmentJitterMs: number;
  readonly segmentMs: number;
  readonly uncleanLeaderElection: boolean;
}

/** Most topics set nothing: they share one object per broker config. */
const plainConfigs = new WeakMap<BrokerConfig, TopicConfig>();

/**
 * The topic's own values over the broker's. Values that this version does not take (written by a newer one)
 * count as not set; `validateTopicConfigs` is what refuses them at the door.
 */
export function resolveTopicConfig(
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
): TopicConfig {
  if (overrides.size > 0) return resolve(overrides, broker);
  let plain = plainConfigs.get(broker);
  if (!plain) {
    plain = resolve(overrides, broker);
    plainConfigs.set(broker, plain);
  }
  return plain;
}

/**
 * Throws INVALID_CONFIG for the first unknown name, bad value or contradiction; returns the values in
 * canonical form, as they are to be kept.
 */
export function validateTopicConfigs(overrides: ReadonlyMap<string, string>): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of overrides) values.set(name, checkTopicValue(name, value));
  if (values.get("remote.storage.enable") === "true") {
    throw invalid(
      "remote.storage.enable=true needs tiered storage, which this broker does not have",
    );
  }
  const least = Number(values.get("min.compaction.lag.ms") ?? 0);
  const most = Number(values.get("max.compaction.lag.ms") ?? Number.POSITIVE_INFINITY);
  if (least > most) {
    throw invalid(
      `min.compaction.lag.ms (${least}) must not be above max.compaction.lag.ms (${most})`,
    );
  }
  return values;
}

/** The canonical text of one topic value. Throws INVALID_CONFIG. */
export function checkTopicValue(name: string, value: string): string {
  const key = findTopicKey(name);
  if (!key) throw invalid(unknownKey(name, "topic"));
  const checked = checkPlain(key, value);
  if ("text" in checked) return checked.text;
  throw invalid(invalidValue(key, value, checked.complaint));
}

export function unknownKey(name: string, scope: ConfigKey["scope"]): string {
  const near = nearestKey(name, scope);
  const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
  return `Unknown ${scope} config name: ${shown}${near ? ` (nearest known: ${near})` : ""}`;
}

export function invalidValue(key: ConfigKey, value: string, complaint: string): string {
  const shown = key.sensitive ? "[hidden]" : value.length > 100 ? `${value.slice(0, 100)}…` : value;
  return `Invalid value ${shown} for configuration ${key.name}: ${complaint}`;
}

/** The canonical text that counts for a topic key. */
export function topicValue(
  name: TopicKeyName,
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
): string {
  const key = findTopicKey(name)!;
  const written = overrides.get(name);
  if (written !== undefined) {
    const checked = checkPlain(key, written);
    if ("text" in checked) return checked.text;
  }
  const inherited = key.brokerKey === null ? undefined : broker.effective(key.brokerKey)?.text;
  return inherited ?? (TOPIC_KEYS[name].default as string);
}

function resolve(overrides: ReadonlyMap<string, string>, broker: BrokerConfig): TopicConfig {
  const text = (name: TopicKeyName) => topicValue(name, overrides, broker);
  const number = (name: TopicKeyName) => toNumber(text(name));
  const policy = splitList(text("cleanup.policy"));
  return Object.freeze<TopicConfig>({
    cleanupPolicy: { compact: policy.includes("compact"), delete: policy.includes("delete") },
    compressionType: text("compression.type") as CompressionType,
    compressionLevels: {
      gzip: number("compression.gzip.level"),
      lz4: number("compression.lz4.level"),
      zstd: number("compression.zstd.level"),
    },
    deleteRetentionMs: number("delete.retention.ms"),
    fileDeleteDelayMs: number("file.delete.delay.ms"),
    flush: parseFlushMode(text("timberline.flush")) as FlushMode,
    flushMessages: number("flush.messages"),
    flushMs: number("flush.ms"),
    indexIntervalBytes: number("index.interval.bytes"),
    maxCompactionLagMs: number("max.compaction.lag.ms"),
    maxMessageBytes: number("max.message.bytes"),
    messageTimestampAfterMaxMs: number("message.timestamp.after.max.ms"),
    messageTimestampBeforeMaxMs: number("message.timestamp.before.max.ms"),
    messageTimestampType: text("message.timestamp.type") as TopicConfig["messageTimestampType"],
    minCleanableDirtyRatio: number("min.cleanable.dirty.ratio"),
    minCompactionLagMs: number("min.compaction.lag.ms"),
    minInsyncReplicas: number("min.insync.replicas"),
    preallocate: text("preallocate") === "true",
    retentionBytes: number("retention.bytes"),
    retentionMs: number("retention.ms"),
    segmentBytes: number("segment.bytes"),
    segmentIndexBytes: number("segment.index.bytes"),
    segmentJitterMs: number("segment.jitter.ms"),
    // A record in the active segment cannot be compacted: the segment must end in time.
    segmentMs: policy.includes("compact")
      ? Math.min(number("segment.ms"), number("max.compaction.lag.ms"))
      : number("segment.ms"),
    uncleanLeaderElection: text("unclean.leader.election.enable") === "true",
  });
}

function invalid(message: string): BrokerError {
  return new BrokerError("INVALID_CONFIG", message);
}
