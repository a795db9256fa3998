// Records of one batch, one at a time, straight out of bytes that lie anywhere: nothing is copied, keys and values
// are views. For who looks at records once, in order; `decode` is for who wants them all as copies. Reached through
// `core.ts`.

import type { RecordHeader } from "./core.ts";
import { CorruptBatch } from "./errors.ts";

/** What a batch's header says that its records are relative to. */
export interface RecordsOrigin {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly count: number;
  readonly baseTimestamp: number;
  /** LogAppendTime: one for all records; null: each has its own. */
  readonly appendTimeMs: number | null;
}

const noHeaders: readonly RecordHeader[] = [];
/** Keeps a byte order mark: what went in comes out. */
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
const varintBytesMax = 5;
const varlongBytesMax = 10;

export class RecordReader {
  readonly #bytes: Uint8Array;
  readonly #buffer: ArrayBufferLike;
  /** Of `#bytes` in `#buffer`. */
  readonly #shift: number;
  readonly #origin: RecordsOrigin;
  #at = 0;
  #left: number;
  #offsetDelta = -1;
  #ownTimestampMs = 0;
  #keyAt = 0;
  #keyLength = -1;
  #valueAt = 0;
  #valueLength = -1;
  #headersAt = 0;
  #headerCount = 0;

