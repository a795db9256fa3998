// POST of records, v2: a body of records in one embedded format. Their form is checked before the first is stored; what
// the broker refuses after that is told record by record.

import type { Context } from "hono";
import type { KeylessPartitioner } from "../../partitioner.ts";
import { storedTimeMs } from "../appends.ts";
import { withText } from "../body.ts";
import { errorAnswer } from "../error.ts";
import { recordTexts } from "../json-text.ts";
import { choosePartition, type Producer } from "../producer.ts";
import { type ProducedRecord, readRecord } from "../record-input.ts";
import { RecordWriter } from "../record-writer.ts";
import { type Door, pathParameter } from "../route.ts";
import { parseJson } from "../validation.ts";
import { restJson } from "./answer.ts";
import { fieldsOf, onlyFields } from "./body.ts";
import { failureOf, noPartition, RestError, unprocessable } from "./error.ts";
import { bodyFormat, type EmbeddedFormat } from "./media-type.ts";

/** Of one record: where it is, or why it is nowhere. */
export type Stored =
  | { readonly partition: number; readonly offset: number; readonly timestampMs: number }
  | { readonly error: unknown };

const encodings = { json: "json", binary: "base64" } as const;
const recordFields: readonly string[] = ["key", "value", "partition"];
const bodyFields: readonly string[] = [
  ...["records", "key_schema", "key_schema_id", "value_schema", "value_schema_id"],
];

export async function produceV2(
  door: Door,
  context: Context,
  keyless: KeylessPartitioner,
): Promise<Response> {
  const format = bodyFormat(context);
  const topic = pathParameter(context, "topic");
  const partition = partitionIn(context, topic);
  return withText(door, context, async (text) => {
    const producer = await openProducer(door, { topic, partition, keyless, format });
    const records = recordsIn(text, producer);
    const stored = await storeAll(door, producer, records);
    const offsets = stored.map(offsetJson);
    return restJson({ offsets, key_schema_id: null, value_schema_id: null }, { version: "v2" });
  });
}

/** Makes the topic if it is missing and the broker may. */
export async function openProducer(
  door: Door,
  given: Pick<Producer, "topic" | "partition" | "keyless"> & { format: EmbeddedFormat },
): Promise<Producer> {
  const { topic, partition, keyless, format } = given;
  const { limits } = door.config;
  const topics = () => door.broker.cluster().topics;
  if (!topics().has(topic)) await door.broker.autoCreateTopic(topic);
  if (partition !== null && topics().get(topic)?.partitions[partition] === undefined) {
    throw noPartition(topic, partition);
  }
  const encoding = encodings[format];
  const nowMs = door.platform.clock.nowMs();
  return {
    ...{ topic, partition, keyless, compression: null, query: {} },
    acks: -1,
    timeoutMs: limits.produceTimeoutMsMax,
    defaults: { keyEncoding: encoding, valueEncoding: encoding, nowMs, limits },
  };
}

/** In their order. Rejects only for bugs. */
export async function storeAll(
  door: Door,
  producer: Producer,
  records: readonly ProducedRecord[],
): Promise<readonly Stored[]> {
  const writer = await RecordWriter.open(door, producer);
  const { appends } = writer;
  const stored = new Array<Stored | undefined>(records.length).fill(undefined);
  writer.onStored = ({ partition, records: batch, indexes, appended }) => {
    for (const [i, record] of batch.entries()) {
      const timestampMs = storedTimeMs(appended, record.timestampMs);
      stored[indexes[i]!] = { partition, offset: appended.baseOffset + i, timestampMs };
    }
  };
  for (const [index, record] of records.entries()) {
    const refusal = refusalOf(door, producer, record);
    if (refusal === null) writer.add(record, index);
    else stored[index] = { error: refusal };
    if (appends.isFull) await appends.room();
  }
  await writer.settle();
  const error = appends.failure?.error;
  return stored.map((each) => each ?? { error });
}

/** A record that names a partition there is none of does not stop the others. */
function refusalOf(door: Door, producer: Producer, record: ProducedRecord): unknown {
  if (record.partition === null) return null;
  try {
    choosePartition(door, producer, { record, bytes: 0 });
    return null;
  } catch (error) {
    return error;
  }
}

function recordsIn(text: string, producer: Producer): ProducedRecord[] {
  const body = fieldsOf(parseJson(text), "body");
  onlyFields(body, "body", bodyFields);
  const { records } = body;
  const { bodyRecordsMax } = producer.defaults.limits;
  if (!Array.isArray(records)) throw unprocessable("records: must be an array");
  if (records.length === 0) throw unprocessable("records: may not be empty");
  if (records.length > bodyRecordsMax) {
    throw new RestError(413, `records: ${records.length}, at most ${bodyRecordsMax} in one body`);
  }
  const texts = recordTexts(text);
  return records.map((each, index) => {
    const where = `records[${index}]`;
    const record = fieldsOf(each, where);
    onlyFields(record, where, recordFields);
    try {
      const given = { ...record, value: record.value ?? null };
      return readRecord(given, () => texts[index]!, producer.defaults);
    } catch (error) {
      throw unprocessable(`${where}: ${errorAnswer(error).body.error.message}`);
    }
  });
}

function partitionIn(context: Context, topic: string): number | null {
  const text = context.req.param("partition");
  if (text === undefined) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw noPartition(topic, text);
}

function offsetJson(stored: Stored): unknown {
  if (!("error" in stored)) {
    return { partition: stored.partition, offset: stored.offset, error_code: null, error: null };
  }
  const { error_code, message } = failureOf(stored.error, "v2");
  // Its clients know two numbers here: not now, and not at all.
  const code = error_code === 50003 ? 50003 : 50002;
  return { partition: null, offset: null, error_code: code, error: message };
}
