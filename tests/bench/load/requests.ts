// The requests the load generator sends, encoded once and sent many times, and what it reads of small answers.
// Versions are fixed to ones that Kafka 2 to 4 and Timberline all speak.

import { readFileSync } from "node:fs";
import { fetch } from "../../../runtime/kafka/apis/fetch.ts";
import { metadata } from "../../../runtime/kafka/apis/metadata.ts";
import { produce } from "../../../runtime/kafka/apis/produce.ts";
import { errorName } from "../../../runtime/kafka/error-codes.ts";
import { writeRequestHeader } from "../../../runtime/kafka/headers.ts";
import { Reader } from "../../../runtime/kafka/reader.ts";
import type { Api } from "../../../runtime/kafka/schema.ts";
import { Writer } from "../../../runtime/kafka/writer.ts";
import type { ProducerIdentity } from "../../../runtime/transaction-coordinator.ts";
import { coreModuleUrl, createCore } from "../../../storage-wasm/core.ts";

const produceVersion = 7;
const metadataVersion = 4;
export const fetchVersion = 11;
const clientId = "bench";
const produceTimeoutMs = 30_000;
/** In a Produce v7 answer for one partition, counted from its end: error code, three int64, throttle time. */
const errorCodeFromEnd = 2 + 3 * 8 + 4;
const correlationIdBytes = 4;
/** What a record costs beside its value, about; a batch's header. */
const recordOverheadBytes = 12;
const batchHeaderBytes = 61;

const core = createCore(new WebAssembly.Module(readFileSync(coreModuleUrl)));

export interface Batch {
  readonly bytes: Uint8Array;
  readonly records: number;
}

/** One batch of about `batchBytes` with records of `recordBytes` each; at least one record. */
export function makeBatch(sizes: { batchBytes: number; recordBytes: number }): Batch {
  const { batchBytes, recordBytes } = sizes;
  const each = recordBytes + recordOverheadBytes;
  const records = Math.max(1, Math.floor((batchBytes - batchHeaderBytes) / each));
  const list = recordList({ count: records, recordBytes });
  return { bytes: core.encode(list, { compression: null }), records };
}

export type RecordList = Parameters<typeof core.encode>[0];

export function recordList({ count, recordBytes }: { count: number; recordBytes: number }) {
  const value = Uint8Array.from({ length: recordBytes }, (_, i) => 32 + ((i * 31) % 90));
  const timestampMs = Date.now();
  return Array.from({ length: count }, () => ({ key: null, value, timestampMs }));
}

/** The first batch of this producer's epoch. */
export function transactionalBatch(records: RecordList, producer: ProducerIdentity): Uint8Array {
  const options = { ...producer, baseSequence: 0, isTransactional: true };
  return core.encode(records, { compression: null, ...options });
}

/** acks=all by default. The chunks never change: they may be queued any number of times. */
export function produceRequest(place: {
  topic: string;
  partition: number;
  batch: Batch;
  acks?: 1 | -1;
}): readonly Uint8Array[] {
  const { topic, partition, batch, acks = -1 } = place;
  const partitionData = [{ index: partition, records: batch.bytes }];
  const topicData = [{ name: topic, partitionData }];
  return encode(produce, produceVersion, { acks, timeoutMs: produceTimeoutMs, topicData });
}

/** Throws what the broker refused. `frame` begins with the correlation id. */
export function checkProduced(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const code = view.getInt16(frame.length - errorCodeFromEnd);
  if (code !== 0) throw new Error(`the broker refused a batch: ${errorName(code)}`);
}

export function fetchRequest(wanted: {
  topic: string;
  partition: number;
  offset: number;
  bytesMax: number;
  waitMsMax: number;
  isCommitted?: boolean;
}): readonly Uint8Array[] {
  const { topic, partition, offset, bytesMax, waitMsMax, isCommitted = false } = wanted;
  const partitions = [{ partition, fetchOffset: offset, partitionMaxBytes: bytesMax }];
  return encode(fetch, fetchVersion, {
    maxWaitMs: waitMsMax,
    minBytes: 1,
    maxBytes: bytesMax,
    isolationLevel: isCommitted ? 1 : 0,
    topics: [{ topic, partitions }],
  });
}

/** Asks for one topic, which is created if it is not there. */
export function metadataRequest(topic: string): readonly Uint8Array[] {
  return encode(metadata, metadataVersion, {
    topics: [{ name: topic }],
    allowAutoTopicCreation: true,
  });
}

/** Whether the first partition of the topic asked for has a leader. */
export function hasLeader(frame: Uint8Array): boolean {
  const reader = new Reader(frame);
  reader.skip(correlationIdBytes);
  const [topic] = metadata.decodeResponse(metadataVersion, reader).topics;
  const first = topic?.partitions[0];
  return topic?.errorCode === 0 && first?.errorCode === 0 && first.leaderId >= 0;
}

/** What an answer says; `frame` begins with the correlation id. */
export function answerOf<Req, ReqIn, Res, ResIn>(
  api: Api<Req, ReqIn, Res, ResIn>,
  apiVersion: number,
  frame: Uint8Array,
): Res {
  const reader = new Reader(frame);
  reader.skip(correlationIdBytes);
  // The header of a flexible answer has tags, of which there are none.
  if (api.isFlexible(apiVersion)) reader.skip(1);
  return api.decodeResponse(apiVersion, reader);
}

export function encode<Req, ReqIn, Res, ResIn>(
  api: Api<Req, ReqIn, Res, ResIn>,
  apiVersion: number,
  message: ReqIn,
): readonly Uint8Array[] {
  const writer = new Writer();
  writer.beginFrame();
  writeRequestHeader(writer, api, { apiVersion, correlationId: 1, clientId });
  api.encodeRequest(apiVersion, message, writer);
  writer.endFrame();
  return writer.chunks().map((chunk) => {
    if (chunk instanceof Uint8Array) return chunk;
    throw new TypeError("a request's records are bytes");
  });
}
