// Compaction's memory: for each key, by a 128-bit digest of it, the offset of its newest record; and the filter that
// keeps only those records. Digests are SipHash-1-3 under a key drawn per map, so that nobody can make two keys
// meet on purpose. Open addressing with linear steps; a map grows by being copied into a larger one.
//
// A handle is the address of: u32 slots (a power of two), u32 entries, u32 entries at most, u32 marks, u64 k0,
// u64 k1, i64 first marked offset, u32 count of marked offsets, u32 unused, then slots of 24 bytes: u64 and u64
// digest, i64 offset + 1 (0: empty). Marks are the address of a bit per offset, 0 while there are none: set for
// the newest of their keys.

import { allocate, release } from "./heap";
import { fromSafe, toSafe } from "./layout";
import {
  keyAt,
  keyLength,
  offsetDelta,
  offsetDeltaAt,
  readRecordAt,
  timestampDelta,
  valueLength,
  varlongBytes,
  writeVarint,
  writeVarlong,
} from "./record";

const handleBytes: u32 = 48;
const slotBytes: u32 = 24;
const marksAt: usize = 12;
const markedFromAt: usize = 32;
const markedCountAt: usize = 40;

// ---- rules of filterRecords ----
const ruleDropTombstones: u32 = 1;

// ---- what mapRecords answers besides a count ----
const noRoom: i32 = -1;
const badRecord: i32 = -2;

let digestLow: u64 = 0;
let digestHigh: u64 = 0;

/**
 * Records looked at together. A large map lies in no cache: asked one by one, every record waits for memory; asked
 * together, all their slots are on the way at once.
 */
const aheadRecords: u32 = 64;
const digestBytes: u32 = 16;
const ahead: usize = memory.data(1024, 16);
/** Written, so that no compiler leaves the loads out. */
let touched: i64 = 0;

// ---- what the last filterRecords kept ----
let keptBytes: u32 = 0;
let keptTombstones: u32 = 0;
let keptTimestampDelta: i64 = 0;

/** `slots` must be a power of two; the 16 bytes at `seed` are the map's key. 0 if memory is full. */
export function newKeyMap(slots: u32, seed: usize): usize {
  const map = allocate(handleBytes + slots * slotBytes);
  if (map == 0) return 0;
  memory.fill(map, 0, handleBytes + slots * slotBytes);
  store<u32>(map, slots);
  store<u32>(map, slots - (slots >>> 2), 8);
  store<u64>(map, load<u64>(seed), 16);
  store<u64>(map, load<u64>(seed, 8), 24);
  return map;
}

/** Everything that is in `from`, into a map of the same seed. */
export function copyKeyMap(from: usize, to: usize): void {
  const end = from + handleBytes + load<u32>(from) * slotBytes;
  const mask = load<u32>(to) - 1;
  for (let slot = from + handleBytes; slot < end; slot += slotBytes) {
    if (load<i64>(slot, 16) == 0) continue;
    let i = load<u32>(slot) & mask;
    while (load<i64>(to + handleBytes + i * slotBytes, 16) != 0) i = (i + 1) & mask;
    memory.copy(to + handleBytes + i * slotBytes, slot, slotBytes);
  }
  store<u32>(to, load<u32>(from, 4), 4);
}

export function freeKeyMap(map: usize): void {
  const marks = load<u32>(map, marksAt);
  if (marks) release(marks);
  release(map);
}

/**
 * Marks which of the `count` offsets from `from` on are the newest of their keys: `filterRecords` then asks a bit
 * instead of the map, which is in no cache. All records there must be in the map. 0 if memory is full.
 */
export function markNewest(map: usize, from: f64, count: u32): u32 {
  const bytes = ((count + 31) >>> 5) << 2;
  const marks = allocate(bytes);
  if (marks == 0) return 0;
  memory.fill(marks, 0, bytes);
  const first = fromSafe(from);
  const end = map + handleBytes + load<u32>(map) * slotBytes;
  for (let slot = map + handleBytes; slot < end; slot += slotBytes) {
    const delta = load<i64>(slot, 16) - 1 - first;
    if (delta < 0 || delta >= <i64>count) continue;
    const at = wordOf(marks, <u32>delta);
    store<u32>(at, load<u32>(at) | bitOf(<u32>delta));
  }
  store<u32>(map, <u32>marks, marksAt);
  store<i64>(map, first, markedFromAt);
  store<u32>(map, count, markedCountAt);
  return 1;
}

