// Lines of a stream of bytes: cut at line feeds, decoded as strict UTF-8, in bounded memory.

import { concat } from "./body.ts";
import { HttpError } from "./error.ts";

const newline = 0x0a;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

export class LineSplitter {
  readonly #lineBytesMax: number;
  #tail: Uint8Array[] = [];
  #tailBytes = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** The lines that `chunk` completes, without their ends; null for one that is no UTF-8. */
  add(chunk: Uint8Array): (string | null)[] {
    const end = chunk.lastIndexOf(newline) + 1;
    const lines = end === 0 ? [] : this.#take(chunk.subarray(0, end - 1));
    // Copied: the chunk's memory may be used again by its sender.
    if (end < chunk.length) this.#keep(chunk.slice(end));
    return lines;
  }

  /** The last line, if the stream ended without a line feed. */
  end(): (string | null)[] {
    return this.#tailBytes === 0 ? [] : this.#take(new Uint8Array(0));
  }

  /** Throws MESSAGE_TOO_LARGE for a line that would not end. */
  #keep(bytes: Uint8Array): void {
    this.#tail.push(bytes);
    this.#tailBytes += bytes.length;
    if (this.#tailBytes <= this.#lineBytesMax) return;
    throw new HttpError("MESSAGE_TOO_LARGE", `longer than ${this.#lineBytesMax} bytes`);
  }

  #take(rest: Uint8Array): (string | null)[] {
    this.#tail.push(rest);
    const bytes = concat(this.#tail, this.#tailBytes + rest.length);
    this.#tail = [];
    this.#tailBytes = 0;
    return decode(bytes)?.split("\n") ?? decodeEach(bytes);
  }
}

function decode(bytes: Uint8Array): string | null {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return null;
  }
}

/** Line by line, to find the one that is no UTF-8. */
function decodeEach(bytes: Uint8Array): (string | null)[] {
  const lines: (string | null)[] = [];
  for (let at = 0; at <= bytes.length; ) {
    const found = bytes.indexOf(newline, at);
    const end = found < 0 ? bytes.length : found;
    lines.push(decode(bytes.subarray(at, end)));
    at = end + 1;
  }
  return lines;
}
