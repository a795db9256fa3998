// The blocks of one Zstandard frame: literals (raw, repeated, Huffman), sequences by three entropy tables,
// matches copied within the output. Every position is checked and every loop ends with its input, whatever
// the bytes say. Only `zstd.ts` imports it.

import { type BoundedOutput, corrupt } from "./output.ts";
import { BackwardBits, readDistribution } from "./zstd-bits.ts";
import { type HuffmanTable, readHuffman, readHuffmanTable } from "./zstd-huffman.ts";
import {
  type DecodeTable,
  decodeTable,
  literalLengths,
  matchLengths,
  offsetCodeMax,
  predefined,
  repeatTable,
  type SequenceTables,
} from "./zstd-tables.ts";

/** No block holds more, packed or unpacked. */
export const blockBytesMax = 131_072;

type Tables = { -readonly [name in keyof SequenceTables<DecodeTable>]: DecodeTable };

let predefinedTables: SequenceTables<DecodeTable> | undefined;
/** One for all frames, as nothing here waits: a flood of tiny frames must not allocate it each time. */
let literalsBuffer: Uint8Array | undefined;

export class BlockReader {
  readonly #bytes: Uint8Array;
  readonly #output: BoundedOutput;
  readonly #start: number;
  readonly #contentBytes: number;
  readonly #literals: Uint8Array;
  #literalCount = 0;
  #huffman: HuffmanTable | undefined;
  #tables: Partial<Tables> = {};
  readonly #repeats = [1, 4, 8];

  constructor(bytes: Uint8Array, output: BoundedOutput, contentBytes: number) {
    literalsBuffer ??= new Uint8Array(blockBytesMax);
    this.#literals = literalsBuffer;
    this.#bytes = bytes;
    this.#output = output;
    this.#start = output.length;
    this.#contentBytes = contentBytes;
  }

  stored(from: number, size: number): void {
    this.#output.append(this.#bytes.subarray(from, from + size));
  }

  repeated(byte: number, size: number): void {
    const { length } = this.#output;
    this.#output.reserve(size).fill(byte, length, length + size);
    this.#output.length += size;
  }

  compressed(from: number, to: number): void {
    if (to - from < 2) throw corrupt("zstd", "a block is too short");
    const sequencesAt = this.#readLiterals(from, to);
    this.#readSequences(sequencesAt, to);
  }

  end(): void {
    const length = this.#output.length - this.#start;
    if (this.#contentBytes >= 0 && length !== this.#contentBytes) {
      throw corrupt("zstd", "a frame's length differs from what its header says");
    }
  }

  // ---- literals ----

