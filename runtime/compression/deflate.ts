// Writing deflate (RFC 1951): matches by hash chains, taken where they are found, and for each block codes of its own
// or the bytes as they are, whichever is smaller. About zlib's level 4. Only `gzip.ts` imports it.

import {
  blockTypes,
  codeBitsMax,
  distanceBase,
  distanceBits,
  distanceSymbols,
  endOfBlock,
  lengthBase,
  lengthBits,
  lengthCodeBitsMax,
  lengthCodeOrder,
  literalSymbols,
  repeats,
  reversedCodes,
} from "./deflate-tables.ts";
import { codeLengths } from "./huffman-lengths.ts";

/** Input of one block; a stored one holds at most 65,535 bytes. */
const blockBytes = 65_535;
const windowBytes = 32_768;
const hashBits = 15;
const matchBytesMin = 4;
const matchBytesMax = 258;
/** Places looked at for a longer match. */
const chainMax = 12;
/** A match this long is good enough. */
const niceBytes = 64;
/** Stored: type and lengths, and the rest of a byte before them. */
const storedOverheadBytes = 6;

/** Packed bytes with `before` and `after` bytes of room around them. */
export function deflate(bytes: Uint8Array, before: number, after: number): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / blockBytes));
  const output = new Uint8Array(before + bytes.length + blocks * storedOverheadBytes + 8 + after);
  const bits = new BitWriter(output, before);
  const matcher = new Matcher(bytes);
  for (let block = 0; block < blocks; block++) {
    const from = block * blockBytes;
    const to = Math.min(from + blockBytes, bytes.length);
    writeBlock(bits, bytes, matcher.run(from, to), { from, to, isLast: block === blocks - 1 });
  }
  return output.slice(0, bits.end() + after);
}

/** Lowest bit first. */
class BitWriter {
  readonly #output: Uint8Array;
  #at: number;
  #held = 0;
  #count = 0;

  constructor(output: Uint8Array, at: number) {
    this.#output = output;
    this.#at = at;
  }

  write(value: number, count: number): void {
    this.#held |= value << this.#count;
    this.#count += count;
    while (this.#count >= 8) {
      this.#output[this.#at++] = this.#held & 255;
      this.#held >>>= 8;
      this.#count -= 8;
    }
  }

  /** From the next whole byte on. */
  copy(bytes: Uint8Array): void {
    this.end();
    this.#output.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  end(): number {
    if (this.#count > 0) this.write(0, 8 - this.#count);
    return this.#at;
  }
}

/** One entry per literal or match: the byte, or length × 2^16 + distance, which is above all bytes. */
class Matcher {
  readonly #bytes: Uint8Array;
  /** By hash the last place, by place (in the window) the one before; places count from 1. */
  readonly #heads = new Int32Array(1 << hashBits);
  readonly #before = new Int32Array(windowBytes);
  readonly #entries = new Uint32Array(blockBytes);
  #length = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The entries of the bytes from `from` to `to`, valid until the next call. */
  run(from: number, to: number): Uint32Array {
    const bytes = this.#bytes;
    const last = bytes.length - matchBytesMin;
    let count = 0;
    let at = from;
    while (at < to) {
      const distance = at <= last ? this.#find(at, Math.min(to - at, matchBytesMax)) : 0;
      if (distance === 0) {
        this.#entries[count++] = bytes[at++]!;
        continue;
      }
      this.#entries[count++] = this.#length * 65_536 + distance;
      const end = at + this.#length;
      for (at++; at < end; at++) if (at <= last) this.#note(at, hashAt(bytes, at));
    }
    return this.#entries.subarray(0, count);
  }

  /** Distance of the longest match, 0 for none; its length is in `#length`. */
  #find(at: number, lengthMax: number): number {
    const bytes = this.#bytes;
    const hash = hashAt(bytes, at);
    let place = this.#heads[hash]! - 1;
    this.#note(at, hash);
    let best = matchBytesMin - 1;
    let distance = 0;
    for (let i = 0; i < chainMax && place >= 0 && at - place <= windowBytes - 1; i++) {
      if (best < lengthMax && bytes[place + best] === bytes[at + best]) {
        let length = 0;
        while (length < lengthMax && bytes[place + length] === bytes[at + length]) length++;
        if (length > best) {
          best = length;
          distance = at - place;
          if (best >= niceBytes) break;
        }
      }
      const next = this.#before[place & (windowBytes - 1)]! - 1;
      if (next >= place) break;
      place = next;
    }
    this.#length = best;
    return distance;
  }

  #note(at: number, hash: number): void {
    this.#before[at & (windowBytes - 1)] = this.#heads[hash]!;
    this.#heads[hash] = at + 1;
  }
}

function hashAt(bytes: Uint8Array, at: number): number {
  const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  return Math.imul(word, 0x9e3779b1) >>> (32 - hashBits);
}

interface Piece {
  readonly from: number;
  readonly to: number;
  readonly isLast: boolean;
}

function writeBlock(bits: BitWriter, bytes: Uint8Array, entries: Uint32Array, piece: Piece): void {
  const plan = planOf(entries);
  const { from, to, isLast } = piece;
  bits.write(isLast ? 1 : 0, 1);
  if (plan.bits / 8 >= to - from + storedOverheadBytes - 2) {
    bits.write(blockTypes.stored, 2);
    const length = to - from;
    const head = [length & 255, length >>> 8, ~length & 255, (~length >>> 8) & 255];
    bits.copy(Uint8Array.from(head));
    bits.copy(bytes.subarray(from, to));
    return;
  }
  bits.write(blockTypes.dynamic, 2);
  writeHeader(bits, plan);
  writeEntries(bits, entries, plan);
}

