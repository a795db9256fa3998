// Broker keys of transactions: limits of producers, life of transactional ids, the topic that holds their state.
// Kafka's names, defaults and dynamic rules.

import { INT_MAX, int } from "./key.ts";

export const TRANSACTION_KEYS = {
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": int({
    default: 10_000,
    unit: "ms",
    min: 1,
    doc: "How often open transactions are looked at; those past their timeout are aborted.",
    related: ["transaction.max.timeout.ms"],
  }),
  "transaction.max.timeout.ms": int({
    default: 900_000,
    unit: "ms",
    min: 1,
    doc: "Longest transaction.timeout.ms a producer may ask for; more is INVALID_TRANSACTION_TIMEOUT.",
  }),
  "transaction.remove.expired.transaction.cleanup.interval.ms": int({
    default: 3_600_000,
    unit: "ms",
    min: 1,
    doc: "How often transactional ids are looked at that nobody used.",
    related: ["transactional.id.expiration.ms"],
  }),
  "transaction.state.log.num.partitions": int({
    default: 50,
    unit: "count",
    min: 1,
    doc: "Partitions of __transaction_state, when it is created.",
  }),
  "transaction.state.log.replication.factor": int({
    default: 3,
    unit: "count",
    min: 1,
    max: 32_767,
    doc: "Replicas of __transaction_state, when it is created; one per broker where there are fewer.",
  }),
  "transaction.state.log.segment.bytes": int({
    default: 104_857_600,
    unit: "bytes",
    min: 1_048_576,
    doc: "Segment size of __transaction_state, when it is created.",
  }),
  "transactional.id.expiration.ms": int({
    default: 604_800_000,
    unit: "ms",
    min: 1,
    max: INT_MAX,
    doc: "A transactional id is forgotten after this long without a transaction.",
  }),
} as const;
