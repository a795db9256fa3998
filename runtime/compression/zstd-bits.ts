// Zstandard's bits: streams that are read from their end and written from their start, and the packed shares
// of an entropy table.
// Only the zstd files beside import it.

import { corrupt } from "./output.ts";
import { type Distribution, highBit } from "./zstd-tables.ts";

/** Reads bits from the end of a stream towards its start, as the format writes them. */
export class BackwardBits {
  readonly #bytes: Uint8Array;
  readonly #from: number;
  /** Bits left, below 0 when more was read than there is. */
  left: number;

  constructor(bytes: Uint8Array, from: number, to: number) {
    const last = to > from ? bytes[to - 1]! : 0;
    if (last === 0) throw corrupt("zstd", "a bit stream has no end mark");
    this.#bytes = bytes;
    this.#from = from;
    this.left = (to - from) * 8 - 8 + highBit(last);
  }

  /** The next `count` ≤ 24 bits; zeros beyond the start. */
  read(count: number): number {
    const left = this.left - count;
    this.left = left;
    if (left < 0) return this.#beyond(count);
    const bytes = this.#bytes;
    const at = this.#from + (left >>> 3);
    const word =
      bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    return (word >>> (left & 7)) & ((1 << count) - 1);
  }

  #beyond(count: number): number {
    const real = count + this.left;
    if (real <= 0) return 0;
    const word =
      this.#bytes[this.#from]! |
      ((this.#bytes[this.#from + 1] ?? 0) << 8) |
      ((this.#bytes[this.#from + 2] ?? 0) << 16);
    return (word & ((1 << real) - 1)) << -this.left;
  }
}

/** A table's shares as the format packs them, forwards, in as few bits as what is left allows. */
export function readDistribution(
  bytes: Uint8Array,
  from: number,
  to: number,
  limits: { logMax: number; symbolMax: number },
): { distribution: Distribution; next: number } {
  let at = from * 8;
  const end = to * 8;
  const peek = (): number => {
    const i = at >>> 3;
    const word = (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16);
    return word >>> (at & 7);
  };
  const log = (peek() & 15) + 5;
  at += 4;
  if (log > limits.logMax) throw corrupt("zstd", "an entropy table is too large");
  const counts: number[] = [];
  let left = 1 << log;
  while (left > 0 && counts.length <= limits.symbolMax && at < end) {
    const bits = highBit(left + 1) + 1;
    const few = 2 ** bits - 2 - left;
    let value = peek() & (2 ** bits - 1);
    const short = value & (2 ** (bits - 1) - 1);
    at += short < few ? bits - 1 : bits;
    if (short < few) value = short;
    else if (value >= 2 ** (bits - 1)) value -= few;
    const count = value - 1;
    left -= Math.abs(count);
    counts.push(count);
    if (count !== 0) continue;
    for (let zeros = 3; zeros === 3 && at < end; at += 2) {
      zeros = peek() & 3;
      for (let i = 0; i < zeros; i++) counts.push(0);
    }
  }
  if (left !== 0 || counts.length > limits.symbolMax + 1 || at > end) {
    throw corrupt("zstd", "an entropy table does not add up");
  }
  return { distribution: { log, counts }, next: (at + 7) >>> 3 };
}

/** Bits from the low end up, closed by a one that tells the reader where to begin. */
export class ForwardBits {
  readonly #output: Uint8Array;
  #at: number;
  #pending = 0;
  #count = 0;

  constructor(output: Uint8Array, at: number) {
    this.#output = output;
    this.#at = at;
  }

  /** `count` ≤ 24. */
  write(value: number, count: number): void {
    this.#pending |= value << this.#count;
    this.#count += count;
    while (this.#count >= 8) {
      this.#output[this.#at++] = this.#pending & 0xff;
      this.#pending >>>= 8;
      this.#count -= 8;
    }
  }

  /** Returns where the stream ends. */
  end(): number {
    this.write(1, 1);
    if (this.#count > 0) this.#output[this.#at++] = this.#pending & 0xff;
    this.#count = 0;
    this.#pending = 0;
    return this.#at;
  }
}
