// Zstandard for runtimes whose zlib has none (Node 20): frames and blocks, read in full (dictionaries
// excepted), written by `zstd-write.ts`. `checkFrames` also guards the native decoder. Only `codecs.ts`
// imports it.

import type { Codec } from "../platform.ts";
import { BoundedOutput, corrupt } from "./output.ts";
import { BlockReader, blockBytesMax } from "./zstd-read.ts";
import { compress } from "./zstd-write.ts";

export const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

export const zstd: Codec = { compress, decompress };

function decompress(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const sizeHint = Math.min(bytes.length * 4, bytesMax);
  const output = new BoundedOutput({ codec: "zstd", sizeHint, bytesMax });
  walk(bytes, (frame) => new BlockReader(bytes, output, frame.contentBytes));
  return output.finish();
}

/** Throws unless `bytes` are whole frames: native decoders return what they have of one that is cut off. */
export function checkFrames(bytes: Uint8Array): void {
  walk(bytes, () => null);
}

interface FrameHeader {
  readonly blocksAt: number;
  /** -1 if the frame does not say. */
  readonly contentBytes: number;
  readonly hasChecksum: boolean;
}

function walk(bytes: Uint8Array, open: (frame: FrameHeader) => BlockReader | null): void {
  if (bytes.length === 0) throw corrupt("zstd", "it is empty");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw corrupt("zstd", "a frame header is cut off");
    const magic = view.getUint32(at, true);
    if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
      at += 8 + view.getUint32(at + 4, true);
      if (at > bytes.length) throw corrupt("zstd", "a skippable frame is cut off");
    } else if (magic === frameMagic) {
      const frame = readHeader(view, at + 4);
      at = walkBlocks(bytes, frame, open(frame));
    } else {
      throw corrupt("zstd", "it does not begin with a frame");
    }
  }
}

function walkBlocks(bytes: Uint8Array, frame: FrameHeader, reader: BlockReader | null): number {
  let at = frame.blocksAt;
  for (;;) {
    if (at + 3 > bytes.length) throw corrupt("zstd", "a frame has no end");
    const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    const kind = (header >>> 1) & 3;
    const size = header >>> 3;
    at += 3;
    const next = at + (kind === 1 ? 1 : size);
    if (kind === 3 || size > blockBytesMax) throw corrupt("zstd", "a block's header is invalid");
    if (next > bytes.length) throw corrupt("zstd", "a block is cut off");
    if (kind === 0) reader?.stored(at, size);
    else if (kind === 1) reader?.repeated(bytes[at]!, size);
    else reader?.compressed(at, next);
    at = next;
    if ((header & 1) === 1) break;
  }
  reader?.end();
  at += frame.hasChecksum ? 4 : 0;
  if (at > bytes.length) throw corrupt("zstd", "a checksum is cut off");
  return at;
}

function readHeader(view: DataView, from: number): FrameHeader {
  const descriptor = view.getUint8(from);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 8) !== 0) throw corrupt("zstd", "a reserved bit is set");
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6]!;
  const dictionaryAt = from + 1 + (isSingleSegment ? 0 : 1);
  const sizeAt = dictionaryAt + dictionaryBytes;
  if (sizeAt + sizeBytes > view.byteLength) throw corrupt("zstd", "a frame header is cut off");
  for (let at = dictionaryAt; at < sizeAt; at++) {
    if (view.getUint8(at) !== 0)
      throw corrupt("zstd", "it needs a dictionary, which Kafka has not");
  }
  return {
    blocksAt: sizeAt + sizeBytes,
    contentBytes: readSize(view, sizeAt, sizeBytes),
    hasChecksum: (descriptor & 4) !== 0,
  };
}

function readSize(view: DataView, at: number, sizeBytes: number): number {
  if (sizeBytes === 0) return -1;
  if (sizeBytes === 1) return view.getUint8(at);
  if (sizeBytes === 2) return view.getUint16(at, true) + 256;
  if (sizeBytes === 4) return view.getUint32(at, true);
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}
