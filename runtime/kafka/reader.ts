// Reader: a cursor over one frame of the Kafka protocol. Every read is checked against the frame's end and
// every count against the bytes that are left before anything is allocated; whatever does not fit throws
// `MalformedRequest`. Byte fields are views of the frame, never copies.

import { MalformedRequest } from "./malformed-request.ts";
import { decodeText } from "./text-cache.ts";
import { uuidBytes, uuidText } from "./uuid.ts";

/** Elements of all arrays of one message together: bounds the objects a frame of tiny elements can become. */
export const messageElementsMax = 1_000_000;
/** Tagged fields of one struct; the protocol defines fewer than ten anywhere. */
export const taggedFieldsMax = 1_000;

const two32 = 0x1_0000_0000;

export class Reader {
  bytes: Uint8Array;
  at: number;
  end: number;
  private view: DataView;
  private elementsLeft = messageElementsMax;

  /** Reads `bytes` from `at` up to (not including) `end`. */
  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.end = end;
  }

  /** Goes to another frame of the same bytes. */
  select(at: number, end: number): void {
    this.at = at;
    this.end = end;
    this.elementsLeft = messageElementsMax;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  int8(): number {
    return this.view.getInt8(this.advance(1));
  }

  int16(): number {
    return this.view.getInt16(this.advance(2));
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2));
  }

  int32(): number {
    return this.view.getInt32(this.advance(4));
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4));
  }

  /** Beyond ±2^53 the nearest number. */
  int64(): number {
    const at = this.advance(8);
    return this.view.getInt32(at) * two32 + this.view.getUint32(at + 4);
  }

  float64(): number {
    return this.view.getFloat64(this.advance(8));
  }

  boolean(): boolean {
    return this.view.getInt8(this.advance(1)) !== 0;
  }

  uuid(): string {
    return uuidText(this.bytes, this.advance(uuidBytes));
  }

  /** Unsigned varint of at most 32 bits. A fifth byte above 15 does not fit and is an error. */
  uvarint(): number {
    const bytes = this.bytes;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[this.advance(1)]!;
      if (shift === 28 && byte > 15) break;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new MalformedRequest("varint longer than 32 bits");
  }

  /** Length prefix of strings: -1 is null. */
  stringLength(flexible: boolean): number {
    return flexible ? this.uvarint() - 1 : this.int16();
  }

  /** Length prefix of bytes, records and arrays: -1 is null. */
  length(flexible: boolean): number {
    return flexible ? this.uvarint() - 1 : this.int32();
  }

  string(length: number): string {
    const at = this.advance(length);
    return decodeText(this.bytes, at, at + length);
  }

  /** A view of the frame: valid as long as the frame's memory is. */
  view8(length: number): Uint8Array {
    const at = this.advance(length);
    return this.bytes.subarray(at, at + length);
  }

  skip(length: number): void {
    this.advance(length);
  }

  /** Checks an array's count against the bytes that are left and the message's budget. */
  claimElements(count: number, elementBytesMin: number): void {
    if (count < 0) throw new MalformedRequest(`array of negative length ${count}`);
    if (count * elementBytesMin > this.remaining) {
      throw new MalformedRequest(`array of ${count} elements in ${this.remaining} bytes`);
    }
    this.elementsLeft -= count;
    if (this.elementsLeft < 0) {
      throw new MalformedRequest(`more than ${messageElementsMax} array elements in one message`);
    }
  }

  /** Count of a tagged section; each field takes at least two bytes. */
  taggedCount(): number {
    const count = this.uvarint();
    if (count > taggedFieldsMax || count * 2 > this.remaining) {
      throw new MalformedRequest(`${count} tagged fields in ${this.remaining} bytes`);
    }
    return count;
  }

  skipTagged(): void {
    for (let left = this.taggedCount(); left > 0; left--) {
      this.uvarint();
      this.skip(this.uvarint());
    }
  }

  /** A message ends where its frame ends. */
  expectEnd(): void {
    if (this.at !== this.end) {
      throw new MalformedRequest(`${this.remaining} bytes after the end of the message`);
    }
  }

  private advance(count: number): number {
    const at = this.at;
    if (count < 0 || count > this.end - at) {
      throw new MalformedRequest(`${count} bytes wanted, ${this.end - at} left`);
    }
    this.at = at + count;
    return at;
  }
}