  /** `bytes`: the records, without the batch's header, uncompressed. They must stay as they are. */
  constructor(bytes: Uint8Array, origin: RecordsOrigin) {
    this.#bytes = bytes;
    this.#buffer = bytes.buffer;
    this.#shift = bytes.byteOffset;
    this.#origin = origin;
    this.#left = origin.count;
    if (this.#left === 0) this.#expectEnd();
  }

  /** Another one at the same place. */
  clone(): RecordReader {
    const copy = new RecordReader(this.#bytes, { ...this.#origin, count: -1 });
    copy.#left = this.#left;
    copy.#at = this.#at;
    copy.#offsetDelta = this.#offsetDelta;
    return copy;
  }

  /** Records not yet read. */
  get left(): number {
    return this.#left;
  }

  /** Goes to the next record; false at the end. Throws `CorruptBatch` if lengths or counts do not add up. */
  advance(): boolean {
    if (this.#left === 0) return false;
    const end = this.#begin();
    this.#keyLength = this.#varint();
    this.#keyAt = this.#at;
    if (this.#keyLength > 0) this.#at += this.#keyLength;
    this.#valueLength = this.#varint();
    this.#valueAt = this.#at;
    if (this.#valueLength > 0) this.#at += this.#valueLength;
    this.#headerCount = this.#varint();
    this.#headersAt = this.#at;
    // A header takes at least two bytes.
    if (this.#headerCount * 2 > end - this.#at || this.#headerCount < 0) this.#fail();
    if (this.#headerCount === 0 && this.#at !== end) this.#fail();
    this.#finish(end);
    return true;
  }

  /** Goes on until the next record's offset is `offset` or above. */
  skipTo(offset: number): void {
    while (this.#left > 0) {
      const { at, offsetDelta } = { at: this.#at, offsetDelta: this.#offsetDelta };
      const end = this.#begin();
      if (this.offset >= offset) {
        this.#at = at;
        this.#offsetDelta = offsetDelta;
        return;
      }
      this.#finish(end);
    }
  }

  // ---- the record it stands on ----

  get offset(): number {
    return this.#origin.baseOffset + this.#offsetDelta;
  }

  get timestampMs(): number {
    return this.#origin.appendTimeMs ?? this.#ownTimestampMs;
  }

  get key(): Uint8Array | null {
    if (this.#keyLength < 0) return null;
    return new Uint8Array(this.#buffer, this.#shift + this.#keyAt, this.#keyLength);
  }

  get value(): Uint8Array | null {
    if (this.#valueLength < 0) return null;
    return new Uint8Array(this.#buffer, this.#shift + this.#valueAt, this.#valueLength);
  }

  /** Bytes; -1 of a record without value. */
  get valueLength(): number {
    return this.#valueLength;
  }

  /** Copies the value's bytes to `at` of memory that is not the records'. */
  copyValue(target: Uint8Array, at: number): void {
    if (this.#valueLength <= 0) return;
    target.set(new Uint8Array(this.#buffer, this.#shift + this.#valueAt, this.#valueLength), at);
  }

  /**
   * Moves the value's bytes forward to `at` of `memory`, which the records lie in. False if they lie elsewhere, or `at` is
   * behind their place: there may be records that are not read yet.
   */
  moveValue(memory: Uint8Array, at: number): boolean {
    const place = this.#shift + this.#valueAt - memory.byteOffset;
    if (memory.buffer !== this.#buffer || at > place || this.#valueLength < 0) return false;
    memory.copyWithin(at, place, place + this.#valueLength);
    return true;
  }

  get headers(): readonly RecordHeader[] {
    return this.#headerCount === 0 ? noHeaders : this.#readHeaders();
  }

  // ---- reading ----

  /** Reads up to the key; where the record ends. */
  #begin(): number {
    const length = this.#varint();
    const end = this.#at + length;
    if (length < 0 || end > this.#bytes.length) this.#fail();
    // Attributes: none are defined.
    this.#at++;
    this.#ownTimestampMs = this.#timestamp();
    const delta = this.#varint();
    if (delta <= this.#offsetDelta) this.#fail();
    this.#offsetDelta = delta;
    return end;
  }

  #finish(end: number): void {
    if (this.#at > end) this.#fail();
    this.#at = end;
    this.#left--;
    if (this.#left === 0) this.#expectEnd();
  }

  #expectEnd(): void {
    const { baseOffset, lastOffset } = this.#origin;
    if (this.#at !== this.#bytes.length) throw new CorruptBatch("bytes behind the last record");
    if (this.#offsetDelta > lastOffset - baseOffset) {
      throw new CorruptBatch("a record beyond the last offset");
    }
  }

  #readHeaders(): RecordHeader[] {
    const next = this.#at;
    this.#at = this.#headersAt;
    const headers: RecordHeader[] = [];
    for (let left = this.#headerCount; left > 0; left--) {
      const key = textDecoder.decode(this.#view(this.#varint()));
      const length = this.#varint();
      headers.push({ key, value: length < 0 ? null : this.#view(length) });
    }
    if (this.#at !== next) this.#fail();
    return headers;
  }

  #view(length: number): Uint8Array {
    const at = this.#at;
    this.#at += length;
    if (length < 0 || this.#at > this.#bytes.length) this.#fail();
    return new Uint8Array(this.#buffer, this.#shift + at, length);
  }

  #varint(): number {
    const byte = this.#bytes[this.#at++]!;
    if (byte < 128) return (byte >>> 1) ^ -(byte & 1);
    let raw = byte & 127;
    for (let i = 1; i < varintBytesMax; i++) {
      const next = this.#bytes[this.#at++];
      if (next === undefined) break;
      raw |= (next & 127) << (7 * i);
      if (next < 128) return (raw >>> 1) ^ -(raw & 1);
    }
    return this.#fail();
  }

  /** Base and delta, of which the sum may be exact although the delta is not. */
  #timestamp(): number {
    const at = this.#at;
    let raw = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.#bytes[this.#at++]!;
      raw |= (byte & 127) << (7 * i);
      if (byte < 128) return this.#origin.baseTimestamp + ((raw >>> 1) ^ -(raw & 1));
    }
    this.#at = at;
    const sum = BigInt(this.#origin.baseTimestamp) + this.#varlong();
    const { MIN_SAFE_INTEGER: least, MAX_SAFE_INTEGER: most } = Number;
    return Math.max(least, Math.min(most, Number(sum)));
  }

  #varlong(): bigint {
    let raw = 0n;
    for (let i = 0n; i < varlongBytesMax; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      raw |= BigInt(byte & 127) << (7n * i);
      if (byte < 128) return BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n));
    }
    return this.#fail();
  }

  #fail(): never {
    const where = `a record after offset delta ${this.#offsetDelta}`;
    throw new CorruptBatch(`${where} does not add up`);
  }
}
