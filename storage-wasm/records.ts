// Records to batches and back. TypeScript packs all records into the core's memory at once and
// unpacks rows of numbers; the core writes and reads the varints. One call per batch (decoding: per
// 512 records).

import type { DecodedRecord, EncodeOptions, RecordHeader, RecordInput } from "./core.ts";
import { CorruptBatch } from "./errors.ts";
import * as layout from "./layout.ts";
import type { Area, CoreMemory } from "./memory.ts";

/** Record without its key, value and headers, varints at their longest. */
const recordOverheadBytesMax = 36;
/** Two varints. */
const headerOverheadBytesMax = 10;
/** Length fields in front of a packed header. */
const packedHeaderBytes = 8;
const decodedRowsMax = 512;
const codecMax = 4;

const noHeaders: readonly RecordHeader[] = [];
const textEncoder = new TextEncoder();
/** Keeps a byte order mark: what went in comes out. */
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** One batch of the records, as a fresh array. */
export function encode(
  memory: CoreMemory,
  work: Area,
  records: readonly RecordInput[],
  options: EncodeOptions,
): Uint8Array {
  if (records.length === 0) throw new RangeError("a batch needs at least one record");
  const size = measure(memory, records);
  if (size.isInMemory) return encode(memory, work, records.map(detached), options);
  const rowsBytes = records.length * layout.inputRowBytes;
  const rows = work.hold(rowsBytes + size.payloadBytes + size.batchBytesMax);
  const payload = rows + rowsBytes;
  const batch = (payload + size.payloadBytes + 7) & ~7;
  pack(memory, records, rows, payload);
  const from = batch + layout.batchHeaderBytes;
  const length = memory.raw.encodeRecords(rows, records.length, payload, from);
  const { compression } = options;
  if (compression === null) {
    const bytes = sealed(memory, batch, length, records, options, size.maxTimestamp);
    work.trim();
    return bytes;
  }
  const compressed = compression.compress(memory.bytes.slice(from, from + length));
  const at = work.hold(layout.batchHeaderBytes + compressed.length);
  memory.write(at + layout.batchHeaderBytes, compressed);
  const bytes = sealed(memory, at, compressed.length, records, options, size.maxTimestamp);
  work.trim();
  return bytes;
}

/** All records of one whole batch. Throws CorruptBatch. Does not verify the CRC: `check` does. */
export function decode(
  memory: CoreMemory,
  work: Area,
  batch: Uint8Array,
  decompress: (codec: number, bytes: Uint8Array) => Uint8Array,
): DecodedRecord[] {
  // A batch in the core's memory would go stale as soon as the work area grows.
  const stable = memory.holds(batch) ? new Uint8Array(batch) : batch;
  const header = readHeader(memory, work, stable);
  const stored = stable.subarray(layout.batchHeaderBytes, header.bytes);
  if (header.codec > codecMax) throw new CorruptBatch(`unknown codec ${header.codec}`);
  const plain = header.codec === 0 ? stored : decompress(header.codec, stored);
  const own = plain === stored && stable !== batch ? stored : ownBytes(plain, batch);
  const rowsBytes = decodedRowsMax * layout.decodedRowBytes;
  const rows = work.hold(rowsBytes + own.length);
  const payload = rows + rowsBytes;
  memory.write(payload, own);
  const records: DecodedRecord[] = [];
  let position = 0;
  let delta = -1;
  while (records.length < header.count) {
    const wanted = Math.min(decodedRowsMax, header.count - records.length);
    const got = memory.raw.decodeRecords(
      payload,
      own.length,
      position,
      delta,
      header.baseTimestamp,
      rows,
      wanted,
    );
    if (got < 0) throw new CorruptBatch(`a record after offset delta ${delta} does not add up`);
    position = memory.raw.decodedPosition(payload);
    delta = unpack(memory.view, rows, got, own, header, records);
  }
  work.trim();
  if (position !== own.length) throw new CorruptBatch("bytes behind the last record");
  if (delta > header.lastOffsetDelta) throw new CorruptBatch("a record beyond the last offset");
  return records;
}

// ---- encoding ----

interface Size {
  payloadBytes: number;
  batchBytesMax: number;
  maxTimestamp: number;
  /** Some key or value is a view of the core's memory, which the work area may make stale. */
  isInMemory: boolean;
}

