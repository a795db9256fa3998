// Compaction's memory: for each key, by a 128-bit digest of it, the offset of its newest record; and the filter that
// keeps only those records. Digests are SipHash-1-3 under a key drawn per map, so that nobody can make two keys
// meet on purpose. Open addressing with linear steps; a map grows by being copied into a larger one.
//
// A handle is the address of: u32 slots (a power of two), u32 entries, u32 entries at most, u32 unused, u64 k0,
// u64 k1, then slots of 24 bytes: u64 and u64 digest, i64 offset + 1 (0: empty).

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

const handleBytes: u32 = 32;
const slotBytes: u32 = 24;

// ---- rules of filterRecords ----
const ruleDropTombstones: u32 = 1;

// ---- what mapRecords answers besides a count ----
const noRoom: i32 = -1;
const badRecord: i32 = -2;

let digestLow: u64 = 0;
let digestHigh: u64 = 0;

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
  release(map);
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
    const next = readRecordAt(at, end);
    if (next == 0) return badRecord;
    if (keyLength >= 0) put(map, base + offsetDelta);
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
  let kept: i32 = 0;
  keptTombstones = 0;
  keptTimestampDelta = i64.MIN_VALUE;
  for (let i: u32 = 0; i < count; i++) {
    const next = readRecordAt(at, end);
    if (next == 0) return badRecord;
    if (isKept(map, base + offsetDelta, latest, rules)) {
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

function isKept(map: usize, offset: i64, latest: i64, rules: u32): bool {
  if (offset > latest) return true;
  if (keyLength < 0) return false;
  if (valueLength < 0 && rules & ruleDropTombstones) return false;
  const slot = find(map);
  return load<i64>(slot, 16) <= offset + 1;
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
function put(map: usize, offset: i64): void {
  const slot = find(map);
  if (load<i64>(slot, 16) == 0) {
    store<u64>(slot, digestLow);
    store<u64>(slot, digestHigh, 8);
    store<u32>(map, load<u32>(map, 4) + 1, 4);
  }
  store<i64>(slot, max<i64>(load<i64>(slot, 16), offset + 1), 16);
}

/** The slot of the key read last, or the empty one where it would be. */
function find(map: usize): usize {
  digest(keyAt, <u32>keyLength, load<u64>(map, 16), load<u64>(map, 24));
  const mask = load<u32>(map) - 1;
  let i = <u32>digestLow & mask;
  while (true) {
    const slot = map + handleBytes + i * slotBytes;
    if (load<i64>(slot, 16) == 0) return slot;
    if (load<u64>(slot) == digestLow && load<u64>(slot, 8) == digestHigh) return slot;
    i = (i + 1) & mask;
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
