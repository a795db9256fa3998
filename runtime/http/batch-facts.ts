// The few header fields of a record batch v2 that this door needs without the core: to cut bodies into
// batches and answers at batch ends. Offsets are plain numbers: a log does not reach 2^53.

import { BrokerError } from "../errors.ts";

/** Base offset to count. */
export const batchHeaderBytes = 61;
/** Bytes before the length field's own count begins: base offset and length. */
const lengthPrefixBytes = 12;

export interface BatchFacts {
  readonly bytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec: number;
  readonly isControl: boolean;
  readonly isTransactional: boolean;
  readonly producerId: number;
  readonly baseTimestamp: number;
  readonly maxTimestampMs: number;
  /** LogAppendTime: one for all records; null: each has its own. */
  readonly appendTimeMs: number | null;
  readonly recordCount: number;
}

/** Whole length of the batch at `at`, of which at least `batchHeaderBytes` are there. */
export function batchLength(bytes: Uint8Array, at: number): number {
  const length = lengthPrefixBytes + viewAt(bytes, at).getInt32(8);
  if (length >= batchHeaderBytes) return length;
  throw new BrokerError("CORRUPT_MESSAGE", `a record batch cannot have ${length} bytes`);
}

export function readBatchFacts(bytes: Uint8Array, at = 0): BatchFacts {
  const view = viewAt(bytes, at);
  const attributes = view.getInt16(21);
  const baseOffset = Number(view.getBigInt64(0));
  const maxTimestampMs = Number(view.getBigInt64(35));
  return {
    bytes: batchLength(bytes, at),
    baseOffset,
    lastOffset: baseOffset + view.getInt32(23),
    isTransactional: (attributes & 0x10) !== 0,
    isControl: (attributes & 0x20) !== 0,
    codec: attributes & 0x07,
    baseTimestamp: Number(view.getBigInt64(27)),
    maxTimestampMs,
    appendTimeMs: (attributes & 0x08) === 0 ? null : maxTimestampMs,
    producerId: Number(view.getBigInt64(43)),
    recordCount: view.getInt32(57),
  };
}

function viewAt(bytes: Uint8Array, at: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + at, batchHeaderBytes);
}
