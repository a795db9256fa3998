// Snappy: the raw block format, and the framing of Java's xerial library around it (16-byte header, then
// pieces with a 4-byte length). Reads both; writes raw, which every Kafka client reads. Only `codecs.ts`
// imports it.

import type { Codec } from "../platform.ts";
import { BoundedOutput, corrupt } from "./output.ts";

/** "\x82SNAPPY\0", then version and lowest compatible version as i32. */
const xerialMagic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00];
const xerialHeaderBytes = 16;
/** Matches reach back within one fragment, so that their distance fits 16 bits. */
const fragmentBytes = 65_536;
const hashBits = 13;
/** A 3-byte copy element gives at most 64 bytes: no honest input unpacks to more than this times its size. */
const expansionMax = 22;

export const snappy: Codec = { compress, decompress };

function decompress(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const sizeHint = Math.min(bytes.length * 4, bytesMax);
  const output = new BoundedOutput({ codec: "snappy", sizeHint, bytesMax });
  if (hasXerialHeader(bytes, 0)) readXerial(bytes, output);
  else readBlock(bytes, output);
  return output.finish();
}

function compress(bytes: Uint8Array): Uint8Array {
  const output = new Uint8Array(32 + bytes.length + Math.ceil(bytes.length / 6));
  let at = writeLength(output, bytes.length);
  const table = new Uint16Array(1 << hashBits);
  for (let from = 0; from < bytes.length; from += fragmentBytes) {
    const fragment = bytes.subarray(from, Math.min(from + fragmentBytes, bytes.length));
    if (from > 0) table.fill(0);
    at = writeFragment(fragment, output, at, table);
  }
  return output.slice(0, at);
}

// ---- reading ----

function hasXerialHeader(bytes: Uint8Array, at: number): boolean {
  return bytes.length >= at + xerialHeaderBytes && xerialMagic.every((b, i) => bytes[at + i] === b);
}

function readXerial(bytes: Uint8Array, output: BoundedOutput): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = xerialHeaderBytes;
  while (at < bytes.length) {
    // Streams may be joined: a header where a length would stand begins the next one.
    if (hasXerialHeader(bytes, at)) {
      at += xerialHeaderBytes;
      continue;
    }
    if (at + 4 > bytes.length) throw corrupt("snappy", "a piece has no length");
    const length = view.getInt32(at);
    at += 4;
    if (length < 0 || length > bytes.length - at) throw corrupt("snappy", "a piece is cut off");
    readBlock(bytes.subarray(at, at + length), output);
    at += length;
  }
}

function readBlock(bytes: Uint8Array, output: BoundedOutput): void {
  const { length, next } = readLength(bytes);
  if (length > bytes.length * expansionMax) throw corrupt("snappy", "its length cannot be true");
  output.reserve(length);
  const start = output.length;
  const end = start + length;
  let at = next;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    at =
      (tag & 3) === 0
        ? literal(bytes, at, tag, output, end)
        : copy(bytes, at, tag, output, start, end);
  }
  if (output.length !== end) throw corrupt("snappy", "it ends early");
}

function readLength(bytes: Uint8Array): { length: number; next: number } {
  let length = 0;
  for (let i = 0; i < 5 && i < bytes.length; i++) {
    const byte = bytes[i]!;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { length, next: i + 1 };
  }
  throw corrupt("snappy", "it has no length");
}

function literal(
  bytes: Uint8Array,
  from: number,
  tag: number,
  output: BoundedOutput,
  end: number,
): number {
  let at = from;
  let length = tag >>> 2;
  if (length >= 60) {
    const lengthBytes = length - 59;
    length = 0;
    for (let i = 0; i < lengthBytes; i++) length += (bytes[at + i] ?? 0) * 2 ** (8 * i);
    at += lengthBytes;
  }
  length += 1;
  if (at + length > bytes.length || output.length + length > end) {
    throw corrupt("snappy", "a literal runs over the end");
  }
  if (length <= 16) {
    const to = output.length;
    for (let i = 0; i < length; i++) output.bytes[to + i] = bytes[at + i]!;
  } else {
    output.bytes.set(bytes.subarray(at, at + length), output.length);
  }
  output.length += length;
  return at + length;
}

