// Walking the batches of a log file: header by header to find a position, or chunk by chunk through the
// core when every batch is to be seen. Reads only; `segment.ts` and `recovery.ts` decide what follows.

import { type Address, BatchFault, type BatchHeader, type Core } from "../../storage-wasm/core.ts";
import type { StorageFile } from "../storage/storage.ts";

/** Fixed part of a batch up to and including lastOffsetDelta: what a walk needs. */
const walkHeaderBytes = 27;
const lengthAt = 8;
/** Bytes before a batch's length counts. */
const lengthEnd = 12;
const lastOffsetDeltaAt = 23;
/** An index entry is expected every 4 KiB, so a walk seldom needs a second read. */
const walkChunkBytes = 8 * 1024;
/** Chunk of a full scan: large enough for the CRC's fast tier, small enough to stay in the cache. */
const scanChunkBytes = 2 * 1024 * 1024;
/** A single batch above this is not believed. */
const batchBytesMax = 512 * 1024 * 1024;

export interface BatchPosition {
  readonly position: number;
  readonly bytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

const chunk = new Uint8Array(walkChunkBytes);
const view = new DataView(chunk.buffer);

/**
 * The first batch at or after `from` whose last offset is ≥ `offset`; undefined if there is none before
 * `end`. `from` must be the start of a batch.
 */
export function findBatch(
  file: StorageFile,
  from: number,
  end: number,
  offset: number,
): BatchPosition | undefined {
  let position = from;
  while (position + walkHeaderBytes <= end) {
    const count = file.readSync(
      chunk.subarray(0, Math.min(walkChunkBytes, end - position)),
      position,
    );
    let at = 0;
    while (at + walkHeaderBytes <= count) {
      const bytes = lengthEnd + view.getInt32(at + lengthAt);
      if (bytes <= walkHeaderBytes) return undefined;
      const baseOffset = int64(at);
      const lastOffset = baseOffset + view.getInt32(at + lastOffsetDeltaAt);
      if (lastOffset >= offset) return { position: position + at, bytes, baseOffset, lastOffset };
      at += bytes;
    }
    if (at === 0) return undefined;
    position += at;
  }
  return undefined;
}

function int64(at: number): number {
  return view.getInt32(at) * 2 ** 32 + view.getUint32(at + 4);
}

export interface WalkResult {
  /** Where the valid batches end. */
  readonly end: number;
  readonly fault: BatchFault;
}

/**
 * Visits every whole batch in [from, end) in order; stops at the first that is not valid, or when `visit`
 * returns false. The header passed is the core's: read it, do not keep it.
 */
export function walkBatches(
  core: Core,
  file: StorageFile,
  options: { from: number; end: number; verifyCrc: boolean },
  visit: (header: BatchHeader, position: number) => unknown,
): WalkResult {
  let { from: position } = options;
  let capacity = Math.min(scanChunkBytes, Math.max(1, options.end - position));
  let at = core.alloc(capacity);
  try {
    while (position < options.end) {
      const wanted = Math.min(capacity, options.end - position);
      const count = file.readSync(core.bytes(at, wanted), position);
      const scan = core.scan(at, count, { verifyCrc: options.verifyCrc });
      for (let i = 0; i < scan.rows; i++) {
        const within = core.row(i);
        if (visit(core.header, position + within) === false) {
          return { end: position + within, fault: BatchFault.none };
        }
      }
      position += scan.validBytes;
      if (scan.fault !== BatchFault.none && scan.fault !== BatchFault.incomplete) {
        return { end: position, fault: scan.fault };
      }
      if (scan.validBytes > 0) continue;
      const needed = batchBytesAt(core, at, count);
      if (needed <= capacity || needed > batchBytesMax || position + needed > options.end) {
        return { end: position, fault: BatchFault.incomplete };
      }
      core.free(at);
      at = 0;
      capacity = needed;
      at = core.alloc(capacity);
    }
    return { end: position, fault: BatchFault.none };
  } finally {
    if (at !== 0) core.free(at);
  }
}

/** Size of the batch whose beginning lies at `at`; 0 when not even its length is there. */
function batchBytesAt(core: Core, at: Address, count: number): number {
  if (count < lengthEnd) return 0;
  const bytes = core.bytes(at, lengthEnd);
  return lengthEnd + new DataView(bytes.buffer, bytes.byteOffset, lengthEnd).getInt32(lengthAt);
}
