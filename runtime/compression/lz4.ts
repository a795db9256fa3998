// LZ4 in its frame format, as Kafka uses it for record batches v2. Reads every frame (linked and independent
// blocks, all checksums, joined and skippable frames); writes 64 KiB independent blocks without checksums,
// the only kind that Java's Kafka client accepts, under the batch's own CRC. Only `codecs.ts` imports it.

import type { Codec } from "../platform.ts";
import { BoundedOutput, corrupt } from "./output.ts";
import { xxhash32 } from "./xxhash32.ts";

const frameMagic = 0x184d2204;
const skippableMagic = 0x184d2a50;
/** Version 01, independent blocks, nothing else; blocks of 64 KiB. */
const writtenFlags = 0x60;
const writtenDescriptor = 0x40;
const blockBytes = 65_536;
const blockBytesById = [65_536, 262_144, 1_048_576, 4_194_304];
const storedBit = 0x80000000;
const hashBits = 13;
const matchBytesMin = 4;
/** The format ends each block with at least 5 literals, and no match begins in the last 12 bytes. */
const lastLiterals = 5;
const matchLimit = 12;

export const lz4: Codec = { compress, decompress };

function decompress(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const sizeHint = Math.min(bytes.length * 4, bytesMax);
  const output = new BoundedOutput({ codec: "lz4", sizeHint, bytesMax });
  if (bytes.length === 0) throw corrupt("lz4", "it is empty");
  for (let at = 0; at < bytes.length; ) at = readFrame(bytes, at, output);
  return output.finish();
}

function compress(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / blockBytes);
  const output = new Uint8Array(11 + bytes.length + 4 * blocks + blockBytes / 128 + 64);
  const view = new DataView(output.buffer);
  view.setUint32(0, frameMagic, true);
  output[4] = writtenFlags;
  output[5] = writtenDescriptor;
  output[6] = headerChecksum(output.subarray(4, 6));
  let at = 7;
  const table = new Uint16Array(1 << hashBits);
  for (let from = 0; from < bytes.length; from += blockBytes) {
    const block = bytes.subarray(from, Math.min(from + blockBytes, bytes.length));
    table.fill(0);
    let length = writeBlock(block, output, at + 4, table);
    if (length < 0) {
      output.set(block, at + 4);
      length = block.length;
      view.setUint32(at, (length | storedBit) >>> 0, true);
    } else {
      view.setUint32(at, length, true);
    }
    at += 4 + length;
  }
  view.setUint32(at, 0, true);
  return output.slice(0, at + 4);
}

function headerChecksum(descriptor: Uint8Array): number {
  return (xxhash32(descriptor) >>> 8) & 0xff;
}

// ---- reading ----

interface FrameHeader {
  readonly blocksAt: number;
  readonly isLinked: boolean;
  readonly hasBlockChecksums: boolean;
  readonly hasContentChecksum: boolean;
  readonly blockBytesMax: number;
}

/** Reads the frame at `from` into the output; returns where it ends. */
function readFrame(bytes: Uint8Array, from: number, output: BoundedOutput): number {
  if (from + 8 > bytes.length) throw corrupt("lz4", "the frame header is cut off");
  const magic = uint32(bytes, from);
  if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
    const end = from + 8 + uint32(bytes, from + 4);
    if (end > bytes.length) throw corrupt("lz4", "a skippable frame is cut off");
    return end;
  }
  if (magic !== frameMagic) throw corrupt("lz4", "it does not begin with a frame");
  const frame = readFrameHeader(bytes, from + 4);
  const contentFrom = output.length;
  let at = frame.blocksAt;
  for (;;) {
    if (at + 4 > bytes.length) throw corrupt("lz4", "the frame has no end");
    const size = uint32(bytes, at);
    at += 4;
    if (size === 0) break;
    at = readFramedBlock(bytes, at, size, frame, output, contentFrom);
  }
  if (!frame.hasContentChecksum) return at;
  if (at + 4 > bytes.length) throw corrupt("lz4", "the content checksum is cut off");
  const content = output.bytes.subarray(contentFrom, output.length);
  if (xxhash32(content) !== uint32(bytes, at)) throw corrupt("lz4", "its checksum differs");
  return at + 4;
}

function readFrameHeader(bytes: Uint8Array, from: number): FrameHeader {
  const flags = bytes[from]!;
  const descriptor = bytes[from + 1]!;
  if (flags >>> 6 !== 1 || (flags & 2) !== 0) throw corrupt("lz4", "its frame version is unknown");
  if ((flags & 1) !== 0) throw corrupt("lz4", "it needs a dictionary, which Kafka has not");
  const checksumAt = from + 2 + ((flags & 8) !== 0 ? 8 : 0);
  const blockBytesMax = blockBytesById[((descriptor >>> 4) & 7) - 4];
  if (blockBytesMax === undefined) throw corrupt("lz4", "its block size is unknown");
  if (checksumAt >= bytes.length) throw corrupt("lz4", "the frame header is cut off");
  if (bytes[checksumAt] !== headerChecksum(bytes.subarray(from, checksumAt))) {
    throw corrupt("lz4", "its frame header's checksum differs");
  }
  return {
    blocksAt: checksumAt + 1,
    isLinked: (flags & 0x20) === 0,
    hasBlockChecksums: (flags & 0x10) !== 0,
    hasContentChecksum: (flags & 4) !== 0,
    blockBytesMax,
  };
}

