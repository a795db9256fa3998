// The `Core` of `core.ts` over one instance's functions: turns its objects into addresses and
// numbers and back.

import type {
  Address,
  BatchFault,
  BatchHeader,
  CheckRules,
  Core,
  DecodedRecord,
  EncodeOptions,
  KeyMap,
  OffsetIndex,
  RecordInput,
  Scan,
  TimeIndex,
} from "./core.ts";
import { loadOffsetIndex, loadTimeIndex, newOffsetIndex, newTimeIndex } from "./indexes.ts";
import type { RawCore } from "./instance.ts";
import { newKeyMap } from "./key-map.ts";
import * as layout from "./layout.ts";
import { Area, CoreMemory } from "./memory.ts";
import { decode, encode } from "./records.ts";

/** Rows of a scan when the caller names no limit. */
const scanRowsMaxDefault = 4096;
/**
 * `crc32c` of bytes elsewhere goes through the core in pieces of this: they stay in the CPU's
 * cache.
 */
const crcPieceBytes = 64 * 1024;

export class WasmCore implements Core {
  readonly header: BatchHeader = emptyHeader();
  readonly #raw: RawCore;
  readonly #memory: CoreMemory;
  readonly #headerRow: number;
  /** Where `place` copies to. */
  readonly #scratch: Area;
  readonly #rows: Area;
  #rowsAt: Address = 0;
  #rowsCount = 0;
  /** Of no use beyond one call: packed records, pieces, needles. */
  readonly #work: Area;

  constructor(raw: RawCore, memoryBytesMax: number) {
    raw.limitMemory(memoryBytesMax);
    this.#raw = raw;
    this.#memory = new CoreMemory(raw);
    this.#headerRow = raw.headerRowAt();
    this.#scratch = new Area(this.#memory);
    this.#rows = new Area(this.#memory);
    this.#work = new Area(this.#memory);
  }

  bytes(at: Address, length: number): Uint8Array {
    return this.#memory.bytes.subarray(at, at + length);
  }

  alloc(length: number): Address {
    return this.#memory.alloc(length);
  }

  free(at: Address): void {
    this.#memory.free(at);
  }