  /** Fills `#literals`; returns where the sequences begin. */
  #readLiterals(from: number, to: number): number {
    const bytes = this.#bytes;
    const kind = bytes[from]! & 3;
    const format = (bytes[from]! >>> 2) & 3;
    if (kind >= 2) return this.#readHuffmanLiterals(from, to, kind === 3, format);
    const headerBytes = format === 1 ? 2 : format === 3 ? 3 : 1;
    const header = uint40(bytes, from, Math.min(headerBytes, to - from));
    const count = format === 1 || format === 3 ? Math.floor(header / 16) : header >>> 3;
    const at = from + headerBytes;
    const next = at + (kind === 1 ? 1 : count);
    if (count > blockBytesMax || next > to) throw corrupt("zstd", "literals run over the end");
    if (kind === 1) this.#literals.fill(bytes[at]!, 0, count);
    else this.#literals.set(bytes.subarray(at, next));
    this.#literalCount = count;
    return next;
  }

  #readHuffmanLiterals(from: number, to: number, isTreeless: boolean, format: number): number {
    const headerBytes = format < 2 ? 3 : format + 2;
    const sizeBits = format < 2 ? 10 : format === 2 ? 14 : 18;
    if (from + headerBytes > to) throw corrupt("zstd", "a literals header is cut off");
    const header = uint40(this.#bytes, from, headerBytes);
    const count = Math.floor(header / 16) % 2 ** sizeBits;
    const packed = Math.floor(header / 2 ** (4 + sizeBits));
    let at = from + headerBytes;
    const end = at + packed;
    if (count > blockBytesMax || end > to) throw corrupt("zstd", "literals run over the end");
    if (!isTreeless) {
      const read = readHuffmanTable(this.#bytes, at, end);
      this.#huffman = read.table;
      at = read.next;
    }
    if (this.#huffman === undefined) throw corrupt("zstd", "literals have no Huffman table");
    const target = this.#literals.subarray(0, count);
    readHuffman(this.#bytes, at, end, target, this.#huffman, format === 0 ? 1 : 4);
    this.#literalCount = count;
    return end;
  }

  // ---- sequences ----

  #readSequences(from: number, to: number): void {
    const bytes = this.#bytes;
    let at = from;
    if (at >= to) throw corrupt("zstd", "a block has no sequences section");
    let count = bytes[at++]!;
    if (count === 255) {
      count = (bytes[at] ?? 0) + ((bytes[at + 1] ?? 0) << 8) + 0x7f00;
      at += 2;
    } else if (count > 127) {
      count = ((count - 128) << 8) + (bytes[at++] ?? 0);
    }
    if (count === 0) {
      this.#output.append(this.#literals.subarray(0, this.#literalCount));
      return;
    }
    const modes = bytes[at++] ?? 0;
    if ((modes & 3) !== 0) throw corrupt("zstd", "a reserved bit is set");
    at = this.#readTable("literalLength", modes >>> 6, at, to);
    at = this.#readTable("offset", (modes >>> 4) & 3, at, to);
    at = this.#readTable("matchLength", (modes >>> 2) & 3, at, to);
    if (at >= to) throw corrupt("zstd", "a block's sequences are cut off");
    this.#runSequences(count, new BackwardBits(bytes, at, to));
  }

  #readTable(name: keyof Tables, mode: number, from: number, to: number): number {
    if (mode === 0) {
      predefinedTables ??= {
        literalLength: decodeTable(predefined.literalLength),
        offset: decodeTable(predefined.offset),
        matchLength: decodeTable(predefined.matchLength),
      };
      this.#tables[name] = predefinedTables[name];
      return from;
    }
    if (from >= to) throw corrupt("zstd", "an entropy table is cut off");
    if (mode === 1) {
      const symbol = this.#bytes[from]!;
      if (symbol > symbolMax(name)) throw corrupt("zstd", "a sequence code is unknown");
      this.#tables[name] = repeatTable(symbol);
      return from + 1;
    }
    if (mode === 2) {
      const logMax = name === "offset" ? 8 : 9;
      const read = readDistribution(this.#bytes, from, to, { logMax, symbolMax: symbolMax(name) });
      this.#tables[name] = decodeTable(read.distribution);
      return read.next;
    }
    if (this.#tables[name] === undefined) throw corrupt("zstd", "an entropy table is missing");
    return from;
  }

  #runSequences(count: number, bits: BackwardBits): void {
    const { literalLength, offset, matchLength } = this.#tables as Tables;
    const output = this.#output;
    const blockEnd = output.length + blockBytesMax;
    let literalAt = 0;
    let literalState = bits.read(literalLength.log);
    let offsetState = bits.read(offset.log);
    let matchState = bits.read(matchLength.log);
    for (let i = 0; i < count; i++) {
      const literalCode = literalLength.symbols[literalState]!;
      const matchCode = matchLength.symbols[matchState]!;
      const offsetValue = readOffset(bits, offset.symbols[offsetState]!);
      const match = matchLengths.base[matchCode]! + bits.read(matchLengths.bits[matchCode]!);
      const literals =
        literalLengths.base[literalCode]! + bits.read(literalLengths.bits[literalCode]!);
      if (i < count - 1) {
        literalState =
          literalLength.next[literalState]! + bits.read(literalLength.bits[literalState]!);
        matchState = matchLength.next[matchState]! + bits.read(matchLength.bits[matchState]!);
        offsetState = offset.next[offsetState]! + bits.read(offset.bits[offsetState]!);
      }
      const literalEnd = literalAt + literals;
      const distance = this.#distance(offsetValue, literals);
      if (bits.left < 0 || literalEnd > this.#literalCount)
        throw corrupt("zstd", "a sequence is cut off");
      output.reserve(literals + match);
      this.#appendLiterals(literalAt, literals);
      literalAt = literalEnd;
      if (
        distance <= 0 ||
        distance > output.length - this.#start ||
        output.length + match > blockEnd
      ) {
        throw corrupt("zstd", "a match points outside the data");
      }
      output.repeat(distance, match);
    }
    if (bits.left !== 0) throw corrupt("zstd", "a bit stream is not used up");
    if (output.length + this.#literalCount - literalAt > blockEnd) {
      throw corrupt("zstd", "a block is too long");
    }
    output.append(this.#literals.subarray(literalAt, this.#literalCount));
  }

  #appendLiterals(from: number, count: number): void {
    const { bytes, length } = this.#output;
    if (count > 24) bytes.set(this.#literals.subarray(from, from + count), length);
    else for (let i = 0; i < count; i++) bytes[length + i] = this.#literals[from + i]!;
    this.#output.length = length + count;
  }

  /** Values 1 to 3 mean one of the last three distances, shifted by one when there are no literals. */
  #distance(value: number, literals: number): number {
    const repeats = this.#repeats as [number, number, number];
    const choice = value > 3 ? 3 : value - 1 + (literals === 0 ? 1 : 0);
    if (choice === 0) return repeats[0];
    const distance =
      value > 3 ? value - 3 : choice === 3 ? repeats[0] - 1 : repeats[choice as 1 | 2];
    if (choice !== 1) repeats[2] = repeats[1];
    repeats[1] = repeats[0];
    repeats[0] = distance;
    return distance;
  }
}

function readOffset(bits: BackwardBits, code: number): number {
  if (code <= 24) return 2 ** code + bits.read(code);
  const high = bits.read(code - 16);
  return 2 ** code + high * 65_536 + bits.read(16);
}

function symbolMax(name: keyof Tables): number {
  if (name === "offset") return offsetCodeMax;
  return (name === "literalLength" ? literalLengths : matchLengths).bits.length - 1;
}

/** Little-endian number of up to five bytes. */
function uint40(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}
