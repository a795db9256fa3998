// Broker keys of consumer groups: limits of their members, life of committed offsets, the topic that holds both.
// Kafka's names, defaults and dynamic rules. What a single group sets for itself is in `group-config-keys.ts`.

import { int, list, long, string } from "./key.ts";
import { MIGRATION_RULE } from "./rules.ts";

export const GROUP_KEYS = {
  "group.consumer.assignors": list({
    default: "uniform,range",
    oneOf: ["uniform", "range"],
    doc: "Assignors of the consumer protocol; the first is the default.",
  }),
  "group.consumer.heartbeat.interval.ms": int({
    default: 5000,
    unit: "ms",
    min: 1,
    doc: "How often members of the consumer protocol are told to report.",
    related: ["group.consumer.session.timeout.ms"],
  }),
  "group.consumer.max.heartbeat.interval.ms": int({
    default: 15_000,
    unit: "ms",
    min: 1,
    doc: "Longest consumer.heartbeat.interval.ms that a group may set for itself.",
  }),
  "group.consumer.max.session.timeout.ms": int({
    default: 60_000,
    unit: "ms",
    min: 1,
    doc: "Longest consumer.session.timeout.ms that a group may set for itself.",
  }),
  "group.consumer.max.size": int({
    default: 2_147_483_647,
    unit: "count",
    min: 1,
    doc: "Members of one group of the consumer protocol; more are refused with GROUP_MAX_SIZE_REACHED.",
  }),
  "group.consumer.migration.policy": string({
    default: "bidirectional",
    rule: MIGRATION_RULE,
    doc:
      "Which living groups change their protocol: upgrade, to the consumer protocol when its first member joins; " +
      "downgrade, back when its last one leaves; bidirectional, disabled. Empty groups always do.",
  }),
  "group.consumer.min.heartbeat.interval.ms": int({
    default: 5000,
    unit: "ms",
    min: 1,
    doc: "Shortest consumer.heartbeat.interval.ms that a group may set for itself.",
  }),
  "group.consumer.min.session.timeout.ms": int({
    default: 45_000,
    unit: "ms",
    min: 1,
    doc: "Shortest consumer.session.timeout.ms that a group may set for itself.",
  }),
  "group.consumer.session.timeout.ms": int({
    default: 45_000,
    unit: "ms",
    min: 1,
    doc: "A member of the consumer protocol that is silent for this long is put out of its group.",
    related: ["group.consumer.heartbeat.interval.ms"],
  }),
  "group.initial.rebalance.delay.ms": int({
    default: 3000,
    unit: "ms",
    min: 0,
    doc: "How long an empty group waits for more members before its first rebalance.",
  }),
  "group.max.session.timeout.ms": int({
    default: 1_800_000,
    unit: "ms",
    min: 1,
    doc: "Longest session.timeout.ms a member may ask for; more is INVALID_SESSION_TIMEOUT.",
  }),
  "group.max.size": int({
    default: 2_147_483_647,
    unit: "count",
    min: 1,
    doc: "Members of one classic group; more are refused with GROUP_MAX_SIZE_REACHED.",
  }),
  "group.min.session.timeout.ms": int({
    default: 6000,
    unit: "ms",
    min: 1,
    doc: "Shortest session.timeout.ms a member may ask for; less is INVALID_SESSION_TIMEOUT.",
  }),
  "offset.metadata.max.bytes": int({
    default: 4096,
    unit: "bytes",
    min: 0,
    doc: "Longest metadata of one committed offset; more is OFFSET_METADATA_TOO_LARGE.",
  }),
  "offsets.retention.check.interval.ms": long({
    default: 600_000,
    unit: "ms",
    min: 1,
    doc: "How often expired offsets are looked for.",
  }),
  "offsets.retention.minutes": int({
    default: 10_080,
    unit: "count",
    min: 1,
    doc: "How long the offsets of an empty group, or of topics it no longer reads, are kept.",
  }),
  "offsets.topic.num.partitions": int({
    default: 50,
    unit: "count",
    min: 1,
    doc: "Partitions of __consumer_offsets. Never change it once the topic exists: groups would lose their offsets.",
  }),
  "offsets.topic.replication.factor": int({
    default: 3,
    unit: "count",
    min: 1,
    max: 32_767,
    doc: "Replicas of __consumer_offsets, when it is created; one per broker where there are fewer.",
  }),
  "offsets.topic.segment.bytes": int({
    default: 104_857_600,
    unit: "bytes",
    min: 1,
    doc: "segment.bytes of __consumer_offsets.",
  }),
} as const;