export function keyMapEntries(map: usize): u32 {
  return load<u32>(map, 4);
}

/**
 * Notes the keys of `count` records between `at` and `end`. Returns `count`, -1 and does nothing when they might
 * not all fit, -2 for records that do not add up.
 */
export function mapRecords(map: usize, at: usize, end: usize, count: u32, baseOffset: f64): i32 {
  if (load<u32>(map, 4) + count > load<u32>(map, 8)) return noRoom;
  const base = fromSafe(baseOffset);
  for (let i: u32 = 0; i < count; i++) {
    if (i % aheadRecords == 0) lookAhead(map, at, end, count - i);
    const next = readRecordAt(at, end);
    if (next == 0) return badRecord;
    if (keyLength >= 0) put(map, i, base + offsetDelta);
    at = next;
  }
  return <i32>count;
}

/**
 * Copies to `out` those of `count` records that are the newest of their key, or lie behind `latestOffset`, up to
 * where the map knows keys. Records without a key are left out. `timestampShift` is taken from every timestamp
 * delta: the batch's base timestamp grows by it. Returns how many were kept, -2 for records that do not add up;
 * `kept…` tell the rest.
 */
export function filterRecords(
  map: usize,
  at: usize,
  end: usize,
  count: u32,
  baseOffset: f64,
  latestOffset: f64,
  rules: u32,
  timestampShift: f64,
  out: usize,
): i32 {
  const start = out;
  const base = fromSafe(baseOffset);
  const latest = fromSafe(latestOffset);
  const shift = fromSafe(timestampShift);
  const isMarked = load<u32>(map, marksAt) != 0 && base >= load<i64>(map, markedFromAt);
  let kept: i32 = 0;
  keptTombstones = 0;
  keptTimestampDelta = i64.MIN_VALUE;
  for (let i: u32 = 0; i < count; i++) {
    if (!isMarked && i % aheadRecords == 0) lookAhead(map, at, end, count - i);
    const next = readRecordAt(at, end);
    if (next == 0) return badRecord;
    const offset = base + offsetDelta;
    if (offset > latest || (isWanted(rules) && isLatest(map, i, offset, isMarked))) {
      kept++;
      if (valueLength < 0) keptTombstones++;
      keptTimestampDelta = max<i64>(keptTimestampDelta, timestampDelta);
      out = shift == 0 ? copyRecord(at, next, out) : copyShifted(next, shift, out);
    }
    at = next;
  }
  keptBytes = <u32>(out - start);
  return kept;
}

export function keptRecordBytes(): u32 {
  return keptBytes;
}

export function keptTombstoneCount(): u32 {
  return keptTombstones;
}

/** Largest timestamp delta of those kept, before the shift. */
export function keptTimestampMax(): f64 {
  return toSafe(keptTimestampDelta);
}

/** Of the record read last, apart from its offset. */
function isWanted(rules: u32): bool {
  return keyLength >= 0 && (valueLength >= 0 || !(rules & ruleDropTombstones));
}

/** Whether nothing newer of its key is known, by its mark or by the map. */
function isLatest(map: usize, i: u32, offset: i64, isMarked: bool): bool {
  if (!isMarked) return load<i64>(find(map, i), 16) <= offset + 1;
  const delta = offset - load<i64>(map, markedFromAt);
  if (delta >= <i64>load<u32>(map, markedCountAt)) return true;
  const word = wordOf(load<u32>(map, marksAt), <u32>delta);
  return (load<u32>(word) & bitOf(<u32>delta)) != 0;
}

function wordOf(marks: usize, delta: u32): usize {
  return marks + ((delta >>> 5) << 2);
}

function bitOf(delta: u32): u32 {
  const first: u32 = 1;
  return first << (delta & 31);
}

