// What the routes take and give, as valibot schemas: they validate requests and become the OpenAPI document.
// Loaded on the first request that needs one (7 ms that the start does not pay); others import types only.

import * as v from "valibot";
import { codecWords } from "../compression/codecs.ts";
import { group, groupCommit, groupCommitted, groupList, groupOffsets } from "./group-schemas.ts";

/** Shared by all whole numbers of a query, so that the OpenAPI document can tell them from other text. */
export const wholeNumberPattern = /^-?\d{1,16}$/;

const wholeNumber = (description: string, least = 0) =>
  v.pipe(
    v.string(),
    v.regex(wholeNumberPattern, "must be a whole number"),
    v.transform(Number),
    v.minValue(least, `must be at least ${least}`),
    v.maxValue(Number.MAX_SAFE_INTEGER, "is too large"),
    v.description(description),
  );
const flag = (description: string) =>
  v.pipe(
    v.picklist(["true", "false"], "must be true or false"),
    v.transform((text) => text === "true"),
    v.description(description),
  );
const text = (description: string) => v.pipe(v.string(), v.description(description));
const integer = (description: string) =>
  v.pipe(v.number(), v.integer("must be a whole number"), v.description(description));

// ---- topics ----

const configValues = v.record(v.string(), v.union([v.string(), v.number(), v.boolean()]));

const topicListQuery = v.strictObject({
  internal: v.optional(flag("Also list internal topics, whose names begin with two underscores.")),
  filter: v.optional(text("Only topics whose name contains this; * stands for any characters.")),
  after: v.optional(text("Only topics after this name: `next` of the page before.")),
  limit: v.optional(wholeNumber("Topics on the page.", 1)),
});

const topicCreate = v.strictObject({
  name: v.pipe(v.string(), v.description("1 to 249 of a-z A-Z 0-9 . _ -")),
  partitions: v.optional(integer("Default: the broker's num.partitions.")),
  replication_factor: v.optional(integer("Default: the broker's default.replication.factor.")),
  assignments: v.optional(v.array(v.array(v.pipe(v.number(), v.integer())))),
  configs: v.optional(configValues),
  validate_only: v.optional(v.boolean()),
});

const topicAlter = v.strictObject({
  partitions: v.optional(integer("Grow to this many. Keys move to other partitions!")),
  configs: v.optional(
    v.pipe(
      v.record(v.string(), v.nullable(v.union([v.string(), v.number(), v.boolean()]))),
      v.description("Sets each one; null returns it to its default."),
    ),
  ),
  validate_only: v.optional(v.boolean()),
});

const topicSummary = v.object({
  name: v.string(),
  id: v.string(),
  partitions: v.number(),
  replication_factor: v.number(),
  internal: v.boolean(),
});
const topicList = v.object({ topics: v.array(topicSummary), next: v.nullable(v.string()) });

const errorDetail = v.looseObject({
  code: v.pipe(v.string(), v.description("Kafka's name of the error.")),
  message: v.string(),
  status: v.number(),
});
const error = v.looseObject({ error: errorDetail });
/** Of Confluent's REST API. */
const restError = v.object({ error_code: v.number(), message: v.string() });

const partition = v.object({
  partition: v.number(),
  leader: v.number(),
  leader_epoch: v.number(),
  replicas: v.array(v.number()),
  isr: v.array(v.number()),
  elr: v.pipe(
    v.array(v.number()),
    v.description("Not in sync, but they have all that is committed."),
  ),
  adding: v.pipe(v.array(v.number()), v.description("Replicas that a reassignment adds.")),
  removing: v.array(v.number()),
  start_offset: v.optional(v.number()),
  high_watermark: v.optional(v.number()),
  end_offset: v.optional(v.number()),
  size_bytes: v.optional(v.number()),
  segments: v.optional(v.number()),
  error: v.optional(errorDetail),
});
const topic = v.object({
  ...topicSummary.entries,
  configs: v.record(v.string(), v.string()),
  partitions: v.array(partition),
});

