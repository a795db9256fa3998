// Chunks of a log: how far whole, valid batches go (recovery, torn tails, bit rot), where an offset
// or a timestamp is, and a literal byte search. On disk batches may be compacted: fewer records
// than offsets, even none.

import { atBaseOffset, atCount, atLastOffsetDelta, crcMatches, parseHeader } from "./batch";
import {
  faultCount,
  faultCrc,
  faultNone,
  faultOffsets,
  loadI64,
  loadU32,
  rowBaseOffset,
  rowBytes,
  rowLastOffset,
  rowMaxTimestamp,
  rowPosition,
  rowSize,
  ruleVerifyCrc,
  safeIntegerMax,
} from "./layout";

let fault: u32 = 0;
let validBytes: u32 = 0;
/** Header of the batch that a search looks at. */
const probe: usize = memory.data(104, 16);

/** Fills up to `rowsMax` rows, returns how many; `scanFault` and `scanValidBytes` tell the rest. */
export function scan(at: usize, length: u32, rules: u32, rows: usize, rowsMax: u32): u32 {
  let position: u32 = 0;
  let lastOffset: f64 = -1;
  let count: u32 = 0;
  fault = faultNone;
  while (position < length && count < rowsMax) {
    const row = rows + count * rowBytes;
    fault = checkStored(at + position, length - position, rules, row, lastOffset);
    if (fault != faultNone) break;
    store<f64>(row, <f64>position, rowPosition);
    lastOffset = load<f64>(row, rowLastOffset);
    position += <u32>load<f64>(row, rowSize);
    count++;
  }
  validBytes = position;
  return count;
}

export function scanFault(): u32 {
  return fault;
}

export function scanValidBytes(): u32 {
  return validBytes;
}

/** Position of the first whole batch whose last offset is ≥ `offset`, or -1. */
export function findOffset(at: usize, length: u32, offset: f64): i32 {
  return find(at, length, offset, rowLastOffset);
}

/** Position of the first whole batch whose maxTimestamp is ≥ `timestamp`, or -1. */
export function findTimestamp(at: usize, length: u32, timestamp: f64): i32 {
  return find(at, length, timestamp, rowMaxTimestamp);
}

/**
 * Position of the needle's first occurrence, or -1. Compares its first and last byte at 16 places
 * at once.
 */
export function findBytes(at: usize, length: u32, needle: usize, needleLength: u32): i32 {
  if (needleLength == 0) return 0;
  if (needleLength > length) return -1;
  const places = length - needleLength + 1;
  const first = i8x16.splat(load<i8>(needle));
  const last = i8x16.splat(load<i8>(needle + needleLength - 1));
  let position: u32 = 0;
  for (; position + 16 <= places; position += 16) {
    const p = at + position;
    const starts = i8x16.eq(v128.load(p), first);
    const ends = i8x16.eq(v128.load(p + needleLength - 1), last);
    let hits = i8x16.bitmask(v128.and(starts, ends));
    while (hits) {
      const bit = ctz<i32>(hits);
      if (memory.compare(p + bit, needle, needleLength) == 0) return position + bit;
      hits &= hits - 1;
    }
  }
  for (; position < places; position++) {
    if (memory.compare(at + position, needle, needleLength) == 0) return position;
  }
  return -1;
}

/** Framing, CRC if asked, counts that are possible after compaction, and offsets that grow. */
function checkStored(at: usize, length: u32, rules: u32, row: usize, lastOffset: f64): u32 {
  const framing = parseHeader(at, length, row);
  if (framing != faultNone) return framing;
  if (rules & ruleVerifyCrc && !crcMatches(at, <u32>load<f64>(row, rowSize))) return faultCrc;
  const count = <i32>loadU32(at, atCount);
  const lastOffsetDelta = <i32>loadU32(at, atLastOffsetDelta);
  if (count < 0 || lastOffsetDelta < 0 || count - 1 > lastOffsetDelta) return faultCount;
  // Beyond 2^53 the row holds clamped offsets, which no record could be found by.
  if (loadI64(at, atBaseOffset) > safeIntegerMax - <i64>lastOffsetDelta) return faultOffsets;
  return load<f64>(row, rowBaseOffset) > lastOffset ? faultNone : faultOffsets;
}

function find(at: usize, length: u32, target: f64, field: usize): i32 {
  let position: u32 = 0;
  while (position < length) {
    if (parseHeader(at + position, length - position, probe) != faultNone) return -1;
    if (load<f64>(probe + field) >= target) return position;
    position += <u32>load<f64>(probe, rowSize);
  }
  return -1;
}
