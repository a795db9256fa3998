// Records inside a batch: varint length, i8 attributes, varlong timestamp delta, varint offset
// delta, key, value, headers. Walks them for checks, decodes them into rows, and encodes rows into
// them. Varints are zigzag.

import { faultKey, faultNone, faultRecord, fromSafe, toSafe } from "./layout";

// ---- a decoded record: 40 bytes, addresses relative to the first record ----
const decodedBytes: u32 = 40;
const decodedTimestamp: usize = 0; // f64
const decodedOffsetDelta: usize = 8; // i32, as all that follow
const decodedKey: usize = 12;
const decodedKeyLength: usize = 16; // -1: null
const decodedValue: usize = 20;
const decodedValueLength: usize = 24; // -1: null
const decodedHeaders: usize = 28;
const decodedHeaderCount: usize = 32;

// ---- a record to encode: 24 bytes; key, value and headers follow each other in the payload ----
const inputBytes: u32 = 24;
const inputTimestamp: usize = 0; // f64
const inputKeyLength: usize = 8; // i32, as all that follow; -1: null
const inputValueLength: usize = 12;
const inputHeaderCount: usize = 16;

const notShort: u32 = 0xffffffff;

// ---- the record read last ----
let cursor: usize = 0;
let isBad: bool = false;
export let timestampDelta: i64 = 0;
/** Where the fields after the timestamp delta begin. */
export let offsetDeltaAt: usize = 0;
export let offsetDelta: i32 = 0;
export let keyAt: usize = 0;
export let keyLength: i32 = 0;
let valueAt: usize = 0;
export let valueLength: i32 = 0;
let headersAt: usize = 0;
let headerCount: i32 = 0;

/**
 * Exactly `count` records with offset deltas 0, 1, 2, … between `at` and `end`. Returns a fault.
 */
export function walkRecords(at: usize, end: usize, count: i32, requireKeys: bool): u32 {
  let isKeyMissing = false;
  for (let i = 0; i < count; i++) {
    const next = passUsual(at, end, i, requireKeys);
    if (next) {
      at = next;
      continue;
    }
    cursor = at;
    if (!readRecord(end) || offsetDelta != i) return faultRecord;
    if (keyLength < 0) isKeyMissing = true;
    at = cursor;
  }
  if (at != end) return faultRecord;
  return requireKeys && isKeyMissing ? faultKey : faultNone;
}

/**
 * Decodes up to `rowsMax` records of [at, at+length), starting `position` bytes in, after a record
 * with offset delta `deltaBefore` (-1 at first); timestamps are relative to `baseTimestamp`.
 * Returns how many, -1 if one does not add up. `decodedPosition` says where to go on.
 */
export function decodeRecords(
  at: usize,
  length: u32,
  position: u32,
  deltaBefore: i32,
  baseTimestamp: f64,
  rows: usize,
  rowsMax: u32,
): i32 {
  const end = at + length;
  cursor = at + position;
  const base = fromSafe(baseTimestamp);
  let delta = deltaBefore;
  let row = rows;
  for (let i: u32 = 0; i < rowsMax; i++) {
    if (!readRecord(end) || offsetDelta <= delta) return -1;
    delta = offsetDelta;
    // Halved, a delta of any size can be added without wrapping; clamped it is the same.
    const isHuge = timestampDelta > i64.MAX_VALUE / 2 || timestampDelta < i64.MIN_VALUE / 2;
    const timestamp = base + (isHuge ? timestampDelta / 2 : timestampDelta);
    store<f64>(row, toSafe(timestamp), decodedTimestamp);
    store<i32>(row, offsetDelta, decodedOffsetDelta);
    store<u32>(row, <u32>(keyAt - at), decodedKey);
    store<i32>(row, keyLength, decodedKeyLength);
    store<u32>(row, <u32>(valueAt - at), decodedValue);
    store<i32>(row, valueLength, decodedValueLength);
    store<u32>(row, <u32>(headersAt - at), decodedHeaders);
    store<i32>(row, headerCount, decodedHeaderCount);
    row += decodedBytes;
  }
  return <i32>rowsMax;
}

