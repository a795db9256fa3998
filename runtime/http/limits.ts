// Every upper limit of the HTTP door, with its default and its configuration key where it has one. Nothing is
// read from anywhere here: `createHttpApp` is given the values.

export interface HttpLimits {
  /** One request body that is held in memory: JSON, one raw record, one raw batch. NDJSON has no total. */
  readonly bodyBytesMax: number;
  /** One line of an NDJSON stream. */
  readonly lineBytesMax: number;
  /** Records in one JSON body. */
  readonly bodyRecordsMax: number;
  /** Bodies held in memory at once; more wait, unread, in their sockets. */
  readonly inflightBytesMax: number;
  /** How long a body may wait for that budget before 503. */
  readonly inflightWaitMsMax: number;
  /** A body that is read whole has so long to come, and a second more for each `bodyBytesPerSecond`; else 408. */
  readonly bodyMsMax: number;
  readonly bodyBytesPerSecond: number;
  /** Silence of a body that is read as it comes, and of an NDJSON stream, before 408. */
  readonly bodySilenceMsMax: number;
  readonly linesSilenceMsMax: number;
  /** Records are gathered into batches of about this size, or of the topic's max.message.bytes if less. */
  readonly batchBytesMax: number;
  /** A record of a slow stream waits at most this long for others to join its batch. */
  readonly batchLingerMs: number;
  /** Appends of one request under way at once. */
  readonly appendsMax: number;
  /** Headers of one record. */
  readonly recordHeadersMax: number;
  /** Default and upper limit of `timeout_ms` of a produce request. */
  readonly produceTimeoutMsMax: number;
  /** `max_bytes` of a fetch that does not say. */
  readonly fetchBytes: number;
  /** Upper limit of `max_bytes` when the answer is raw batches, pumped from the files. */
  readonly fetchBytesMax: number;
  /** Upper limit of `max_bytes` when records are decoded in memory. */
  readonly decodeBytesMax: number;
  /** JSON pages on their way to readers: as this fills, `max_bytes` shrinks, down to `pageBytesMin`. */
  readonly pagesBytesMax: number;
  readonly pageBytesMin: number;
  /** `max_records` of a JSON fetch that does not say, and its upper limit. */
  readonly fetchRecords: number;
  readonly fetchRecordsMax: number;
  /** Upper limit of `wait` and of one wait of a stream. */
  readonly fetchWaitMsMax: number;
  /** One batch once decompressed: more is a bomb, or only for clients that take raw batches. */
  readonly decompressedBytesMax: number;
  /** Bytes fetched per turn of a stream. */
  readonly streamChunkBytes: number;
  /** SSE and NDJSON answers under way at once. */
  readonly streamsMax: number;
  /** A long poll of the Durable Streams door waits so long. */
  readonly longPollMs: number;
  /** Silence on an SSE stream before a comment keeps proxies from cutting it. */
  readonly sseKeepaliveMs: number;
  /** An SSE stream or a followed NDJSON one ends after this long; clients resume where they were. */
  readonly streamLifeMsMax: number;
  /** Partitions of a stream over a whole topic: each event's id names the position in all of them. */
  readonly streamPartitionsMax: number;
  /** Topics on one page of the list. */
  readonly topicsPageMax: number;
}

const KiB = 1024;
const MiB = 1024 * 1024;

export const defaultHttpLimits: HttpLimits = {
  bodyBytesMax: 100 * MiB,
  lineBytesMax: 16 * MiB,
  bodyRecordsMax: 500_000,
  inflightBytesMax: 256 * MiB,
  bodyMsMax: 30_000,
  bodyBytesPerSecond: 64 * KiB,
  bodySilenceMsMax: 30_000,
  linesSilenceMsMax: 600_000,
  inflightWaitMsMax: 30_000,
  batchBytesMax: 256 * KiB,
  batchLingerMs: 10,
  appendsMax: 8,
  recordHeadersMax: 1000,
  produceTimeoutMsMax: 30_000,
  fetchBytes: MiB,
  fetchBytesMax: 55 * MiB,
  decodeBytesMax: 16 * MiB,
  pagesBytesMax: 64 * MiB,
  pageBytesMin: 64 * KiB,
  fetchRecords: 1000,
  fetchRecordsMax: 100_000,
  fetchWaitMsMax: 30_000,
  decompressedBytesMax: 64 * MiB,
  streamChunkBytes: 256 * KiB,
  streamsMax: 1000,
  longPollMs: 30_000,
  sseKeepaliveMs: 15_000,
  streamLifeMsMax: 30 * 60_000,
  streamPartitionsMax: 256,
  topicsPageMax: 10_000,
};

/** Limits that have a configuration key; the others change only where a program embeds the door. */
export const httpLimitKeys = {
  bodyBytesMax: "timberline.http.body.max.bytes",
  decompressedBytesMax: "timberline.decompressed.bytes.max",
  longPollMs: "timberline.http.long.poll.ms",
  sseKeepaliveMs: "timberline.http.sse.heartbeat.ms",
  streamsMax: "timberline.http.sse.streams.max",
} as const satisfies { readonly [limit in keyof HttpLimits]?: string };
