// SegmentReader: the batches of a `.log` file, chunk by chunk through the storage core, without a server. Bounded:
// one chunk in memory, or one batch if that is larger. Goes on behind a wrong CRC, stops at anything else.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { BatchFault, type BatchHeader, type Core } from "../../storage-wasm/core.ts";

const CHUNK_BYTES = 4 * 1024 * 1024;
const HEADER_BYTES = 61;
const LENGTH_AT = 8;
const LENGTH_END = 12;
/** Kafka's largest request: a batch above it is a broken length. */
const BATCH_BYTES_MAX = 256 * 1024 * 1024;

export interface BatchOnDisk extends BatchHeader {
  readonly position: number;
  /** "none", or "crc": everything else ends the reading. */
  readonly fault: FaultName;
}

export type FaultName = keyof typeof BatchFault;

/** Where and why the valid part ends before the file does. */
export interface SegmentEnd {
  readonly position: number;
  readonly fault: FaultName;
  readonly restBytes: number;
}

export class SegmentReader {
  readonly sizeBytes: number;
  readonly #core: Core;
  readonly #file: number;
  /** Set when `batches` has ended before the file did. */
  end: SegmentEnd | null = null;

  constructor(core: Core, path: string) {
    this.#core = core;
    this.#file = openSync(path, "r");
    this.sizeBytes = fstatSync(this.#file).size;
  }

  close(): void {
    closeSync(this.#file);
  }

  *batches(): Generator<BatchOnDisk> {
    let position = 0;
    let chunkBytes = CHUNK_BYTES;
    while (position < this.sizeBytes) {
      const chunk = this.read(position, Math.min(chunkBytes, this.sizeBytes - position));
      const { rows, validBytes, fault } = this.#scan(chunk, position);
      yield* rows;
      position += validBytes;
      chunkBytes = CHUNK_BYTES;
      if (position >= this.sizeBytes || fault === BatchFault.none) continue;
      const more = fault === BatchFault.incomplete ? this.#batchBytes(position) : 0;
      if (more > 0 && position + more <= this.sizeBytes) {
        // Cut by the end of the chunk only: again from here, with room for it.
        chunkBytes = Math.max(CHUNK_BYTES, more);
      } else {
        this.end = { position, fault: faultName(fault), restBytes: this.sizeBytes - position };
        return;
      }
    }
  }

  /** Bytes of the file; fewer at its end. */
  read(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const count = readSync(this.#file, bytes, done, length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  }

  #scan(
    chunk: Uint8Array,
    position: number,
  ): { rows: BatchOnDisk[]; validBytes: number; fault: BatchFault } {
    const core = this.#core;
    const at = core.alloc(chunk.length);
    try {
      core.bytes(at, chunk.length).set(chunk);
      const rows: BatchOnDisk[] = [];
      let done = 0;
      while (done < chunk.length) {
        const scan = core.scan(at + done, chunk.length - done, { verifyCrc: true });
        for (let i = 0; i < scan.rows; i++) {
          const relative = core.row(i);
          rows.push({ ...core.header, position: position + done + relative, fault: "none" });
        }
        done += scan.validBytes;
        if (scan.fault !== BatchFault.crc) {
          if (scan.fault === BatchFault.none && scan.validBytes > 0) continue;
          return { rows, validBytes: done, fault: scan.fault };
        }
        const skipped = this.#despiteCrc(at + done, chunk.length - done);
        if (skipped === undefined) return { rows, validBytes: done, fault: scan.fault };
        rows.push({ ...skipped, position: position + done, fault: "crc" });
        done += skipped.bytes;
      }
      return { rows, validBytes: done, fault: BatchFault.none };
    } finally {
      core.free(at);
    }
  }

  #despiteCrc(at: number, length: number): BatchHeader | undefined {
    const rules = { verifyCrc: false, walkRecords: false, requireKeys: false };
    const fault = this.#core.check(at, length, rules);
    return fault === BatchFault.none ? { ...this.#core.header } : undefined;
  }

  /** What the batch at `position` says of its own size; 0 if it cannot be. */
  #batchBytes(position: number): number {
    if (this.sizeBytes - position < HEADER_BYTES) return 0;
    const header = this.read(position, HEADER_BYTES);
    const view = new DataView(header.buffer, header.byteOffset, header.length);
    const bytes = LENGTH_END + view.getInt32(LENGTH_AT);
    return bytes >= HEADER_BYTES && bytes <= BATCH_BYTES_MAX ? bytes : 0;
  }
}

export function faultName(fault: BatchFault): FaultName {
  const found = Object.entries(BatchFault).find(([, number]) => number === fault);
  return (found?.[0] ?? "none") as FaultName;
}