interface Plan {
  readonly literals: Uint8Array;
  readonly distances: Uint8Array;
  readonly header: readonly Symbol[];
  readonly headerLengths: Uint8Array;
  /** Of the whole block. */
  readonly bits: number;
}

/** A symbol of the length code, and the bits after it. */
interface Symbol {
  readonly symbol: number;
  readonly extra: number;
  readonly extraBits: number;
}

function planOf(entries: Uint32Array): Plan {
  const literalCounts = new Int32Array(literalSymbols);
  const distanceCounts = new Int32Array(distanceSymbols);
  literalCounts[endOfBlock] = 1;
  let extra = 0;
  for (const entry of entries) {
    if (entry < endOfBlock) {
      literalCounts[entry]!++;
      continue;
    }
    const length = lengthSymbols()[entry >>> 16]!;
    const distance = distanceSymbol(entry & 65_535);
    literalCounts[endOfBlock + 1 + length]!++;
    distanceCounts[distance]!++;
    extra += lengthBits[length]! + distanceBits[distance]!;
  }
  const literals = lengthsOf(literalCounts, codeBitsMax);
  const distances = lengthsOf(distanceCounts, codeBitsMax);
  const header = headerOf(literals, distances);
  const headerCounts = new Int32Array(lengthCodeOrder.length);
  for (const { symbol } of header) headerCounts[symbol]!++;
  const headerLengths = lengthsOf(headerCounts, lengthCodeBitsMax);
  let bits = 17 + 3 * lengthCodeOrder.length + extra;
  for (const { symbol, extraBits } of header) bits += headerLengths[symbol]! + extraBits;
  bits += costOf(literalCounts, literals) + costOf(distanceCounts, distances);
  return { literals, distances, header, headerLengths, bits };
}

/** At least two codes: some readers refuse fewer. */
function lengthsOf(counts: Int32Array, bitsMax: number): Uint8Array {
  for (let symbol = 0, used = counts.filter((count) => count > 0).length; used < 2; symbol++) {
    if (counts[symbol] !== 0) continue;
    counts[symbol] = 1;
    used++;
  }
  return codeLengths(counts, bitsMax);
}

function costOf(counts: Int32Array, lengths: Uint8Array): number {
  let bits = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) bits += counts[symbol]! * lengths[symbol]!;
  return bits;
}

/** Both codes' lengths one after the other, runs of zeros and of the same length shortened. */
function headerOf(literals: Uint8Array, distances: Uint8Array): Symbol[] {
  const lengths = [...literals, ...distances];
  const header: Symbol[] = [];
  for (let at = 0; at < lengths.length; ) {
    const own = lengths[at]!;
    let run = 1;
    while (lengths[at + run] === own) run++;
    if (own !== 0) header.push({ symbol: own, extra: 0, extraBits: 0 });
    let left = own === 0 ? run : run - 1;
    while (left > 0) {
      const isMany = own === 0 && left >= repeats.manyZeros.base;
      const repeat = own !== 0 ? repeats.last : isMany ? repeats.manyZeros : repeats.zeros;
      const { symbol, base, bits: extraBits } = repeat;
      const count = left < base ? 1 : Math.min(left, base + (1 << extraBits) - 1);
      if (left < base) header.push({ symbol: own, extra: 0, extraBits: 0 });
      else header.push({ symbol, extra: count - base, extraBits });
      left -= count;
    }
    at += run;
  }
  return header;
}

function writeHeader(bits: BitWriter, { literals, distances, header, headerLengths }: Plan): void {
  bits.write(literals.length - 257, 5);
  bits.write(distances.length - 1, 5);
  bits.write(lengthCodeOrder.length - 4, 4);
  for (const symbol of lengthCodeOrder) bits.write(headerLengths[symbol]!, 3);
  const codes = reversedCodes(headerLengths);
  for (const { symbol, extra, extraBits } of header) {
    bits.write(codes[symbol]!, headerLengths[symbol]!);
    bits.write(extra, extraBits);
  }
}

function writeEntries(
  bits: BitWriter,
  entries: Uint32Array,
  { literals, distances }: Pick<Plan, "literals" | "distances">,
): void {
  const literalCodes = reversedCodes(literals);
  const distanceCodes = reversedCodes(distances);
  const symbols = lengthSymbols();
  for (const entry of entries) {
    if (entry < endOfBlock) {
      bits.write(literalCodes[entry]!, literals[entry]!);
      continue;
    }
    const length = symbols[entry >>> 16]!;
    const symbol = endOfBlock + 1 + length;
    bits.write(literalCodes[symbol]!, literals[symbol]!);
    bits.write((entry >>> 16) - lengthBase[length]!, lengthBits[length]!);
    const distance = entry & 65_535;
    const far = distanceSymbol(distance);
    bits.write(distanceCodes[far]!, distances[far]!);
    bits.write(distance - distanceBase[far]!, distanceBits[far]!);
  }
  bits.write(literalCodes[endOfBlock]!, literals[endOfBlock]!);
}

let symbolsByLength: Uint8Array | undefined;

/** By match length. */
function lengthSymbols(): Uint8Array {
  if (symbolsByLength !== undefined) return symbolsByLength;
  symbolsByLength = new Uint8Array(matchBytesMax + 1);
  for (const [index, base] of lengthBase.entries()) symbolsByLength.fill(index, base);
  return symbolsByLength;
}

/** Two symbols for each power of two. */
function distanceSymbol(distance: number): number {
  if (distance < 5) return distance - 1;
  const high = 31 - Math.clz32(distance - 1);
  return 2 * high + (((distance - 1) >>> (high - 1)) & 1);
}
