// gzip for runtimes without `node:zlib`: frames with their checksum around `inflate.ts` and `deflate.ts`. Reads joined
// members and every header field; writes one member without a name. Only `own-codecs.ts` imports it.

import type { Codec } from "../platform.ts";
import { deflate } from "./deflate.ts";
import { inflate } from "./inflate.ts";
import { BoundedOutput, corrupt } from "./output.ts";

export const gzip: Codec = { compress, decompress };

const headerBytes = 10;
const trailerBytes = 8;
const deflateMethod = 8;
const flags = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;
const unknownSystem = 255;

function compress(bytes: Uint8Array): Uint8Array {
  const packed = deflate(bytes, headerBytes, trailerBytes);
  packed.set([0x1f, 0x8b, deflateMethod, 0, 0, 0, 0, 0, 0, unknownSystem]);
  const view = new DataView(packed.buffer, packed.byteOffset + packed.length - trailerBytes);
  view.setUint32(0, crc32(bytes), true);
  view.setUint32(4, bytes.length, true);
  return packed;
}

function decompress(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const sizeHint = Math.min(bytes.length * 4, bytesMax);
  const output = new BoundedOutput({ codec: "gzip", sizeHint, bytesMax });
  if (bytes.length === 0) throw corrupt("gzip", "it is empty");
  for (let at = 0; at < bytes.length; ) at = readMember(bytes, at, output);
  return output.finish();
}

function readMember(bytes: Uint8Array, from: number, output: BoundedOutput): number {
  const start = output.length;
  const end = inflate(bytes, afterHeader(bytes, from), output);
  if (end + trailerBytes > bytes.length) throw corrupt("gzip", "its checksum is cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset + end);
  const written = output.bytes.subarray(start, output.length);
  if (view.getUint32(0, true) !== crc32(written)) throw corrupt("gzip", "its checksum differs");
  if (view.getUint32(4, true) !== written.length) throw corrupt("gzip", "its length differs");
  return end + trailerBytes;
}

function afterHeader(bytes: Uint8Array, from: number): number {
  const set = bytes[from + 3] ?? 0;
  const isGzip = bytes[from] === 0x1f && bytes[from + 1] === 0x8b;
  if (!isGzip || bytes[from + 2] !== deflateMethod || (set & flags.reserved) !== 0) {
    throw corrupt("gzip", "it has no gzip header");
  }
  let at = from + headerBytes;
  if (set & flags.extra) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  if (set & flags.name) at = afterText(bytes, at);
  if (set & flags.comment) at = afterText(bytes, at);
  if (set & flags.headerCrc) at += 2;
  if (at >= bytes.length) throw corrupt("gzip", "its header is cut off");
  return at;
}

function afterText(bytes: Uint8Array, from: number): number {
  const end = bytes.indexOf(0, from);
  return end < 0 ? bytes.length : end + 1;
}

let crcTable: Uint32Array | undefined;

function crc32(bytes: Uint8Array): number {
  crcTable ??= newCrcTable();
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = crcTable[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

function newCrcTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    return crc;
  });
}
