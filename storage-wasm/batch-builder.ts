// Builds one record batch while its records come: each is written at once to where it is sent from, so that nobody
// keeps it as an object. For who gathers records; `encode` is for who has them all. Reached through `core.ts`.

import type { Core, EncodeOptions, RecordHeader, RecordInput } from "./core.ts";
import * as layout from "./layout.ts";
import { RecordReader } from "./record-reader.ts";

/** Where the bytes of batches come from and go to. */
export interface BatchMemory {
  /** At least so many bytes, of any content. */
  take(bytesMin: number): Uint8Array;
  /** Nobody reads these any more. */
  give(bytes: Uint8Array): void;
}

export interface EncodedHeader {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** Record without key, value and headers, varints at their longest; a header without key and value. */
const recordOverheadBytesMax = 36;
const headerOverheadBytesMax = 10;
const noHeaders: readonly EncodedHeader[] = [];
const textEncoder = new TextEncoder();
/** Up to here a loop copies faster than `set`. */
const shortCopyBytesMax = 32;
/** Zigzag of less fits 31 bits. */
const smallMax = 2 ** 30;

export class BatchBuilder {
  readonly #memory: BatchMemory;
  #bytes: Uint8Array;
  #at = layout.batchHeaderBytes;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;

  /** `bytesMin`: what the batch will have, as far as known; it grows. */
  constructor(memory: BatchMemory, bytesMin: number) {
    this.#memory = memory;
    this.#bytes = memory.take(Math.max(layout.batchHeaderBytes, bytesMin));
  }

  get count(): number {
    return this.#count;
  }

  /** Of the batch, before compression. */
  get bytes(): number {
    return this.#at;
  }

