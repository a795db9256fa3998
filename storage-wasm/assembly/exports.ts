// Entry of the core module: what `../wit/storage-core.wit` promises. `build.ts` renames each export
// to "package/interface@version#name". Functions over numbers are exported as they are; the two
// that take a list follow the canonical ABI by hand: the caller puts the list into memory from
// `cabi_realloc`, this side gives it back, and a compound result lies in a return area.

import { check, headerRowAt } from "./batch";
import { crc32cAt } from "./crc32c";
import { allocate, release } from "./heap";
import {
  faultNone,
  rowAttributes,
  rowBaseOffset,
  rowBaseSequence,
  rowBaseTimestamp,
  rowCount,
  rowCrc,
  rowLastOffset,
  rowLeaderEpoch,
  rowMaxTimestamp,
  rowProducerEpoch,
  rowProducerId,
  rowSize,
  ruleVerifyCrc,
  ruleWalkRecords,
} from "./layout";

export { allocate, release, limitMemory } from "./heap";
export { crc32cAt } from "./crc32c";
export { headerRowAt, check, stamp, stampAppendTime, seal } from "./batch";
export { decodeRecords, decodedPosition, encodeRecords, walkRecords } from "./record";
export { scan, scanFault, scanValidBytes, findOffset, findTimestamp, findBytes } from "./scan";
export {
  newOffsetIndex,
  newTimeIndex,
  freeIndex,
  indexEntries,
  indexData,
  appendOffset,
  appendTime,
  lookupOffset,
  lookupTime,
  lastPosition,
  lastRelativeOffset,
  lastTimestamp,
  truncateIndex,
  loadIndex,
} from "./index";

export {
  newKeyMap,
  copyKeyMap,
  freeKeyMap,
  keyMapEntries,
  markNewest,
  mapRecords,
  filterRecords,
  keptRecordBytes,
  keptTombstoneCount,
  keptTimestampMax,
} from "./key-map";

/** The canonical ABI's allocator. Only lists of bytes arrive, so nothing is ever resized. */
export function cabi_realloc(from: usize, fromBytes: u32, align: u32, bytes: u32): usize {
  if (from != 0) unreachable();
  if (bytes == 0) return align;
  const at = allocate(bytes);
  if (at == 0) unreachable();
  return at;
}

/** crc32c: func(bytes: list<u8>, seed: u32) -> u32 */
export function crc32c(bytes: usize, length: u32, seed: u32): u32 {
  const crc = crc32cAt(bytes, length, seed);
  if (length) release(bytes);
  return crc;
}

/** result<batch-header, batch-fault>: discriminant, then at 8 the record (80 bytes) or the enum. */
const inspected: usize = memory.data(88, 16);

/** inspect: func(batch: list<u8>) -> result<batch-header, batch-fault> */
export function inspect(batch: usize, length: u32): usize {
  const fault = check(batch, length, ruleVerifyCrc | ruleWalkRecords);
  if (length) release(batch);
  store<u8>(inspected, fault != faultNone);
  if (fault != faultNone) {
    store<u8>(inspected, <u8>(fault - 1), 8);
    return inspected;
  }
  const row = headerRowAt();
  store<u32>(inspected, <u32>load<f64>(row, rowSize), 8);
  store<i64>(inspected, <i64>load<f64>(row, rowBaseOffset), 16);
  store<i64>(inspected, <i64>load<f64>(row, rowLastOffset), 24);
  store<i32>(inspected, <i32>load<f64>(row, rowLeaderEpoch), 32);
  store<u32>(inspected, <u32>load<f64>(row, rowCrc), 36);
  store<u16>(inspected, <u16>load<f64>(row, rowAttributes), 40);
  store<i64>(inspected, <i64>load<f64>(row, rowBaseTimestamp), 48);
  store<i64>(inspected, <i64>load<f64>(row, rowMaxTimestamp), 56);
  store<i64>(inspected, <i64>load<f64>(row, rowProducerId), 64);
  store<i16>(inspected, <i16>load<f64>(row, rowProducerEpoch), 72);
  store<i32>(inspected, <i32>load<f64>(row, rowBaseSequence), 76);
  store<i32>(inspected, <i32>load<f64>(row, rowCount), 80);
  return inspected;
}
