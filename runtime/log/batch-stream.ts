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
  let capacity = Math.min(chunkBytesMin, Math.max(1, end - from));
  const chunks = new ChunkPair();
  let reading = chunks.read(segment, position, Math.min(capacity, end - position));
  let at = core.alloc(capacity);
  try {
    while (position < end) {
      const chunk = await reading;
      // The memory may have moved meanwhile: ask for it only now.
      core.bytes(at, chunk.length).set(chunk);
      const scan = core.scan(at, chunk.length, { verifyCrc: true });
      if (scan.fault !== BatchFault.none && scan.fault !== BatchFault.incomplete) {
        throw damaged(segment, position + scan.validBytes);
      }
      if (scan.validBytes === 0) {
        const needed = batchBytes(chunk);
        if (needed <= capacity || needed > batchBytesMax || position + needed > end) {
          throw damaged(segment, position);
        }
        core.free(at);
        at = 0;
        capacity = needed;
        at = core.alloc(capacity);
      }
      const next = position + scan.validBytes;
      // The disk works while we do.
      reading = chunks.read(segment, next, Math.min(capacity, end - next));
      for (let i = 0; i < scan.rows; i++) {
        const within = core.row(i);
        if (visit(core.header, at + within, position + within) === false) return;
      }
      position = next;
      await rest(scan.validBytes);
    }
  } finally {
    if (at !== 0) core.free(at);
    // Its answer is not wanted any more, nor its failure.
    reading.catch(() => {});
  }
}

/** Memory for two chunks, in turn: one is looked at while the next is read. */
class ChunkPair {
  #next = new Uint8Array(0);
  #last = new Uint8Array(0);

  async read(segment: Segment, position: number, length: number): Promise<Uint8Array> {
    const chunk = this.#last.length < length ? new Uint8Array(length) : this.#last;
    this.#last = this.#next;
    this.#next = chunk;
    const into = chunk.subarray(0, length);
    return into.subarray(0, await segment.file.read(into, position));
  }
}

function batchBytes(chunk: Uint8Array): number {
  if (chunk.length < lengthEnd) return 0;
  return lengthEnd + new DataView(chunk.buffer, chunk.byteOffset, lengthEnd).getInt32(lengthAt);
}

function damaged(segment: Segment, position: number): BrokerError {
  return new BrokerError(
    "CORRUPT_MESSAGE",
    `${segment.file.path} has a damaged batch at ${position}: it is not compacted`,
  );
}
