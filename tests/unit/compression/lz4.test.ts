// LZ4 frames: one made by the reference tool, with linked blocks and every checksum, and what is refused.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { lz4 } from "../../../runtime/compression/lz4.ts";
import { xxhash32 } from "../../../runtime/compression/xxhash32.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import { sampleText } from "./sample-text.ts";

/** `lz4 -9 -BD -BX` of the sample text: block and content checksums. */
const byReference = Uint8Array.from(
  Buffer.from(
    "BCJNGHRAvZ0BAAD1F3BhcnRpdGlvbiBzZWdtZW50IG9mZnNldCDml6XmnKwgcmVjb3JkHQDEYmF0Y2ggw6RyZ2VyIwAxbG9nBAADOQADQAAD" +
      "JABGbGVhZCsAAj8ADgYADGYAW3Jva2VyUQADSgAGsQAEVAACLQAJSQAKBwAJIgADNgAKpgAPrQACBmoAAxgAB+UAA40ACVMAA90AAm0AA0sA" +
      "C1UBCT8BDnsBA7AAAy0ABBYADYgADjkABiMACr4BA+YABh8ABgoAA2wABhEAA5YABOEAA9UBCmUBDhIACkEBD1YBAg9DAgIEEQEPvQEAAxsA" +
      "Aw0BD2oBAgI2AAQiAChvZ7YABPUBCGcAABgACo4ACigBAi0AD4cBAwYiAQrbAQpkAg4TAw2UAQmZAAmfAA+GAAIH9wErb2eiAgIqAA0PAgmC" +
      "AgqSAAMHAARdAAogAgqbAQNAAAmzAwEPAg/LAwANHQEGLwAKDAIPlQACDX0CDRgADWAAB2EBC70ADqUDCWQBDyMDBQpnAQa/AAoiAQr0AQoO" +
      "AA9JAAMDDwEJ9wBwc2VnbWVudDw4v6wAAAAAcvelig==",
    "base64",
  ),
);

function refuses(bytes: Uint8Array): void {
  const isRight = (error: Error) =>
    error instanceof BrokerError && error.code === "CORRUPT_MESSAGE";
  assert.throws(() => lz4.decompress(bytes, 1_000_000), isRight);
}

/** A frame with these flags and one block, header checksum included. */
function frame(flags: number, ...rest: number[]): Uint8Array {
  const descriptor = [flags, 0x40];
  const checksum = (xxhash32(Uint8Array.from(descriptor)) >>> 8) & 255;
  return Uint8Array.from([0x04, 0x22, 0x4d, 0x18, ...descriptor, checksum, ...rest]);
}

test("decompress() reads the reference tool's frame", () => {
  assert.is(new TextDecoder().decode(lz4.decompress(byReference, 2000)), sampleText());
});

test("decompress() checks every checksum of a frame", () => {
  for (const at of [6, byReference.length - 9, byReference.length - 1]) {
    const damaged = byReference.slice();
    damaged[at]! ^= 1;
    refuses(damaged);
  }
});

test("decompress() lets linked blocks reach back, and independent ones not", () => {
  const first = [5, 0, 0, 0, 0x40, 97, 98, 99, 100];
  // Match of 4 from 4 back, then five literals.
  const second = [9, 0, 0, 0, 0x00, 4, 0, 0x50, 101, 101, 101, 101, 101];
  const end = [0, 0, 0, 0];
  const linked = lz4.decompress(frame(0x40, ...first, ...second, ...end), 100);
  assert.is(new TextDecoder().decode(linked), "abcdabcdeeeee");
  refuses(frame(0x60, ...first, ...second, ...end));
});

test("decompress() reads joined frames and passes over skippable ones", () => {
  const one = lz4.compress(new TextEncoder().encode("one "));
  const two = lz4.compress(new TextEncoder().encode("two"));
  const skippable = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9];
  const joined = Uint8Array.from([...one, ...skippable, ...two]);
  assert.is(new TextDecoder().decode(lz4.decompress(joined, 100)), "one two");
});

test("decompress() refuses other versions, dictionaries and unknown block sizes", () => {
  refuses(frame(0x20, 0, 0, 0, 0));
  refuses(frame(0x61, 0, 0, 0, 0, 0, 0, 0, 0));
  refuses(Uint8Array.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x30, 0, 0, 0, 0, 0]));
  refuses(Uint8Array.from([0x03, 0x21, 0x4c, 0x18, 0, 0, 0, 0]));
});

test("compress() writes what Java reads: version 1, independent blocks of 64 KiB, no checksums", () => {
  const packed = lz4.compress(new Uint8Array(200_000));
  assert.equal([...packed.subarray(0, 6)], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40]);
  assert.is(packed[6], 0x82);
});

test("xxhash32() equals the published vectors", () => {
  const hash = (text: string): number => xxhash32(new TextEncoder().encode(text));
  assert.is(hash(""), 0x02cc5d05);
  assert.is(hash("abc"), 0x32d153ff);
  assert.is(hash("Nobody inspects the spammish repetition"), 0xe2293b2f);
});

test.run();