  /** Copies the record to the batch's end. */
  add({ key, value, timestampMs: given, headers }: RecordInput): void {
    const timestampMs = wholeMs(given);
    if (this.#count === 0) {
      this.#baseTimestamp = timestampMs;
      this.#maxTimestamp = timestampMs;
    } else if (timestampMs > this.#maxTimestamp) this.#maxTimestamp = timestampMs;
    const encoded = headers === undefined || headers.length === 0 ? noHeaders : encode(headers);
    const fields = lengthOf(key) + lengthOf(value) + headersBytes(encoded);
    this.#reserve(recordOverheadBytesMax + fields + headerOverheadBytesMax * encoded.length);
    const bytes = this.#bytes;
    // The length goes before what it measures: its own size is guessed from an upper bound, which rarely fails.
    const start = this.#at;
    const room = varintBytes(2 * (fields + leastOverheadBytes));
    let at = start + room;
    bytes[at++] = 0;
    at = writeDelta(bytes, at, timestampMs, this.#baseTimestamp);
    at = writeVarint(bytes, at, this.#count << 1);
    at = writeField(bytes, at, key);
    at = writeField(bytes, at, value);
    at = writeVarint(bytes, at, encoded.length << 1);
    for (const header of encoded) {
      at = writeField(bytes, at, header.key);
      at = writeField(bytes, at, header.value);
    }
    const length = at - start - room;
    const needed = varintBytes(length << 1);
    if (needed !== room) {
      bytes.copyWithin(start + needed, start + room, at);
      at += needed - room;
    }
    writeVarint(bytes, start, length << 1);
    this.#at = at;
    this.#count++;
  }

  /**
   * The whole batch: a view of this builder's memory, unless compressed. May be called again, with another identity.
   */
  seal(core: Core, options: EncodeOptions): Uint8Array {
    const { compression } = options;
    const plain = this.#bytes.subarray(0, this.#at);
    const batch = compression === null ? plain : packed(plain, compression);
    const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
    view.setBigInt64(0, BigInt(options.baseOffset ?? 0));
    view.setInt32(8, batch.length - 12);
    view.setInt32(12, options.leaderEpoch ?? -1);
    view.setInt8(16, 2);
    const attributes =
      (compression?.id ?? 0) |
      (options.isTransactional ? layout.attributeTransactional : 0) |
      (options.isControl ? layout.attributeControl : 0);
    view.setInt16(21, attributes);
    view.setInt32(23, this.#count - 1);
    view.setBigInt64(27, BigInt(this.#baseTimestamp));
    view.setBigInt64(35, BigInt(this.#maxTimestamp));
    view.setBigInt64(43, BigInt(options.producerId ?? -1));
    view.setInt16(51, options.producerEpoch ?? -1);
    view.setInt32(53, options.baseSequence ?? -1);
    view.setInt32(57, this.#count);
    view.setUint32(17, core.crc32c(batch.subarray(21)));
    return batch;
  }

  /** What was added, in order; views, gone with `release`. */
  reader(): RecordReader {
    const bytes = this.#bytes.subarray(layout.batchHeaderBytes, this.#at);
    const lastOffset = this.#count - 1;
    const baseTimestamp = this.#baseTimestamp;
    const origin = { baseOffset: 0, lastOffset, count: this.#count, baseTimestamp };
    return new RecordReader(bytes, { ...origin, appendTimeMs: null });
  }

  /** Gives the memory back: nothing here may be used any more, nor a batch that was sealed. */
  release(): void {
    const bytes = this.#bytes;
    this.#bytes = nothing;
    this.#at = 0;
    if (bytes !== nothing) this.#memory.give(bytes);
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = this.#memory.take(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#memory.give(this.#bytes);
    this.#bytes = grown;
  }
}

const nothing = new Uint8Array(0);
/** Attributes, and one byte for each varint. */
const leastOverheadBytes = 6;

function packed(
  plain: Uint8Array,
  { compress }: NonNullable<EncodeOptions["compression"]>,
): Uint8Array {
  const records = compress(plain.subarray(layout.batchHeaderBytes));
  const batch = new Uint8Array(layout.batchHeaderBytes + records.length);
  batch.set(records, layout.batchHeaderBytes);
  return batch;
}

function encode(headers: readonly RecordHeader[]): readonly EncodedHeader[] {
  return headers.map(({ key, value }) => ({ key: textEncoder.encode(key), value }));
}

function headersBytes(headers: readonly EncodedHeader[]): number {
  let bytes = 0;
  for (const { key, value } of headers) bytes += key.length + lengthOf(value);
  return bytes;
}

function lengthOf(bytes: Uint8Array | null): number {
  return bytes === null ? 0 : bytes.length;
}

/** Kafka's times are whole and 64 bits; here they are exact numbers. */
function wholeMs(timestampMs: number): number {
  if (Number.isSafeInteger(timestampMs)) return timestampMs;
  const { MIN_SAFE_INTEGER: least, MAX_SAFE_INTEGER: most } = Number;
  return Math.max(least, Math.min(most, Math.trunc(timestampMs) || 0));
}

// ---- varints ----

/** Of an unsigned number of 32 bits. */
function varintBytes(raw: number): number {
  if (raw < 0x80) return 1;
  if (raw < 0x4000) return 2;
  if (raw < 0x20_0000) return 3;
  return raw < 0x1000_0000 ? 4 : 5;
}

/** `raw`: after zigzag. Returns where it ends. */
function writeVarint(bytes: Uint8Array, from: number, raw: number): number {
  let at = from;
  let rest = raw;
  while (rest > 127) {
    bytes[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

function writeDelta(bytes: Uint8Array, from: number, value: number, base: number): number {
  const delta = value - base;
  if (delta >= 0 && delta < smallMax) return writeVarint(bytes, from, delta << 1);
  let at = from;
  // The difference of two exact numbers may be none.
  const wide = BigInt(value) - BigInt(base);
  let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
  while (rest > 127n) {
    bytes[at++] = Number(rest & 127n) | 128;
    rest >>= 7n;
  }
  bytes[at++] = Number(rest);
  return at;
}

/** Length and bytes; null is length -1. */
function writeField(bytes: Uint8Array, from: number, field: Uint8Array | null): number {
  if (field === null) {
    bytes[from] = 1;
    return from + 1;
  }
  const { length } = field;
  const at = writeVarint(bytes, from, length << 1);
  if (length > shortCopyBytesMax) bytes.set(field, at);
  else for (let i = 0; i < length; i++) bytes[at + i] = field[i]!;
  return at + length;
}