const configsQuery = v.strictObject({
  name: v.optional(
    v.pipe(
      v.union([v.string(), v.array(v.string())]),
      v.description("Only these; may be repeated."),
    ),
  ),
});
const configs = v.object({
  configs: v.array(
    v.object({
      name: v.string(),
      value: v.nullable(v.string()),
      source: v.string(),
      type: v.string(),
      read_only: v.boolean(),
      sensitive: v.boolean(),
      documentation: v.string(),
      synonyms: v.array(
        v.object({ name: v.string(), value: v.nullable(v.string()), source: v.string() }),
      ),
    }),
  ),
});

// ---- offsets ----

const deleteRecords = v.strictObject({
  offset: v.pipe(
    v.union([v.pipe(v.number(), v.integer()), v.literal("latest")]),
    v.description("Records before it are deleted. latest: all that are committed."),
  ),
});
const deletedRecords = v.object({ partition: v.number(), start_offset: v.number() });

const offsetsQuery = v.strictObject({
  at: v.optional(
    text("earliest, latest (default), max-timestamp, ms since 1970, or an ISO 8601 time."),
  ),
  isolation: v.optional(v.picklist(["read_uncommitted", "read_committed"])),
});
const offsets = v.object({
  offsets: v.array(
    v.object({
      partition: v.number(),
      offset: v.optional(v.number()),
      timestamp: v.optional(v.nullable(v.number())),
      leader_epoch: v.optional(v.number()),
      error: v.optional(errorDetail),
    }),
  ),
});

// ---- records ----

const encoding = v.picklist(["text", "json", "base64"]);
const headersInput = v.union([
  v.record(v.string(), v.nullable(v.string())),
  v.array(
    v.object({
      key: v.string(),
      value: v.nullable(v.string()),
      value_encoding: v.optional(v.picklist(["text", "base64"])),
    }),
  ),
]);

const record = v.object({
  key: v.optional(v.unknown()),
  key_encoding: v.optional(encoding),
  value: v.unknown(),
  value_encoding: v.optional(encoding),
  headers: v.optional(headersInput),
  timestamp: v.optional(v.union([v.number(), v.string()])),
  partition: v.optional(v.number()),
});
const records = v.union([record, v.array(record), v.object({ records: v.array(record) })]);

const produceQuery = v.strictObject({
  acks: v.optional(v.picklist(["all", "-1", "0", "1"], "must be all, -1, 0 or 1")),
  timeout_ms: v.optional(wholeNumber("How long replicas may take to acknowledge.", 1)),
  compression: v.optional(v.picklist(codecWords)),
  key_encoding: v.optional(encoding),
  value_encoding: v.optional(encoding),
  partition: v.optional(wholeNumber("The partition; on the route of a topic only.")),
  expected_offset: v.optional(
    wholeNumber("Store only if the first record gets this offset; 412 if the log ends elsewhere."),
  ),
  fence: v.optional(
    wholeNumber("Store only while this is the partition's fence; 409 once a higher one was taken."),
  ),
  key: v.optional(text("Raw bodies: the record's key, text or base64 by key_encoding.")),
  timestamp: v.optional(text("Raw bodies: ms since 1970 or an ISO 8601 time.")),
  header: v.optional(
    v.pipe(
      v.union([v.string(), v.array(v.string())]),
      v.description("Raw bodies: a header as name:value; may be repeated."),
    ),
  ),
});

const fenceQuery = v.strictObject({
  token: v.optional(wholeNumber("Higher than all before; default: the next one.", 1)),
});
const fence = v.object({
  topic: v.string(),
  partition: v.number(),
  fence: v.pipe(v.number(), v.description("The token that appends carry as ?fence=.")),
});

