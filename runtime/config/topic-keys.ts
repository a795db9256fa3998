// Topic keys: every topic config of Kafka 4.1 under its own name, and ours under `timberline.`.
// Each names the broker key that holds its default. Persisted by name in the control plane: never rename.

import { boolean, double, int, type KeyRule, LONG_MAX, list, long, string } from "./key.ts";
import { COMPRESSION_TYPES, FLUSH_RULE } from "./rules.ts";
import { STREAM_KEYS } from "./stream-keys.ts";

const REPLICA_PAIR = /^\d+:\d+$/;

const throttledReplicas: KeyRule = {
  allowed: "* or partition:broker pairs",
  check(text) {
    if (text === "" || text === "*") return undefined;
    if (text.split(",").every((pair) => REPLICA_PAIR.test(pair.trim()))) return undefined;
    return "must be '*' or a list of pairs PARTITION:BROKER,PARTITION:BROKER,…";
  },
};

export const TOPIC_KEYS = {
  "cleanup.policy": list({
    default: "delete",
    oneOf: ["compact", "delete"],
    brokerKey: "log.cleanup.policy",
    doc: "What happens to old segments: delete them by age and size, keep the last record per key (compact), or both.",
    related: ["retention.ms", "retention.bytes", "timberline_retention_deleted_bytes_total"],
  }),
  "compression.gzip.level": int({
    default: -1,
    min: 1,
    max: 9,
    also: [-1],
    brokerKey: "compression.gzip.level",
    doc: "Effort of gzip when the broker compresses (compression.type=gzip); -1 is the codec's own choice.",
  }),
  "compression.lz4.level": int({
    default: 9,
    min: 1,
    max: 17,
    brokerKey: "compression.lz4.level",
    doc: "Effort of lz4 when the broker compresses (compression.type=lz4).",
  }),
  "compression.type": string({
    default: "producer",
    oneOf: COMPRESSION_TYPES,
    brokerKey: "compression.type",
    doc: "Codec of the batches on disk. `producer` keeps what the producer sent, byte for byte; any other value makes the leader rewrite batches that differ.",
  }),
  "compression.zstd.level": int({
    default: 3,
    min: -131072,
    max: 22,
    brokerKey: "compression.zstd.level",
    doc: "Effort of zstd when the broker compresses (compression.type=zstd).",
  }),
  "delete.retention.ms": long({
    default: 86_400_000,
    unit: "ms",
    min: 0,
    brokerKey: "log.cleaner.delete.retention.ms",
    doc: "How long a compacted topic keeps the marker of a deleted key, so that slow readers still see the deletion.",
  }),
  "file.delete.delay.ms": long({
    default: 60_000,
    unit: "ms",
    min: 0,
    brokerKey: "log.segment.delete.delay.ms",
    doc: "How long a file that retention dropped stays on disk under the suffix .deleted.",
  }),
  "flush.messages": long({
    default: LONG_MAX,
    unit: "count",
    min: 1,
    brokerKey: "log.flush.interval.messages",
    doc: "Sync to disk after this many records, also under timberline.flush=os; 1 syncs every append before it is acknowledged.",
    related: ["timberline.flush", "timberline_fsync_duration_seconds"],
  }),
  "flush.ms": long({
    default: LONG_MAX,
    unit: "ms",
    min: 0,
    brokerKey: "log.flush.interval.ms",
    doc: "Sync to disk at the latest after this time, also under timberline.flush=os.",
    related: ["timberline.flush"],
  }),
  "follower.replication.throttled.replicas": list({
    default: "",
    rule: throttledReplicas,
    doc: "Replicas whose catching-up as followers is slowed to the broker's replication limit.",
  }),
  "index.interval.bytes": int({
    default: 4096,
    unit: "bytes",
    min: 0,
    brokerKey: "log.index.interval.bytes",
    doc: "Distance between two entries of the offset index: smaller finds offsets faster and makes larger indexes.",
  }),
  "leader.replication.throttled.replicas": list({
    default: "",
    rule: throttledReplicas,
    doc: "Replicas that the leader feeds no faster than the broker's replication limit.",
  }),
  "local.retention.bytes": long({
    default: -2,
    unit: "bytes",
    min: -2,
    brokerKey: "log.local.retention.bytes",
    doc: "Local part of a tiered topic by size; -2 takes retention.bytes. Without tiered storage it has no effect.",
  }),
  "local.retention.ms": long({
    default: -2,
    unit: "ms",
    min: -2,
    brokerKey: "log.local.retention.ms",
    doc: "Local part of a tiered topic by age; -2 takes retention.ms. Without tiered storage it has no effect.",
  }),
  "max.compaction.lag.ms": long({
    default: LONG_MAX,
    unit: "ms",
    min: 1,
    brokerKey: "log.cleaner.max.compaction.lag.ms",
    doc: "A record of a compacted topic is considered for compaction at the latest after this time.",
  }),
  "max.message.bytes": int({
    default: 1_048_588,
    unit: "bytes",
    min: 0,
    brokerKey: "message.max.bytes",
    doc: "Largest record batch the topic takes, as sent (compressed). Larger ones get MESSAGE_TOO_LARGE.",
    related: ["socket.request.max.bytes", "timberline.decompressed.bytes.max"],
  }),
  "message.timestamp.after.max.ms": long({
    default: 3_600_000,
    unit: "ms",
    min: 0,
    brokerKey: "log.message.timestamp.after.max.ms",
    doc: "How far ahead of the broker's clock a record's own timestamp may be. Beyond: INVALID_TIMESTAMP.",
  }),
  "message.timestamp.before.max.ms": long({
    default: LONG_MAX,
    unit: "ms",
    min: 0,
    brokerKey: "log.message.timestamp.before.max.ms",
    doc: "How far behind the broker's clock a record's own timestamp may be. Beyond: INVALID_TIMESTAMP.",
  }),
  "message.timestamp.type": string({
    default: "CreateTime",
    oneOf: ["CreateTime", "LogAppendTime"],
    brokerKey: "log.message.timestamp.type",
    doc: "Whose clock stamps records: the producer's (CreateTime) or the leader's on arrival (LogAppendTime).",
  }),
  "min.cleanable.dirty.ratio": double({
    default: 0.5,
    unit: "ratio",
    min: 0,
    max: 1,
    brokerKey: "log.cleaner.min.cleanable.ratio",
    doc: "Share of not yet compacted bytes from which compaction is worth it.",
  }),
  "min.compaction.lag.ms": long({
    default: 0,
    unit: "ms",
    min: 0,
    brokerKey: "log.cleaner.min.compaction.lag.ms",
    doc: "A record stays uncompacted at least this long.",
  }),
  "min.insync.replicas": int({
    default: 1,
    unit: "count",
    min: 1,
    brokerKey: "min.insync.replicas",
    doc: "With acks=all, replicas that must have a batch before it is acknowledged; fewer in sync: NOT_ENOUGH_REPLICAS.",
  }),
  preallocate: boolean({
    default: false,
    brokerKey: "log.preallocate",
    doc: "Kafka's switch for reserving a segment's bytes in advance. Kept and shown; files here always grow by appending.",
  }),
  "remote.log.copy.disable": boolean({
    default: false,
    doc: "Tiered storage: stop copying to the remote tier. Has no effect without tiered storage.",
  }),
  "remote.log.delete.on.disable": boolean({
    default: false,
    doc: "Tiered storage: delete the remote part when tiering is switched off. Has no effect without tiered storage.",
  }),
  "remote.storage.enable": boolean({
    default: false,
    doc: "Tiered storage for this topic. This broker has none: only false is accepted.",
  }),
  "retention.bytes": long({
    default: -1,
    unit: "bytes",
    brokerKey: "log.retention.bytes",
    doc: "Size of a partition above which its oldest segments are deleted; -1 keeps all.",
    related: ["retention.ms", "segment.bytes", "timberline_log_size_bytes"],
  }),
  "retention.ms": long({
    default: 604_800_000,
    unit: "ms",
    min: -1,
    brokerKey: "log.retention.ms",
    doc: "Age of a segment's newest record above which the segment is deleted; -1 keeps all.",
    related: ["retention.bytes", "segment.ms", "log.retention.check.interval.ms"],
  }),
  "segment.bytes": int({
    default: 1_073_741_824,
    unit: "bytes",
    min: 1_048_576,
    brokerKey: "log.segment.bytes",
    doc: "Size at which a new segment begins. Retention works on whole segments.",
    related: ["segment.ms", "timberline_log_segments"],
  }),
  "segment.index.bytes": int({
    default: 10_485_760,
    unit: "bytes",
    min: 4,
    brokerKey: "log.index.size.max.bytes",
    doc: "Size of an index at which a new segment begins.",
  }),
  "segment.jitter.ms": long({
    default: 0,
    unit: "ms",
    min: 0,
    brokerKey: "log.roll.jitter.ms",
    doc: "Largest random part taken off segment.ms, so that partitions do not roll all at once.",
  }),
  "segment.ms": long({
    default: 604_800_000,
    unit: "ms",
    min: 1,
    brokerKey: "log.roll.ms",
    doc: "Age at which a new segment begins even if the old one is small, so that retention can work.",
  }),
  "timberline.flush": string({
    default: "group",
    rule: FLUSH_RULE,
    brokerKey: "timberline.flush",
    doc: "When an append is acknowledged: after a sync shared by all that wait (group), once the operating system has the bytes (os), or as os with a sync every so many milliseconds (interval:MS).",
    related: ["flush.messages", "timberline_fsync_duration_seconds", "timberline_fsync_batch_acks"],
  }),
  ...STREAM_KEYS,
  "unclean.leader.election.enable": boolean({
    default: false,
    brokerKey: "unclean.leader.election.enable",
    doc: "Whether a replica that may lack acknowledged records can become leader when no other is left.",
  }),
} as const;

export type TopicKeyName = keyof typeof TOPIC_KEYS;
