// Writes Zstandard frames: greedy matches, Huffman coded literals, sequences by the predefined tables. Packs a
// little less than level 1, for runtimes whose zlib has no zstd. Only `zstd.ts` imports it.

import { ForwardBits } from "./zstd-bits.ts";
import { packLiterals } from "./zstd-pack-literals.ts";
import {
  type EncodeTable,
  encodeTable,
  highBit,
  literalLengths,
  matchLengths,
  predefined,
  type SequenceTables,
} from "./zstd-tables.ts";

const magicBytes = [0x28, 0xb5, 0x2f, 0xfd];
const blockBytesMax = 131_072;
/** Matches reach back no further, so that every decoder's window suffices. */
const windowLog = 20;
const hashBits = 15;
const matchBytesMin = 5;
/** Sequences of a block: none is shorter than a match. */
const sequencesMax = Math.ceil(blockBytesMax / matchBytesMin);
const sequenceBytesMax = 10;

let tables: SequenceTables<EncodeTable> | undefined;

export function compress(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / blockBytesMax));
  const output = new Uint8Array(14 + bytes.length + 3 * blocks);
  let at = writeHeader(output, bytes.length);
  const finder = new MatchFinder(bytes);
  for (let block = 0; block < blocks; block++) {
    const from = block * blockBytesMax;
    const to = Math.min(from + blockBytesMax, bytes.length);
    const packed = packBlock(from, to, finder);
    const size = packed?.length ?? to - from;
    const header = (size << 3) | (packed === null ? 0 : 4) | (block === blocks - 1 ? 1 : 0);
    output[at++] = header & 0xff;
    output[at++] = (header >>> 8) & 0xff;
    output[at++] = header >>> 16;
    output.set(packed ?? bytes.subarray(from, to), at);
    at += size;
  }
  return output.slice(0, at);
}

/** Content size in four bytes; one segment if the window holds it, else the window's size. */
function writeHeader(output: Uint8Array, length: number): number {
  output.set(magicBytes);
  const isSingleSegment = length <= 2 ** windowLog;
  output[4] = 0x80 | (isSingleSegment ? 0x20 : 0);
  let at = 5;
  if (!isSingleSegment) output[at++] = (windowLog - 10) << 3;
  new DataView(output.buffer).setUint32(at, length, true);
  return at + 4;
}

/** Null if the block is better stored. */
function packBlock(from: number, to: number, finder: MatchFinder): Uint8Array | null {
  const repeatBefore = finder.repeat;
  finder.find(from, to);
  const output = new Uint8Array(to - from + 1024 + finder.count * sequenceBytesMax);
  let at = packLiterals(finder.literals.subarray(0, finder.literalCount), output);
  at = writeSequences(finder, output, at);
  if (at < to - from) return output.subarray(0, at);
  finder.repeat = repeatBefore;
  return null;
}

/** Sequences of one block at a time; remembers positions and the last distance over the whole frame. */
class MatchFinder {
  count = 0;
  literalCount = 0;
  readonly literals = new Uint8Array(blockBytesMax);
  readonly literalLengths = new Int32Array(sequencesMax);
  readonly matchLengths = new Int32Array(sequencesMax);
  /** As the format numbers them: 1 is the last distance again, others are distance + 3. */
  readonly offsets = new Int32Array(sequencesMax);
  repeat = 1;
  readonly #bytes: Uint8Array;
  readonly #positions = new Int32Array(1 << hashBits).fill(-1);

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  find(from: number, to: number): void {
    this.count = 0;
    this.literalCount = 0;
    const bytes = this.#bytes;
    const positions = this.#positions;
    const limit = to - 8;
    let literalFrom = from;
    let at = from;
    let misses = 64;
    while (at < limit) {
      const value = word(bytes, at);
      const slot =
        Math.imul(value ^ Math.imul(bytes[at + 4]!, 0x1e35a7bd), 0x9e3779b1) >>> (32 - hashBits);
      const candidate = positions[slot]!;
      positions[slot] = at;
      if (
        candidate < 0 ||
        at - candidate > 2 ** windowLog - 8 ||
        !this.#matches(candidate, at, value)
      ) {
        at += misses++ >>> 6;
        continue;
      }
      let length = matchBytesMin;
      while (at + length < to && bytes[candidate + length] === bytes[at + length]) length++;
      this.#add(literalFrom, at, length, at - candidate);
      at += length;
      literalFrom = at;
      misses = 64;
      if (at < limit) positions[slotOf(bytes, at - 2)] = at - 2;
    }
    this.#addLiterals(literalFrom, to);
  }

