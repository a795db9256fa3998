// Bytes of the records in __consumer_offsets: big-endian, with Kafka's two ways to write lengths. Old formats
// have fixed-size ones, flexible formats (KIP-482) varints and tagged fields. Used by the formats of records and of
// the consumer protocol.

import { BrokerError } from "./errors.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
const two32 = 0x1_0000_0000;
const uuidBytes = 16;
/** Shorter texts are built character by character: a decoder call costs more. */
const shortTextMax = 64;

export class RecordWriter {
  #bytes = new Uint8Array(128);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  readonly #flexible: boolean;

  constructor(options: { flexible: boolean }) {
    this.#flexible = options.flexible;
  }

  /** What was written, as a fresh array. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  int8(value: number): void {
    const at = this.#advance(1);
    this.#view.setInt8(at, value);
  }

  int16(value: number): void {
    const at = this.#advance(2);
    this.#view.setInt16(at, value);
  }

  int32(value: number): void {
    const at = this.#advance(4);
    this.#view.setInt32(at, value);
  }

  int64(value: number): void {
    const at = this.#advance(8);
    this.#view.setInt32(at, Math.floor(value / two32));
    this.#view.setUint32(at + 4, value >>> 0);
  }

  string(text: string): void {
    const bytes = encoder.encode(text);
    if (this.#flexible) this.uvarint(bytes.length + 1);
    else this.int16(bytes.length);
    this.raw(bytes);
  }

  nullableString(text: string | null): void {
    if (text !== null) this.string(text);
    else if (this.#flexible) this.uvarint(0);
    else this.int16(-1);
  }

  bytes(value: Uint8Array): void {
    this.count(value.length);
    this.raw(value);
  }

  /** 22 characters of URL-safe base64. */
  uuid(text: string): void {
    this.raw(uuidToBytes(text));
  }

  count(count: number): void {
    if (this.#flexible) this.uvarint(count + 1);
    else this.int32(count);
  }

  uvarint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.int8((rest & 127) | 128);
      rest = Math.floor(rest / 128);
    }
    this.int8(rest);
  }

  /** Tagged fields in the order of their numbers; nothing at all in a format that is not flexible. */
  tagged(fields: readonly { tag: number; bytes: Uint8Array }[] = []): void {
    if (!this.#flexible) return;
    this.uvarint(fields.length);
    for (const { tag, bytes } of fields) {
      this.uvarint(tag);
      this.uvarint(bytes.length);
      this.raw(bytes);
    }
  }

  raw(bytes: Uint8Array): void {
    const at = this.#advance(bytes.length);
    this.#bytes.set(bytes, at);
  }

  #advance(count: number): number {
    const at = this.#at;
    this.#at = at + count;
    if (this.#at > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(this.#at, this.#bytes.length * 2));
      bytes.set(this.#bytes.subarray(0, at));
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    return at;
  }
}

/** Reads what `RecordWriter` writes; bytes that end early or lie are CORRUPT_MESSAGE. */
export class RecordReader {
  flexible: boolean;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array, options: { flexible: boolean }) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.flexible = options.flexible;
  }

  int8(): number {
    return this.#view.getInt8(this.#advance(1));
  }

  int16(): number {
    return this.#view.getInt16(this.#advance(2));
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4));
  }

  int64(): number {
    const at = this.#advance(8);
    return this.#view.getInt32(at) * two32 + this.#view.getUint32(at + 4);
  }

  string(): string {
    const text = this.nullableString();
    if (text === null) throw corrupt("a text is missing");
    return text;
  }

  nullableString(): string | null {
    const length = this.flexible ? this.uvarint() - 1 : this.int16();
    if (length < 0) return null;
    const at = this.#advance(length);
    return length <= shortTextMax ? this.#short(at, length) : this.#long(at, length);
  }

  /** A copy. */
  bytes(): Uint8Array {
    const length = Math.max(0, this.#length());
    const at = this.#advance(length);
    return this.#bytes.slice(at, at + length);
  }

  uuid(): string {
    const at = this.#advance(uuidBytes);
    return uuidToText(this.#bytes.subarray(at, at + uuidBytes));
  }

  array<T>(read: () => T): T[] {
    const count = Math.max(0, this.#length());
    if (count > this.#bytes.length - this.#at) throw corrupt(`${count} elements in too few bytes`);
    const values: T[] = [];
    for (let i = 0; i < count; i++) values.push(read());
    return values;
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#advance(1)]!;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw corrupt("a varint is too long");
  }

  /** Reads the tagged section; `read` gets a reader of each field's bytes. */
  tagged(read?: (tag: number, field: RecordReader) => void): void {
    if (!this.flexible) return;
    for (let left = this.uvarint(); left > 0; left--) {
      const tag = this.uvarint();
      const length = this.uvarint();
      const at = this.#advance(length);
      read?.(tag, new RecordReader(this.#bytes.subarray(at, at + length), { flexible: true }));
    }
  }

  #length(): number {
    return this.flexible ? this.uvarint() - 1 : this.int32();
  }

  #short(at: number, length: number): string {
    let text = "";
    for (let i = at; i < at + length; i++) {
      const byte = this.#bytes[i]!;
      if (byte > 127) return this.#long(at, length);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #long(at: number, length: number): string {
    return decoder.decode(this.#bytes.subarray(at, at + length));
  }

  #advance(count: number): number {
    const at = this.#at;
    if (count < 0 || at + count > this.#bytes.length) throw corrupt("it ends early");
    this.#at = at + count;
    return at;
  }
}

function corrupt(why: string): BrokerError {
  return new BrokerError("CORRUPT_MESSAGE", `a record of a group cannot be read: ${why}`);
}

function uuidToText(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.slice(0, 22).replaceAll("+", "-").replaceAll("/", "_");
}

export function uuidToBytes(text: string): Uint8Array {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
