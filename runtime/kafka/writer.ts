// Writer: encodes frames of the Kafka protocol into a growing buffer. Record data is not copied: it is
// remembered as an attachment at its place, so what was written is [bytes, records, bytes, …] of known length.
// Only few and small records are copied in, where a write of their own would cost more. A writer is reused
// through a pool; its chunks are views of its buffer, so it goes back only after they are sent.

import type { Records } from "../records.ts";
import { copyRecords } from "./copied-records.ts";
import { uuidBytes, writeUuid } from "./uuid.ts";

export type Attachment = Uint8Array | Records;

interface Cut {
  /** Position in the buffer before which the attachment comes. */
  readonly at: number;
  readonly attachment: Attachment;
}

const initialBytes = 1024;
/** Attached byte arrays up to this are copied: a piece of its own costs more than the copy. */
const copiedBytesMax = 1024;
const sizePrefixBytes = 4;
const encoder = new TextEncoder();

export class Writer {
  private bytes = new Uint8Array(initialBytes);
  private view = new DataView(this.bytes.buffer);
  private at = 0;
  private cuts: Cut[] = [];
  private attachedBytes = 0;
  private frameAt = 0;
  private frameLength = 0;
  private inlineBytesLeft = 0;
  private readonly inlineBytesMax: number;

  /** Records of one frame are copied in (files are read at once) up to `inlineBytesMax` in all. */
  constructor({ inlineBytesMax = 0 } = {}) {
    this.inlineBytesMax = inlineBytesMax;
  }

  /** Bytes written so far, attachments included. */
  get length(): number {
    return this.at + this.attachedBytes;
  }

  get capacity(): number {
    return this.bytes.length;
  }

  reset(): void {
    this.at = 0;
    this.attachedBytes = 0;
    if (this.cuts.length > 0) this.cuts = [];
  }

  /** Starts a frame after what was written before: leaves room for its size. */
  beginFrame(): void {
    this.frameLength = this.length;
    this.frameAt = this.advance(sizePrefixBytes);
    this.inlineBytesLeft = this.inlineBytesMax;
  }

  /** Fills in the frame's size. */
  endFrame(): void {
    this.view.setInt32(this.frameAt, this.length - this.frameLength - sizePrefixBytes);
  }

  /** The written bytes and attachments in order. Views: valid until the next `reset`. */
  chunks(): Attachment[] {
    const chunks: Attachment[] = [];
    let from = 0;
    for (const cut of this.cuts) {
      if (cut.at > from) chunks.push(this.bytes.subarray(from, cut.at));
      chunks.push(cut.attachment);
      from = cut.at;
    }
    if (this.at > from) chunks.push(this.bytes.subarray(from, this.at));
    return chunks;
  }

  /** True if all bytes are in `chunks()[0]`. */
  get contiguous(): boolean {
    return this.cuts.length === 0;
  }

  int8(value: number): void {
    const at = this.advance(1);
    this.view.setInt8(at, value);
  }

  int16(value: number): void {
    const at = this.advance(2);
    this.view.setInt16(at, value);
  }

  uint16(value: number): void {
    const at = this.advance(2);
    this.view.setUint16(at, value);
  }

  int32(value: number): void {
    const at = this.advance(4);
    this.view.setInt32(at, value);
  }

  uint32(value: number): void {
    const at = this.advance(4);
    this.view.setUint32(at, value);
  }

  int64(value: number): void {
    const at = this.advance(8);
    this.view.setInt32(at, Math.floor(value / 0x1_0000_0000));
    this.view.setUint32(at + 4, value >>> 0);
  }

  float64(value: number): void {
    const at = this.advance(8);
    this.view.setFloat64(at, value);
  }

  boolean(value: boolean): void {
    const at = this.advance(1);
    this.view.setInt8(at, value ? 1 : 0);
  }

  uuid(text: string): void {
    const at = this.advance(uuidBytes);
    writeUuid(text, this.bytes, at);
  }

  uvarint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      const at = this.advance(1);
      this.bytes[at] = (rest & 127) | 128;
      rest = Math.floor(rest / 128);
    }
    const at = this.advance(1);
    this.bytes[at] = rest;
  }

  stringLength(length: number, flexible: boolean): void {
    if (flexible) this.uvarint(length + 1);
    else if (length <= 0x7fff) this.int16(length);
    else throw new RangeError(`string of ${length} bytes, the protocol allows 32767`);
  }

  /** Length prefix of bytes, records and arrays; -1 is null. */
  lengthPrefix(length: number, flexible: boolean): void {
    if (flexible) this.uvarint(length + 1);
    else this.int32(length);
  }

  string(text: string, flexible: boolean): void {
    const length = text.length;
    const start = this.at;
    this.stringLength(length, flexible);
    let at = this.advance(length);
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) {
        this.at = start;
        this.nonAscii(text, flexible);
        return;
      }
      this.bytes[at++] = code;
    }
  }

  /** Copies bytes into the frame. */
  raw(bytes: Uint8Array): void {
    const at = this.advance(bytes.length);
    this.bytes.set(bytes, at);
  }

  /** Puts record data here without copying it; its length prefix was written before. */
  attach(attachment: Attachment): void {
    if (attachment instanceof Uint8Array && attachment.length <= copiedBytesMax) {
      this.raw(attachment);
      return;
    }
    if (!(attachment instanceof Uint8Array) && attachment.length <= this.inlineBytesLeft) {
      this.inlineBytesLeft -= attachment.length;
      const at = this.advance(attachment.length);
      copyRecords(attachment, this.bytes.subarray(at, this.at));
      return;
    }
    this.cuts.push({ at: this.at, attachment });
    this.attachedBytes += attachment.length;
  }

  /** Takes the bytes of a writer without attachments: tagged fields need their size before their bytes. */
  append(other: Writer): void {
    if (!other.contiguous) throw new TypeError("records cannot be a tagged field");
    this.raw(other.bytes.subarray(0, other.at));
  }

  private nonAscii(text: string, flexible: boolean): void {
    const bytes = encoder.encode(text);
    this.stringLength(bytes.length, flexible);
    this.raw(bytes);
  }

  /** May move the buffer: call it before `bytes` or `view` is looked at. */
  private advance(count: number): number {
    const at = this.at;
    this.at = at + count;
    if (this.at > this.bytes.length) this.grow();
    return at;
  }

  private grow(): void {
    let capacity = this.bytes.length * 2;
    while (capacity < this.at) capacity *= 2;
    const bytes = new Uint8Array(capacity);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}