const stored = v.object({
  topic: v.string(),
  record_count: v.number(),
  partitions: v.array(
    v.object({
      partition: v.number(),
      start_offset: v.number(),
      end_offset: v.pipe(v.number(), v.description("After the last record stored.")),
      tail_offset: v.pipe(
        v.number(),
        v.description(
          "Where the partition ended when it was acknowledged, as far as is known here.",
        ),
      ),
      record_count: v.number(),
      timestamp: v.pipe(v.number(), v.description("Of the last record, ms since 1970.")),
      log_start_offset: v.number(),
    }),
  ),
  records: v.optional(
    v.array(v.object({ partition: v.number(), offset: v.number(), timestamp: v.number() })),
  ),
});

const view = {
  isolation: v.optional(v.picklist(["read_uncommitted", "read_committed"])),
  key_encoding: v.optional(encoding),
  value_encoding: v.optional(encoding),
  max_records: v.optional(wholeNumber("Stop after so many records.", 1)),
};
const start = {
  offset: v.optional(text("earliest, latest, an offset, or -N for the last N.")),
  timestamp: v.optional(text("Start at the first record at or after: ms since 1970 or ISO 8601.")),
  clamp: v.optional(flag("An offset that is not there is moved to the nearest end of the log.")),
};
const fetchQuery = v.strictObject({
  ...start,
  ...view,
  max_bytes: v.optional(wholeNumber("Bytes read from the log; one batch always fits.", 1)),
  wait: v.optional(wholeNumber("ms to wait for a first record.")),
  format: v.optional(v.picklist(["json", "ndjson", "sse", "batches"])),
  follow: v.optional(flag("NDJSON: go on when the end is reached.")),
});
const tailQuery = v.strictObject({
  ...start,
  ...view,
  partitions: v.optional(text("Only these, as 0,1,2.")),
  format: v.optional(v.picklist(["ndjson", "sse"])),
  follow: v.optional(flag("NDJSON: go on when the ends are reached.")),
});

const fetchedRecord = v.object({
  partition: v.number(),
  offset: v.number(),
  timestamp: v.number(),
  key: v.unknown(),
  key_encoding: v.optional(encoding),
  value: v.unknown(),
  value_encoding: v.optional(encoding),
  headers: v.optional(headersInput),
});
const fetched = v.object({
  topic: v.string(),
  partition: v.number(),
  records: v.array(fetchedRecord),
  next_offset: v.number(),
  high_watermark: v.number(),
  last_stable_offset: v.number(),
  log_start_offset: v.number(),
});

// ---- cluster and operations ----

const cluster = v.object({
  cluster_id: v.string(),
  controller_id: v.number(),
  broker_id: v.number(),
  brokers: v.array(
    v.object({
      id: v.number(),
      host: v.string(),
      port: v.number(),
      rack: v.nullable(v.string()),
      fenced: v.boolean(),
      draining: v.pipe(v.boolean(), v.description("It is stopping: others take over.")),
      leads: v.pipe(v.number(), v.description("Partitions it leads.")),
      replicas: v.pipe(v.number(), v.description("Partitions it has, those it leads included.")),
    }),
  ),
  topics: v.number(),
  partitions: v.number(),
  under_replicated: v.pipe(v.number(), v.description("Partitions with a replica not in sync.")),
  offline: v.pipe(v.number(), v.description("Partitions without a leader.")),
});
const health = v.object({ status: v.string(), reasons: v.array(v.string()) });

export const schemas = {
  topicListQuery,
  topicCreate,
  topicAlter,
  topicList,
  topic,
  configsQuery,
  configs,
  deleteRecords,
  deletedRecords,
  offsetsQuery,
  offsets,
  records,
  record,
  produceQuery,
  fenceQuery,
  fence,
  stored,
  fetchQuery,
  tailQuery,
  fetched,
  fetchedRecord,
  groupList,
  group,
  groupOffsets,
  groupCommit,
  groupCommitted,
  cluster,
  health,
  error,
  restError,
};

export type SchemaName = keyof typeof schemas;
export type Parsed<Name extends SchemaName> = v.InferOutput<(typeof schemas)[Name]>;