function measure(memory: CoreMemory, records: readonly RecordInput[]): Size {
  let bytes = 0;
  let headers = 0;
  let maxTimestamp = Number.NEGATIVE_INFINITY;
  let isInMemory = false;
  const { buffer } = memory.bytes;
  for (const { key, value, timestampMs, headers: own } of records) {
    if (key !== null) bytes += key.length;
    if (value !== null) bytes += value.length;
    if (key?.buffer === buffer || value?.buffer === buffer) isInMemory = true;
    if (timestampMs > maxTimestamp) maxTimestamp = timestampMs;
    if (own === undefined) continue;
    headers += own.length;
    // A UTF-16 unit takes at most three bytes.
    for (const header of own) {
      bytes += header.key.length * 3 + (header.value?.length ?? 0);
      if (header.value?.buffer === buffer) isInMemory = true;
    }
  }
  return {
    payloadBytes: bytes + headers * packedHeaderBytes,
    batchBytesMax:
      layout.batchHeaderBytes +
      records.length * recordOverheadBytesMax +
      headers * headerOverheadBytesMax +
      bytes +
      8,
    maxTimestamp,
    isInMemory,
  };
}

function detached({ key, value, timestampMs, headers }: RecordInput): RecordInput {
  return {
    key: key && new Uint8Array(key),
    value: value && new Uint8Array(value),
    timestampMs,
    headers: (headers ?? []).map((header) => ({
      key: header.key,
      value: header.value && new Uint8Array(header.value),
    })),
  };
}

function pack(
  memory: CoreMemory,
  records: readonly RecordInput[],
  rows: number,
  payload: number,
): void {
  const { view } = memory;
  let row = rows;
  let at = payload;
  for (const { key, value, timestampMs, headers } of records) {
    view.setFloat64(row + layout.inputTimestamp, timestampMs, true);
    view.setInt32(row + layout.inputKeyLength, key === null ? -1 : key.length, true);
    view.setInt32(row + layout.inputValueLength, value === null ? -1 : value.length, true);
    view.setInt32(row + layout.inputHeaderCount, headers === undefined ? 0 : headers.length, true);
    if (key !== null) at = memory.write(at, key);
    if (value !== null) at = memory.write(at, value);
    if (headers !== undefined) {
      for (const header of headers) at = packHeader(memory, header, at);
    }
    row += layout.inputRowBytes;
  }
}

function packHeader(memory: CoreMemory, { key, value }: RecordHeader, at: number): number {
  const { bytes, view } = memory;
  const keyAt = at + packedHeaderBytes;
  const keyBytes = textEncoder.encodeInto(
    key,
    bytes.subarray(keyAt, keyAt + key.length * 3),
  ).written;
  view.setInt32(at, keyBytes, true);
  view.setInt32(at + 4, value === null ? -1 : value.length, true);
  return value === null ? keyAt + keyBytes : memory.write(keyAt + keyBytes, value);
}

/** Puts the header in front of the records at `batch + 61`, and copies the batch out. */
function sealed(
  memory: CoreMemory,
  batch: number,
  recordsBytes: number,
  records: readonly RecordInput[],
  options: EncodeOptions,
  maxTimestamp: number,
): Uint8Array {
  const row = memory.raw.headerRowAt() / 8;
  const { floats } = memory;
  floats[row + layout.rowBaseOffset] = options.baseOffset ?? 0;
  floats[row + layout.rowLeaderEpoch] = options.leaderEpoch ?? -1;
  floats[row + layout.rowAttributes] =
    (options.compression?.id ?? 0) |
    (options.isTransactional ? layout.attributeTransactional : 0) |
    (options.isControl ? layout.attributeControl : 0);
  floats[row + layout.rowBaseTimestamp] = records[0]!.timestampMs;
  floats[row + layout.rowMaxTimestamp] = maxTimestamp;
  floats[row + layout.rowProducerId] = options.producerId ?? -1;
  floats[row + layout.rowProducerEpoch] = options.producerEpoch ?? -1;
  floats[row + layout.rowBaseSequence] = options.baseSequence ?? -1;
  floats[row + layout.rowCount] = records.length;
  const length = layout.batchHeaderBytes + recordsBytes;
  memory.raw.seal(batch, length);
  return memory.bytes.slice(batch, batch + length);
}