function readFramedBlock(
  bytes: Uint8Array,
  from: number,
  size: number,
  frame: FrameHeader,
  output: BoundedOutput,
  contentFrom: number,
): number {
  const isStored = size >= storedBit;
  const length = isStored ? size - storedBit : size;
  const end = from + length;
  const next = end + (frame.hasBlockChecksums ? 4 : 0);
  if (length > frame.blockBytesMax || next > bytes.length)
    throw corrupt("lz4", "a block is cut off");
  const block = bytes.subarray(from, end);
  if (frame.hasBlockChecksums && xxhash32(block) !== uint32(bytes, end)) {
    throw corrupt("lz4", "a block's checksum differs");
  }
  const blockFrom = output.length;
  if (isStored) output.append(block);
  else readBlock(block, output, frame.isLinked ? contentFrom : blockFrom, frame.blockBytesMax);
  return next;
}

/** One block; matches reach back to `floor` and no further. */
function readBlock(
  bytes: Uint8Array,
  output: BoundedOutput,
  floor: number,
  blockBytesMax: number,
): void {
  const end = output.length + blockBytesMax;
  let at = 0;
  const runLength = (start: number): number => {
    let length = start;
    if (start < 15) return length;
    for (;;) {
      const more = bytes[at++];
      if (more === undefined) throw corrupt("lz4", "a length is cut off");
      length += more;
      if (more < 255) return length;
    }
  };
  while (at < bytes.length) {
    const token = bytes[at++]!;
    const literals = runLength(token >>> 4);
    if (at + literals > bytes.length || output.length + literals > end) {
      throw corrupt("lz4", "literals run over the end");
    }
    appendLiterals(bytes, at, literals, output);
    at += literals;
    if (at === bytes.length) return;
    if (at + 2 > bytes.length) throw corrupt("lz4", "a match is cut off");
    const distance = bytes[at]! | (bytes[at + 1]! << 8);
    at += 2;
    const length = runLength(token & 15) + matchBytesMin;
    if (distance === 0 || distance > output.length - floor || output.length + length > end) {
      throw corrupt("lz4", "a match points outside the data");
    }
    output.reserve(length);
    output.repeat(distance, length);
  }
  throw corrupt("lz4", "a block ends inside a sequence");
}

function appendLiterals(bytes: Uint8Array, at: number, count: number, output: BoundedOutput): void {
  if (count > 16) {
    output.append(bytes.subarray(at, at + count));
    return;
  }
  const target = output.reserve(count);
  const to = output.length;
  for (let i = 0; i < count; i++) target[to + i] = bytes[at + i]!;
  output.length = to + count;
}

function uint32(bytes: Uint8Array, at: number): number {
  return word(bytes, at) >>> 0;
}

// ---- writing ----

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Greedy, one candidate per hash. Returns the block's length, or -1 if it would not be smaller than stored. */
function writeBlock(
  bytes: Uint8Array,
  output: Uint8Array,
  start: number,
  table: Uint16Array,
): number {
  const limit = bytes.length - matchLimit;
  const matchEnd = bytes.length - lastLiterals;
  const outMax = start + bytes.length;
  let out = start;
  let literalFrom = 0;
  let at = 1;
  let misses = 64;
  while (at <= limit) {
    const value = word(bytes, at);
    const slot = Math.imul(value, 0x9e3779b1) >>> (32 - hashBits);
    const candidate = table[slot]!;
    table[slot] = at;
    if (candidate >= at || word(bytes, candidate) !== value) {
      at += misses++ >>> 6;
      continue;
    }
    let length = matchBytesMin;
    while (at + length < matchEnd && bytes[candidate + length] === bytes[at + length]) length++;
    if (out + (at - literalFrom) + (at - literalFrom + length) / 255 + 8 > outMax) return -1;
    out = writeLiterals(bytes, literalFrom, at, output, out, Math.min(length - matchBytesMin, 15));
    const distance = at - candidate;
    output[out++] = distance & 0xff;
    output[out++] = distance >>> 8;
    out = writeRun(output, out, length - matchBytesMin);
    at += length;
    literalFrom = at;
    misses = 64;
  }
  const rest = bytes.length - literalFrom;
  if (out + rest + rest / 255 + 2 > outMax) return -1;
  return writeLiterals(bytes, literalFrom, bytes.length, output, out, 0) - start;
}

function writeLiterals(
  bytes: Uint8Array,
  from: number,
  to: number,
  output: Uint8Array,
  start: number,
  matchNibble: number,
): number {
  const count = to - from;
  output[start] = (Math.min(count, 15) << 4) | matchNibble;
  const out = writeRun(output, start + 1, count);
  if (count > 16) output.set(bytes.subarray(from, to), out);
  else for (let i = 0; i < count; i++) output[out + i] = bytes[from + i]!;
  return out + count;
}

/** The bytes after a nibble of 15; nothing for shorter runs. */
function writeRun(output: Uint8Array, start: number, length: number): number {
  let out = start;
  if (length < 15) return out;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) output[out++] = 255;
  output[out++] = rest;
  return out;
}
