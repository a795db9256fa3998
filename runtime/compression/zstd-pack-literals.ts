// Zstandard's literals section: Huffman coded where that is smaller, else raw. Codes are at most 11 bits;
// weights are written four bits each, so text packs and bytes above 128 stay raw. Only `zstd-write.ts`
// imports it.

import { codeLengths } from "./huffman-lengths.ts";
import { ForwardBits } from "./zstd-bits.ts";
import { codeBitsMax } from "./zstd-huffman.ts";

/** Fewer do not pay for the table. */
const packedBytesMin = 64;
/** Symbols whose weights the direct form can list; the last one's weight is implied. */
const symbolMax = 128;
const oneStreamBytesMax = 1023;

/** Writes the section at the start of `output`, returns its length. */
export function packLiterals(literals: Uint8Array, output: Uint8Array): number {
  return packHuffman(literals, output) ?? writeRaw(literals, output);
}

function writeRaw(literals: Uint8Array, output: Uint8Array): number {
  const { length } = literals;
  const headerBytes = length < 32 ? 1 : length < 4096 ? 2 : 3;
  if (headerBytes === 1) output[0] = length << 3;
  else writeNumber(output, (headerBytes === 2 ? 4 : 12) + length * 16, headerBytes);
  output.set(literals, headerBytes);
  return headerBytes + length;
}

function packHuffman(literals: Uint8Array, output: Uint8Array): number | null {
  const { length } = literals;
  if (length < packedBytesMin) return null;
  const counts = new Int32Array(256);
  for (let i = 0; i < length; i++) counts[literals[i]!]!++;
  let last = 255;
  while (counts[last] === 0) last--;
  if (last > symbolMax || counts[last] === length) return null;
  const lengths = codeLengths(counts.subarray(0, last + 1), codeBitsMax);
  let bits = 0;
  for (let symbol = 0; symbol <= last; symbol++) bits += counts[symbol]! * lengths[symbol]!;
  if (bits / 8 + last / 2 + 16 >= length) return null;
  const streams = length <= oneStreamBytesMax ? 1 : 4;
  const headerBytes = streams === 1 ? 3 : length < 16_384 ? 4 : 5;
  let at = writeWeights(lengths, output, headerBytes);
  at = writeStreams(literals, streams, codesOf(lengths), output, at);
  const sizeBits = headerBytes === 3 ? 10 : headerBytes === 4 ? 14 : 18;
  const format = streams === 1 ? 0 : headerBytes === 4 ? 2 : 3;
  const packed = at - headerBytes;
  writeNumber(output, 2 + format * 4 + length * 16 + packed * 2 ** (4 + sizeBits), headerBytes);
  return at;
}

function writeNumber(output: Uint8Array, value: number, count: number): void {
  let rest = value;
  for (let i = 0; i < count; i++) {
    output[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** Header byte 127 + count, then the weights of all symbols but the last, two a byte. */
function writeWeights(lengths: Uint8Array, output: Uint8Array, start: number): number {
  const bitsMax = Math.max(...lengths);
  const weight = (i: number): number =>
    i < lengths.length - 1 && lengths[i]! > 0 ? bitsMax + 1 - lengths[i]! : 0;
  const count = lengths.length - 1;
  let at = start;
  output[at++] = 127 + count;
  for (let i = 0; i < count; i += 2) output[at++] = (weight(i) << 4) | weight(i + 1);
  return at;
}

function writeStreams(
  literals: Uint8Array,
  streams: 1 | 4,
  codes: Uint16Array,
  output: Uint8Array,
  start: number,
): number {
  if (streams === 1) return writeStream(literals, codes, output, start);
  const quarter = (literals.length + 3) >>> 2;
  let at = start + 6;
  for (let i = 0; i < 4; i++) {
    const piece = literals.subarray(quarter * i, i === 3 ? undefined : quarter * (i + 1));
    const end = writeStream(piece, codes, output, at);
    if (i < 3) {
      output[start + 2 * i] = (end - at) & 0xff;
      output[start + 2 * i + 1] = (end - at) >>> 8;
    }
    at = end;
  }
  return at;
}

/** Last literal first; a code's number and length share one entry. */
function writeStream(
  literals: Uint8Array,
  codes: Uint16Array,
  output: Uint8Array,
  start: number,
): number {
  const bits = new ForwardBits(output, start);
  for (let i = literals.length - 1; i >= 0; i--) {
    const code = codes[literals[i]!]!;
    bits.write(code >>> 4, code & 15);
  }
  return bits.end();
}

/** Codes count up from the longest, in symbol order: entry = code × 16 + length. */
function codesOf(lengths: Uint8Array): Uint16Array {
  const codes = new Uint16Array(256);
  let code = 0;
  for (let length = Math.max(...lengths); length > 0; length--) {
    for (const [symbol, own] of lengths.entries()) {
      if (own === length) codes[symbol] = (code++ << 4) | length;
    }
    code >>>= 1;
  }
  return codes;
}