function copyRecord(from: usize, end: usize, out: usize): usize {
  memory.copy(out, from, end - from);
  return out + (end - from);
}

/** The record read last, with another timestamp delta. */
function copyShifted(end: usize, shift: i64, out: usize): usize {
  const delta = timestampDelta - shift;
  const rest = <u32>(end - offsetDeltaAt);
  out = writeVarint(out, <i32>(1 + varlongBytes(delta) + rest));
  store<u8>(out, 0);
  out = writeVarlong(out + 1, delta);
  memory.copy(out, offsetDeltaAt, rest);
  return out + rest;
}

/** Offsets only grow while a map is filled, but nothing relies on it. */
function put(map: usize, i: u32, offset: i64): void {
  const slot = find(map, i);
  if (load<i64>(slot, 16) == 0) {
    store<u64>(slot, digestLow);
    store<u64>(slot, digestHigh, 8);
    store<u32>(map, load<u32>(map, 4) + 1, 4);
  }
  store<i64>(slot, max<i64>(load<i64>(slot, 16), offset + 1), 16);
}

/** Digests of the keys of the next records, and their slots into the CPU's cache. Stops at a bad record. */
function lookAhead(map: usize, at: usize, end: usize, count: u32): void {
  const known = min(count, aheadRecords);
  const k0 = load<u64>(map, 16);
  const k1 = load<u64>(map, 24);
  for (let i: u32 = 0; i < known; i++) {
    at = readRecordAt(at, end);
    if (at == 0) return;
    if (keyLength < 0) continue;
    digest(keyAt, <u32>keyLength, k0, k1);
    store<u64>(ahead + i * digestBytes, digestLow);
    store<u64>(ahead + i * digestBytes, digestHigh, 8);
  }
  const mask = load<u32>(map) - 1;
  for (let i: u32 = 0; i < known; i++) {
    const slot = load<u32>(ahead + i * digestBytes) & mask;
    touched += load<i64>(map + handleBytes + slot * slotBytes, 16);
  }
}

/** The slot of the key of record `i`, or the empty one where it would be; sets the digest. */
function find(map: usize, i: u32): usize {
  const known = ahead + (i % aheadRecords) * digestBytes;
  digestLow = load<u64>(known);
  digestHigh = load<u64>(known, 8);
  const mask = load<u32>(map) - 1;
  let step = <u32>digestLow & mask;
  while (true) {
    const slot = map + handleBytes + step * slotBytes;
    if (load<i64>(slot, 16) == 0) return slot;
    if (load<u64>(slot) == digestLow && load<u64>(slot, 8) == digestHigh) return slot;
    step = (step + 1) & mask;
  }
}

// ---- SipHash-1-3 with 128 bits of output (Aumasson, Bernstein) ----

let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

function digest(at: usize, length: u32, k0: u64, k1: u64): void {
  v0 = k0 ^ 0x736f6d6570736575;
  v1 = k1 ^ 0x646f72616e646f6d ^ 0xee;
  v2 = k0 ^ 0x6c7967656e657261;
  v3 = k1 ^ 0x7465646279746573;
  const whole = length & ~7;
  for (let i: u32 = 0; i < whole; i += 8) absorb(load<u64>(at + i));
  let last = <u64>length << 56;
  for (let i: u32 = 0; i < (length & 7); i++) last |= <u64>load<u8>(at + whole + i) << (i << 3);
  absorb(last);
  v2 ^= 0xee;
  round();
  round();
  round();
  digestLow = v0 ^ v1 ^ v2 ^ v3;
  v1 ^= 0xdd;
  round();
  round();
  round();
  digestHigh = v0 ^ v1 ^ v2 ^ v3;
}

// @ts-ignore: decorator
@inline
function absorb(word: u64): void {
  v3 ^= word;
  round();
  v0 ^= word;
}

// @ts-ignore: decorator
@inline
function round(): void {
  v0 += v1;
  v1 = rotl<u64>(v1, 13) ^ v0;
  v0 = rotl<u64>(v0, 32);
  v2 += v3;
  v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3;
  v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1;
  v1 = rotl<u64>(v1, 17) ^ v2;
  v2 = rotl<u64>(v2, 32);
}