/** Bytes of [at, …) that the last `decodeRecords` has used up. */
export function decodedPosition(at: usize): u32 {
  return <u32>(cursor - at);
}

/** Writes `count` records to `out` from rows and payload; returns the bytes written. */
export function encodeRecords(rows: usize, count: u32, payload: usize, out: usize): u32 {
  const base = fromSafe(load<f64>(rows, inputTimestamp));
  const start = out;
  for (let i: u32 = 0; i < count; i++) {
    const row = rows + i * inputBytes;
    const key = load<i32>(row, inputKeyLength);
    const value = load<i32>(row, inputValueLength);
    const headers = load<i32>(row, inputHeaderCount);
    const delta = fromSafe(load<f64>(row, inputTimestamp)) - base;
    const packedHeaders = payload + max<i32>(key, 0) + max<i32>(value, 0);
    const body =
      1 + varlongBytes(delta) + varintBytes(i) + fieldBytes(key) + fieldBytes(value) +
      headersBytes(packedHeaders, headers);
    out = writeVarint(out, body);
    store<u8>(out, 0);
    out = writeVarlong(out + 1, delta);
    out = writeVarint(out, i);
    out = writeField(out, payload, key);
    out = writeField(out, payload + max<i32>(key, 0), value);
    out = writeVarint(out, headers);
    payload = packedHeaders;
    for (let h = 0; h < headers; h++) {
      const headerKey = load<i32>(payload);
      const headerValue = load<i32>(payload, 4);
      out = writeField(out, payload + 8, headerKey);
      out = writeField(out, payload + 8 + headerKey, headerValue);
      payload += 8 + headerKey + max<i32>(headerValue, 0);
    }
  }
  return <u32>(out - start);
}

/** Reads the record at `at`, of which nothing may lie behind `end`; where the next one is, 0 for a fault. */
export function readRecordAt(at: usize, end: usize): usize {
  cursor = at;
  return readRecord(end) ? cursor : 0;
}

// ---- reading ----

/**
 * Where the record at `at` ends if it is of the usual kind: varints of one or two bytes, a
 * timestamp delta of at most four, no headers, offset delta `i`. Otherwise 0, and `readRecord`
 * decides: this only saves time. May look a few bytes beyond `end` but accepts nothing that depends
 * on them.
 */
// @ts-ignore: decorator
@inline
function passUsual(at: usize, end: usize, i: u32, requireKeys: bool): usize {
  if (end - at < 2) return 0;
  const length = shortVarint(at);
  const body = at + shortVarintBytes(at);
  const recordEnd = body + (length >>> 1);
  if (length & 1 || recordEnd > end) return 0;
  let p = body + 1 + shortVarintBytes(body + 1); // attributes, timestamp delta
  if (load<u8>(p - 1) > 127) {
    p += shortVarintBytes(p);
    if (load<u8>(p - 1) > 127) return 0;
  }
  if (shortVarint(p) != i << 1) return 0;
  p += shortVarintBytes(p);
  const key = shortVarint(p);
  p += shortVarintBytes(p);
  if (!(key & 1)) p += key >>> 1;
  else if (key != 1 || requireKeys) return 0;
  if (p >= recordEnd) return 0;
  const value = shortVarint(p);
  p += shortVarintBytes(p);
  if (!(value & 1)) p += value >>> 1;
  else if (value != 1) return 0;
  return p + 1 == recordEnd && load<u8>(p) == 0 ? recordEnd : 0;
}

/**
 * Raw (not unzigzagged) varint of one or two bytes; a longer one yields an odd number too large to
 * be null.
 */
// @ts-ignore: decorator
@inline
function shortVarint(at: usize): u32 {
  const first: u32 = load<u8>(at);
  if (first < 128) return first;
  const second: u32 = load<u8>(at, 1);
  return second < 128 ? (first & 127) | (second << 7) : notShort;
}

// @ts-ignore: decorator
@inline
function shortVarintBytes(at: usize): usize {
  return 1 + (load<u8>(at) >>> 7);
}

