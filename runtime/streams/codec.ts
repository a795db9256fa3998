// Codecs: how keys and values of a topic become bytes and come back. Pure. Two topics can be joined only if their
// keys' codecs have one `id`, because equal keys must be equal bytes to lie in one partition.

import { StreamsError } from "./error.ts";
import type { Windowed } from "./window.ts";

export interface Codec<T> {
  /** Names the format: codecs of one id write equal bytes for equal values. */
  readonly id: string;
  encode(value: T): Uint8Array;
  /** Throws for bytes it cannot read: the record goes the way of the error policy. */
  decode(bytes: Uint8Array): T;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const integerBytes = 8;
const windowBytes = 2 * integerBytes;

/** Text as UTF-8; bytes that are none are an error. */
export const utf8: Codec<string> = {
  id: "utf8",
  encode: (value) => encoder.encode(value),
  decode: (bytes) => decoder.decode(bytes),
};

/** As they are. */
export const bytes: Codec<Uint8Array> = {
  id: "bytes",
  encode: (value) => value,
  decode: (value) => value,
};

/** Whole numbers up to 2^53 as 8 bytes, as Kafka's LongSerializer writes them. */
export const int: Codec<number> = {
  id: "int",
  encode(value) {
    if (!Number.isSafeInteger(value)) {
      throw new RangeError(`${value} is no whole number: use json for fractions`);
    }
    const encoded = new Uint8Array(integerBytes);
    new DataView(encoded.buffer).setBigInt64(0, BigInt(value));
    return encoded;
  },
  decode(encoded) {
    if (encoded.length !== integerBytes) {
      throw new RangeError(`an int has ${integerBytes} bytes, not ${encoded.length}`);
    }
    return readInteger(encoded, 0);
  },
};

/** JSON. What is read is taken for a `T`: a value of another shape shows only where it is used. */
export function json<T>(): Codec<T> {
  return {
    id: "json",
    encode(value) {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError("JSON has no way to write this value");
      return encoder.encode(text);
    },
    decode: (encoded) => JSON.parse(decoder.decode(encoded)) as T,
  };
}

/** Keys of windowed results: start and end (ms, 8 bytes each), then the key. */
export function windowed<K>(key: Codec<K>): Codec<Windowed<K>> {
  return {
    id: `windowed(${key.id})`,
    encode(value) {
      const inner = key.encode(value.key);
      const encoded = new Uint8Array(windowBytes + inner.length);
      const view = new DataView(encoded.buffer);
      view.setBigInt64(0, BigInt(value.start));
      view.setBigInt64(integerBytes, BigInt(value.end));
      encoded.set(inner, windowBytes);
      return encoded;
    },
    decode(encoded) {
      if (encoded.length < windowBytes) {
        throw new RangeError(`a windowed key has at least ${windowBytes} bytes`);
      }
      const start = readInteger(encoded, 0);
      const end = readInteger(encoded, integerBytes);
      return { key: key.decode(encoded.subarray(windowBytes)), start, end };
    },
  };
}

/** Keys of topics that say nothing of theirs: bytes, or none. */
export const rawKey = "raw";

/** A key as it is written: only topics without a key codec have records without a key. */
export function encodeKey(codec: Codec<unknown>, key: unknown): Uint8Array | null {
  if (key !== null && key !== undefined) return codec.encode(key);
  if (codec.id === rawKey) return null;
  throw new StreamsError("RECORD_FAILED", "The key is missing: give each record one.");
}

function readInteger(encoded: Uint8Array, at: number): number {
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const value = Number(view.getBigInt64(at));
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is beyond 2^53`);
  return value;
}
