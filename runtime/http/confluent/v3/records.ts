// POST of records, v3: objects one after the other as long as the body lasts; each is answered by one object, in their
// order, as soon as it is stored. A record that is wrong is answered so and the others go on.

import type { Context } from "hono";
import type { RecordHeader } from "../../../../storage-wasm/core.ts";
import type { KeylessPartitioner } from "../../../partitioner.ts";
import { decodeBase64 } from "../../base64.ts";
import { bodyChunks } from "../../body.ts";
import { compactJson, type MemberTexts, recordTexts } from "../../json-text.ts";
import type { Producer } from "../../producer.ts";
import type { ProducedRecord } from "../../record-input.ts";
import { type Door, pathParameter } from "../../route.ts";
import { parseTime } from "../../time.ts";
import { encodeUtf8 } from "../../utf8.ts";
import { parseJson } from "../../validation.ts";
import { type Fields, fieldsOf, listField, numberField, onlyFields, textField } from "../body.ts";
import { failureOf, unprocessable } from "../error.ts";
import { JsonValues } from "../json-values.ts";
import { checkJsonBody, noRegistry } from "../media-type.ts";
import { openProducer, type Stored, storeAll } from "../produce.ts";
import { linksIn } from "./resource.ts";

/** What one stream of records takes of the budget of body bytes. */
const streamLeaseBytes = 256 * 1024;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const recordFields: readonly string[] = ["partition_id", "headers", "key", "value", "timestamp"];
const registryTypes: readonly string[] = ["AVRO", "PROTOBUF", "JSONSCHEMA"];

interface Embedded {
  readonly type: string;
  readonly bytes: Uint8Array | null;
}

interface Input {
  readonly record: ProducedRecord;
  readonly key: Embedded | null;
  readonly value: Embedded | null;
}

/** A record, or why it is none. */
type Given = Input | { readonly error: unknown };

export async function produceV3(
  door: Door,
  context: Context,
  keyless: KeylessPartitioner,
): Promise<Response> {
  const { clusterId } = linksIn(door, context);
  checkJsonBody(context);
  const topic = pathParameter(context, "topic");
  const producer = await openProducer(door, { topic, partition: null, keyless, format: "binary" });
  await door.inflight.acquire(streamLeaseBytes);
  const texts = answerTexts(door, { producer, clusterId, body: context.req.raw.body });
  return new Response(
    streamOf(texts, () => door.inflight.release(streamLeaseBytes)),
    {
      headers: { "content-type": "application/json" },
    },
  );
}

/** One text per chunk of the body that completed a record. */
async function* answerTexts(
  door: Door,
  given: { producer: Producer; clusterId: string; body: ReadableStream<Uint8Array> | null },
): AsyncGenerator<string, void, void> {
  const { producer, clusterId } = given;
  const values = new JsonValues(door.config.limits.lineBytesMax);
  try {
    for await (const chunk of bodyChunks(door, given.body, door.config.limits.linesSilenceMsMax)) {
      const inputs = values.add(chunk).map((bytes) => inputOf(door, producer, bytes));
      if (inputs.length > 0) yield await stored(door, inputs, { producer, clusterId });
    }
    values.end();
  } catch (error) {
    // Where the next record would begin, nobody knows.
    yield failureText(error);
  }
}

async function stored(
  door: Door,
  inputs: readonly Given[],
  { producer, clusterId }: { producer: Producer; clusterId: string },
): Promise<string> {
  const good = inputs.filter((each): each is Input => !("error" in each));
  const results = await storeAll(
    door,
    producer,
    good.map(({ record }) => record),
  );
  let next = 0;
  const texts = inputs.map((each) => {
    if ("error" in each) return failureText(each.error);
    return storedText(each, results[next++]!, { topic: producer.topic, clusterId });
  });
  return texts.join("");
}

function storedText(
  { key, value }: Input,
  result: Stored,
  { topic, clusterId }: { topic: string; clusterId: string },
): string {
  if ("error" in result) return failureText(result.error);
  const { partition, offset, timestampMs } = result;
  const sizes = { ...sizeOf("key", key), ...sizeOf("value", value) };
  return line({
    error_code: 200,
    cluster_id: clusterId,
    topic_name: topic,
    partition_id: partition,
    offset,
    timestamp: new Date(timestampMs).toISOString(),
    ...sizes,
  });
}

