// Keys of one consumer group's own configs (KIP-848), set by AlterConfigs on the group. What is not set is the
// broker's. Kafka's names and rules; its keys of share groups and of Streams are none of this broker's.

import { int } from "./key.ts";

export const GROUP_CONFIG_KEYS = {
  "consumer.heartbeat.interval.ms": int({
    default: 5000,
    unit: "ms",
    min: 1,
    brokerKey: "group.consumer.heartbeat.interval.ms",
    doc: "How often members of the group are told to report, if they speak the consumer protocol.",
    related: [
      "group.consumer.min.heartbeat.interval.ms",
      "group.consumer.max.heartbeat.interval.ms",
    ],
  }),
  "consumer.session.timeout.ms": int({
    default: 45_000,
    unit: "ms",
    min: 1,
    brokerKey: "group.consumer.session.timeout.ms",
    doc: "A member of the group that is silent for this long is put out, if it speaks the consumer protocol.",
    related: ["group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"],
  }),
} as const;

export type GroupConfigKeyName = keyof typeof GROUP_CONFIG_KEYS;
