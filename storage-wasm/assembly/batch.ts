// Record batch v2 as a whole: parses its header into a row of f64, checks it, stamps what lies
// outside the CRC, and writes a header in front of encoded records.

import { crc32cAt } from "./crc32c";
import {
  attributeAppendTime,
  attributeCodecMask,
  attributeCodecMax,
  attributeControl,
  attributeReservedMask,
  batchCrcFrom,
  batchHeaderBytes,
  batchLengthOverhead,
  batchMagic,
  faultAttributes,
  faultCount,
  faultCrc,
  faultIncomplete,
  faultLength,
  faultMagic,
  faultNone,
  faultProducer,
  fromSafe,
  loadI64,
  loadU16,
  loadU32,
  rowAttributes,
  rowBaseOffset,
  rowBaseSequence,
  rowBaseTimestamp,
  rowBytes,
  rowCount,
  rowCrc,
  rowLastOffset,
  rowLeaderEpoch,
  rowMaxTimestamp,
  rowPosition,
  rowProducerEpoch,
  rowProducerId,
  rowSize,
  ruleRequireKeys,
  ruleVerifyCrc,
  ruleWalkRecords,
  safeIntegerMax,
  storeI64,
  storeU16,
  storeU32,
  toSafe,
} from "./layout";
import { walkRecords } from "./record";

// ---- positions of the fields ----
export const atBaseOffset: usize = 0;
export const atLength: usize = 8;
export const atLeaderEpoch: usize = 12;
export const atMagic: usize = 16;
export const atCrc: usize = 17;
export const atAttributes: usize = 21;
export const atLastOffsetDelta: usize = 23;
export const atBaseTimestamp: usize = 27;
export const atMaxTimestamp: usize = 35;
export const atProducerId: usize = 43;
export const atProducerEpoch: usize = 51;
export const atBaseSequence: usize = 53;
export const atCount: usize = 57;

/** Where `check` leaves the header it parsed, and the host the one to be sealed. */
const headerRow: usize = memory.data(104, 16);

export function headerRowAt(): usize {
  return headerRow;
}

/** All a broker checks of a batch it receives. The header row is filled as far as it got. */
export function check(at: usize, length: u32, rules: u32): u32 {
  const framing = parseHeader(at, length, headerRow);
  if (framing != faultNone) return framing;
  const bytes = loadU32(at, atLength) + batchLengthOverhead;
  if (rules & ruleVerifyCrc && !crcMatches(at, bytes)) return faultCrc;
  const attributes = loadU16(at, atAttributes);
  if (attributes & attributeReservedMask) return faultAttributes;
  if ((attributes & attributeCodecMask) > attributeCodecMax) return faultAttributes;
  const count = <i32>loadU32(at, atCount);
  if (count <= 0 || <i32>loadU32(at, atLastOffsetDelta) != count - 1) return faultCount;
  if (!producerMakesSense(at, (attributes & attributeControl) != 0)) return faultProducer;
  if (rules & ruleWalkRecords && (attributes & attributeCodecMask) == 0) {
    const end = at + bytes;
    return walkRecords(at + batchHeaderBytes, end, count, (rules & ruleRequireKeys) != 0);
  }
  return faultNone;
}

/** Magic, length and whether the batch is whole; fills the row as far as there are bytes. */
export function parseHeader(at: usize, length: u32, row: usize): u32 {
  memory.fill(row, 0, rowBytes);
  if (length <= <u32>atMagic) return faultIncomplete;
  const bodyBytes = <i32>loadU32(at, atLength);
  store<f64>(row, <f64>bodyBytes + <f64>batchLengthOverhead, rowSize);
  if (load<u8>(at, atMagic) != batchMagic) return faultMagic;
  if (bodyBytes < <i32>(batchHeaderBytes - batchLengthOverhead)) return faultLength;
  if (length < batchHeaderBytes) return faultIncomplete;
  fillRow(at, row);
  if (<u64>bodyBytes + batchLengthOverhead > <u64>length) return faultIncomplete;
  return faultNone;
}

