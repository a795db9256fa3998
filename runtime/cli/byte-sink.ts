// ByteSink: output bytes on their way to stdout, gathered into large chunks. Formats write into it without
// allocating; `take` hands the full chunk over, so that it may still be on its way when the next one fills.

import { Buffer } from "node:buffer";

const CHUNK_BYTES = 256 * 1024;

export class ByteSink {
  #chunk: Buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  length = 0;

  /** True when it is time to `take`. */
  get full(): boolean {
    return this.length >= CHUNK_BYTES >> 1;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#chunk[this.length++] = value;
  }

  bytes(bytes: Uint8Array): void {
    const length = bytes.length;
    this.#reserve(length);
    if (length < 24) {
      for (let i = 0; i < length; i++) this.#chunk[this.length + i] = bytes[i] as number;
    } else {
      this.#chunk.set(bytes, this.length);
    }
    this.length += length;
  }

  /** Any text, as UTF-8. */
  text(text: string): void {
    this.#reserve(text.length * 3);
    this.length += this.#chunk.write(text, this.length, "utf8");
  }

  /** Digits and other ASCII. */
  ascii(text: string): void {
    this.#reserve(text.length);
    this.length += this.#chunk.write(text, this.length, "latin1");
  }

  int32(value: number): void {
    this.#reserve(4);
    this.length = this.#chunk.writeInt32BE(value, this.length);
  }

  /** What was written since the last `take`; the caller owns it. */
  take(): Uint8Array {
    const taken = this.#chunk.subarray(0, this.length);
    this.#chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    this.length = 0;
    return taken;
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#chunk.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#chunk.length * 2, this.length + count));
    grown.set(this.#chunk.subarray(0, this.length));
    this.#chunk = grown;
  }
}
