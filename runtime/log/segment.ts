// One segment of a partition: its log file, its two indexes and what is known of its timestamps. Owns
// Kafka's rule of when an index entry is added. Called by `local-log.ts` and `recovery.ts`; every write comes
// from the partition's one owner, so nothing here waits or locks.

import type { BatchHeader } from "../../storage-wasm/core.ts";
import type { StorageFile } from "../storage/storage.ts";
import { type BatchPosition, findBatch, type WalkResult, walkBatches } from "./batch-walk.ts";
import { type ControlRecord, controlBytesMax, readControl } from "./control-record.ts";
import { logSuffix, segmentFile } from "./log-files.ts";
import {
  offsetEntryBytes,
  SegmentIndexes,
  type SegmentPlace,
  timeEntryBytes,
} from "./segment-indexes.ts";
import { TransactionIndex } from "./transaction-index.ts";

/** Offsets in an index are relative to the base and 31 bits wide. */
const relativeOffsetMax = 2 ** 31 - 1;
/** Where a batch keeps its maxTimestamp. */
const maxTimestampAt = 35;
/** Positions in an index are 31 bits wide. */
const positionMax = 2 ** 31 - 1;

export interface SegmentLimits {
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly segmentJitterMs: number;
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
}

export class Segment {
  readonly baseOffset: number;
  readonly file: StorageFile;
  readonly createdMs: number;
  readonly transactions: TransactionIndex;
  /** Largest timestamp in it and the last offset of the batch that has it; -1 while empty. */
  maxTimestamp = -1;
  maxTimestampOffset = -1;
  /** Readers that still pump from the file: it is not removed before they are done. */
  holders = 0;
  /** Called when the last holder of a removed segment lets go. */
  onReleased: (() => void) | undefined;
  readonly #place: SegmentPlace;
  #indexes: SegmentIndexes | undefined;
  #bytesSinceEntry = 0;
  /** Max timestamp of the first batch, -1 while unknown: time-based rolls count from it. */
  #firstTimestamp = -1;
  readonly #rollJitterMs: number;
  /** The last batch that was added here: who reads at the end of the log asks for no other. */
  #tail: BatchPosition | undefined;

  constructor(
    place: SegmentPlace,
    options: {
      baseOffset: number;
      nowMs: number;
      rollJitterMs: number;
      isNew: boolean;
      /** Behind the name of the log file, until a rename takes it away. */
      suffix?: string;
    },
  ) {
    this.#place = place;
    this.baseOffset = options.baseOffset;
    this.createdMs = options.nowMs;
    this.#rollJitterMs = options.rollJitterMs;
    this.transactions = new TransactionIndex(place, options.baseOffset);
    const path = `${place.folder()}/${segmentFile(options.baseOffset, logSuffix)}`;
    this.file = place.storage.open(path + (options.suffix ?? ""), { create: options.isNew });
    if (options.isNew) this.#indexes = SegmentIndexes.empty(place, options.baseOffset);
  }

  get bytes(): number {
    return this.file.size;
  }

