// GET of one partition's records, stateless: JSON, or raw batches as they lie in the log. NDJSON and SSE of
// one partition, and of a whole topic, are streams: `streams.ts`.

import type { Context } from "hono";
import type { FetchedPartition, FetchRequest } from "../broker.ts";
import { HttpError } from "./error.ts";
import { eventsMediaType } from "./event-stream.ts";
import { decodeFetched } from "./fetched-records.ts";
import { pageAnswer } from "./large-answers.ts";
import { LiveRecords } from "./live-records.ts";
import { type ClosedPage, cacheable } from "./page-cache.ts";
import { readPartition } from "./partition-read.ts";
import { checkPartitionExists, resolveStart } from "./position.ts";
import { partitionNumber } from "./producer.ts";
import { batchesAnswer } from "./raw-batches.ts";
import { recordJson } from "./record-output.ts";
import { type Door, pathParameter, type Route } from "./route.ts";
import type { Parsed } from "./schemas.ts";
import { batchesMediaType, linesMediaType } from "./stored.ts";
import { partitionStream, topicStream } from "./streams.ts";
import { validQuery } from "./validation.ts";

type FetchQuery = Parsed<"fetchQuery">;
type Format = NonNullable<FetchQuery["format"]>;

export function fetchRoutes(door: Door): Route[] {
  const live = new LiveRecords(door);
  return [
    {
      method: "GET",
      path: "/v1/topics/:topic/partitions/:partition/records",
      doc: {
        tag: "records",
        summary: "Read a partition",
        description:
          "Stateless: from an offset or a time. JSON is one bounded page; NDJSON goes to the end seen at " +
          "the start (or on, with follow=true); SSE goes on and resumes by Last-Event-ID; " +
          `${batchesMediaType} or application/octet-stream gives whole record batches as stored, the ` +
          "first of which may begin before the asked offset.",
        query: "fetchQuery",
        answers: {
          200: {
            description:
              "Records. Timberline-Next-Offset and the like stand in the headers of batches",
            content: {
              "application/json": "fetched",
              [linesMediaType]: "fetchedRecord",
              [eventsMediaType]: "fetchedRecord",
              [batchesMediaType]: null,
              "application/octet-stream": null,
            },
          },
        },
      },
      handle: (context) => fetchPartition(door, live, context),
    },
    {
      method: "GET",
      path: "/v1/topics/:topic/records",
      doc: {
        tag: "records",
        summary: "Follow a topic",
        description:
          "All partitions at once. SSE (default): from latest on; each id names the position in every " +
          "partition, Last-Event-ID resumes there. NDJSON: from earliest to the ends seen at the start.",
        query: "tailQuery",
        answers: {
          200: {
            description: "Records as they come; in order per partition",
            content: { [eventsMediaType]: "fetchedRecord", [linesMediaType]: "fetchedRecord" },
          },
        },
      },
      handle: (context) => fetchTopic(door, context),
    },
  ];
}

async function fetchPartition(door: Door, live: LiveRecords, context: Context): Promise<Response> {
  const topic = pathParameter(context, "topic");
  const partition = partitionNumber(topic, pathParameter(context, "partition"));
  const query = await validQuery(context, "fetchQuery");
  checkPartitionExists(door, topic, partition);
  const accept = context.req.header("accept") ?? "";
  const format = query.format ?? formatOf(accept, partitionFormats, "json");
  if (format === "sse" || format === "ndjson") {
    return partitionStream(door, live, context, { topic, partition, format, query });
  }
  const isolation = query.isolation ?? "read_uncommitted";
  const offset = await resolveStart(door, {
    topic,
    partition,
    start: query,
    fallback: "earliest",
    isolation,
  });
  const request = { topic, partition, offset, isolation, query };
  if (format === "json") return jsonPage(door, context, request);
  const fetched = await fetchOnce(door, context, request, door.config.limits.fetchBytesMax);
  if (fetched.error !== null) {
    fetched.records.release();
    throw fetched.error;
  }
  const mediaType = accept.includes(batchesMediaType)
    ? batchesMediaType
    : "application/octet-stream";
  const { signal } = context.req.raw;
  const answer = await batchesAnswer(fetched, { offset, mediaType, signal });
  const nextOffset = Number(answer.headers.get("timberline-next-offset"));
  const size = Number(answer.headers.get("content-length"));
  return cacheable(context, answer, closedPage(door, fetched, { offset, nextOffset, size }));
}

