// The four compression formats of Kafka behind `Codecs`: gzip and, where the runtime has it, zstd by the
// runtime's own zlib; snappy, lz4 and zstd elsewhere by the files beside. Platforms call `createCodecs`;
// everything else sees `Platform.codecs`. Synchronous, bounded, nothing to prepare.

import { BrokerError } from "../errors.ts";
import type { Codec, CodecName, Codecs } from "../platform.ts";
import { lz4 } from "./lz4.ts";
import { corrupt, tooLarge } from "./output.ts";
import { snappy } from "./snappy.ts";
import { checkFrames, zstd } from "./zstd.ts";

/** The part of `node:zlib` that is used; zstd is absent on Node 20. */
export interface Zlib {
  gzipSync(bytes: Uint8Array, options: { level: number }): Uint8Array;
  gunzipSync(bytes: Uint8Array, options: ReadOptions): Uint8Array;
  zstdCompressSync?(bytes: Uint8Array, options: { params: Record<number, number> }): Uint8Array;
  zstdDecompressSync?(bytes: Uint8Array, options: ReadOptions): Uint8Array;
}

interface ReadOptions {
  readonly maxOutputLength: number;
  readonly chunkSize: number;
}

/** Kafka's defaults too; higher levels cost much more than they save. */
const gzipLevel = 6;
const zstdLevel = 3;
/** ZSTD_c_compressionLevel, a wire number of the zstd library. */
const zstdLevelParameter = 100;
const chunkBytesMin = 4_096;
const chunkBytesMax = 1_048_576;

/**
 * By the number in a record batch's attributes: the words that options take and tables show.
 * Persisted: never renumber.
 */
export const codecWords = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/** The same for code, which has no codec where nothing is compressed. */
export const codecNames: readonly (CodecName | null)[] = codecWords.map((word) =>
  word === "none" ? null : word,
);

export function codecWord(codec: number): string {
  return codecWords[codec] ?? "unknown";
}

export function codecId(name: CodecName | "none"): number {
  return name === "none" ? 0 : codecNames.indexOf(name);
}

/** For `core.decode`: unpacks by codec number, with one bound for each batch. */
export function decompressor(
  codecs: Codecs,
  bytesMax: number,
): (codec: number, bytes: Uint8Array) => Uint8Array {
  return (codec, bytes) => {
    const name = codecNames[codec];
    if (name == null) {
      throw new BrokerError("UNSUPPORTED_COMPRESSION_TYPE", `No codec has the number ${codec}.`);
    }
    return codecs[name].decompress(bytes, bytesMax);
  };
}

export function createCodecs(zlib: Zlib): Codecs {
  const { zstdCompressSync, zstdDecompressSync } = zlib;
  return {
    gzip: {
      // -1 is zlib's word for its default.
      compress: (bytes, level = -1) =>
        zlib.gzipSync(bytes, { level: level === -1 ? gzipLevel : level }),
      decompress: (bytes, bytesMax) => read("gzip", zlib.gunzipSync, bytes, bytesMax),
    },
    snappy,
    lz4,
    zstd:
      zstdCompressSync && zstdDecompressSync
        ? nativeZstd(zstdCompressSync, zstdDecompressSync)
        : zstd,
  };
}

function nativeZstd(
  compress: NonNullable<Zlib["zstdCompressSync"]>,
  decompress: NonNullable<Zlib["zstdDecompressSync"]>,
): Codec {
  return {
    compress: (bytes, level = zstdLevel) =>
      compress(bytes, { params: { [zstdLevelParameter]: level } }),
    decompress(bytes, bytesMax) {
      checkFrames(bytes);
      return read("zstd", decompress, bytes, bytesMax);
    },
  };
}

function read(
  name: CodecName,
  unpack: (bytes: Uint8Array, options: ReadOptions) => Uint8Array,
  bytes: Uint8Array,
  bytesMax: number,
): Uint8Array {
  if (bytes.length === 0) throw corrupt(name, "it is empty");
  const chunkSize = Math.max(chunkBytesMin, Math.min(bytes.length * 4, bytesMax, chunkBytesMax));
  let unpacked: Uint8Array;
  try {
    unpacked = unpack(bytes, { maxOutputLength: Math.max(1, bytesMax), chunkSize });
  } catch (error) {
    if (isTooLarge(error)) throw tooLarge(name, bytesMax);
    const what = error instanceof Error ? error.message : String(error);
    throw new BrokerError("CORRUPT_MESSAGE", corrupt(name, what).message, { cause: error });
  }
  if (unpacked.length > bytesMax) throw tooLarge(name, bytesMax);
  return unpacked;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
}
