// Reading Zstandard's Huffman coded literals: the weights, the table of 2^bits entries made of them, and one
// or four bit streams. Only `zstd-read.ts` imports it.

import { corrupt } from "./output.ts";
import { BackwardBits, readDistribution } from "./zstd-bits.ts";
import { decodeTable, highBit } from "./zstd-tables.ts";

/** Longest code, by the format. */
export const codeBitsMax = 11;
const symbolsMax = 256;

export interface HuffmanTable {
  readonly bitsMax: number;
  /** By the next `bitsMax` bits: the symbol and how many bits its code has. */
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
}

export function readHuffmanTable(
  bytes: Uint8Array,
  from: number,
  to: number,
): { table: HuffmanTable; next: number } {
  if (from >= to) throw corrupt("zstd", "a Huffman table is cut off");
  const header = bytes[from]!;
  const packed = header >= 128 ? (header - 126) >>> 1 : header;
  const next = from + 1 + packed;
  if (next > to) throw corrupt("zstd", "a Huffman table is cut off");
  const weights =
    header >= 128
      ? directWeights(bytes, from + 1, header - 127)
      : packedWeights(bytes, from + 1, next);
  return { table: tableOf(weights), next };
}

/** Fills `target` from one stream, or from four after a table of three lengths. */
export function readHuffman(
  bytes: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  table: HuffmanTable,
  streams: 1 | 4,
): void {
  if (streams === 1) {
    readStream(bytes, from, to, target, table);
    return;
  }
  if (from + 6 > to) throw corrupt("zstd", "a jump table is cut off");
  const quarter = (target.length + 3) >>> 2;
  let at = from + 6;
  for (let i = 0; i < 4; i++) {
    const size = bytes[from + 2 * i]! | (bytes[from + 2 * i + 1]! << 8);
    const end = i === 3 ? to : at + size;
    if (end > to || (i < 3 && quarter * (i + 1) > target.length)) {
      throw corrupt("zstd", "a literals stream is cut off");
    }
    readStream(
      bytes,
      at,
      end,
      target.subarray(quarter * i, i === 3 ? undefined : quarter * (i + 1)),
      table,
    );
    at = end;
  }
}

function readStream(
  bytes: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  table: HuffmanTable,
): void {
  const { bitsMax, symbols, bits } = table;
  const stream = new BackwardBits(bytes, from, to);
  const mask = (1 << bitsMax) - 1;
  let state = stream.read(bitsMax);
  for (let i = 0; i < target.length; i++) {
    target[i] = symbols[state]!;
    const used = bits[state]!;
    state = ((state << used) & mask) | stream.read(used);
  }
  // The state always looks `bitsMax` bits ahead: a stream used up exactly stands that far before its start.
  if (stream.left !== -bitsMax) throw corrupt("zstd", "a literals stream is not used up");
}

function directWeights(bytes: Uint8Array, from: number, count: number): number[] {
  const weights: number[] = [];
  for (let i = 0; i < count; i++) {
    const pair = bytes[from + (i >>> 1)]!;
    weights.push(i % 2 === 0 ? pair >>> 4 : pair & 15);
  }
  return weights;
}

/** Two interleaved states take turns until the bits run out. */
function packedWeights(bytes: Uint8Array, from: number, to: number): number[] {
  const read = readDistribution(bytes, from, to, { logMax: 6, symbolMax: codeBitsMax + 1 });
  const table = decodeTable(read.distribution);
  const bits = new BackwardBits(bytes, read.next, to);
  const weights: number[] = [];
  const states = [bits.read(table.log), bits.read(table.log)] as [number, number];
  if (bits.left < 0) throw corrupt("zstd", "a Huffman table is cut off");
  for (let turn: 0 | 1 = 0; weights.length < symbolsMax; turn = turn === 0 ? 1 : 0) {
    const state = states[turn];
    weights.push(table.symbols[state]!);
    states[turn] = table.next[state]! + bits.read(table.bits[state]!);
    if (bits.left >= 0) continue;
    weights.push(table.symbols[states[turn === 0 ? 1 : 0]]!);
    return weights;
  }
  throw corrupt("zstd", "a Huffman table has no end");
}

/** The last weight is not written: it fills the sum up to a power of two. */
function tableOf(weights: number[]): HuffmanTable {
  let sum = 0;
  for (const weight of weights) {
    if (weight > codeBitsMax) throw corrupt("zstd", "a Huffman code is too long");
    sum += weight > 0 ? 2 ** (weight - 1) : 0;
  }
  if (sum === 0 || weights.length >= symbolsMax)
    throw corrupt("zstd", "a Huffman table is invalid");
  const bitsMax = highBit(sum) + 1;
  const rest = 2 ** bitsMax - sum;
  if (bitsMax > codeBitsMax || (rest & (rest - 1)) !== 0) {
    throw corrupt("zstd", "a Huffman table does not add up");
  }
  const all = [...weights, highBit(rest) + 1];
  const symbols = new Uint8Array(1 << bitsMax);
  const bits = new Uint8Array(1 << bitsMax);
  let at = 0;
  for (let weight = 1; weight <= bitsMax; weight++) {
    for (const [symbol, own] of all.entries()) {
      if (own !== weight) continue;
      const next = at + 2 ** (weight - 1);
      symbols.fill(symbol, at, next);
      bits.fill(bitsMax + 1 - weight, at, next);
      at = next;
    }
  }
  return { bitsMax, symbols, bits };
}