async function fetchTopic(door: Door, context: Context): Promise<Response> {
  const topic = pathParameter(context, "topic");
  const query = await validQuery(context, "tailQuery");
  checkPartitionExists(door, topic, 0);
  const accept = context.req.header("accept") ?? "";
  const format = query.format ?? formatOf(accept, streamFormats, "sse");
  return topicStream(door, context, { topic, format, query });
}

interface OneFetch {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly isolation: FetchRequest["isolation"];
  readonly query: FetchQuery;
}

function fetchOnce(
  door: Door,
  context: Context,
  { topic, partition, offset, isolation, query }: OneFetch,
  most: number,
): Promise<FetchedPartition> {
  const { limits } = door.config;
  const bytesMax = Math.min(query.max_bytes ?? limits.fetchBytes, most);
  const waitMs = Math.min(query.wait ?? 0, limits.fetchWaitMsMax);
  // Asking for the signal costs; only a wait needs it.
  const signal = waitMs > 0 ? context.req.raw.signal : undefined;
  return readPartition(door, { topic, partition, offset, bytesMax, waitMs, isolation, signal });
}

/** A page as large as was asked for, or as there is room for while others take theirs. */
async function jsonPage(door: Door, context: Context, request: OneFetch): Promise<Response> {
  const { query } = request;
  const { fetchBytes, decodeBytesMax } = door.config.limits;
  const asked = Math.min(query.max_bytes ?? fetchBytes, decodeBytesMax);
  let lease = door.pages.take(asked);
  try {
    // Whoever waits for a record holds nothing yet.
    if (query.wait !== undefined) lease.release();
    const fetched = await fetchOnce(door, context, request, lease.bytesMax);
    if (query.wait !== undefined) lease = door.pages.take(fetched.records.length);
    const { text, nextOffset, size } = await pageText(door, fetched, request);
    const answer = pageAnswer(text, lease, () => context.req.raw.signal);
    const { offset } = request;
    return cacheable(context, answer, closedPage(door, fetched, { offset, nextOffset, size }));
  } catch (error) {
    lease.release();
    throw error;
  }
}

async function pageText(
  door: Door,
  fetched: FetchedPartition,
  { offset, query }: OneFetch,
): Promise<{ text: string; nextOffset: number; size: number }> {
  const { limits } = door.config;
  const recordsMax = Math.min(query.max_records ?? limits.fetchRecords, limits.fetchRecordsMax);
  const range = { offset, endOffset: Number.POSITIVE_INFINITY, recordsMax };
  const { records, nextOffset } = await decodeFetched(door, fetched, range);
  const { topic, partition, highWatermark, lastStableOffset, logStartOffset } = fetched;
  const view = { keyEncoding: query.key_encoding, valueEncoding: query.value_encoding };
  const text =
    `{"topic":${JSON.stringify(topic)},"partition":${partition},"records":[` +
    records.map((record) => recordJson(record, partition, view)).join(",") +
    `],"next_offset":${nextOffset},"high_watermark":${highWatermark},` +
    `"last_stable_offset":${lastStableOffset},"log_start_offset":${logStartOffset}}`;
  return { text, nextOffset, size: records.length };
}

function closedPage(
  door: Door,
  { topic, partition, highWatermark, lastStableOffset }: FetchedPartition,
  page: Pick<ClosedPage, "offset" | "nextOffset" | "size">,
): ClosedPage {
  const topicId = door.broker.cluster().topics.get(topic)?.id ?? topic;
  const endOffset = Math.min(highWatermark, lastStableOffset);
  return { topicId, partition, endOffset, ...page };
}

const streamFormats: readonly (readonly [string, "sse" | "ndjson"])[] = [
  [eventsMediaType, "sse"],
  [linesMediaType, "ndjson"],
];
const partitionFormats: readonly (readonly [string, Format])[] = [
  ...streamFormats,
  ["application/json", "json"],
  [batchesMediaType, "batches"],
  ["application/octet-stream", "batches"],
];

/** The first media type of Accept that the route has; 406 if it has none of them. */
function formatOf<F extends string>(
  accept: string,
  formats: readonly (readonly [string, F])[],
  fallback: F,
): F {
  if (accept === "" || accept === "*/*") return fallback;
  for (const range of accept.split(",")) {
    const mediaType = range.split(";", 1)[0]!.trim().toLowerCase();
    const found = formats.find(([name]) => name === mediaType);
    if (found !== undefined) return found[1];
    if (mediaType === "*/*" || mediaType === "application/*" || mediaType === "text/html") {
      return fallback;
    }
  }
  const offered = formats.map(([name]) => name).join(", ");
  throw new HttpError("INVALID_REQUEST", `accept: this route answers ${offered}`, { status: 406 });
}
