// The log of one partition on this broker: segments in order, the newest one written. Appends, reads, rolls,
// truncates and forgets; decides nothing about leaders, acknowledgements or visibility (see `partition.ts`).

import type { BatchHeader } from "../../storage-wasm/core.ts";
import { BrokerError } from "../errors.ts";
import type { Records } from "../records.ts";
import type { BatchPosition } from "./batch-walk.ts";
import type { ControlRecord } from "./control-record.ts";
import {
  cleanedSuffix,
  deletedSuffix,
  logSuffix,
  offsetIndexSuffix,
  segmentFile,
  snapshotSuffix,
  swapSuffix,
  timeIndexSuffix,
  transactionIndexSuffix,
} from "./log-files.ts";
import { cutSegment, producersAt, removeSnapshots } from "./log-truncation.ts";
import { writePlainFile } from "./plain-file.ts";
import { encodeSnapshot } from "./producer-snapshot.ts";
import { ProducerState } from "./producer-state.ts";
import { Segment, type SegmentLimits } from "./segment.ts";
import type { SegmentPlace } from "./segment-indexes.ts";
import type { AbortedTransaction } from "./transaction-index.ts";

/** Core memory that one log keeps for indexes of closed segments it has read from. */
const closedIndexBytesMax = 16 * 1024 * 1024;

export interface LocalLogState {
  readonly segments: Segment[];
  readonly nextOffset: number;
  readonly logStartOffset: number;
  readonly recoveryPoint: number;
}

export class LocalLog {
  readonly place: SegmentPlace;
  /** Another object after a cut: ask the log each time. */
  producers: ProducerState;
  readonly #segments: Segment[];
  /** Segments taken out of the log whose files still wait for readers or for the delay. */
  readonly #leaving = new Map<Segment, string>();
  #leavingCount = 0;
  #nextOffset: number;
  #logStartOffset: number;
  #recoveryPoint: number;
  /** Where the log was cut during the sync under way: what came after is not in it. */
  #cutTo = Infinity;
  #jitterMs: () => number;

  constructor(
    place: SegmentPlace,
    state: LocalLogState,
    producers: ProducerState,
    jitterMs: () => number,
  ) {
    this.place = place;
    this.producers = producers;
    this.#segments = state.segments;
    this.#nextOffset = state.nextOffset;
    this.#logStartOffset = state.logStartOffset;
    this.#recoveryPoint = state.recoveryPoint;
    this.#jitterMs = jitterMs;
  }

  /** Offset the next record gets. */
  get endOffset(): number {
    return this.#nextOffset;
  }

  get startOffset(): number {
    return this.#logStartOffset;
  }

  /** Everything below it is known to survive a power loss. */
  get recoveryPoint(): number {
    return this.#recoveryPoint;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  get active(): Segment {
    return this.#segments.at(-1)!;
  }

  /** A new segment if this batch must begin one. The core's memory may move, and with it every view of it. */
  rollIfFull(header: BatchHeader, limits: SegmentLimits, nowMs: number): void {
    if (this.active.isFullFor(header, limits, nowMs)) this.roll(nowMs);
  }

  /**
   * Adds one stamped batch; `header.baseOffset` must be `endOffset`, and `rollIfFull` has been asked. On a
   * `StorageError` the log is as it was before.
   */
  append(batch: Uint8Array, header: BatchHeader, limits: SegmentLimits, control?: ControlRecord) {
    // First the index: an entry whose marker failed to follow only says once more what will be said.
    if (control?.type === "abort") this.#noteAbort(header);
    this.active.append(batch, header, limits.indexIntervalBytes);
    this.#nextOffset = header.lastOffset + 1;
    this.producers.update(header, control);
  }

