// Output of a decompressor: grows as bytes really arrive, never by what a header promises, and never above
// the bound its caller set. Only the codecs of this folder use it.

import { BrokerError } from "../errors.ts";

export function corrupt(codec: string, what: string): BrokerError {
  return new BrokerError("CORRUPT_MESSAGE", `The ${codec} data is damaged: ${what}.`);
}

export function tooLarge(codec: string, bytesMax: number): BrokerError {
  return new BrokerError(
    "MESSAGE_TOO_LARGE",
    `The ${codec} data unpacks to more than ${bytesMax} bytes: send smaller batches or raise the limit.`,
  );
}

export class BoundedOutput {
  /** Valid up to `length`; replaced when it grows, so read it again after `reserve`. */
  bytes: Uint8Array;
  length = 0;
  readonly #codec: string;
  readonly #bytesMax: number;

  constructor(options: { codec: string; sizeHint: number; bytesMax: number }) {
    this.#codec = options.codec;
    this.#bytesMax = options.bytesMax;
    this.bytes = new Uint8Array(Math.min(options.sizeHint, options.bytesMax));
  }

  /** Makes room for `more` bytes after `length`; MESSAGE_TOO_LARGE above the bound. */
  reserve(more: number): Uint8Array {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return this.bytes;
    if (needed > this.#bytesMax) throw tooLarge(this.#codec, this.#bytesMax);
    const grown = new Uint8Array(Math.min(Math.max(needed, this.bytes.length * 2), this.#bytesMax));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    return grown;
  }

  append(piece: Uint8Array): void {
    this.reserve(piece.length).set(piece, this.length);
    this.length += piece.length;
  }

  /**
   * Repeats `count` bytes from `distance` before the end; they may overlap with what is being written.
   * Room must have been reserved and `distance` checked.
   */
  repeat(distance: number, count: number): void {
    const { bytes } = this;
    let to = this.length;
    this.length += count;
    if (distance >= count && count > 24) {
      bytes.copyWithin(to, to - distance, to - distance + count);
      return;
    }
    for (const end = to + count; to < end; to++) bytes[to] = bytes[to - distance]!;
  }

  finish(): Uint8Array {
    return this.length === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.length);
  }
}
