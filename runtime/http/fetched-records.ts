// From fetched batches to records: cut, checked for bombs, decompressed, decoded; without what lies before
// the asked offset, control batches, and aborted transactions.

import { type DecodedRecord, RecordReader } from "../../storage-wasm/core.ts";
import type { FetchedPartition } from "../broker.ts";
import { codecNames } from "../compression/codecs.ts";
import { BrokerError } from "../errors.ts";
import { collect } from "../records.ts";
import { type BatchFacts, batchHeaderBytes, batchLength, readBatchFacts } from "./batch-facts.ts";
import type { Door } from "./route.ts";

export interface DecodeRange {
  /** First offset wanted. */
  readonly offset: number;
  /** First offset not wanted. */
  readonly endOffset: number;
  readonly recordsMax: number;
}

export interface FetchedRecords {
  readonly records: readonly DecodedRecord[];
  /** Where the next fetch goes on. */
  readonly nextOffset: number;
}

/** Decodes one partition's answer and releases it. Throws its error, CORRUPT_MESSAGE or MESSAGE_TOO_LARGE. */
export async function decodeFetched(
  door: Door,
  fetched: FetchedPartition,
  range: DecodeRange,
): Promise<FetchedRecords> {
  const { recordsMax } = range;
  const records: DecodedRecord[] = [];
  const nextOffset = await visitFetched(door, fetched, range, (record) => {
    const { offset, timestampMs, key, value, headers } = record;
    records.push({ offset, timestampMs, key, value, headers });
    return records.length < recordsMax;
  });
  return { records, nextOffset };
}

/**
 * The same, record by record while `visit` wants more; returns where the next fetch goes on. Keys and values are views of
 * bytes that belong to this answer alone.
 */
export async function visitFetched(
  door: Door,
  fetched: FetchedPartition,
  range: Pick<DecodeRange, "offset" | "endOffset">,
  visit: (record: RecordReader) => boolean,
): Promise<number> {
  if (fetched.error !== null) {
    fetched.records.release();
    throw fetched.error;
  }
  return visitBatches(door, fetched, { bytes: await collect(fetched.records), ...range }, visit);
}

/** The same of bytes that are collected already. `visit` may write before the record that it stands on. */
export function visitBatches(
  door: Door,
  fetched: FetchedPartition,
  { bytes, offset, endOffset }: { bytes: Uint8Array; offset: number; endOffset: number },
  visit: (record: RecordReader) => boolean,
): number {
  const { decompressedBytesMax } = door.config.limits;
  const isAborted = abortedFilter(fetched);
  let nextOffset = offset;
  let decodedBytes = 0;
  let at = 0;
  // Each batch is bounded; their sum is too, by stopping after the one that passes the limit.
  while (bytes.length - at >= batchHeaderBytes && decodedBytes <= decompressedBytesMax) {
    const length = batchLength(bytes, at);
    if (bytes.length - at < length || nextOffset >= endOffset) break;
    const batch = bytes.subarray(at, at + length);
    at += length;
    const facts = readBatchFacts(batch);
    if (facts.lastOffset < offset) continue;
    if (!isAborted(facts, batch) && !facts.isControl) {
      try {
        const records = recordsOf(door, batch, facts);
        decodedBytes += records.length;
        const reader = new RecordReader(records, { ...facts, count: facts.recordCount });
        if (facts.baseOffset < offset) reader.skipTo(offset);
        while (reader.advance()) {
          if (reader.offset >= endOffset) return endOffset;
          if (!visit(reader)) return reader.offset + 1;
        }
      } catch (cause) {
        throw undecodable(fetched, facts, cause);
      }
    }
    nextOffset = facts.lastOffset + 1;
  }
  return nextOffset;
}

/** The batch's records without its header, decompressed. */
function recordsOf(door: Door, batch: Uint8Array, { codec }: BatchFacts): Uint8Array {
  const stored = batch.subarray(batchHeaderBytes);
  if (codec === 0) return stored;
  const name = codecNames[codec];
  if (name == null) throw new BrokerError("CORRUPT_MESSAGE", `unknown codec ${codec}`);
  return door.platform.codecs[name].decompress(stored, door.config.limits.decompressedBytesMax);
}

function undecodable(
  { topic, partition }: FetchedPartition,
  { baseOffset }: BatchFacts,
  cause: unknown,
): BrokerError {
  const where = `the batch at offset ${baseOffset} of ${topic}-${partition}`;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof BrokerError ? cause.code : "CORRUPT_MESSAGE";
  const advice = "read it raw by ?format=batches, or go on after it";
  return new BrokerError(code, `${where} cannot be decoded: ${reason}; ${advice}`, { cause });
}

/**
 * Tells for each batch in order whether its transaction was aborted, as Kafka's consumers do: a producer's
 * batches are hidden from the first offset of its aborted transaction to its abort marker.
 */
function abortedFilter(
  fetched: FetchedPartition,
): (facts: BatchFacts, batch: Uint8Array) => boolean {
  if (fetched.abortedTransactions.length === 0) return () => false;
  const waiting = [...fetched.abortedTransactions].sort((a, b) => a.firstOffset - b.firstOffset);
  const aborted = new Set<number>();
  return (facts, batch) => {
    while (waiting.length > 0 && waiting[0]!.firstOffset <= facts.lastOffset) {
      aborted.add(waiting.shift()!.producerId);
    }
    if (!facts.isTransactional) return false;
    if (!facts.isControl) return aborted.has(facts.producerId);
    if (isAbortMarker(batch)) aborted.delete(facts.producerId);
    return true;
  };
}

/** A control record's key is i16 version, i16 type; type 0 is ABORT. */
function isAbortMarker(batch: Uint8Array): boolean {
  let at = batchHeaderBytes;
  const skipVarint = () => {
    while (at < batch.length && batch[at]! >= 0x80) at++;
    at++;
  };
  skipVarint(); // length
  at++; // attributes
  skipVarint(); // timestamp delta
  skipVarint(); // offset delta
  skipVarint(); // key length
  return batch[at + 2] === 0 && batch[at + 3] === 0;
}