// ---- decoding ----

interface DecodeHeader {
  readonly bytes: number;
  readonly baseOffset: number;
  readonly lastOffsetDelta: number;
  readonly codec: number;
  readonly isLogAppendTime: boolean;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly count: number;
}

/** The rules of a stored batch (it may be compacted), without its CRC. */
function readHeader(memory: CoreMemory, work: Area, batch: Uint8Array): DecodeHeader {
  const at = work.hold(layout.batchHeaderBytes + layout.rowBytes + 8);
  memory.write(at, batch.subarray(0, layout.batchHeaderBytes));
  const rowAt = (at + layout.batchHeaderBytes + 7) & ~7;
  memory.raw.scan(at, batch.length, 0, rowAt, 1);
  const fault = memory.raw.scanFault();
  if (fault !== 0) throw new CorruptBatch(`the batch's header does not add up (fault ${fault})`);
  const { floats } = memory;
  const row = rowAt / 8;
  const attributes = floats[row + layout.rowAttributes]!;
  const baseOffset = floats[row + layout.rowBaseOffset]!;
  return {
    bytes: floats[row + layout.rowSize]!,
    baseOffset,
    lastOffsetDelta: floats[row + layout.rowLastOffset]! - baseOffset,
    codec: attributes & layout.attributeCodecMask,
    isLogAppendTime: (attributes & layout.attributeAppendTime) !== 0,
    baseTimestamp: floats[row + layout.rowBaseTimestamp]!,
    maxTimestamp: floats[row + layout.rowMaxTimestamp]!,
    count: floats[row + layout.rowCount]!,
  };
}

/**
 * One copy that all keys and values of the batch share; what a codec made for us alone is used as
 * it is.
 */
function ownBytes(bytes: Uint8Array, batch: Uint8Array): Uint8Array {
  const isOurs = bytes.buffer !== batch.buffer && bytes.length === bytes.buffer.byteLength;
  return isOurs ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes);
}

/** Appends `count` decoded rows to `records`; returns the last offset delta. */
function unpack(
  view: DataView,
  rows: number,
  count: number,
  own: Uint8Array,
  header: DecodeHeader,
  records: DecodedRecord[],
): number {
  let delta = -1;
  for (let i = 0, row = rows; i < count; i++, row += layout.decodedRowBytes) {
    delta = view.getInt32(row + layout.decodedOffsetDelta, true);
    const headerCount = view.getInt32(row + layout.decodedHeaderCount, true);
    records.push({
      offset: header.baseOffset + delta,
      timestampMs: header.isLogAppendTime
        ? header.maxTimestamp
        : view.getFloat64(row + layout.decodedTimestamp, true),
      key: field(view, row + layout.decodedKey, own),
      value: field(view, row + layout.decodedValue, own),
      headers:
        headerCount === 0
          ? noHeaders
          : unpackHeaders(own, view.getUint32(row + layout.decodedHeaders, true), headerCount),
    });
  }
  return delta;
}

/** (u32 position, i32 length) at `at`; length -1 is null. */
function field(view: DataView, at: number, own: Uint8Array): Uint8Array | null {
  const length = view.getInt32(at + 4, true);
  if (length < 0) return null;
  const start = view.getUint32(at, true);
  return own.subarray(start, start + length);
}

/** The core has checked all lengths; this only reads. */
function unpackHeaders(own: Uint8Array, from: number, count: number): RecordHeader[] {
  const headers: RecordHeader[] = [];
  let at = from;
  const nextLength = () => {
    let raw = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = own[at++]!;
      raw |= (byte & 127) << shift;
      shift += 7;
    } while (byte > 127);
    return (raw >>> 1) ^ -(raw & 1);
  };
  const nextBytes = (length: number) => {
    at += length;
    return own.subarray(at - length, at);
  };
  for (let i = 0; i < count; i++) {
    const key = textDecoder.decode(nextBytes(nextLength()));
    const valueLength = nextLength();
    headers.push({ key, value: valueLength < 0 ? null : nextBytes(valueLength) });
  }
  return headers;
}
