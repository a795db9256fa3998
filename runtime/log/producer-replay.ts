// Producer states when a log is opened: from the newest snapshot that fits, and from the batches after it. For
// segments that recovery reads anyway it also rebuilds the index of aborted transactions. Used by `recovery.ts`.

import type { BatchHeader } from "../../storage-wasm/core.ts";
import { offsetOf, segmentFile, snapshotSuffix } from "./log-files.ts";
import { decodeSnapshot } from "./producer-snapshot.ts";
import { ProducerState } from "./producer-state.ts";
import type { Segment } from "./segment.ts";
import type { SegmentPlace } from "./segment-indexes.ts";
import type { AbortedTransaction } from "./transaction-index.ts";

/** How far before a snapshot the log is read for what the snapshot leaves out: more than clients have on the way. */
const recalledBytesMax = 512 * 1024;

export class ProducerReplay {
  readonly producers = new ProducerState();
  readonly #place: SegmentPlace;
  readonly #names: readonly string[];
  readonly #logStartOffset: number;
  /** States are those of this offset; undefined before anything was loaded. */
  #offset: number | undefined;
  /** Aborted transactions met in the segment that is being recovered. */
  #aborted: AbortedTransaction[] = [];

  constructor(place: SegmentPlace, names: readonly string[], logStartOffset: number) {
    this.#place = place;
    this.#names = names;
    this.#logStartOffset = logStartOffset;
  }

  /** Brings the states to `target`; `segments` are those before it, indexes open. */
  catchUp(segments: readonly Segment[], target: number): void {
    const from = this.#offset ?? this.#begin(segments, target);
    this.#offset = Math.max(from, target);
    for (const [i, segment] of segments.entries()) {
      const end = segments[i + 1]?.baseOffset ?? target;
      if (end <= from) continue;
      const position = segment.locate(from)?.position ?? segment.bytes;
      segment.walk({ from: position, verifyCrc: false }, (header, at) => {
        if (header.baseOffset >= from) this.#update(segment, header, at);
      });
    }
  }

  /** Where the states are those of a snapshot, or of nothing. */
  #begin(segments: readonly Segment[], target: number): number {
    const from = this.#loadSnapshot(target);
    if (from === undefined) return this.#logStartOffset;
    if (this.producers.size > 0) this.#recall(segments, from);
    return from;
  }

  /**
   * A snapshot has the newest batch of each producer only. A client that had several on their way when this broker
   * stopped repeats all of them: unknown ones would be refused, and come again under another producer id.
   */
  #recall(segments: readonly Segment[], before: number): void {
    const older = segments.filter(({ baseOffset }) => baseOffset < before);
    let bytes = 0;
    let first = older.length;
    while (first > 0 && bytes < recalledBytesMax) bytes += older[--first]!.bytes;
    for (const segment of older.slice(first)) {
      const skipped = segment === older[first] ? Math.max(0, bytes - recalledBytesMax) : 0;
      const from = skipped === 0 ? 0 : segment.batchBefore(skipped);
      segment.walk({ from, verifyCrc: false }, (header) => {
        if (header.lastOffset < before) this.producers.recall(header);
      });
    }
  }

  /** A batch of a segment that is being recovered. */
  visit(segment: Segment, header: BatchHeader, position: number): void {
    this.#update(segment, header, position);
    this.#offset = header.lastOffset + 1;
  }

  startSegment(): void {
    this.#aborted = [];
  }

  /** The recovered segment is whole: its index of aborted transactions is what was met. */
  endSegment(segment: Segment): void {
    segment.transactions.replace(this.#aborted);
  }

  /** Snapshots behind the end of the log speak of records that are gone. */
  removeSnapshotsAfter(nextOffset: number): void {
    for (const offset of this.#snapshots()) {
      if (offset > nextOffset) this.#place.storage.remove(this.#path(offset));
    }
  }

  #update(segment: Segment, header: BatchHeader, position: number): void {
    const control = header.isControl ? segment.controlAt(position) : undefined;
    const ended = this.producers.update(header, control);
    if (!ended?.isAborted) return;
    const { producerId, firstOffset, lastOffset } = ended;
    const lastStableOffset = this.producers.transactions.firstOpen ?? lastOffset + 1;
    this.#aborted.push({ producerId, firstOffset, lastOffset, lastStableOffset });
  }

  /** Loads the newest good snapshot at or below `target` and returns its offset; removes damaged ones. */
  #loadSnapshot(target: number): number | undefined {
    const { storage, core } = this.#place;
    for (const offset of this.#snapshots()) {
      if (offset > target) continue;
      const bytes = storage.readFile(this.#path(offset));
      const entries = bytes && decodeSnapshot(bytes, (part) => core.crc32c(part));
      if (entries !== undefined) {
        this.producers.load(entries);
        return offset;
      }
      storage.remove(this.#path(offset));
    }
    return undefined;
  }

  #snapshots(): number[] {
    return this.#names
      .map((name) => offsetOf(name, snapshotSuffix))
      .filter((offset) => offset !== undefined)
      .sort((a, b) => b - a);
  }

  #path(offset: number): string {
    return `${this.#place.folder()}/${segmentFile(offset, snapshotSuffix)}`;
  }
}
