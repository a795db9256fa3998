// Broker keys of a broker that is one of several: sessions with the controller, copying between brokers, throttles.
// Kafka's names; where a default is not Kafka's, the doc says so.

import { int, LONG_MAX, long } from "./key.ts";

const dynamic = "cluster-wide" as const;

export const REPLICATION_KEYS = {
  "broker.heartbeat.interval.ms": int({
    default: 300,
    unit: "ms",
    min: 10,
    doc: "How often a broker of a cluster reports to the controller. Kafka's default is 2000.",
    related: ["broker.session.timeout.ms"],
  }),
  "broker.session.timeout.ms": int({
    default: 1500,
    unit: "ms",
    min: 100,
    doc: "A broker that is silent for this long is fenced: others lead its partitions. Kafka's default is 9000.",
    related: ["broker.heartbeat.interval.ms"],
  }),
  "follower.replication.throttled.rate": long({
    default: LONG_MAX,
    unit: "bytes",
    min: 1,
    dynamic,
    doc: "Bytes per second that this broker copies at most of replicas in follower.replication.throttled.replicas that are not in sync.",
    related: ["follower.replication.throttled.replicas"],
  }),
  "leader.replication.throttled.rate": long({
    default: LONG_MAX,
    unit: "bytes",
    min: 1,
    dynamic,
    doc: "Bytes per second that this broker feeds at most to replicas in leader.replication.throttled.replicas that are not in sync.",
    related: ["leader.replication.throttled.replicas"],
  }),
  "replica.fetch.backoff.ms": int({
    default: 1000,
    unit: "ms",
    min: 10,
    doc: "Longest wait before a follower tries again what failed; the first waits are much shorter.",
  }),
  "replica.fetch.max.bytes": int({
    default: 1_048_576,
    unit: "bytes",
    min: 1024,
    doc: "Bytes of one partition in one answer to a follower; one batch is always sent, even a larger one.",
  }),
  "replica.fetch.min.bytes": int({
    default: 1,
    unit: "bytes",
    min: 0,
    doc: "Bytes that a follower waits for, replica.fetch.wait.max.ms at most.",
  }),
  "replica.fetch.response.max.bytes": int({
    default: 10_485_760,
    unit: "bytes",
    min: 1024,
    doc: "Bytes of all partitions in one answer to a follower.",
  }),
  "replica.fetch.wait.max.ms": int({
    default: 500,
    unit: "ms",
    min: 1,
    doc: "How long a leader holds back the answer to a follower that has everything.",
  }),
  "replica.lag.time.max.ms": long({
    default: 10_000,
    unit: "ms",
    min: 100,
    doc: "A follower that has not caught up for this long leaves the in-sync replicas. Kafka's default is 30000.",
    related: ["min.insync.replicas"],
  }),
} as const;
