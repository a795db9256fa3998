// Numbers that both sides of the boundary share: record batch v2 field positions, the row in which
// a parsed header is handed out, rule bits and fault codes. `../layout.ts` repeats those the host
// needs; a test holds the two together through behaviour. Persisted or crossing the boundary: never
// renumber.

// ---- record batch v2, big-endian ----
export const batchHeaderBytes: u32 = 61;
/** Bytes before the field `length` starts to count. */
export const batchLengthOverhead: u32 = 12;
/** The CRC covers everything from here on. */
export const batchCrcFrom: u32 = 21;
export const batchMagic: u32 = 2;

export const attributeCodecMask: u32 = 7;
export const attributeCodecMax: u32 = 4;
export const attributeAppendTime: u32 = 8;
export const attributeControl: u32 = 32;
/** Bits 7–15 have no meaning yet. */
export const attributeReservedMask: u32 = 0xff80;

// ---- a parsed header: 13 f64, little-endian as WebAssembly is ----
export const rowBytes: u32 = 104;
export const rowSize: usize = 0;
export const rowBaseOffset: usize = 8;
export const rowLastOffset: usize = 16;
export const rowLeaderEpoch: usize = 24;
export const rowCrc: usize = 32;
export const rowAttributes: usize = 40;
export const rowBaseTimestamp: usize = 48;
export const rowMaxTimestamp: usize = 56;
export const rowProducerId: usize = 64;
export const rowProducerEpoch: usize = 72;
export const rowBaseSequence: usize = 80;
export const rowCount: usize = 88;
export const rowPosition: usize = 96;

// ---- rule bits of check and scan ----
export const ruleVerifyCrc: u32 = 1;
export const ruleWalkRecords: u32 = 2;
export const ruleRequireKeys: u32 = 4;

// ---- faults, as BatchFault in ../core.ts ----
export const faultNone: u32 = 0;
export const faultIncomplete: u32 = 1;
export const faultLength: u32 = 2;
export const faultMagic: u32 = 3;
export const faultCrc: u32 = 4;
export const faultAttributes: u32 = 5;
export const faultCount: u32 = 6;
export const faultRecord: u32 = 7;
export const faultKey: u32 = 8;
export const faultProducer: u32 = 9;
export const faultOffsets: u32 = 10;

/** Largest integer that survives as f64, the way i64 fields leave the core. */
export const safeIntegerMax: i64 = 9007199254740991;

/** An i64 as the host sees it: exact, or clamped to ±(2^53 − 1). */
// @ts-ignore: decorator
@inline
export function toSafe(value: i64): f64 {
  return <f64>min<i64>(max<i64>(value, -safeIntegerMax), safeIntegerMax);
}

/** A host number as i64: fractions are cut, NaN becomes 0, what is too large is clamped. */
// @ts-ignore: decorator
@inline
export function fromSafe(value: f64): i64 {
  return <i64>value;
}

// @ts-ignore: decorator
@inline
export function loadU32(at: usize, field: usize): u32 {
  return bswap<u32>(load<u32>(at + field));
}

// @ts-ignore: decorator
@inline
export function loadI64(at: usize, field: usize): i64 {
  return <i64>bswap<u64>(load<u64>(at + field));
}

// @ts-ignore: decorator
@inline
export function loadU16(at: usize, field: usize): u32 {
  return <u32>bswap<u16>(load<u16>(at + field));
}

// @ts-ignore: decorator
@inline
export function storeU32(at: usize, field: usize, value: u32): void {
  store<u32>(at + field, bswap<u32>(value));
}

// @ts-ignore: decorator
@inline
export function storeI64(at: usize, field: usize, value: i64): void {
  store<u64>(at + field, bswap<u64>(<u64>value));
}

// @ts-ignore: decorator
@inline
export function storeU16(at: usize, field: usize, value: u32): void {
  store<u16>(at + field, bswap<u16>(<u16>value));
}
