// An independent reader of record batch v2, written from the format and sharing nothing with the core: 64-bit
// fields are BigInts, one byte at a time, no tricks. Says what is wrong, or everything that is in the batch.

import { crc32cReference } from "./crc-reference.ts";

export interface ReadRecord {
  attributes: number;
  timestampDelta: bigint;
  offsetDelta: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: { key: Uint8Array; value: Uint8Array | null }[];
}

export interface ReadBatch {
  bytes: number;
  baseOffset: bigint;
  leaderEpoch: number;
  crc: number;
  attributes: number;
  lastOffsetDelta: number;
  baseTimestamp: bigint;
  maxTimestamp: bigint;
  producerId: bigint;
  producerEpoch: number;
  baseSequence: number;
  count: number;
  records: ReadRecord[];
}

/** Thrown with the name of the fault, as in BatchFault. */
export class Unreadable extends Error {}

const largestSafe = BigInt(Number.MAX_SAFE_INTEGER);

/** A batch as a producer sends it: uncompressed, offsets without gaps, right CRC. */
export function readBatch(bytes: Uint8Array, options: { verifyCrc: boolean }): ReadBatch {
  const batch = readHeader(bytes);
  const whole = bytes.subarray(0, batch.bytes);
  if (options.verifyCrc && crc32cReference(whole.subarray(21)) !== batch.crc) fail("crc");
  if (batch.attributes >> 7 !== 0 || (batch.attributes & 7) > 4) fail("attributes");
  if (batch.count < 1 || batch.lastOffsetDelta + 1 !== batch.count) fail("count");
  checkProducer(batch);
  if ((batch.attributes & 7) === 0) readRecords(whole, batch);
  batch.records.forEach((record, i) => {
    if (record.offsetDelta !== i) fail("record");
  });
  return batch;
}

/** A batch on disk: compaction may have taken records away. The CRC is not looked at. */
export function readStoredBatch(bytes: Uint8Array): ReadBatch {
  const batch = readHeader(bytes);
  if (batch.count < 0 || batch.lastOffsetDelta < 0) fail("count");
  if (batch.count > batch.lastOffsetDelta + 1) fail("count");
  if (batch.baseOffset < 0n) fail("offsets");
  if (batch.baseOffset + BigInt(batch.lastOffsetDelta) > largestSafe) fail("offsets");
  readRecords(bytes.subarray(0, batch.bytes), batch);
  let before = -1;
  for (const { offsetDelta } of batch.records) {
    if (offsetDelta <= before || offsetDelta > batch.lastOffsetDelta) fail("record");
    before = offsetDelta;
  }
  return batch;
}

function readHeader(bytes: Uint8Array): ReadBatch {
  if (bytes.length < 17) fail("incomplete");
  if (bytes[16] !== 2) fail("magic");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getInt32(8);
  if (length < 61 - 12) fail("length");
  if (bytes.length < 12 + length) fail("incomplete");
  return {
    bytes: 12 + length,
    baseOffset: view.getBigInt64(0),
    leaderEpoch: view.getInt32(12),
    crc: view.getUint32(17),
    attributes: view.getUint16(21),
    lastOffsetDelta: view.getInt32(23),
    baseTimestamp: view.getBigInt64(27),
    maxTimestamp: view.getBigInt64(35),
    producerId: view.getBigInt64(43),
    producerEpoch: view.getInt16(51),
    baseSequence: view.getInt32(53),
    count: view.getInt32(57),
    records: [],
  };
}

function checkProducer(batch: ReadBatch): void {
  if (batch.producerId === -1n) return;
  if (batch.producerId < 0n || batch.producerId > largestSafe) fail("producer");
  if (batch.producerEpoch < 0) fail("producer");
  const isControl = (batch.attributes & 0x20) !== 0;
  if (!isControl && batch.baseSequence < 0) fail("producer");
}

function readRecords(bytes: Uint8Array, batch: ReadBatch): void {
  const all = new Cursor(bytes, 61, bytes.length);
  for (let i = 0; i < batch.count; i++) {
    const length = all.varint();
    const own = all.part(length);
    batch.records.push(readRecord(own));
    if (!own.isAtEnd) fail("record");
  }
  if (!all.isAtEnd) fail("record");
}

function readRecord(cursor: Cursor): ReadRecord {
  const attributes = cursor.byte();
  const timestampDelta = cursor.zigzag(10, 64n);
  const offsetDelta = cursor.varint();
  const key = cursor.nullable();
  const value = cursor.nullable();
  const headerCount = cursor.varint();
  if (headerCount < 0) fail("record");
  const headers: ReadRecord["headers"] = [];
  for (let i = 0; i < headerCount; i++) {
    const headerKey = cursor.nullable();
    if (headerKey === null) fail("record");
    headers.push({ key: headerKey, value: cursor.nullable() });
  }
  return { attributes, timestampDelta, offsetDelta, key, value, headers };
}

class Cursor {
  #bytes: Uint8Array;
  #at: number;
  #end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  byte(): number {
    if (this.#at >= this.#end) fail("record");
    return this.#bytes[this.#at++]!;
  }

  varint(): number {
    return Number(this.zigzag(5, 32n));
  }

  /** At most `bytesMax` bytes and no bit beyond `bits`. */
  zigzag(bytesMax: number, bits: bigint): bigint {
    let raw = 0n;
    for (let i = 0; i < bytesMax; i++) {
      const byte = this.byte();
      raw |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte >= 0x80) continue;
      if (raw >= 1n << bits) fail("record");
      return raw % 2n === 0n ? raw / 2n : -(raw + 1n) / 2n;
    }
    return fail("record");
  }

  /** A reader of the next `length` bytes only. */
  part(length: number): Cursor {
    if (length < 0 || length > this.#end - this.#at) fail("record");
    this.#at += length;
    return new Cursor(this.#bytes, this.#at - length, this.#at);
  }

  nullable(): Uint8Array | null {
    const length = this.varint();
    if (length === -1) return null;
    if (length < 0 || length > this.#end - this.#at) fail("record");
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }
}

function fail(fault: string): never {
  throw new Unreadable(fault);
}
