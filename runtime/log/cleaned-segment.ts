// The segment that compaction writes: batches gathered into large writes, a name that says it is not part of the log
// yet, and its removal when it never will be. Used by `log-compaction.ts`.

import type { BatchHeader } from "../../storage-wasm/core.ts";
import { StorageError } from "../storage/storage.ts";
import { cleanedSuffix, logSuffix, segmentFile } from "./log-files.ts";
import { Segment } from "./segment.ts";
import type { SegmentPlace } from "./segment-indexes.ts";

const writeBytes = 256 * 1024;

export class CleanedSegment {
  readonly segment: Segment;
  readonly #place: SegmentPlace;
  readonly #indexIntervalBytes: number;
  readonly #pending = new Uint8Array(writeBytes);
  #pendingBytes = 0;

  constructor(
    place: SegmentPlace,
    baseOffset: number,
    options: { nowMs: number; indexIntervalBytes: number },
  ) {
    this.#place = place;
    this.#indexIntervalBytes = options.indexIntervalBytes;
    place.storage.remove(this.#path(baseOffset));
    const { nowMs } = options;
    const suffix = cleanedSuffix;
    this.segment = new Segment(place, { baseOffset, nowMs, rollJitterMs: 0, isNew: true, suffix });
  }

  /** `bytes` may lie in the core's memory: they are copied first. */
  add(bytes: Uint8Array, header: BatchHeader): void {
    if (this.#pendingBytes + bytes.length > writeBytes) this.#write();
    const position = this.segment.bytes + this.#pendingBytes;
    if (bytes.length > writeBytes) this.segment.file.append(bytes);
    else {
      this.#pending.set(bytes, this.#pendingBytes);
      this.#pendingBytes += bytes.length;
    }
    this.segment.note(header, position, this.#indexIntervalBytes);
  }

  /** All of it on the disk. */
  async finish(): Promise<void> {
    this.#write();
    await this.segment.file.sync();
  }

  /** It will not be part of the log. */
  abandon(): void {
    const { baseOffset } = this.segment;
    this.segment.close();
    try {
      this.#place.storage.remove(this.#path(baseOffset));
    } catch (error) {
      // The next start removes it.
      if (!(error instanceof StorageError)) throw error;
    }
  }

  #write(): void {
    const pending = this.#pending.subarray(0, this.#pendingBytes);
    if (pending.length > 0) this.segment.file.append(pending);
    this.#pendingBytes = 0;
  }

  #path(baseOffset: number): string {
    return `${this.#place.folder()}/${segmentFile(baseOffset, logSuffix)}${cleanedSuffix}`;
  }
}