  /** Aborted transactions with something in [from, to). */
  abortedBetween(from: number, to: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = [];
    for (let i = this.#indexOf(from); i < this.#segments.length; i++) {
      if (this.#segments[i]!.transactions.collect({ from, to }, found)) break;
    }
    return found;
  }

  /**
   * The aborted transactions that a reader of `records`, read from `offset` on and all below `endOffset`,
   * has to skip; a few beyond it may be among them.
   */
  abortedIn(records: LogRecords, offset: number, endOffset: number): AbortedTransaction[] {
    return this.abortedBetween(offset, Math.min(endOffset, records.offsetBound()));
  }

  /** Closes the active segment and starts one at the end offset, with a producer snapshot beside it. */
  roll(nowMs: number): void {
    this.active.persistIndexes();
    this.writeSnapshot();
    this.#begin(nowMs);
  }

  /** The segment that holds `offset`; undefined outside the log. */
  segmentOf(offset: number): Segment | undefined {
    if (offset < this.#segments[0]!.baseOffset) return undefined;
    return this.#segments[this.#indexOf(offset)];
  }

  /**
   * Whole batches from the one that holds `offset` on, in [offset, endOffset), up to `bytesMax` and to the
   * end of one segment; the first batch is whole even above it if `atLeastOneBatch`. The last batch may be cut by
   * `bytesMax`: clients drop such a tail. `endOffset` is the high watermark or the last stable offset.
   */
  read(options: {
    offset: number;
    endOffset: number;
    bytesMax: number;
    atLeastOneBatch: boolean;
  }): LogRecords | undefined {
    const { offset, endOffset, bytesMax } = options;
    if (offset >= endOffset) return undefined;
    for (let i = this.#indexOf(offset); i < this.#segments.length; i++) {
      const segment = this.#segments[i]!;
      const first = segment.locate(offset);
      // Compaction or a gap may leave nothing at or after `offset` in this segment.
      if (first === undefined || first.baseOffset >= endOffset) continue;
      const end = this.#endPosition(segment, endOffset);
      const length = lengthToRead(first, end, bytesMax, options.atLeastOneBatch);
      if (length === 0) return undefined;
      this.#limitIndexMemory(segment);
      return held(segment, first.position, length);
    }
    return undefined;
  }

  /** Makes everything appended before the call durable; moves the recovery point. */
  async flush(): Promise<void> {
    const target = this.#nextOffset;
    if (target <= this.#recoveryPoint) return;
    this.#cutTo = Infinity;
    const unsynced = this.#segments.slice(this.#indexOf(this.#recoveryPoint));
    // Oldest first and all of them: the recovery point may only cross what is on the disk.
    for (const segment of unsynced) {
      segment.hold();
      try {
        await segment.file.sync();
        await segment.transactions.sync();
      } finally {
        segment.release();
      }
    }
    this.#recoveryPoint = Math.max(this.#recoveryPoint, Math.min(target, this.#cutTo));
  }

  /** Forgets records below `offset` for readers; whole segments go with the next retention pass. */
  moveStartOffset(offset: number): void {
    if (offset < this.#logStartOffset || offset > this.#nextOffset) {
      throw new BrokerError(
        "OFFSET_OUT_OF_RANGE",
        `offset ${offset} is outside ${this.#logStartOffset}..${this.#nextOffset}`,
      );
    }
    this.#logStartOffset = offset;
  }

  /** Takes away everything at or above `offset`. Returns the segments that left; see `removeLeaving`. */
  truncate(offset: number): Segment[] {
    if (offset >= this.#nextOffset) return [];
    if (offset < this.#segments[0]!.baseOffset) return this.restart(offset);
    const left = this.#segments.splice(this.#indexOf(offset) + 1);
    for (const segment of left) this.#rename(segment);
    this.#nextOffset = cutSegment(this.active, offset);
    this.#cutTo = Math.min(this.#cutTo, this.#nextOffset);
    this.#recoveryPoint = Math.min(this.#recoveryPoint, this.#nextOffset);
    this.#logStartOffset = Math.min(this.#logStartOffset, this.#nextOffset);
    const range = { startOffset: this.#logStartOffset, endOffset: this.#nextOffset };
    this.producers = producersAt(this.place, this.#segments, range);
    return left;
  }

  /** Forgets everything and goes on, empty, at `offset`. Returns the segments that left. */
  restart(offset: number, nowMs = this.active.createdMs): Segment[] {
    const left = this.#segments.splice(0);
    for (const segment of left) this.#rename(segment);
    removeSnapshots(this.place, Number.POSITIVE_INFINITY);
    this.#nextOffset = offset;
    this.#begin(nowMs);
    this.#cutTo = Math.min(this.#cutTo, offset);
    this.#logStartOffset = offset;
    this.#recoveryPoint = offset;
    this.producers = new ProducerState();
    return left;
  }

  /**
   * Takes the first `count` segments out of the log; their files are renamed now and removed by
   * `removeLeaving`. If all go, a new empty one is started first. Returns the bytes they had.
   */
  dropOldest(count: number, nowMs: number): { bytes: number; segments: Segment[] } {
    if (count >= this.#segments.length && this.active.bytes > 0) this.roll(nowMs);
    const dropped = this.#segments.splice(0, Math.min(count, this.#segments.length - 1));
    let bytes = 0;
    for (const segment of dropped) {
      bytes += segment.bytes;
      this.#rename(segment);
    }
    this.#logStartOffset = Math.max(this.#logStartOffset, this.#segments[0]!.baseOffset);
    removeSnapshots(this.place, this.#segments[0]!.baseOffset);
    return { bytes, segments: dropped };
  }

  /**
   * Puts a cleaned segment, whole and synced under `cleanedSuffix`, in the place of neighbours. Returns false, and
   * does nothing, when they are no longer all in the log. From the first rename on a stop at any point leaves
   * files from which recovery finishes this.
   */
  replace(
    old: readonly Segment[],
    cleaned: Segment,
    aborted: readonly AbortedTransaction[],
  ): boolean {
    const first = this.#segments.indexOf(old[0]!);
    if (first < 0 || old.some((segment, i) => this.#segments[first + i] !== segment)) return false;
    const { storage } = this.place;
    const path = `${this.place.folder()}/${segmentFile(cleaned.baseOffset, logSuffix)}`;
    storage.rename(`${path}${cleanedSuffix}`, `${path}${swapSuffix}`);
    for (const segment of old) this.#rename(segment);
    storage.rename(`${path}${swapSuffix}`, path);
    this.#segments.splice(first, old.length, cleaned);
    cleaned.transactions.replace(aborted);
    cleaned.persistIndexes();
    return true;
  }

  /** Removes the files of a dropped segment, at once or when its last reader lets go. */
  removeLeaving(segment: Segment): void {
    const suffix = this.#leaving.get(segment);
    if (suffix === undefined) return;
    if (segment.holders > 0) {
      segment.onReleased = () => this.removeLeaving(segment);
      return;
    }
    this.#leaving.delete(segment);
    segment.close();
    for (const name of this.#filesOf(segment)) this.place.storage.remove(name + suffix);
  }

  /** Files of segments that are dropped but not removed yet. */
  removeAllLeaving(): void {
    for (const segment of [...this.#leaving.keys()]) this.removeLeaving(segment);
  }

  writeSnapshot(): void {
    const path = `${this.place.folder()}/${segmentFile(this.#nextOffset, snapshotSuffix)}`;
    const bytes = encodeSnapshot(this.producers.entries(), (part) => this.place.core.crc32c(part));
    writePlainFile(this.place.storage, path, bytes);
  }

  /** Indexes and a producer snapshot to their files, so that a clean start need not read the log. */
  persist(): void {
    for (const segment of this.#segments) segment.persistIndexes();
    this.writeSnapshot();
  }

  close(): void {
    for (const segment of [...this.#segments, ...this.#leaving.keys()]) segment.close();
  }

  #begin(nowMs: number): void {
    const made = { nowMs, rollJitterMs: this.#jitterMs(), isNew: true };
    this.#segments.push(new Segment(this.place, { baseOffset: this.#nextOffset, ...made }));
  }

  #noteAbort(header: BatchHeader): void {
    const { transactions } = this.producers;
    const firstOffset = transactions.firstOffsetOf(header.producerId);
    if (firstOffset === undefined) return;
    const { producerId, lastOffset } = header;
    const lastStableOffset = transactions.firstOpenBut(producerId) ?? lastOffset + 1;
    this.active.transactions.append({ producerId, firstOffset, lastOffset, lastStableOffset });
  }

  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#segments[middle]!.baseOffset <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #endPosition(segment: Segment, endOffset: number): number {
    if (endOffset >= this.#nextOffset) return segment.bytes;
    const next = this.#segments[this.#segments.indexOf(segment) + 1];
    if (next !== undefined && endOffset >= next.baseOffset) return segment.bytes;
    return segment.locate(endOffset)?.position ?? segment.bytes;
  }

  #limitIndexMemory(used: Segment): void {
    if (used === this.active) return;
    let bytes = 0;
    for (const segment of this.#segments) bytes += segment.indexBytes;
    for (const segment of this.#segments) {
      if (bytes <= closedIndexBytesMax) return;
      if (segment === used || segment === this.active) continue;
      bytes -= segment.indexBytes;
      segment.unloadIndexes();
    }
  }

  /** Takes a segment's files out of the log's names, and remembers them for `removeLeaving`. */
  #rename(segment: Segment): void {
    const { storage } = this.place;
    const folder = this.place.folder();
    const present = new Set(storage.list(folder).map((entry) => `${folder}/${entry.name}`));
    // Cleaned twice within the delay, two segments of one name would wait for their removal.
    const suffix = `.${this.#leavingCount++}${deletedSuffix}`;
    segment.unloadIndexes();
    segment.transactions.leave();
    for (const name of this.#filesOf(segment)) {
      if (present.has(name)) storage.rename(name, name + suffix);
    }
    this.#leaving.set(segment, suffix);
  }

  #filesOf(segment: Segment): string[] {
    const name = (suffix: string) => segmentFile(segment.baseOffset, suffix);
    return segmentSuffixes.map((suffix) => `${this.place.folder()}/${name(suffix)}`);
  }
}

const segmentSuffixes = [logSuffix, offsetIndexSuffix, timeIndexSuffix, transactionIndexSuffix];

function lengthToRead(
  first: BatchPosition,
  end: number,
  bytesMax: number,
  atLeastOneBatch: boolean,
): number {
  const available = end - first.position;
  const wanted = atLeastOneBatch ? Math.max(first.bytes, bytesMax) : bytesMax;
  return Math.max(0, Math.min(available, wanted));
}

/** What was read, and an offset that it does not reach. */
export interface LogRecords extends Records {
  offsetBound(): number;
}

function held(segment: Segment, position: number, length: number): LogRecords {
  segment.hold();
  let isHeld = true;
  return {
    length,
    parts: [{ file: segment.file, position, length }],
    offsetBound: () => segment.offsetBound(position + length) ?? Infinity,
    release() {
      if (!isHeld) return;
      isHeld = false;
      segment.release();
    },
  };
}