  place(bytes: Uint8Array): Address {
    if (this.#memory.holds(bytes)) return bytes.byteOffset;
    const at = this.#scratch.hold(bytes.length);
    this.#memory.write(at, bytes);
    return at;
  }

  get memoryBytes(): number {
    return this.#memory.bytes.length;
  }

  crc32cAt(at: Address, length: number, seed = 0): number {
    return this.#raw.crc32cAt(at, length, seed) >>> 0;
  }

  crc32c(bytes: Uint8Array, seed = 0): number {
    if (this.#memory.holds(bytes)) return this.crc32cAt(bytes.byteOffset, bytes.length, seed);
    const at = this.#work.hold(Math.min(bytes.length, crcPieceBytes));
    let crc = seed;
    for (let from = 0; from < bytes.length; from += crcPieceBytes) {
      const piece =
        bytes.length <= crcPieceBytes ? bytes : bytes.subarray(from, from + crcPieceBytes);
      this.#memory.write(at, piece);
      crc = this.#raw.crc32cAt(at, piece.length, crc);
    }
    return crc >>> 0;
  }

  check(at: Address, length: number, rules: CheckRules): BatchFault {
    const bits =
      (rules.verifyCrc ? layout.ruleVerifyCrc : 0) |
      (rules.walkRecords ? layout.ruleWalkRecords : 0) |
      (rules.requireKeys ? layout.ruleRequireKeys : 0);
    const fault = this.#raw.check(at, length, bits) as BatchFault;
    loadHeader(this.header, this.#memory.floats, this.#headerRow / 8);
    return fault;
  }

  checkRecords(
    at: Address,
    length: number,
    rules: { readonly count: number; readonly requireKeys: boolean },
  ): BatchFault {
    const { count, requireKeys } = rules;
    return this.#raw.walkRecords(at, at + length, count, requireKeys) as BatchFault;
  }

  stamp(at: Address, baseOffset: number, leaderEpoch: number): void {
    this.#raw.stamp(at, baseOffset, leaderEpoch);
  }

  stampAppendTime(at: Address, length: number, timestampMs: number): void {
    this.#raw.stampAppendTime(at, length, timestampMs);
  }

  scan(at: Address, length: number, options: { verifyCrc: boolean; rowsMax?: number }): Scan {
    const mostBatches = Math.ceil(length / layout.batchHeaderBytes);
    const rowsMax = Math.max(1, Math.min(options.rowsMax ?? scanRowsMaxDefault, mostBatches));
    this.#rowsAt = this.#rows.hold(rowsMax * layout.rowBytes);
    const bits = options.verifyCrc ? layout.ruleVerifyCrc : 0;
    this.#rowsCount = this.#raw.scan(at, length, bits, this.#rowsAt, rowsMax);
    const fault = this.#raw.scanFault() as BatchFault;
    return { rows: this.#rowsCount, validBytes: this.#raw.scanValidBytes() >>> 0, fault };
  }

  row(i: number): number {
    if (i < 0 || i >= this.#rowsCount) throw new RangeError(`the last scan has no row ${i}`);
    const { floats } = this.#memory;
    const row = (this.#rowsAt + i * layout.rowBytes) / 8;
    loadHeader(this.header, floats, row);
    return floats[row + layout.rowPosition]!;
  }

  findOffset(at: Address, length: number, offset: number): number {
    return this.#raw.findOffset(at, length, offset);
  }

  findTimestamp(at: Address, length: number, timestampMs: number): number {
    return this.#raw.findTimestamp(at, length, timestampMs);
  }

  findBytes(at: Address, length: number, needle: Uint8Array): number {
    if (needle.length > length) return -1;
    let needleAt = needle.byteOffset;
    if (!this.#memory.holds(needle)) {
      needleAt = this.#work.hold(needle.length);
      this.#memory.write(needleAt, needle);
    }
    return this.#raw.findBytes(at, length, needleAt, needle.length);
  }

  newKeyMap(options: { entries: number; bytesMax: number; seed: Uint8Array }): KeyMap {
    return newKeyMap(this.#memory, options);
  }

  reseal(
    at: Address,
    changes: {
      recordsBytes: number;
      count: number;
      attributes: number;
      baseTimestamp: number;
      maxTimestamp: number;
    },
  ): void {
    const { view } = this.#memory;
    const { recordsBytes, count, attributes, baseTimestamp, maxTimestamp } = changes;
    const bytes = layout.batchHeaderBytes + recordsBytes;
    view.setInt32(at + 8, bytes - 12);
    view.setInt16(at + 21, attributes);
    view.setBigInt64(at + 27, BigInt(baseTimestamp));
    view.setBigInt64(at + 35, BigInt(maxTimestamp));
    view.setInt32(at + 57, count);
    view.setUint32(at + 17, this.crc32cAt(at + 21, bytes - 21));
  }

  newOffsetIndex(): OffsetIndex {
    return newOffsetIndex(this.#memory);
  }

  newTimeIndex(): TimeIndex {
    return newTimeIndex(this.#memory);
  }

  loadOffsetIndex(bytes: Uint8Array): OffsetIndex {
    return loadOffsetIndex(this.#memory, this.#work, bytes);
  }

  loadTimeIndex(bytes: Uint8Array): TimeIndex {
    return loadTimeIndex(this.#memory, this.#work, bytes);
  }

  encode(records: readonly RecordInput[], options: EncodeOptions): Uint8Array {
    return encode(this.#memory, this.#work, records, options);
  }

  decode(
    batch: Uint8Array,
    decompress: (codec: number, bytes: Uint8Array) => Uint8Array,
  ): DecodedRecord[] {
    return decode(this.#memory, this.#work, batch, decompress);
  }
}

function emptyHeader(): BatchHeader {
  const header = {} as BatchHeader;
  loadHeader(header, new Float64Array(layout.rowBytes / 8), 0);
  return header;
}

function loadHeader(header: BatchHeader, floats: Float64Array, row: number): void {
  const attributes = floats[row + layout.rowAttributes]!;
  header.bytes = floats[row + layout.rowSize]!;
  header.baseOffset = floats[row + layout.rowBaseOffset]!;
  header.lastOffset = floats[row + layout.rowLastOffset]!;
  header.leaderEpoch = floats[row + layout.rowLeaderEpoch]!;
  header.crc = floats[row + layout.rowCrc]!;
  header.attributes = attributes;
  header.codec = attributes & layout.attributeCodecMask;
  header.isTransactional = (attributes & layout.attributeTransactional) !== 0;
  header.isControl = (attributes & layout.attributeControl) !== 0;
  header.isLogAppendTime = (attributes & layout.attributeAppendTime) !== 0;
  header.baseTimestamp = floats[row + layout.rowBaseTimestamp]!;
  header.maxTimestamp = floats[row + layout.rowMaxTimestamp]!;
  header.producerId = floats[row + layout.rowProducerId]!;
  header.producerEpoch = floats[row + layout.rowProducerEpoch]!;
  header.baseSequence = floats[row + layout.rowBaseSequence]!;
  header.count = floats[row + layout.rowCount]!;
}
