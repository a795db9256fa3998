// The storage core as the rest of Timberline sees it: batch checks, stamps, scans, indexes,
// encoding and CRC-32C on the linear memory of one WebAssembly instance. The only file of this
// folder that others import. Pure and synchronous: bytes in, bytes and numbers out; no clock, no
// I/O.
//
// Calls cost about 10 ns, so they are one per batch or chunk, never one per record, and payloads
// are never returned by copy: results are numbers, addresses, or views of the memory.

import { createInstance } from "./instance.ts";
import { WasmCore } from "./wasm-core.ts";

export { BatchBuilder, type BatchMemory } from "./batch-builder.ts";
export { CoreMemoryFull, CorruptBatch } from "./errors.ts";
export { RecordReader, type RecordsOrigin } from "./record-reader.ts";

/**
 * The compiled core module, for runtimes that read files: `new WebAssembly.Module(bytes of this)`.
 * Where wasm must be imported statically, it is `storage-wasm/dist/core.wasm`, and where there is
 * neither, `storage-wasm/dist/core-inline.js` has it as text (gzip in base64). (Some bundles have no
 * `import.meta.url`.)
 */
export const coreModuleUrl: URL = /* @__PURE__ */ new URL(
  "./dist/core.wasm",
  import.meta.url ?? "file:///",
);

/** Byte address in the core's linear memory. */
export type Address = number;

/**
 * What `check` and `scan` can find wrong with a batch. 0 is none. Never renumber: the core returns
 * them.
 */
export const BatchFault = {
  none: 0,
  /** Fewer bytes than the header or its length say: a torn tail, or more is to be read. */
  incomplete: 1,
  /** Length below the header's or negative. */
  length: 2,
  magic: 3,
  crc: 4,
  /** Unknown codec or reserved attribute bits. */
  attributes: 5,
  /** count ≤ 0 or lastOffsetDelta ≠ count − 1 (not demanded of compacted batches on disk). */
  count: 6,
  /** A record's varints, lengths, offset deltas or trailing bytes do not add up. */
  record: 7,
  /** A record without key where `requireKeys` was asked. */
  key: 8,
  /** Producer id, epoch and sequence contradict each other. */
  producer: 9,
  /** Only `scan`: a base offset not above the last offset before it, or negative. */
  offsets: 10,
} as const;
export type BatchFault = (typeof BatchFault)[keyof typeof BatchFault];

/**
 * Header of the batch last checked, scanned or parsed. One object, overwritten by the next call.
 */
export interface BatchHeader {
  /** Whole batch, header included. */
  bytes: number;
  baseOffset: number;
  lastOffset: number;
  leaderEpoch: number;
  crc: number;
  attributes: number;
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  codec: number;
  isTransactional: boolean;
  isControl: boolean;
  /** LogAppendTime rather than CreateTime. */
  isLogAppendTime: boolean;
  baseTimestamp: number;
  maxTimestamp: number;
  producerId: number;
  producerEpoch: number;
  baseSequence: number;
  count: number;
}

export interface CheckRules {
  readonly verifyCrc: boolean;
  /** Walk the records of an uncompressed batch: structure, offset deltas, no trailing bytes. */
  readonly walkRecords: boolean;
  /** With walkRecords: a null key is a fault (compacted topics). */
  readonly requireKeys: boolean;
}

/**
 * Kafka's `.index`: (relative offset i32, position i32) pairs, both growing. Lives in the core's
 * memory.
 */
export interface OffsetIndex {
  readonly entries: number;
  /** Throws RangeError unless both lie above the last entry's and are i32 ≥ 0. */
  append(relativeOffset: number, position: number): void;
  /** Position of the largest entry ≤ relativeOffset; 0 if there is none. */
  lookup(relativeOffset: number): number;
  /** Of the last entry; -1 if none. */
  lastRelativeOffset(): number;
  /** Of the last entry; 0 if none. */
  lastPosition(): number;
  /** Drops entries with a relative offset ≥ the given one. */
  truncate(relativeOffset: number): void;
  /** The file's bytes, big-endian, from entry `from` on; a view, valid until the next core call. */
  fileBytes(from?: number): Uint8Array;
  free(): void;
}