  #matches(candidate: number, at: number, value: number): boolean {
    const bytes = this.#bytes;
    return word(bytes, candidate) === value && bytes[candidate + 4] === bytes[at + 4];
  }

  #add(literalFrom: number, at: number, length: number, distance: number): void {
    const literals = at - literalFrom;
    this.#addLiterals(literalFrom, at);
    this.literalLengths[this.count] = literals;
    this.matchLengths[this.count] = length;
    this.offsets[this.count++] = literals > 0 && distance === this.repeat ? 1 : distance + 3;
    this.repeat = distance;
  }

  #addLiterals(from: number, to: number): void {
    this.literals.set(this.#bytes.subarray(from, to), this.literalCount);
    this.literalCount += to - from;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function slotOf(bytes: Uint8Array, at: number): number {
  const mixed = word(bytes, at) ^ Math.imul(bytes[at + 4]!, 0x1e35a7bd);
  return Math.imul(mixed, 0x9e3779b1) >>> (32 - hashBits);
}

// ---- sequences ----

function writeSequences(found: MatchFinder, output: Uint8Array, start: number): number {
  const { count } = found;
  let at = start;
  if (count < 128) {
    output[at++] = count;
  } else if (count < 0x7f00) {
    output[at++] = (count >>> 8) + 128;
    output[at++] = count & 0xff;
  } else {
    output[at++] = 255;
    output[at++] = (count - 0x7f00) & 0xff;
    output[at++] = (count - 0x7f00) >>> 8;
  }
  if (count === 0) return at;
  output[at++] = 0;
  return writeStates(found, new ForwardBits(output, at));
}

/** Last sequence first, as the reader comes from the other end. */
function writeStates(found: MatchFinder, bits: ForwardBits): number {
  tables ??= {
    literalLength: encodeTable(predefined.literalLength),
    offset: encodeTable(predefined.offset),
    matchLength: encodeTable(predefined.matchLength),
  };
  const literal = new State(tables.literalLength);
  const offset = new State(tables.offset);
  const match = new State(tables.matchLength);
  for (let i = found.count - 1; i >= 0; i--) {
    const literals = found.literalLengths[i]!;
    const length = found.matchLengths[i]!;
    const distance = found.offsets[i]!;
    const literalCode = literalLengthCode(literals);
    const matchCode = matchLengthCode(length);
    const offsetCode = highBit(distance);
    offset.write(offsetCode, bits);
    match.write(matchCode, bits);
    literal.write(literalCode, bits);
    bits.write(literals - literalLengths.base[literalCode]!, literalLengths.bits[literalCode]!);
    bits.write(length - matchLengths.base[matchCode]!, matchLengths.bits[matchCode]!);
    bits.write(distance - 2 ** offsetCode, offsetCode);
  }
  match.flush(bits);
  offset.flush(bits);
  literal.flush(bits);
  return bits.end();
}

class State {
  readonly #table: EncodeTable;
  #state = -1;

  constructor(table: EncodeTable) {
    this.#table = table;
  }

  write(symbol: number, bits: ForwardBits): void {
    const { states, deltaBits, deltaState } = this.#table;
    const delta = deltaBits[symbol]!;
    if (this.#state < 0) {
      const count = (delta + (1 << 15)) >> 16;
      const first = (count << 16) - delta;
      this.#state = states[(first >> count) + deltaState[symbol]!]!;
      return;
    }
    const count = (this.#state + delta) >> 16;
    bits.write(this.#state & ((1 << count) - 1), count);
    this.#state = states[(this.#state >> count) + deltaState[symbol]!]!;
  }

  flush(bits: ForwardBits): void {
    const { log } = this.#table;
    bits.write(this.#state & ((1 << log) - 1), log);
  }
}

function literalLengthCode(length: number): number {
  if (length < 16) return length;
  if (length >= 64) return highBit(length) + 19;
  let code = 16;
  while (literalLengths.base[code + 1]! <= length) code++;
  return code;
}

function matchLengthCode(length: number): number {
  if (length < 35) return length - 3;
  if (length >= 131) return highBit(length - 3) + 36;
  let code = 32;
  while (matchLengths.base[code + 1]! <= length) code++;
  return code;
}
