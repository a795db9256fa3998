// From fetched batches to records: cut, checked for bombs, decompressed, decoded; without what lies before
// the asked offset, control batches, and aborted transactions.

import type { DecodedRecord } from "../../storage-wasm/core.ts";
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
  if (fetched.error !== null) {
    fetched.records.release();
    throw fetched.error;
  }
  const bytes = await collect(fetched.records);
  const { decompressedBytesMax } = door.config.limits;
  const isAborted = abortedFilter(fetched);
  const records: DecodedRecord[] = [];
  let nextOffset = range.offset;
  let decodedBytes = 0;
  let at = 0;
  // Each batch is bounded; their sum is too, by stopping after the one that passes the limit.
  while (bytes.length - at >= batchHeaderBytes && decodedBytes <= decompressedBytesMax) {
    const length = batchLength(bytes, at);
    if (bytes.length - at < length || nextOffset >= range.endOffset) break;
    const batch = bytes.subarray(at, at + length);
    at += length;
    const facts = readBatchFacts(batch);
    if (facts.lastOffset < range.offset) continue;
    const hidden = isAborted(facts, batch) || facts.isControl;
    for (const record of hidden ? [] : decodeBatch(door, fetched, batch)) {
      if (record.offset < range.offset) continue;
      if (record.offset >= range.endOffset) return { records, nextOffset: range.endOffset };
      records.push(record);
      decodedBytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
      if (records.length === range.recordsMax) return { records, nextOffset: record.offset + 1 };
    }
    nextOffset = facts.lastOffset + 1;
  }
  return { records, nextOffset };
}

function decodeBatch(door: Door, fetched: FetchedPartition, batch: Uint8Array): DecodedRecord[] {
  const { codecs, core } = door.platform;
  const { decompressedBytesMax } = door.config.limits;
  const decompress = (codec: number, bytes: Uint8Array): Uint8Array => {
    const name = codecNames[codec];
    if (name == null) throw new BrokerError("CORRUPT_MESSAGE", `unknown codec ${codec}`);
    return codecs[name].decompress(bytes, decompressedBytesMax);
  };
  try {
    return core.decode(batch, decompress);
  } catch (cause) {
    const { baseOffset } = readBatchFacts(batch);
    const where = `the batch at offset ${baseOffset} of ${fetched.topic}-${fetched.partition}`;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const code = cause instanceof BrokerError ? cause.code : "CORRUPT_MESSAGE";
    const advice = "read it raw by ?format=batches, or go on after it";
    throw new BrokerError(code, `${where} cannot be decoded: ${reason}; ${advice}`, { cause });
  }
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