/** Kafka's `.timeindex`: (timestamp i64, relative offset i32), timestamps not falling. */
export interface TimeIndex {
  readonly entries: number;
  /**
   * Ignored unless the timestamp is above the last one (and the offset not below), as Kafka does.
   */
  append(timestampMs: number, relativeOffset: number): void;
  /** Relative offset of the largest entry with timestamp ≤ the given one; 0 if none. */
  lookup(timestampMs: number): number;
  /** Of the last entry; -1 if none. */
  lastTimestamp(): number;
  /** Of the last entry; -1 if none. */
  lastRelativeOffset(): number;
  /** Drops entries with a relative offset ≥ the given one. */
  truncate(relativeOffset: number): void;
  fileBytes(from?: number): Uint8Array;
  free(): void;
}

/** Result of `scan`: how far the chunk is valid, and one row per batch. */
export interface Scan {
  /** Batches found, at most `rowsMax`. */
  readonly rows: number;
  /** Bytes of whole, valid batches from the start of the chunk. */
  readonly validBytes: number;
  /**
   * Why it stopped: none when the chunk ended exactly or `rowsMax` was reached, incomplete when a
   * batch is cut by the chunk's end.
   */
  readonly fault: BatchFault;
}

export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

export interface RecordInput {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
  readonly headers?: readonly RecordHeader[];
}

export interface DecodedRecord {
  readonly offset: number;
  readonly timestampMs: number;
  /** Own copies, not views. */
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

export interface EncodeOptions {
  /** Attribute bits 0–2 and how to make them; null for none. */
  readonly compression: { readonly id: number; compress(bytes: Uint8Array): Uint8Array } | null;
  readonly baseOffset?: number;
  readonly leaderEpoch?: number;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly isTransactional?: boolean;
  readonly isControl?: boolean;
}

/** What `KeyMap.filter` kept of one batch. */
export interface FilteredRecords {
  readonly count: number;
  readonly bytes: number;
  readonly tombstones: number;
  /** Largest timestamp relative to the batch's base timestamp, before a shift. */
  readonly timestampDeltaMax: number;
}

/** Compaction's memory: the newest offset of each key, by a 128-bit digest of it. */
export interface KeyMap {
  readonly entries: number;
  readonly entriesMax: number;
  /** Bytes of core memory. */
  readonly bytes: number;
  /**
   * Notes the keys of the records in memory [at, at+length), uncompressed and without batch header. Returns
   * false and notes nothing when they might not all fit. Throws `CorruptBatch`.
   */
  add(at: Address, length: number, batch: { count: number; baseOffset: number }): boolean;
  /**
   * When all of [from, to) are in the map: makes `filter` several times as fast there, for a bit of memory per
   * offset. Does nothing when that would be too much. `add` must not be called any more.
   */
  markNewest(from: number, to: number): void;
  /**
   * Copies to `out` the records that are the newest of their key or lie behind `latestOffset`. `out` needs
   * `length` bytes, and 10 more per record if `timestampShift` (taken from every timestamp delta) is not 0.
   */
  filter(
    at: Address,
    length: number,
    batch: {
      count: number;
      baseOffset: number;
      latestOffset: number;
      dropTombstones: boolean;
      timestampShift: number;
    },
    out: Address,
  ): FilteredRecords;
  free(): void;
}

export interface Core {
  // ---- memory ----
  /** A view of the memory. Stale after anything that allocates: ask again rather than keep. */
  bytes(at: Address, length: number): Uint8Array;
  /** Throws `CoreMemoryFull` above the limit given to `createCore`. */
  alloc(length: number): Address;
  free(at: Address): void;
  /**
   * Address of `bytes`: where they are if they already lie in the core's memory, else a copy in the
   * scratch area (valid until the next `place`; grown on demand, given back when large).
   */
  place(bytes: Uint8Array): Address;
  /** Bytes of linear memory now, for metrics. */
  readonly memoryBytes: number;

  // ---- checksums ----
  /** CRC-32C (Castagnoli) of memory; `seed` is the CRC of the bytes before, 0 at the start. */
  crc32cAt(at: Address, length: number, seed?: number): number;
  /** Same, of any bytes of any length (copied through the scratch area in pieces if need be). */
  crc32c(bytes: Uint8Array, seed?: number): number;