export function crcMatches(at: usize, bytes: u32): bool {
  return crc32cAt(at + batchCrcFrom, bytes - batchCrcFrom, 0) == loadU32(at, atCrc);
}

/** Base offset and partition leader epoch: both outside the CRC. */
export function stamp(at: usize, baseOffset: f64, leaderEpoch: i32): void {
  storeI64(at, atBaseOffset, fromSafe(baseOffset));
  storeU32(at, atLeaderEpoch, leaderEpoch);
}

/** LogAppendTime: type bit, maxTimestamp, new CRC. `length` is the whole batch. */
export function stampAppendTime(at: usize, length: u32, timestamp: f64): void {
  storeU16(at, atAttributes, loadU16(at, atAttributes) | attributeAppendTime);
  storeI64(at, atMaxTimestamp, fromSafe(timestamp));
  storeU32(at, atCrc, crc32cAt(at + batchCrcFrom, length - batchCrcFrom, 0));
}

/**
 * Writes the header row as the 61 bytes in front of `bytes - 61` bytes of records, with deltas,
 * length and CRC.
 */
export function seal(at: usize, bytes: u32): void {
  const row = headerRow;
  const count = <i32>load<f64>(row, rowCount);
  storeI64(at, atBaseOffset, fromSafe(load<f64>(row, rowBaseOffset)));
  storeU32(at, atLength, bytes - batchLengthOverhead);
  storeU32(at, atLeaderEpoch, <i32>load<f64>(row, rowLeaderEpoch));
  store<u8>(at, <u8>batchMagic, atMagic);
  storeU16(at, atAttributes, <u32>load<f64>(row, rowAttributes));
  storeU32(at, atLastOffsetDelta, count - 1);
  storeI64(at, atBaseTimestamp, fromSafe(load<f64>(row, rowBaseTimestamp)));
  storeI64(at, atMaxTimestamp, fromSafe(load<f64>(row, rowMaxTimestamp)));
  storeI64(at, atProducerId, fromSafe(load<f64>(row, rowProducerId)));
  storeU16(at, atProducerEpoch, <i32>load<f64>(row, rowProducerEpoch));
  storeU32(at, atBaseSequence, <i32>load<f64>(row, rowBaseSequence));
  storeU32(at, atCount, count);
  storeU32(at, atCrc, crc32cAt(at + batchCrcFrom, bytes - batchCrcFrom, 0));
}

function fillRow(at: usize, row: usize): void {
  const baseOffset = toSafe(loadI64(at, atBaseOffset));
  const lastOffsetDelta = <f64><i32>loadU32(at, atLastOffsetDelta);
  store<f64>(row, baseOffset, rowBaseOffset);
  store<f64>(row, min<f64>(baseOffset + lastOffsetDelta, <f64>safeIntegerMax), rowLastOffset);
  store<f64>(row, <f64><i32>loadU32(at, atLeaderEpoch), rowLeaderEpoch);
  store<f64>(row, <f64>loadU32(at, atCrc), rowCrc);
  store<f64>(row, <f64>loadU16(at, atAttributes), rowAttributes);
  store<f64>(row, toSafe(loadI64(at, atBaseTimestamp)), rowBaseTimestamp);
  store<f64>(row, toSafe(loadI64(at, atMaxTimestamp)), rowMaxTimestamp);
  store<f64>(row, toSafe(loadI64(at, atProducerId)), rowProducerId);
  store<f64>(row, <f64><i16>loadU16(at, atProducerEpoch), rowProducerEpoch);
  store<f64>(row, <f64><i32>loadU32(at, atBaseSequence), rowBaseSequence);
  store<f64>(row, <f64><i32>loadU32(at, atCount), rowCount);
  store<f64>(row, 0, rowPosition);
}

/** Idempotent batches carry an id with epoch and sequence; control batches have no sequence. */
function producerMakesSense(at: usize, isControl: bool): bool {
  const producerId = loadI64(at, atProducerId);
  if (producerId == -1) return true;
  if (producerId < 0 || producerId > safeIntegerMax) return false;
  if (<i16>loadU16(at, atProducerEpoch) < 0) return false;
  return isControl || <i32>loadU32(at, atBaseSequence) >= 0;
}
