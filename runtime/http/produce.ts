// POST of records: the body's media type decides how it is read. A plain JSON record takes the shortest way:
// no middleware, no schema, one batch, one append.

import type { Context } from "hono";
import { BrokerError } from "../errors.ts";
import { type KeylessPartitioner, StickyPartitioner } from "../partitioner.ts";
import { storedTimeMs, tailOffset } from "./appends.ts";
import { withBody, withText } from "./body.ts";
import { HttpError, invalid } from "./error.ts";
import { type MemberTexts, recordTexts } from "./json-text.ts";
import { produceBatches } from "./produce-batches.ts";
import { produceLines } from "./produce-lines.ts";
import {
  checkPartition,
  choosePartition,
  encodeOptions,
  openProducer,
  type Producer,
} from "./producer.ts";
import { type ProducedRecord, rawRecord, readRecord } from "./record-input.ts";
import { RecordWriter, recordBytes } from "./record-writer.ts";
import { type Door, jsonText, type Route, type RouteDoc } from "./route.ts";
import { batchesMediaType, linesMediaType, stopped, storedAnswer } from "./stored.ts";
import { parseJson } from "./validation.ts";

const doc: RouteDoc = {
  tag: "records",
  summary: "Append records",
  description:
    "JSON: one record, an array, or {records:[…]}. NDJSON: a stream of records, one per line, of any " +
    `length. ${batchesMediaType}: record batches, stored as they are. Any other type: the body is the ` +
    "value of one record. A missing topic is created where the broker may.",
  query: "produceQuery",
  body: {
    "application/json": "records",
    [linesMediaType]: "record",
    [batchesMediaType]: null,
    "application/octet-stream": null,
  },
  answers: { 200: { description: "Stored", content: { "application/json": "stored" } } },
};

export function produceRoutes(door: Door): Route[] {
  const keyless = new StickyPartitioner({ random: door.platform.random });
  const handle = (context: Context) => produce(door, context, keyless);
  return [
    { method: "POST", path: "/v1/topics/:topic/records", doc, handle },
    { method: "POST", path: "/v1/topics/:topic/partitions/:partition/records", doc, handle },
  ];
}

async function produce(
  door: Door,
  context: Context,
  keyless: KeylessPartitioner,
): Promise<Response> {
  const mediaType = mediaTypeOf(context);
  const opening = openProducer(door, context, keyless);
  const producer = opening instanceof Promise ? await opening : opening;
  switch (mediaType) {
    case "application/json":
      return withText(door, context, (text) => produceJson(door, producer, text));
    case linesMediaType:
      return produceLines(door, producer, context);
    case batchesMediaType:
      return produceBatches(door, producer, context);
    default:
      return withBody(door, context, (body) =>
        appendOne(door, producer, rawRecord(body, producer.query, producer.defaults)),
      );
  }
}

/** Lower case, without parameters. Throws 415 for bodies that are not what they say they carry. */
function mediaTypeOf(context: Context): string {
  const given = context.req.header("content-type") ?? "";
  const end = given.indexOf(";");
  const mediaType = (end < 0 ? given : given.slice(0, end)).trim().toLowerCase();
  // Encoded JSON fails to parse: the plain append looks up no header for that.
  if (mediaType === "application/json") return mediaType;
  const coding = context.req.header("content-encoding");
  if (coding !== undefined && coding !== "identity") {
    throw unsupported(
      `content-encoding ${coding}: send the body as it is, compress by ?compression=`,
    );
  }
  if (mediaType.startsWith("multipart/")) {
    throw unsupported(`${mediaType}: send the file itself as the body (curl --data-binary @file)`);
  }
  return mediaType;
}

function unsupported(message: string): HttpError {
  return new HttpError("INVALID_REQUEST", message, { status: 415 });
}

