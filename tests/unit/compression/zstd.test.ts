// The portable Zstandard: frames made by the reference library, hostile ones made by hand, and, where the
// runtime's zlib has zstd, each checked against the other.

import * as zlib from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkFrames, zstd } from "../../../runtime/compression/zstd.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import { sampleText } from "./sample-text.ts";

/** Levels 1 and 19 of the reference library; the latter with a checksum. */
const byReference = [
  "KLUv/QBITQoAUscWG8AlHf/AX4HBBPzNlZNoaZPNyZZEEsn/P/vnDGvwSDxpTRef3JalldxWWtPktqz4x+Lbsfjktowo1LRSWo/5gYHIbRlxH54K" +
    "ggMhcKDFUxSmNXgkHjI21tgXIICNqHEHTZONvQMgQqOcVR0RKHhIUolNClnGepQYY6hCjB8EbFIndwbSzgHPGslZZasoBWrkGkRb0uwGfnDozyre" +
    "W0qpmf3S5Z5M7g08jFNBKcyI9G02MN7MnuZM/QpBMOglmJFEP0Lbu629U2HSpVyhrpckTKMtOh1U6AnEwCXV67xWVHMomunCHQWvA+422O/mVdor" +
    "CwGSnHsUM4LRwqalBwTlq+pLI7qFH50xaUy//AwknSfNWCOErNkR7GjtbEEt0X5vO0Nzl6fieyZL8BLzg4XgpM0GYVD91FOd33d1nqzMu9/IqAY3" +
    "rQI=",
  "KLUv/QRoZQgA4oMOFsDr//AXzoP/j8iilKst2XD5/51/mQF9xD3AU+HULx3pGuFAGM3ivRNW+eq6N0J43boqb7v4uOMasG+owSfJ1t4BIAJiEGN2" +
    "HhEgBCABBwkhAjWQKYUZDhGE1r+sj1lB7lvyFVLtbybxzAA1AA1Zj9p3DdZhtgeqVECsnbMlKMBsyNoQWYBLpeIV4ihBRWDB6wdPXKU5Zpc9i8sZ" +
    "8HYgVlENb+VGyHIVnDo4aJpif2prinwGMNxSjIhmAZFyKTSN3diWqZF4JWskOs37MZB/LMZcoc5s/FrowOqkwDRQloFU6LNDOw82qZLVSpNjJAQv" +
    "jDaaBFBo070EIXXcd4JK3o31kxqtGiC9Cm/R0Mw=",
].map((base64) => Uint8Array.from(Buffer.from(base64, "base64")));

const magic = [0x28, 0xb5, 0x2f, 0xfd];

function refuses(bytes: Uint8Array | readonly number[], code = "CORRUPT_MESSAGE"): void {
  const isRight = (error: Error) => error instanceof BrokerError && error.code === code;
  assert.throws(() => zstd.decompress(Uint8Array.from(bytes), 1_000_000), isRight);
}

/** A frame without declared size, with one last block of this kind: 0 stored, 1 repeated, 2 compressed. */
function frame(kind: 0 | 1 | 2, size: number, ...content: number[]): number[] {
  const header = (size << 3) | (kind << 1) | 1;
  return [...magic, 0x00, 0x58, header & 255, (header >> 8) & 255, header >> 16, ...content];
}

test("decompress() reads the reference library's frames", () => {
  for (const packed of byReference) {
    assert.is(new TextDecoder().decode(zstd.decompress(packed, 2000)), sampleText());
  }
});

test("decompress() survives every single damaged byte of the reference frames", () => {
  let refused = 0;
  for (const packed of byReference) {
    for (let at = 0; at < packed.length; at++) {
      const damaged = packed.slice();
      damaged[at]! ^= 0x55;
      try {
        assert.ok(zstd.decompress(damaged, 4000).length <= 4000);
      } catch (error) {
        assert.instance(error, BrokerError);
        refused++;
      }
    }
  }
  assert.ok(refused > 100, `${refused} refused`);
});

test("decompress() reads stored and repeated blocks, joined and skippable frames", () => {
  const skippable = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
  const joined = [...frame(0, 2, 104, 105), ...skippable, ...frame(1, 4, 33)];
  assert.is(new TextDecoder().decode(zstd.decompress(Uint8Array.from(joined), 100)), "hi!!!!");
});

test("decompress() ends on a Huffman table whose states take no bits", () => {
  // Weights by a table with a single symbol: its state never consumes a bit, the naive loop never ends.
  const literals = [0x82, 0xc0, 0x01, 5, 0xf0, 0x03, 0, 0, 1, 1];
  const endless = Uint8Array.from(frame(2, literals.length + 1, ...literals, 0));
  assert.throws(() => zstd.decompress(endless, 1000), /Huffman table has no end/);
});

test("decompress() takes no memory on the word of a header", () => {
  // A window of 3.75 TiB, and a content of 2^63 bytes, around two bytes.
  const window = [...magic, 0x00, 0xff, 0x11, 0, 0, 1, 2];
  assert.equal([...zstd.decompress(Uint8Array.from(window), 10)], [1, 2]);
  refuses([...magic, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x11, 0, 0, 1, 2]);
});

test("decompress() refuses dictionaries, reserved bits and blocks above 128 KiB", () => {
  refuses([...magic, 0x01, 0x58, 7, 0x11, 0, 0, 1, 2]);
  refuses([...magic, 0x08, 0x58, 0x11, 0, 0, 1, 2]);
  refuses(frame(1, 131_073, 0));
  refuses([...magic, 0x00, 0x58, 0x07, 0, 0]);
});

test("decompress() bounds a flood of tiny frames", () => {
  const flood = Uint8Array.from(Array.from({ length: 5_000 }, () => frame(1, 131_072, 0)).flat());
  const isRight = (error: Error) =>
    error instanceof BrokerError && error.code === "MESSAGE_TOO_LARGE";
  assert.throws(() => zstd.decompress(flood, 1_000_000), isRight);
});

test("checkFrames() refuses what is cut off anywhere, and nothing else", () => {
  for (const packed of byReference) {
    checkFrames(packed);
    for (let length = 0; length < packed.length; length++) {
      assert.throws(() => checkFrames(packed.subarray(0, length)), /damaged/);
    }
  }
});

test("compress() packs bytes above 128 by matches, and random ones are stored", () => {
  const repeated = new TextEncoder().encode("日本語のログ ".repeat(500));
  assert.ok(zstd.compress(repeated).length < 200);
  let state = 9;
  const random = Uint8Array.from({ length: 300_000 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  const packed = zstd.compress(random);
  assert.ok(packed.length <= random.length + 30);
  assert.is(Buffer.compare(zstd.decompress(packed, random.length), random), 0);
});

interface NativeZstd {
  zstdCompressSync(bytes: Uint8Array): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array): Uint8Array;
}

test("compress() and decompress() agree with the runtime's own zstd where there is one", () => {
  if (!("zstdCompressSync" in zlib)) return;
  const native = zlib as unknown as NativeZstd;
  const text = new TextEncoder().encode(sampleText().repeat(300));
  assert.is(Buffer.compare(native.zstdDecompressSync(zstd.compress(text)), text), 0);
  assert.is(Buffer.compare(zstd.decompress(native.zstdCompressSync(text), text.length), text), 0);
});

test.run();
