// Writing the compaction proof's input and reading it back, over the Kafka door: a few requests on their way on one
// connection; every record that comes back is held against the oracle, none is kept.

import * as assert from "uvu/assert";
import { fetch } from "../../runtime/kafka/apis/fetch.ts";
import { Reader } from "../../runtime/kafka/reader.ts";
import { AskingConnection } from "../bench/load/connection.ts";
import {
  checkProduced,
  fetchRequest,
  fetchVersion,
  produceRequest,
} from "../bench/load/requests.ts";
import type { Address } from "../support/server.ts";
import { type BatchTemplate, keyOf, type NewestOffsets, walkRecords } from "./compaction-input.ts";

const inFlight = 8;
const fetchBytesMax = 4 * 1024 * 1024;
const correlationIdBytes = 4;
const lengthAt = 8;
const lengthCountsFrom = 12;
const lastOffsetDeltaAt = 23;
const countAt = 57;

export interface Range {
  readonly topic: string;
  readonly from: number;
  readonly to: number;
}

/** Records [from, to) in order, all acknowledged when it resolves; `newest` is told of them. */
export async function writeRange(
  address: Address,
  range: Range,
  input: { template: BatchTemplate; newest: NewestOffsets },
): Promise<void> {
  const connection = await AskingConnection.open(address);
  const { batchRecords } = input.newest.size;
  const waiting: Promise<Uint8Array>[] = [];
  try {
    for (let first = range.from; first < range.to; first += batchRecords) {
      const batch = { bytes: input.template.filled(first), records: batchRecords };
      waiting.push(connection.ask(produceRequest({ topic: range.topic, partition: 0, batch })));
      // Beside the broker, which writes meanwhile.
      input.newest.write(first, first + batchRecords);
      if (waiting.length >= inFlight) checkProduced(await waiting.shift()!);
    }
    for (const frame of waiting) checkProduced(await frame);
  } finally {
    connection.close();
  }
}

export interface Seen {
  readonly records: number;
  readonly bytes: number;
  readonly outdated: number;
}

/**
 * Everything of the topic's partition 0 up to `endOffset`. Fails unless each record is what was written at its
 * offset, offsets grow, and each key's newest record is there once.
 */
export async function readWhole(
  address: Address,
  { topic, endOffset }: { topic: string; endOffset: number },
  newest: NewestOffsets,
): Promise<Seen> {
  const reading = new Reading(newest);
  const connection = await AskingConnection.open(address);
  try {
    let ahead = connection.ask(fetchOf(topic, 0));
    while (reading.nextOffset < endOffset) {
      const records = recordsOf(await ahead);
      const offset = endOf(records, reading.nextOffset);
      assert.ok(offset > reading.nextOffset, `nothing comes at ${offset} of ${endOffset}`);
      // The broker works on the next answer while this one is looked at.
      ahead = connection.ask(fetchOf(topic, offset));
      reading.look(records);
    }
    await ahead;
  } finally {
    connection.close();
  }
  assert.is(reading.newestSeen, newest.distinct, "the newest record of every key, each once");
  const { records, bytes, newestSeen } = reading;
  return { records, bytes, outdated: records - newestSeen };
}

/** How many records a fetch of everything brought; fails unless each is what was written at its offset. */
export function recordsIn(frame: Uint8Array, newest: NewestOffsets): number {
  const reading = new Reading(newest);
  reading.look(recordsOf(frame));
  return reading.records;
}

class Reading {
  readonly #newest: NewestOffsets;
  nextOffset = 0;
  records = 0;
  bytes = 0;
  newestSeen = 0;

  constructor(newest: NewestOffsets) {
    this.#newest = newest;
  }

  look(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const { at, length } of wholeBatches(view)) {
      const baseOffset = Number(view.getBigInt64(at));
      const wasOffset = this.nextOffset;
      this.nextOffset = baseOffset + view.getInt32(at + lastOffsetDeltaAt) + 1;
      this.bytes += length;
      // Fetches begin with the batch that holds the offset.
      let before = wasOffset - 1;
      for (const record of walkRecords(bytes, at, view.getInt32(at + countAt))) {
        const offset = baseOffset + record.offsetDelta;
        if (offset <= before) assert.unreachable(`offset ${offset} after ${before}`);
        before = offset;
        const key = view.getFloat64(record.keyAt);
        const number = view.getFloat64(record.valueAt);
        if (number !== offset || key !== keyOf(offset, this.#newest.size)) {
          assert.unreachable(`offset ${offset} has key ${key} and the value of ${number}`);
        }
        this.records++;
        if (this.#newest.isNewest(offset)) this.newestSeen++;
      }
    }
  }
}

function fetchOf(topic: string, offset: number): readonly Uint8Array[] {
  return fetchRequest({ topic, partition: 0, offset, bytesMax: fetchBytesMax, waitMsMax: 0 });
}

function recordsOf(frame: Uint8Array): Uint8Array {
  const reader = new Reader(frame);
  reader.skip(correlationIdBytes);
  const answer = fetch.decodeResponse(fetchVersion, reader).responses[0]?.partitions[0];
  assert.is(answer?.errorCode, 0, "the fetch was answered");
  return answer?.records ?? new Uint8Array(0);
}

/** The offset after the last whole batch. */
function endOf(bytes: Uint8Array, from: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let next = from;
  for (const { at } of wholeBatches(view)) {
    next = Number(view.getBigInt64(at)) + view.getInt32(at + lastOffsetDeltaAt) + 1;
  }
  return next;
}

function* wholeBatches(view: DataView): Generator<{ at: number; length: number }> {
  for (let at = 0; at + lengthCountsFrom <= view.byteLength; ) {
    const length = lengthCountsFrom + view.getInt32(at + lengthAt);
    if (at + length > view.byteLength) return;
    yield { at, length };
    at += length;
  }
}