/** Reads one record at the cursor, checks all its lengths, and leaves the cursor behind it. */
function readRecord(end: usize): bool {
  isBad = false;
  const length = readVarint(end);
  if (isBad || length < 0 || <usize>length > end - cursor) return false;
  const recordEnd = cursor + length;
  cursor++; // attributes: no bit has a meaning yet
  timestampDelta = readVarlong(recordEnd);
  offsetDeltaAt = cursor;
  offsetDelta = readVarint(recordEnd);
  keyLength = readVarint(recordEnd);
  keyAt = cursor;
  skip(keyLength, recordEnd);
  valueLength = readVarint(recordEnd);
  valueAt = cursor;
  skip(valueLength, recordEnd);
  headerCount = readVarint(recordEnd);
  headersAt = cursor;
  if (isBad || headerCount < 0) return false;
  for (let i = 0; i < headerCount; i++) {
    const headerKey = readVarint(recordEnd);
    if (headerKey < 0) return false;
    skip(headerKey, recordEnd);
    skip(readVarint(recordEnd), recordEnd);
    if (isBad) return false;
  }
  return cursor == recordEnd;
}

/** Passes over a field of `length` bytes; -1 is null, less is a fault. */
// @ts-ignore: decorator
@inline
function skip(length: i32, end: usize): void {
  if (length >= 0) {
    if (cursor > end || <usize>length > end - cursor) isBad = true;
    else cursor += length;
  } else if (length != -1) isBad = true;
}

/** At most five bytes, and no bits beyond the 32nd. */
// @ts-ignore: decorator
@inline
function readVarint(end: usize): i32 {
  let at = cursor;
  if (at < end) {
    const first: u32 = load<u8>(at);
    if (first < 128) {
      cursor = at + 1;
      return unzigzag(first);
    }
  }
  return readLongVarint(end);
}

function readLongVarint(end: usize): i32 {
  let raw: u32 = 0;
  for (let shift: u32 = 0; shift < 35 && cursor < end; shift += 7) {
    const byte: u32 = load<u8>(cursor++);
    raw |= (byte & 127) << shift;
    if (byte < 128) {
      if (shift == 28 && byte > 15) break;
      return unzigzag(raw);
    }
  }
  isBad = true;
  return -1;
}

/** At most ten bytes, and no bits beyond the 64th. */
function readVarlong(end: usize): i64 {
  let raw: u64 = 0;
  for (let shift: u64 = 0; shift < 70 && cursor < end; shift += 7) {
    const byte: u64 = load<u8>(cursor++);
    raw |= (byte & 127) << shift;
    if (byte < 128) {
      if (shift == 63 && byte > 1) break;
      return <i64>(raw >>> 1) ^ -<i64>(raw & 1);
    }
  }
  isBad = true;
  return 0;
}

// @ts-ignore: decorator
@inline
function unzigzag(raw: u32): i32 {
  return <i32>(raw >>> 1) ^ -<i32>(raw & 1);
}

// ---- writing ----

/** Bytes of a length varint and the field behind it. */
function fieldBytes(length: i32): u32 {
  return varintBytes(length) + max<i32>(length, 0);
}

function headersBytes(packed: usize, count: i32): u32 {
  let bytes = varintBytes(count);
  for (let i = 0; i < count; i++) {
    const key = load<i32>(packed);
    const value = load<i32>(packed, 4);
    bytes += fieldBytes(key) + fieldBytes(value);
    packed += 8 + key + max<i32>(value, 0);
  }
  return bytes;
}

function writeField(out: usize, from: usize, length: i32): usize {
  out = writeVarint(out, length);
  if (length <= 0) return out;
  memory.copy(out, from, length);
  return out + length;
}

function varintBytes(value: i32): u32 {
  return varlongBytes(<i64>value);
}

export function varlongBytes(value: i64): u32 {
  const raw = <u64>((value << 1) ^ (value >> 63));
  return <u32>((70 - clz<u64>(raw | 1)) / 7);
}

export function writeVarint(out: usize, value: i32): usize {
  return writeVarlong(out, <i64>value);
}

export function writeVarlong(out: usize, value: i64): usize {
  let raw = <u64>((value << 1) ^ (value >> 63));
  while (raw > 127) {
    store<u8>(out++, <u8>raw | 128);
    raw >>>= 7;
  }
  store<u8>(out, <u8>raw);
  return out + 1;
}
