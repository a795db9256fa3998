// Broker keys with Kafka's names that are not about the log's files: identity, listeners, topics, limits.
// Only keys this broker obeys stand here; `foreign-keys.ts` knows what else a server.properties may hold.

import { GROUP_KEYS } from "./group-keys.ts";
import { boolean, INT_MAX, int, long, string } from "./key.ts";
import { LOG_KEYS } from "./log-keys.ts";
import { REPLICATION_KEYS } from "./replication-keys.ts";
import { ADVERTISED_RULE, LISTENERS_RULE } from "./rules.ts";
import { SECURITY_KEYS } from "./security-keys.ts";
import { TIMBERLINE_KEYS } from "./timberline-keys.ts";
import { TRANSACTION_KEYS } from "./transaction-keys.ts";

const dynamic = "cluster-wide" as const;

const SERVER_KEYS = {
  "advertised.listeners": string({
    rule: ADVERTISED_RULE,
    doc: "Where clients are told to connect; not set: the address listened on. Needed when listeners names every address (0.0.0.0).",
  }),
  "auto.create.topics.enable": boolean({
    default: true,
    doc: "Whether a client's first use of a topic creates it with num.partitions and the topic defaults.",
  }),
  "broker.id": int({
    min: 0,
    max: INT_MAX,
    doc: "Older name for node.id.",
  }),
  "broker.rack": string({
    doc: "Failure domain of this broker; replicas of a partition are spread over racks.",
  }),
  "connections.max.idle.ms": long({
    default: 600_000,
    unit: "ms",
    min: 1,
    doc: "A connection without requests for this long is closed.",
    related: ["timberline_connections"],
  }),
  "default.replication.factor": int({
    default: 1,
    unit: "count",
    min: 1,
    max: 32_767,
    doc: "Replicas of a topic that is created without saying how many.",
  }),
  "delete.topic.enable": boolean({
    default: true,
    doc: "Whether topics can be deleted; off: TOPIC_DELETION_DISABLED.",
  }),
  "fetch.max.bytes": int({
    default: 57_671_680,
    unit: "bytes",
    min: 1024,
    doc: "Largest answer to one fetch; one batch is always sent, even a larger one.",
  }),
  listeners: string({
    default: "PLAINTEXT://127.0.0.1:9092",
    rule: LISTENERS_RULE,
    doc: "Addresses and ports of the Kafka door, NAME://HOST:PORT; port 0 takes a free one. Kafka's default listens on every address.",
    related: ["listener.security.protocol.map"],
  }),
  "max.connections": int({
    default: 10_000,
    unit: "count",
    min: 0,
    dynamic,
    doc: "Connections at once on the Kafka door; further ones are closed at once. Kafka has no limit by default.",
    related: ["timberline_connections", "timberline_limit_hits_total"],
  }),
  "max.connections.per.ip": int({
    default: 10_000,
    unit: "count",
    min: 0,
    dynamic,
    doc: "Connections at once from one address. Kafka has no limit by default.",
    related: ["timberline_limit_hits_total"],
  }),
  "max.incremental.fetch.session.cache.slots": int({
    default: 1000,
    unit: "count",
    min: 0,
    doc: "Fetch sessions remembered; consumers beyond it name all their partitions in every request.",
  }),
  "message.max.bytes": int({
    default: 1_048_588,
    unit: "bytes",
    min: 0,
    dynamic,
    doc: "Default of the topic key max.message.bytes.",
    related: ["socket.request.max.bytes"],
  }),
  "min.insync.replicas": int({
    default: 1,
    unit: "count",
    min: 1,
    dynamic,
    doc: "Default of the topic key min.insync.replicas.",
  }),
  "node.id": int({
    default: 1,
    min: 0,
    max: INT_MAX,
    fallbacks: [{ name: "broker.id", times: 1 }],
    doc: "This broker's number, unique in its cluster. A data folder belongs to one number for good.",
  }),
  "num.partitions": int({
    default: 1,
    unit: "count",
    min: 1,
    doc: "Partitions of a topic that is created without saying how many.",
  }),
  "producer.id.expiration.ms": int({
    default: 86_400_000,
    unit: "ms",
    min: 1,
    dynamic,
    doc: "A partition forgets an idempotent producer after this long without a batch from it.",
  }),
  "queued.max.request.bytes": long({
    default: 268_435_456,
    unit: "bytes",
    min: 1,
    also: [-1],
    doc: "Bytes of requests in work, all connections together; above it sockets are not read. -1: no limit, which is Kafka's default.",
    related: ["timberline_inflight_bytes", "timberline_limit_hits_total"],
  }),
  "socket.request.max.bytes": int({
    default: 104_857_600,
    unit: "bytes",
    min: 1,
    doc: "Largest request on the Kafka door; a longer one closes the connection.",
    related: ["timberline_limit_hits_total"],
  }),
  "unclean.leader.election.enable": boolean({
    default: false,
    dynamic,
    doc: "Default of the topic key unclean.leader.election.enable.",
  }),
} as const;

export const BROKER_KEYS = {
  ...SERVER_KEYS,
  ...GROUP_KEYS,
  ...LOG_KEYS,
  ...REPLICATION_KEYS,
  ...SECURITY_KEYS,
  ...TIMBERLINE_KEYS,
  ...TRANSACTION_KEYS,
} as const;

export type BrokerKeyName = keyof typeof BROKER_KEYS;
