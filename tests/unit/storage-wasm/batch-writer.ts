// Writes record batch v2 from the format, byte by byte, with any field as wrong as a test wants it. Shares
// nothing with the core.

import { crc32cReference } from "./crc-reference.ts";

export interface WrittenRecord {
  timestampDelta?: bigint;
  offsetDelta?: number;
  key?: Uint8Array | null;
  value?: Uint8Array | null;
  headers?: { key: Uint8Array; value: Uint8Array | null }[];
}

export interface WrittenHeader {
  baseOffset?: bigint;
  leaderEpoch?: number;
  magic?: number;
  attributes?: number;
  lastOffsetDelta?: number;
  baseTimestamp?: bigint;
  maxTimestamp?: bigint;
  producerId?: bigint;
  producerEpoch?: number;
  baseSequence?: number;
  count?: number;
}

/** A right batch of the records, but for what the header overrides. */
export function writeBatch(records: WrittenRecord[], header: WrittenHeader = {}): Uint8Array {
  const bytes = records.flatMap((record, i) => recordBytes(record, i));
  return writeRaw(Uint8Array.from(bytes), {
    count: records.length,
    lastOffsetDelta: records.length - 1,
    ...header,
  });
}

/** The header and CRC around whatever the records' bytes are. */
export function writeRaw(records: Uint8Array, header: WrittenHeader): Uint8Array {
  const batch = new Uint8Array(61 + records.length);
  const view = new DataView(batch.buffer);
  view.setBigInt64(0, header.baseOffset ?? 0n);
  view.setInt32(8, batch.length - 12);
  view.setInt32(12, header.leaderEpoch ?? -1);
  view.setInt8(16, header.magic ?? 2);
  view.setInt16(21, header.attributes ?? 0);
  view.setInt32(23, header.lastOffsetDelta ?? 0);
  view.setBigInt64(27, header.baseTimestamp ?? 1_000_000_000_000n);
  view.setBigInt64(35, header.maxTimestamp ?? 1_000_000_000_000n);
  view.setBigInt64(43, header.producerId ?? -1n);
  view.setInt16(51, header.producerEpoch ?? -1);
  view.setInt32(53, header.baseSequence ?? -1);
  view.setInt32(57, header.count ?? 1);
  batch.set(records, 61);
  return withCrc(batch);
}

/** The same bytes with the CRC they should have. */
export function withCrc(batch: Uint8Array): Uint8Array {
  const fixed = batch.slice();
  new DataView(fixed.buffer).setUint32(17, crc32cReference(fixed.subarray(21)));
  return fixed;
}

export function zigzag(value: number | bigint): number[] {
  const wide = BigInt(value);
  let raw = wide >= 0n ? wide * 2n : -wide * 2n - 1n;
  const bytes: number[] = [];
  while (raw >= 128n) {
    bytes.push(Number(raw % 128n) + 128);
    raw /= 128n;
  }
  return [...bytes, Number(raw)];
}

function recordBytes(record: WrittenRecord, i: number): number[] {
  const headers = record.headers ?? [];
  const body = [
    0,
    ...zigzag(record.timestampDelta ?? 0n),
    ...zigzag(record.offsetDelta ?? i),
    ...field(record.key ?? null),
    ...field(record.value ?? null),
    ...zigzag(headers.length),
    ...headers.flatMap(({ key, value }) => [...field(key), ...field(value)]),
  ];
  return [...zigzag(body.length), ...body];
}

function field(bytes: Uint8Array | null): number[] {
  return bytes === null ? zigzag(-1) : [...zigzag(bytes.length), ...bytes];
}