function copy(
  bytes: Uint8Array,
  from: number,
  tag: number,
  output: BoundedOutput,
  start: number,
  end: number,
): number {
  const kind = tag & 3;
  const operandBytes = kind === 3 ? 4 : kind;
  if (from + operandBytes > bytes.length) throw corrupt("snappy", "a copy is cut off");
  let length = (tag >>> 2) + 1;
  let distance = bytes[from]!;
  if (kind === 1) {
    length = ((tag >>> 2) & 7) + 4;
    distance |= (tag >>> 5) << 8;
  } else {
    distance |= bytes[from + 1]! << 8;
    if (kind === 3) distance += bytes[from + 2]! * 2 ** 16 + bytes[from + 3]! * 2 ** 24;
  }
  if (distance === 0 || distance > output.length - start || output.length + length > end) {
    throw corrupt("snappy", "a copy points outside the data");
  }
  output.repeat(distance, length);
  return from + operandBytes;
}

// ---- writing ----

function writeLength(output: Uint8Array, length: number): number {
  let at = 0;
  let rest = length;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) output[at++] = (rest & 0x7f) | 0x80;
  output[at++] = rest;
  return at;
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Greedy: a hash of the next four bytes finds their last place; misses make the steps longer. */
function writeFragment(
  bytes: Uint8Array,
  output: Uint8Array,
  start: number,
  table: Uint16Array,
): number {
  const limit = bytes.length - 15;
  let out = start;
  let literalFrom = 0;
  let at = 1;
  let misses = 32;
  while (at < limit) {
    const value = word(bytes, at);
    const slot = Math.imul(value, 0x1e35a7bd) >>> (32 - hashBits);
    const candidate = table[slot]!;
    table[slot] = at;
    if (candidate >= at || word(bytes, candidate) !== value) {
      at += misses++ >>> 5;
      continue;
    }
    let length = 4;
    while (at + length < bytes.length && bytes[candidate + length] === bytes[at + length]) length++;
    out = writeLiteral(bytes, literalFrom, at, output, out);
    out = writeCopy(output, out, at - candidate, length);
    at += length;
    literalFrom = at;
    misses = 32;
  }
  return writeLiteral(bytes, literalFrom, bytes.length, output, out);
}

function writeLiteral(
  bytes: Uint8Array,
  from: number,
  to: number,
  output: Uint8Array,
  start: number,
): number {
  if (from === to) return start;
  let out = start;
  const lengthMinus1 = to - from - 1;
  if (lengthMinus1 < 60) {
    output[out++] = lengthMinus1 << 2;
  } else if (lengthMinus1 < 256) {
    output[out++] = 60 << 2;
    output[out++] = lengthMinus1;
  } else {
    output[out++] = 61 << 2;
    output[out++] = lengthMinus1 & 0xff;
    output[out++] = lengthMinus1 >>> 8;
  }
  output.set(bytes.subarray(from, to), out);
  return out + to - from;
}

/** Copies are at most 64 bytes; the last two are cut so that none is below four. */
function writeCopy(output: Uint8Array, start: number, distance: number, length: number): number {
  let out = start;
  let rest = length;
  while (rest >= 68) {
    out = writeCopy2(output, out, distance, 64);
    rest -= 64;
  }
  if (rest > 64) {
    out = writeCopy2(output, out, distance, 60);
    rest -= 60;
  }
  if (rest >= 12 || distance >= 2048) return writeCopy2(output, out, distance, rest);
  output[out++] = 1 | ((rest - 4) << 2) | ((distance >>> 8) << 5);
  output[out++] = distance & 0xff;
  return out;
}

function writeCopy2(output: Uint8Array, out: number, distance: number, length: number): number {
  output[out] = 2 | ((length - 1) << 2);
  output[out + 1] = distance & 0xff;
  output[out + 2] = distance >>> 8;
  return out + 3;
}
