// JSON values that follow each other in a stream of bytes, with or without white space between them: found by their
// brackets and quotes, in bounded memory, each handed out as its own text. Only objects: nothing else stands in one.

import { concat } from "../body.ts";
import { RestError } from "./error.ts";

const quote = 0x22;
const backslash = 0x5c;
const open: readonly number[] = [0x7b, 0x5b];
const close: readonly number[] = [0x7d, 0x5d];
const spaces: readonly number[] = [0x20, 0x0a, 0x0d, 0x09, 0x1e];

export class JsonValues {
  readonly #bytesMax: number;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #depth = 0;
  #isText = false;
  #isEscaped = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The objects that `chunk` completes. Throws 400 for what is none, 413 for one that would not end. */
  add(chunk: Uint8Array): Uint8Array[] {
    const values: Uint8Array[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (this.#isText) this.#inText(byte);
      else if (byte === quote && this.#depth > 0) this.#isText = true;
      else if (open.includes(byte)) this.#depth++;
      else if (close.includes(byte) && this.#depth > 0) {
        this.#depth--;
        if (this.#depth > 0) continue;
        values.push(this.#value(chunk.subarray(from, at + 1)));
        from = at + 1;
      } else if (this.#depth === 0) {
        if (!spaces.includes(byte)) throw new RestError(400, "body: records are JSON objects");
        from = at + 1;
      }
    }
    // Copied: the chunk's memory may be used again by its sender.
    if (from < chunk.length) this.#keep(chunk.slice(from));
    return values;
  }

  /** Throws 400 if the body ended inside a value. */
  end(): void {
    if (this.#keptBytes > 0) throw new RestError(400, "body: it ended inside a record");
  }

  #inText(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === backslash) this.#isEscaped = true;
    else if (byte === quote) this.#isText = false;
  }

  #value(rest: Uint8Array): Uint8Array {
    const value = concat([...this.#kept, rest], this.#keptBytes + rest.length);
    this.#kept = [];
    this.#keptBytes = 0;
    if (value.length > this.#bytesMax) throw tooLong(this.#bytesMax);
    return value;
  }

  #keep(bytes: Uint8Array): void {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
    if (this.#keptBytes > this.#bytesMax) throw tooLong(this.#bytesMax);
  }
}

function tooLong(bytesMax: number): RestError {
  return new RestError(413, `body: a record of more than ${bytesMax} bytes`);
}