  /** Loaded on demand and kept; `unloadIndexes` gives the memory back. */
  get indexes(): SegmentIndexes {
    this.#indexes ??=
      SegmentIndexes.load(this.#place, this.baseOffset, this.bytes) ?? this.#rebuilt();
    return this.#indexes;
  }

  get indexBytes(): number {
    return (this.#indexes?.bytes ?? 0) + this.transactions.bytes;
  }

  /** Adds a stamped batch described by `header`. On a storage error nothing has changed. */
  append(batch: Uint8Array, header: BatchHeader, indexIntervalBytes: number): void {
    const position = this.bytes;
    this.file.append(batch);
    this.note(header, position, indexIntervalBytes);
  }

  /** What an append leaves behind in memory: timestamps and, every so often, an index entry. */
  note(header: BatchHeader, position: number, indexIntervalBytes: number): void {
    if (position === 0) this.#firstTimestamp = header.maxTimestamp;
    if (header.maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = header.maxTimestamp;
      this.maxTimestampOffset = header.lastOffset;
    }
    if (this.#bytesSinceEntry > indexIntervalBytes) {
      this.indexes.offsets.append(header.lastOffset - this.baseOffset, position);
      this.#noteTime();
      this.#bytesSinceEntry = 0;
    }
    this.#bytesSinceEntry += header.bytes;
    const { bytes, baseOffset, lastOffset } = header;
    this.#tail = { position, bytes, baseOffset, lastOffset };
  }

  /** Whether this batch must go to a new segment, by Kafka's rules. */
  isFullFor(header: BatchHeader, limits: SegmentLimits, nowMs: number): boolean {
    if (this.bytes === 0) return false;
    if (this.bytes + header.bytes > Math.min(limits.segmentBytes, positionMax)) return true;
    if (this.#ageMs(header.maxTimestamp, nowMs) > limits.segmentMs - this.#rollJitterMs)
      return true;
    if (header.lastOffset - this.baseOffset > relativeOffsetMax) return true;
    const { offsets, times } = this.indexes;
    return (
      offsets.entries >= Math.floor(limits.segmentIndexBytes / offsetEntryBytes) ||
      times.entries >= Math.floor(limits.segmentIndexBytes / timeEntryBytes) - 1
    );
  }

  /** The batch that holds `offset`, or the first after it. */
  locate(offset: number): BatchPosition | undefined {
    const tail = this.#tail;
    if (tail !== undefined && offset >= tail.baseOffset) {
      return offset <= tail.lastOffset ? tail : undefined;
    }
    const from = this.indexes.offsets.lookup(Math.max(0, offset - this.baseOffset));
    return findBatch(this.file, from, this.bytes, offset);
  }

  /** Where a batch begins, at `position` or as little before it as the index knows. */
  batchBefore(position: number): number {
    const { offsets } = this.indexes;
    let low = 0;
    let high = relativeOffsetMax;
    while (low < high) {
      const middle = low + Math.ceil((high - low) / 2);
      if (offsets.lookup(middle) <= position) low = middle;
      else high = middle - 1;
    }
    return offsets.lookup(low);
  }

  /** Where a search for the first record with a timestamp ≥ `timestampMs` may begin. */
  positionBefore(timestampMs: number): number {
    const { offsets, times } = this.indexes;
    return offsets.lookup(times.lookup(timestampMs));
  }

  /** An offset that no batch before `position` reaches; undefined behind the last index entry. */
  offsetBound(position: number): number | undefined {
    const entries = this.indexes.offsets.fileBytes();
    const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
    let low = 0;
    let high = this.indexes.offsets.entries;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (view.getInt32(middle * offsetEntryBytes + 4) < position) low = middle + 1;
      else high = middle;
    }
    if (low === this.indexes.offsets.entries) return undefined;
    return this.baseOffset + view.getInt32(low * offsetEntryBytes);
  }

  /** What the control batch at `position` says. */
  controlAt(position: number): ControlRecord {
    const bytes = new Uint8Array(controlBytesMax);
    return readControl(bytes.subarray(0, this.file.readSync(bytes, position)));
  }

  walk(
    options: { from: number; verifyCrc: boolean },
    visit: (header: BatchHeader, position: number) => unknown,
  ): WalkResult {
    const { from, verifyCrc } = options;
    return walkBatches(this.#place.core, this.file, { from, end: this.bytes, verifyCrc }, visit);
  }

  /**
   * Checks every batch, cuts what is not valid and rebuilds the indexes. `visit` sees each valid batch.
   * Returns the bytes that were cut.
   */
  recover(
    indexIntervalBytes: number,
    visit: (header: BatchHeader, position: number) => void,
  ): number {
    this.#reset(SegmentIndexes.empty(this.#place, this.baseOffset));
    let nextOffset = this.baseOffset;
    const { end } = this.walk({ from: 0, verifyCrc: true }, (header, position) => {
      if (header.baseOffset < nextOffset) return false;
      nextOffset = header.lastOffset + 1;
      this.note(header, position, indexIntervalBytes);
      visit(header, position);
      return true;
    });
    const cut = this.bytes - end;
    if (cut > 0) this.file.truncate(end);
    return cut;
  }

  /**
   * After a clean stop: takes timestamps from the time index. Returns false when the indexes do not fit
   * the log and it must be recovered instead.
   */
  open(): boolean {
    const indexes = SegmentIndexes.load(this.#place, this.baseOffset, this.bytes);
    if (indexes === undefined) return false;
    this.#reset(indexes);
    if (indexes.times.entries > 0) {
      this.maxTimestamp = indexes.times.lastTimestamp();
      this.maxTimestampOffset = this.baseOffset + indexes.times.lastRelativeOffset();
    }
    return true;
  }

  /** Offset after the last record, found from the last index entry on; the base offset when empty. */
  readNextOffset(): number {
    let next = this.baseOffset;
    const from = this.indexes.offsets.lastPosition();
    this.walk({ from, verifyCrc: false }, (header) => {
      next = header.lastOffset + 1;
      if (header.maxTimestamp > this.maxTimestamp) {
        this.maxTimestamp = header.maxTimestamp;
        this.maxTimestampOffset = header.lastOffset;
      }
    });
    this.#bytesSinceEntry = this.bytes - from;
    return next;
  }

  /** Removes all records at or after `offset`; whole batches, so the log may end before it. */
  truncate(offset: number): void {
    const batch = this.locate(offset);
    if (batch === undefined) return;
    this.#tail = undefined;
    this.indexes.truncate(batch.baseOffset - this.baseOffset);
    this.file.truncate(batch.position);
    const { entries } = this.transactions;
    const kept = entries.filter(({ lastOffset }) => lastOffset < batch.baseOffset);
    if (kept.length < entries.length) this.transactions.replace(kept);
    this.maxTimestamp = -1;
    this.maxTimestampOffset = -1;
    // The largest timestamp may have been cut: the rest is few batches or in the time index.
    this.walk({ from: 0, verifyCrc: false }, (header) => {
      if (header.maxTimestamp <= this.maxTimestamp) return;
      this.maxTimestamp = header.maxTimestamp;
      this.maxTimestampOffset = header.lastOffset;
    });
    this.#bytesSinceEntry = this.bytes - this.indexes.offsets.lastPosition();
  }

  /** Writes the indexes with the closing time entry Kafka expects of a segment that is left. */
  persistIndexes(): void {
    if (this.#indexes === undefined) return;
    this.#noteTime();
    this.#indexes.persist();
  }

  unloadIndexes(): void {
    this.#indexes?.free();
    this.#indexes = undefined;
    this.transactions.unload();
  }

  close(): void {
    this.unloadIndexes();
    this.file.close();
  }

  hold(): void {
    this.holders++;
  }

  release(): void {
    this.holders--;
    if (this.holders === 0) this.onReleased?.();
  }

  /** Max timestamp of the first batch, -1 while empty. */
  get firstTimestamp(): number {
    if (this.#firstTimestamp < 0) this.#firstTimestamp = this.#readFirstTimestamp();
    return this.#firstTimestamp;
  }

  #ageMs(batchTimestamp: number, nowMs: number): number {
    const { firstTimestamp } = this;
    return firstTimestamp >= 0 && batchTimestamp >= 0
      ? batchTimestamp - firstTimestamp
      : nowMs - this.createdMs;
  }

  #readFirstTimestamp(): number {
    const header = new Uint8Array(maxTimestampAt + 8);
    if (this.file.readSync(header, 0) < header.length) return -1;
    return Number(new DataView(header.buffer).getBigInt64(maxTimestampAt));
  }

  #noteTime(): void {
    if (this.maxTimestamp < 0) return;
    this.indexes.times.append(this.maxTimestamp, this.maxTimestampOffset - this.baseOffset);
  }

  #reset(indexes: SegmentIndexes): void {
    this.unloadIndexes();
    this.#indexes = indexes;
    this.#bytesSinceEntry = 0;
    this.#firstTimestamp = -1;
    this.#tail = undefined;
    this.maxTimestamp = -1;
    this.maxTimestampOffset = -1;
  }

  /** The files are gone or damaged: the log is the truth. */
  #rebuilt(): SegmentIndexes {
    const indexes = SegmentIndexes.empty(this.#place, this.baseOffset);
    let bytesSinceEntry = 0;
    let maxTimestamp = -1;
    let maxTimestampOffset = -1;
    this.walk({ from: 0, verifyCrc: false }, (header, position) => {
      if (header.maxTimestamp > maxTimestamp) {
        maxTimestamp = header.maxTimestamp;
        maxTimestampOffset = header.lastOffset;
      }
      if (bytesSinceEntry > rebuildIntervalBytes) {
        indexes.offsets.append(header.lastOffset - this.baseOffset, position);
        indexes.times.append(maxTimestamp, maxTimestampOffset - this.baseOffset);
        bytesSinceEntry = 0;
      }
      bytesSinceEntry += header.bytes;
    });
    if (maxTimestamp >= 0) indexes.times.append(maxTimestamp, maxTimestampOffset - this.baseOffset);
    return indexes;
  }
}

/** Density of an index that is rebuilt while reading: Kafka's default for `index.interval.bytes`. */
const rebuildIntervalBytes = 4096;
