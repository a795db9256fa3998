// All batches of a segment in order, a chunk at a time and with a rest after each chunk: for compaction, which has
// much to read and must let others work. The chunk lies in the core's memory.

import { type Address, BatchFault, type BatchHeader, type Core } from "../../storage-wasm/core.ts";
import { BrokerError } from "../errors.ts";
import type { Segment } from "./segment.ts";

const chunkBytesMin = 512 * 1024;
const batchBytesMax = 512 * 1024 * 1024;
const lengthAt = 8;
const lengthEnd = 12;

export interface StreamOptions {
  readonly core: Core;
  /** Awaited after each chunk of so many bytes; throws to end it all. */
  readonly rest: (bytes: number) => Promise<void>;
}

/**
 * Visits batches from position `from` on, until `visit` returns false. `header` is the core's and lives until the
 * next call that checks or scans; `at` is where the batch lies, valid during the visit. Throws CORRUPT_MESSAGE.
 */
export async function visitBatches(
  { core, rest }: StreamOptions,
  segment: Segment,
  from: number,
  visit: (header: BatchHeader, at: Address, position: number) => boolean | undefined,
): Promise<void> {
  const end = segment.bytes;
  let position = from;
  let own = new Uint8Array(Math.min(chunkBytesMin, Math.max(1, end - from)));
  let at = core.alloc(own.length);
  try {
    while (position < end) {
      const wanted = own.subarray(0, Math.min(own.length, end - position));
      const count = await segment.file.read(wanted, position);
      // The memory may have moved meanwhile: ask for it only now.
      core.bytes(at, count).set(wanted.subarray(0, count));
      const scan = core.scan(at, count, { verifyCrc: true });
      for (let i = 0; i < scan.rows; i++) {
        const within = core.row(i);
        if (visit(core.header, at + within, position + within) === false) return;
      }
      position += scan.validBytes;
      if (scan.fault !== BatchFault.none && scan.fault !== BatchFault.incomplete) {
        throw damaged(segment, position);
      }
      if (scan.validBytes === 0) {
        const needed = batchBytes(own, count);
        if (needed <= own.length || needed > batchBytesMax || position + needed > end) {
          throw damaged(segment, position);
        }
        core.free(at);
        at = 0;
        own = new Uint8Array(needed);
        at = core.alloc(needed);
      }
      await rest(scan.validBytes);
    }
  } finally {
    if (at !== 0) core.free(at);
  }
}

function batchBytes(chunk: Uint8Array, count: number): number {
  if (count < lengthEnd) return 0;
  return lengthEnd + new DataView(chunk.buffer, chunk.byteOffset, lengthEnd).getInt32(lengthAt);
}

function damaged(segment: Segment, position: number): BrokerError {
  return new BrokerError(
    "CORRUPT_MESSAGE",
    `${segment.file.path} has a damaged batch at ${position}: it is not compacted`,
  );
}
