// The two sparse indexes of a segment, in the core's memory, and their files. New entries stay in memory and
// are added to the files when the segment is persisted: indexes carry no checksum and can always be rebuilt
// from the log, so nothing waits for them. Used by `segment.ts` only.

import type { Core, OffsetIndex, TimeIndex } from "../../storage-wasm/core.ts";
import type { Storage } from "../storage/storage.ts";
import { offsetIndexSuffix, segmentFile, timeIndexSuffix } from "./log-files.ts";

export interface SegmentPlace {
  readonly storage: Storage;
  readonly core: Core;
  /** The partition's folder. It may be renamed while open, hence a function. */
  folder(): string;
}

export const offsetEntryBytes = 8;
export const timeEntryBytes = 12;

export class SegmentIndexes {
  readonly offsets: OffsetIndex;
  readonly times: TimeIndex;
  readonly #place: SegmentPlace;
  readonly #baseOffset: number;
  /** Entries that are in the files already. */
  #offsetsWritten: number;
  #timesWritten: number;

  private constructor(
    place: SegmentPlace,
    baseOffset: number,
    offsets: OffsetIndex,
    times: TimeIndex,
    written: boolean,
  ) {
    this.#place = place;
    this.#baseOffset = baseOffset;
    this.offsets = offsets;
    this.times = times;
    this.#offsetsWritten = written ? offsets.entries : 0;
    this.#timesWritten = written ? times.entries : 0;
  }

  static empty(place: SegmentPlace, baseOffset: number): SegmentIndexes {
    const { core } = place;
    return new SegmentIndexes(place, baseOffset, core.newOffsetIndex(), core.newTimeIndex(), false);
  }

  /** From the files; undefined when one is absent, torn, not growing, or points behind `logBytes`. */
  static load(
    place: SegmentPlace,
    baseOffset: number,
    logBytes: number,
  ): SegmentIndexes | undefined {
    const offsetBytes = readIndex(place, baseOffset, offsetIndexSuffix, offsetEntryBytes);
    const timeBytes = readIndex(place, baseOffset, timeIndexSuffix, timeEntryBytes);
    if (offsetBytes === undefined || timeBytes === undefined) return undefined;
    const offsets = place.core.loadOffsetIndex(offsetBytes);
    const times = place.core.loadTimeIndex(timeBytes);
    const isSane =
      offsets.entries === offsetBytes.length / offsetEntryBytes &&
      times.entries === timeBytes.length / timeEntryBytes &&
      (offsets.entries === 0 || offsets.lastPosition() < logBytes);
    if (isSane) return new SegmentIndexes(place, baseOffset, offsets, times, true);
    offsets.free();
    times.free();
    return undefined;
  }

  /** Bytes of core memory, about. */
  get bytes(): number {
    return this.offsets.entries * offsetEntryBytes + this.times.entries * timeEntryBytes;
  }

  /** Adds what is not in the files yet. Not synced: a lost or torn index is rebuilt. */
  persist(): void {
    this.#offsetsWritten = this.#write(
      offsetIndexSuffix,
      this.#offsetsWritten,
      offsetEntryBytes,
      this.offsets,
    );
    this.#timesWritten = this.#write(
      timeIndexSuffix,
      this.#timesWritten,
      timeEntryBytes,
      this.times,
    );
  }

  truncate(relativeOffset: number): void {
    this.offsets.truncate(relativeOffset);
    this.times.truncate(relativeOffset);
    this.#offsetsWritten = Math.min(this.#offsetsWritten, this.offsets.entries);
    this.#timesWritten = Math.min(this.#timesWritten, this.times.entries);
  }

  free(): void {
    this.offsets.free();
    this.times.free();
  }

  #write(
    suffix: string,
    written: number,
    entryBytes: number,
    index: OffsetIndex | TimeIndex,
  ): number {
    const path = `${this.#place.folder()}/${segmentFile(this.#baseOffset, suffix)}`;
    const file = this.#place.storage.open(path, { create: true });
    try {
      const sizeWanted = written * entryBytes;
      // Kafka preallocates the active index with zeros; a truncated one is longer than ours.
      if (file.size > sizeWanted) file.truncate(sizeWanted);
      if (index.entries > written) file.append(index.fileBytes(written));
    } finally {
      file.close();
    }
    return index.entries;
  }
}

function readIndex(
  place: SegmentPlace,
  baseOffset: number,
  suffix: string,
  entryBytes: number,
): Uint8Array | undefined {
  const bytes = place.storage.readFile(`${place.folder()}/${segmentFile(baseOffset, suffix)}`);
  return bytes === undefined || bytes.length % entryBytes !== 0 ? undefined : bytes;
}