function produceJson(door: Door, producer: Producer, text: string): Promise<Response> {
  const given = parseJson(text);
  const list = recordList(given);
  let texts: MemberTexts[] | null = null;
  const textsOf = (index: number): MemberTexts => {
    texts ??= recordTexts(text);
    return texts[index]!;
  };
  if (list === null) {
    return appendOne(
      door,
      producer,
      readRecord(given, () => textsOf(0), producer.defaults),
    );
  }
  const { bodyRecordsMax } = door.config.limits;
  if (list.length > bodyRecordsMax) {
    throw new BrokerError(
      "RECORD_LIST_TOO_LARGE",
      `body: ${list.length} records, at most ${bodyRecordsMax}: send application/x-ndjson instead`,
    );
  }
  if (list.length === 0) throw invalid("body: no records");
  const records = list.map((each, index) =>
    atRecord(index, () => {
      const record = readRecord(each, () => textsOf(index), producer.defaults);
      checkPartition(door, producer, record);
      return record;
    }),
  );
  return appendAll(door, producer, records);
}

/** The elements of an array or of `{"records":[…]}`; null for one record. */
function recordList(given: unknown): readonly unknown[] | null {
  if (Array.isArray(given)) return given;
  if (typeof given !== "object" || given === null || "value" in given) return null;
  const { records } = given as { records?: unknown };
  if (!Array.isArray(records)) return null;
  const other = Object.keys(given).find((name) => name !== "records");
  if (other !== undefined) throw invalid(`body: no member ${JSON.stringify(other)} beside records`);
  return records;
}

/** Nothing is stored unless every record of the body is well-formed. */
function atRecord<T>(index: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const appends = { record_count: 0, partitions: [] };
    throw stopped(error, `record ${index}`, { details: { record: index }, stored: appends });
  }
}

async function appendOne(
  door: Door,
  producer: Producer,
  record: ProducedRecord,
): Promise<Response> {
  const { topic, acks, timeoutMs, expectedOffset, fence } = producer;
  const bytes = record.key === null ? recordBytes(record) : 0;
  const partition = choosePartition(door, producer, { record, bytes });
  const batch = door.platform.core.encode([record], encodeOptions(door, producer));
  const appending = door.broker.append({
    ...{ topic, partition, batch, acks, timeoutMs, expectedOffset, fence },
  });
  const appended = appending instanceof Promise ? await appending : appending;
  const { baseOffset, nextOffset, logStartOffset } = appended;
  const timestamp = storedTimeMs(appended, record.timestampMs);
  const tail = tailOffset(door, { topic, partition }, appended);
  return jsonText(
    `{"topic":${JSON.stringify(topic)},"record_count":1,"partitions":[{"partition":${partition},` +
      `"start_offset":${baseOffset},"end_offset":${nextOffset},"tail_offset":${tail},"record_count":1,` +
      `"timestamp":${timestamp},"log_start_offset":${logStartOffset}}],` +
      `"records":[{"partition":${partition},"offset":${baseOffset},"timestamp":${timestamp}}]}`,
  );
}

async function appendAll(
  door: Door,
  producer: Producer,
  records: readonly ProducedRecord[],
): Promise<Response> {
  const writer = await RecordWriter.open(door, producer);
  const { appends } = writer;
  const stored = new Array<{ partition: number; offset: number; timestamp: number }>(
    records.length,
  );
  writer.onStored = ({ partition, records: batch, indexes, appended }) => {
    for (const [i, record] of batch.entries()) {
      const timestamp = storedTimeMs(appended, record.timestampMs);
      stored[indexes[i]!] = { partition, offset: appended.baseOffset + i, timestamp };
    }
  };
  for (const [index, record] of records.entries()) {
    try {
      writer.add(record, index);
    } catch (error) {
      // The topic was deleted or changed meanwhile.
      writer.flush();
      appends.fail(error, index);
    }
    if (appends.failure !== null) break;
    if (appends.isFull) await appends.room();
  }
  await writer.settle();
  return storedAnswer(appends, "record", { records: stored });
}
