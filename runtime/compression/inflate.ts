// Reading deflate (RFC 1951): stored, fixed and dynamic blocks. Every read is checked against the end of the input and
// every write against the bound of the output. Only `gzip.ts` imports it.

import {
  blockTypes,
  codeBitsMax,
  distanceBase,
  distanceBits,
  distanceSymbols,
  endOfBlock,
  lengthBase,
  lengthBits,
  lengthCodeOrder,
  literalSymbols,
  repeats,
  reversedCodes,
} from "./deflate-tables.ts";
import { type BoundedOutput, corrupt } from "./output.ts";

/** Appends what `bytes` hold from `from` on; the position after the last block. */
export function inflate(bytes: Uint8Array, from: number, output: BoundedOutput): number {
  const bits = new Bits(bytes, from);
  const start = output.length;
  for (let isLast = false; !isLast; ) {
    isLast = bits.read(1) === 1;
    const type = bits.read(2);
    if (type === blockTypes.stored) readStored(bits, output);
    else if (type === blockTypes.fixed) readBlock(bits, fixedCodes(), output, start);
    else if (type === blockTypes.dynamic) readBlock(bits, readCodes(bits), output, start);
    else throw corrupt("gzip", "a block's type is unknown");
  }
  return bits.toByte();
}

/** Lowest bit first. */
class Bits {
  readonly bytes: Uint8Array;
  at: number;
  #held = 0;
  #count = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  read(count: number): number {
    this.#fill(count);
    if (this.#count < count) throw corrupt("gzip", "it is cut off");
    const value = this.#held & ((1 << count) - 1);
    this.#drop(count);
    return value;
  }

  symbol({ table }: Code): number {
    this.#fill(codeBitsMax);
    const entry = table[this.#held & ((1 << codeBitsMax) - 1) & (table.length - 1)]!;
    const length = entry & 15;
    if (length === 0) throw corrupt("gzip", "a code means nothing");
    if (length > this.#count) throw corrupt("gzip", "it is cut off");
    this.#drop(length);
    return entry >>> 4;
  }

  /** Leaves the rest of the current byte out; where the next one is. */
  toByte(): number {
    this.at -= this.#count >>> 3;
    this.#held = 0;
    this.#count = 0;
    return this.at;
  }

  #fill(count: number): void {
    while (this.#count < count && this.at < this.bytes.length) {
      this.#held |= this.bytes[this.at++]! << this.#count;
      this.#count += 8;
    }
  }

  #drop(count: number): void {
    this.#held >>>= count;
    this.#count -= count;
  }
}

/** By as many next bits as the longest code has: symbol × 16 + length, 0 where there is no code. */
interface Code {
  readonly table: Uint16Array;
}

interface Codes {
  readonly literals: Code;
  readonly distances: Code;
}

/** Codes may leave room only if there is one, which is then a bit long, or none. */
function codeOf(lengths: Uint8Array): Code {
  let longest = 1;
  let count = 0;
  for (const length of lengths) {
    if (length > 0) count++;
    if (length > longest) longest = length;
  }
  let left = 1 << longest;
  for (const length of lengths) if (length > 0) left -= 1 << (longest - length);
  if (left < 0 || (left > 0 && (count > 1 || longest > 1))) {
    throw corrupt("gzip", "its codes do not add up");
  }
  const codes = reversedCodes(lengths);
  const table = new Uint16Array(1 << longest);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    if (length === 0) continue;
    const entry = (symbol << 4) | length;
    for (let at = codes[symbol]!; at < table.length; at += 1 << length) table[at] = entry;
  }
  return { table };
}

let fixed: Codes | undefined;

function fixedCodes(): Codes {
  if (fixed !== undefined) return fixed;
  const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280);
  lengths.fill(8, 280);
  fixed = { literals: codeOf(lengths), distances: codeOf(new Uint8Array(32).fill(5)) };
  return fixed;
}

function readCodes(bits: Bits): Codes {
  const literals = bits.read(5) + 257;
  const distances = bits.read(5) + 1;
  const lengthCodes = bits.read(4) + 4;
  if (literals > literalSymbols || distances > distanceSymbols) {
    throw corrupt("gzip", "a block has too many codes");
  }
  const own = new Uint8Array(lengthCodeOrder.length);
  for (let i = 0; i < lengthCodes; i++) own[lengthCodeOrder[i]!] = bits.read(3);
  const lengths = readLengths(bits, codeOf(own), literals + distances);
  if (lengths[endOfBlock] === 0) throw corrupt("gzip", "a block has no end");
  return {
    literals: codeOf(lengths.subarray(0, literals)),
    distances: codeOf(lengths.subarray(literals)),
  };
}

function readLengths(bits: Bits, code: Code, count: number): Uint8Array {
  const lengths = new Uint8Array(count);
  for (let at = 0; at < count; ) {
    const symbol = bits.symbol(code);
    if (symbol < repeats.last.symbol) {
      lengths[at++] = symbol;
      continue;
    }
    const isLast = symbol === repeats.last.symbol;
    const isMany = symbol === repeats.manyZeros.symbol;
    const repeat = isLast ? repeats.last : isMany ? repeats.manyZeros : repeats.zeros;
    const end = at + repeat.base + bits.read(repeat.bits);
    if (end > count || (isLast && at === 0)) throw corrupt("gzip", "a repeat runs over");
    lengths.fill(isLast ? lengths[at - 1]! : 0, at, end);
    at = end;
  }
  return lengths;
}

function readStored(bits: Bits, output: BoundedOutput): void {
  const at = bits.toByte();
  const { bytes } = bits;
  if (at + 4 > bytes.length) throw corrupt("gzip", "it is cut off");
  const length = bytes[at]! | (bytes[at + 1]! << 8);
  if (length !== (~(bytes[at + 2]! | (bytes[at + 3]! << 8)) & 0xffff)) {
    throw corrupt("gzip", "a stored block's length differs");
  }
  if (at + 4 + length > bytes.length) throw corrupt("gzip", "it is cut off");
  output.append(bytes.subarray(at + 4, at + 4 + length));
  bits.at = at + 4 + length;
}

function readBlock(bits: Bits, codes: Codes, output: BoundedOutput, start: number): void {
  const { literals, distances } = codes;
  for (;;) {
    const symbol = bits.symbol(literals);
    if (symbol < endOfBlock) {
      const target = output.length < output.bytes.length ? output.bytes : output.reserve(1);
      target[output.length++] = symbol;
      continue;
    }
    if (symbol === endOfBlock) return;
    const length = baseAndExtra(bits, lengthBase, lengthBits, symbol - endOfBlock - 1);
    const distance = baseAndExtra(bits, distanceBase, distanceBits, bits.symbol(distances));
    if (distance > output.length - start) throw corrupt("gzip", "a match points outside the data");
    output.reserve(length);
    output.repeat(distance, length);
  }
}

function baseAndExtra(
  bits: Bits,
  bases: readonly number[],
  extra: readonly number[],
  index: number,
): number {
  const base = bases[index];
  if (base === undefined) throw corrupt("gzip", "a code means nothing");
  return base + bits.read(extra[index]!);
}
