// Broker keys of our own, under `timberline.`: durability, the HTTP door, limits Kafka has no name for, logs.

import { boolean, int, list, long, string } from "./key.ts";
import { FLUSH_RULE, ORIGINS_RULE } from "./rules.ts";

const dynamic = "cluster-wide" as const;

export const TIMBERLINE_KEYS = {
  "timberline.cluster.name": string({
    default: "main",
    doc: "Name of the cluster among those that share NATS servers; its metadata stream is timberline-NAME.",
    related: ["timberline.nats.servers"],
  }),
  "timberline.decompressed.bytes.max": long({
    default: 67_108_864,
    unit: "bytes",
    min: 1024,
    dynamic,
    doc: "Largest size of one batch once decompressed; a larger one is taken for a compression bomb.",
    related: ["max.message.bytes", "timberline_limit_hits_total"],
  }),
  "timberline.flush": string({
    default: "group",
    rule: FLUSH_RULE,
    dynamic,
    doc: "Default of the topic key timberline.flush: when an append is acknowledged.",
    related: ["flush.messages", "timberline_fsync_duration_seconds"],
  }),
  "timberline.http.body.max.bytes": int({
    default: 104_857_600,
    unit: "bytes",
    min: 1024,
    doc: "Largest body of one HTTP request; streams (NDJSON) are limited per record instead.",
    related: ["timberline_limit_hits_total"],
  }),
  "timberline.http.cors.origins": list({
    default: "",
    rule: ORIGINS_RULE,
    doc: "Origins whose pages may use the HTTP door from a browser; empty: none but its own.",
  }),
  "timberline.http.enable": boolean({
    default: true,
    doc: "Whether the HTTP door is open.",
  }),
  "timberline.http.host": string({
    doc: "Address of the HTTP door; not set: the host of listeners.",
  }),
  "timberline.http.long.poll.ms": int({
    default: 30_000,
    unit: "ms",
    min: 1,
    max: 600_000,
    doc: "A live read of a stream (live=long-poll) waits so long for its first message.",
    related: ["timberline.http.sse.heartbeat.ms"],
  }),
  "timberline.http.port": int({
    default: 8080,
    min: 0,
    max: 65_535,
    doc: "Port of the HTTP door; 0 takes a free one.",
  }),
  "timberline.http.sse.heartbeat.ms": int({
    default: 15_000,
    unit: "ms",
    min: 100,
    doc: "A quiet event stream sends a comment this often, so that proxies keep it open.",
    related: ["timberline_sse_streams"],
  }),
  "timberline.http.sse.streams.max": int({
    default: 1000,
    unit: "count",
    min: 0,
    doc: "Event streams at once; further ones get 429.",
    related: ["timberline_sse_streams", "timberline_limit_hits_total"],
  }),
  "timberline.log.format": string({
    default: "text",
    oneOf: ["text", "json"],
    doc: "Form of the broker's own log on stderr: for people (text) or one JSON object per line (json).",
  }),
  "timberline.feature.group.version": int({
    default: 1,
    min: 0,
    max: 1,
    dynamic,
    doc: "Level of Kafka's feature group.version, set by kafka-features: 1 has the consumer protocol (KIP-848).",
  }),
  "timberline.feature.transaction.version": int({
    default: 2,
    min: 0,
    max: 2,
    dynamic,
    doc: "Level of Kafka's feature transaction.version, set by kafka-features: 2 is the second protocol (KIP-890).",
  }),
  "timberline.features.epoch": int({
    default: 0,
    min: 0,
    dynamic,
    doc: "Grows with each change of a feature's level, by which clients know the newer answer.",
  }),
  "timberline.log.level": string({
    default: "info",
    oneOf: ["error", "warn", "info", "debug"],
    dynamic,
    doc: "Least level of the broker's own log that is written.",
  }),
  "timberline.metrics.topics.max": int({
    default: 200,
    unit: "count",
    min: 0,
    doc: "Topics named in /metrics, the busiest first; the rest is summed up as `other`.",
    related: ["timberline_metrics_series"],
  }),
  "timberline.nats.credentials": string({
    doc: "File with NATS credentials (.creds); not set: none, or what the servers' URLs say.",
    related: ["timberline.nats.servers"],
  }),
  "timberline.nats.replicas": int({
    default: 0,
    min: 0,
    max: 5,
    doc: "Copies of the metadata that NATS keeps when this broker begins the cluster; 0: 3 in a NATS cluster, else 1.",
    related: ["timberline.nats.servers"],
  }),
  "timberline.nats.servers": list({
    default: "",
    doc: "URLs of the NATS servers that keep the cluster's metadata; empty: this broker is alone.",
    related: ["timberline.cluster.name"],
  }),
} as const;