function sizeOf(name: "key" | "value", embedded: Embedded | null): object {
  if (embedded === null) return {};
  return { [name]: { type: embedded.type, size: embedded.bytes?.length ?? 0 } };
}

function failureText(error: unknown): string {
  const { error_code, message } = failureOf(error, "v3");
  return line({ error_code, message });
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\r\n`;
}

// ---- one record ----

function inputOf(door: Door, { defaults }: Producer, bytes: Uint8Array): Given {
  try {
    const text = textOf(bytes);
    const given = fieldsOf(parseJson(text), "record");
    onlyFields(given, "record", recordFields);
    const texts = recordTexts(text)[0]!;
    const key = embeddedIn("key", given, texts);
    const value = embeddedIn("value", given, texts);
    const headers = headersIn(given, defaults.limits.recordHeadersMax);
    const record: ProducedRecord = {
      partition: numberField(given, "partition_id") ?? null,
      key: key?.bytes ?? null,
      value: value?.bytes ?? null,
      timestampMs: timestampIn(given) ?? door.platform.clock.nowMs(),
      ...(headers.length > 0 ? { headers } : {}),
    };
    return { record, key, value };
  } catch (error) {
    return { error };
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw unprocessable("record: not UTF-8 text");
  }
}

/** Null where there is nothing; data may be null, too. */
function embeddedIn(name: "key" | "value", given: Fields, texts: MemberTexts): Embedded | null {
  if (given[name] == null) return null;
  const fields = fieldsOf(given[name], name);
  const type = textField(fields, "type")?.toUpperCase();
  const { data } = fields;
  if (type === "JSON") {
    const text = recordTexts(texts.get(name)!)[0]!.get("data");
    return { type, bytes: text === undefined ? null : encodeUtf8(compactJson(text)) };
  }
  if (type === "BINARY" || type === "STRING") {
    if (data == null) return { type, bytes: null };
    if (typeof data !== "string") throw unprocessable(`${name}: data of ${type} is a string`);
    return { type, bytes: type === "STRING" ? encodeUtf8(data) : base64(data, `${name}: data`) };
  }
  if (type !== undefined && registryTypes.includes(type)) {
    throw unprocessable(noRegistry(type, "send type BINARY, JSON or STRING"));
  }
  throw unprocessable(`${name}: type is BINARY, JSON or STRING, not ${type ?? "missing"}`);
}

function headersIn(given: Fields, countMax: number): RecordHeader[] {
  const list = listField(given, "headers") ?? [];
  if (list.length > countMax) throw unprocessable(`headers: at most ${countMax}`);
  return list.map((each, index) => {
    const where = `headers[${index}]`;
    const header = fieldsOf(each, where);
    const key = textField(header, "name");
    if (key === undefined) throw unprocessable(`${where}: name: missing`);
    const value = textField(header, "value");
    return { key, value: value === undefined ? null : base64(value, `${where}: value`) };
  });
}

function base64(text: string, where: string): Uint8Array {
  const bytes = decodeBase64(text);
  if (bytes === null) throw unprocessable(`${where}: must be base64`);
  return bytes;
}

function timestampIn(given: Fields): number | undefined {
  const { timestamp } = given;
  if (timestamp == null) return undefined;
  const timeMs = typeof timestamp === "string" ? parseTime(timestamp) : timestamp;
  if (Number.isSafeInteger(timeMs) && (timeMs as number) >= 0) return timeMs as number;
  throw unprocessable("timestamp: an ISO 8601 time such as 2026-01-31T12:00:00Z");
}

// ---- the answer ----

/** Reads the body no faster than its answers are taken. `ended` is called once. */
function streamOf(
  texts: AsyncGenerator<string, void, void>,
  ended: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let isOpen = true;
  const end = () => {
    if (isOpen) ended();
    isOpen = false;
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await texts.next();
        if (done !== true) {
          controller.enqueue(encoder.encode(value));
          return;
        }
        end();
        controller.close();
      },
      async cancel() {
        end();
        await texts.return();
      },
    },
    { highWaterMark: 0 },
  );
}