  // ---- batches ----
  readonly header: BatchHeader;
  /**
   * Checks the batch that starts at `at`, at most `length` bytes; fills `header` as far as it got.
   */
  check(at: Address, length: number, rules: CheckRules): BatchFault;
  /**
   * The same walk over `count` records that lie in memory without a batch around them: what a
   * compressed batch decompressed to.
   */
  checkRecords(
    at: Address,
    length: number,
    rules: { readonly count: number; readonly requireKeys: boolean },
  ): BatchFault;
  /** Base offset and partition leader epoch: both outside the CRC, nothing else changes. */
  stamp(at: Address, baseOffset: number, leaderEpoch: number): void;
  /** LogAppendTime: sets the timestamp type bit and maxTimestamp, and the new CRC. */
  stampAppendTime(at: Address, length: number, timestampMs: number): void;
  /**
   * Walks whole batches from `at`; rows are then read by `row`. Header, length and (if asked) CRC
   * checks.
   */
  scan(at: Address, length: number, options: { verifyCrc: boolean; rowsMax?: number }): Scan;
  /**
   * Loads row `i` of the last scan into `header`; returns the batch's position relative to the
   * chunk.
   */
  row(i: number): number;
  /**
   * Position of the first batch in the chunk whose last offset is ≥ `offset`; -1 if none is whole
   * here.
   */
  findOffset(at: Address, length: number, offset: number): number;
  /** Position of the first batch with maxTimestamp ≥ `timestampMs`; -1 if none. */
  findTimestamp(at: Address, length: number, timestampMs: number): number;
  /** First position of `needle` in memory [at, at+length), -1 if absent: a literal byte scan. */
  findBytes(at: Address, length: number, needle: Uint8Array): number;

  // ---- indexes ----
  newOffsetIndex(): OffsetIndex;
  newTimeIndex(): TimeIndex;
  /**
   * From file bytes; entries that do not grow, and all after them, are dropped (then `entries`
   * tells).
   */
  loadOffsetIndex(bytes: Uint8Array): OffsetIndex;
  loadTimeIndex(bytes: Uint8Array): TimeIndex;

  // ---- compaction ----
  /**
   * A map that grows up to `entries` keys, or to as many as fit into `bytesMax` (half more while it grows; then
   * other calls' addresses stay, but views go stale). `seed`: 16 random bytes, so that
   * digests cannot be made to meet. Throws `CoreMemoryFull`.
   */
  newKeyMap(options: { entries: number; bytesMax: number; seed: Uint8Array }): KeyMap;
  /**
   * Fields of a batch that was filtered, in place: the header at `at` is the old one, its records follow and are
   * `recordsBytes` long. Counts, length, timestamps and CRC are made new.
   */
  reseal(
    at: Address,
    changes: {
      recordsBytes: number;
      count: number;
      attributes: number;
      baseTimestamp: number;
      maxTimestamp: number;
    },
  ): void;

  // ---- records ----
  /** One batch of the given records in order, as a fresh array. At least one record. */
  encode(records: readonly RecordInput[], options: EncodeOptions): Uint8Array;
  /**
   * All records of one whole batch, also of a compacted one. `decompress` is called once for a
   * compressed batch. Throws `CorruptBatch` if lengths or counts do not add up; the CRC is
   * `check`'s business.
   */
  decode(
    batch: Uint8Array,
    decompress: (codec: number, bytes: Uint8Array) => Uint8Array,
  ): DecodedRecord[];
}

const memoryBytesMaxDefault = 512 * 1024 * 1024;

/**
 * A core of its own memory, which starts at 1 MiB and grows up to `memoryBytesMax` (default 512
 * MiB, at most 4 GiB). `module` is what `coreModuleUrl` names, compiled.
 */
export function createCore(
  module: WebAssembly.Module,
  options: { memoryBytesMax?: number } = {},
): Core {
  return new WasmCore(createInstance(module), options.memoryBytesMax ?? memoryBytesMaxDefault);
}
