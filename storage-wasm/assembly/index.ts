// Sparse indexes, kept in memory exactly as they lie in Kafka's files, big-endian: `.index` has
// 8-byte entries (i32 relative offset, i32 position), `.timeindex` 12-byte entries (i64 timestamp,
// i32 relative offset). A handle is the address of: u32 entries, u32 capacity (entries), u32
// address of the entries, u32 entry bytes.

import { allocate, release } from "./heap";
import { fromSafe, loadI64, loadU32, storeI64, storeU32, toSafe } from "./layout";

const handleBytes: u32 = 16;
const offsetEntryBytes: u32 = 8;
const timeEntryBytes: u32 = 12;
const capacityFirst: u32 = 16;

// ---- what append answers ----
const appended: u32 = 0;
/** The entry does not grow and is not taken. */
const rejected: u32 = 1;
const memoryFull: u32 = 2;

/** A handle, or 0 if memory is full. */
export function newOffsetIndex(): usize {
  return newIndex(offsetEntryBytes);
}

export function newTimeIndex(): usize {
  return newIndex(timeEntryBytes);
}

export function freeIndex(index: usize): void {
  if (load<u32>(index, 8)) release(load<u32>(index, 8));
  release(index);
}

export function indexEntries(index: usize): u32 {
  return load<u32>(index);
}

/** Address of the entries, as the file has them. */
export function indexData(index: usize): usize {
  return load<u32>(index, 8);
}

/** Offset and position must both lie above the last ones. */
export function appendOffset(index: usize, relativeOffset: i32, position: i32): u32 {
  const entries = indexEntries(index);
  if (relativeOffset < 0 || position < 0) return rejected;
  if (entries) {
    const last = entryAt(index, entries - 1);
    if (relativeOffset <= <i32>loadU32(last, 0)) return rejected;
    if (position <= <i32>loadU32(last, 4)) return rejected;
  }
  if (!reserve(index, entries + 1)) return memoryFull;
  const entry = entryAt(index, entries);
  storeU32(entry, 0, relativeOffset);
  storeU32(entry, 4, position);
  store<u32>(index, entries + 1);
  return appended;
}

/** The timestamp must lie above the last one, the offset not below it. */
export function appendTime(index: usize, timestamp: f64, relativeOffset: i32): u32 {
  const entries = indexEntries(index);
  if (relativeOffset < 0) return rejected;
  const time = fromSafe(timestamp);
  if (entries) {
    const last = entryAt(index, entries - 1);
    if (time <= loadI64(last, 0) || relativeOffset < <i32>loadU32(last, 8)) return rejected;
  }
  if (!reserve(index, entries + 1)) return memoryFull;
  const entry = entryAt(index, entries);
  storeI64(entry, 0, time);
  storeU32(entry, 8, relativeOffset);
  store<u32>(index, entries + 1);
  return appended;
}

/** Position of the largest entry ≤ `relativeOffset`, 0 if there is none. */
export function lookupOffset(index: usize, relativeOffset: i32): i32 {
  const below = offsetsBelow(index, 0, <i64>relativeOffset + 1);
  return below ? <i32>loadU32(entryAt(index, below - 1), 4) : 0;
}

/** Relative offset of the largest entry with a timestamp ≤ `timestamp`, 0 if there is none. */
export function lookupTime(index: usize, timestamp: f64): i32 {
  const time = fromSafe(timestamp);
  let low: u32 = 0;
  let high = indexEntries(index);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (loadI64(entryAt(index, middle), 0) <= time) low = middle + 1;
    else high = middle;
  }
  return low ? <i32>loadU32(entryAt(index, low - 1), 8) : 0;
}

export function lastPosition(index: usize): i32 {
  const entries = indexEntries(index);
  return entries ? <i32>loadU32(entryAt(index, entries - 1), 4) : 0;
}

/** -1 if there is none, in both kinds of index. */
export function lastRelativeOffset(index: usize): i32 {
  const entries = indexEntries(index);
  return entries ? <i32>loadU32(entryAt(index, entries - 1), offsetField(index)) : -1;
}

export function lastTimestamp(index: usize): f64 {
  const entries = indexEntries(index);
  return entries ? toSafe(loadI64(entryAt(index, entries - 1), 0)) : -1;
}

/** Drops entries with a relative offset ≥ the given one. */
export function truncateIndex(index: usize, relativeOffset: i32): void {
  store<u32>(index, offsetsBelow(index, offsetField(index), <i64>relativeOffset));
}

/**
 * Takes over `length` bytes of a file up to the first entry that does not grow. 0 if memory is
 * full, else 1.
 */
export function loadIndex(index: usize, from: usize, length: u32): u32 {
  const bytes = load<u32>(index, 12);
  const count = length / bytes;
  if (!reserve(index, count)) return 0;
  memory.copy(indexData(index), from, count * bytes);
  let valid: u32 = 0;
  while (valid < count && grows(index, valid)) valid++;
  store<u32>(index, valid);
  return 1;
}

/**
 * Whether entry `i` lies above the one before it. A first entry of zeros is what a preallocated
 * file holds.
 */
function grows(index: usize, i: u32): bool {
  const entry = entryAt(index, i);
  const before = i ? entryAt(index, i - 1) : 0;
  if (offsetField(index)) {
    const time = loadI64(entry, 0);
    const offset = <i32>loadU32(entry, 8);
    if (!before) return offset >= 0 && (time != 0 || offset != 0);
    return time > loadI64(before, 0) && offset >= <i32>loadU32(before, 8);
  }
  const offset = <i32>loadU32(entry, 0);
  const position = <i32>loadU32(entry, 4);
  if (!before) return offset >= 0 && position >= 0 && (offset != 0 || position != 0);
  return offset > <i32>loadU32(before, 0) && position > <i32>loadU32(before, 4);
}

/** How many entries have a relative offset below the limit. */
function offsetsBelow(index: usize, field: usize, limit: i64): u32 {
  let low: u32 = 0;
  let high = indexEntries(index);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (<i64><i32>loadU32(entryAt(index, middle), field) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

function newIndex(entryBytes: u32): usize {
  const index = allocate(handleBytes);
  if (!index) return 0;
  store<u32>(index, 0);
  store<u32>(index, 0, 4);
  store<u32>(index, 0, 8);
  store<u32>(index, entryBytes, 12);
  return index;
}

/** Room for `entries`; doubles, so that appends are cheap on average. */
function reserve(index: usize, entries: u32): bool {
  const capacity = load<u32>(index, 4);
  if (entries <= capacity) return true;
  const bytes = load<u32>(index, 12);
  const wanted = max<u32>(max<u32>(entries, capacity * 2), capacityFirst);
  const data = allocate(wanted * bytes);
  if (!data) return false;
  if (capacity) {
    memory.copy(data, indexData(index), indexEntries(index) * bytes);
    release(indexData(index));
  }
  store<u32>(index, wanted, 4);
  store<u32>(index, <u32>data, 8);
  return true;
}

// @ts-ignore: decorator
@inline
function entryAt(index: usize, i: u32): usize {
  return <usize>load<u32>(index, 8) + <usize>(i * load<u32>(index, 12));
}

/** Where in an entry the relative offset lies. */
// @ts-ignore: decorator
@inline
function offsetField(index: usize): usize {
  return load<u32>(index, 12) == timeEntryBytes ? 8 : 0;
}
