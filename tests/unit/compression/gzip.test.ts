// gzip without zlib: read by zlib, reads what zlib writes at every level, and refuses what is damaged.

import * as zlib from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { gzip } from "../../../runtime/compression/gzip.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import { randomBytes } from "../storage-wasm/core-under-test.ts";
import { sampleText } from "./sample-text.ts";

const text = new TextEncoder().encode(sampleText());
const samples: readonly (readonly [string, Uint8Array])[] = [
  ["nothing", new Uint8Array(0)],
  ["one byte", Uint8Array.of(7)],
  ["text", text],
  ["long text", new TextEncoder().encode(sampleText().repeat(150))],
  ["zeros", new Uint8Array(300_000)],
  ["noise", randomBytes(200_000, 1)],
  ["few letters", randomBytes(150_000, 2).map((byte) => byte & 3)],
  ["steps", Uint8Array.from({ length: 131_070 }, (_, i) => i >>> 8)],
  ["a far repeat", Uint8Array.from([...randomBytes(32_000, 3), ...randomBytes(32_000, 3)])],
];

function refused(bytes: Uint8Array, bytesMax = 1_000_000): string {
  try {
    gzip.decompress(bytes, bytesMax);
    return "read";
  } catch (error) {
    return error instanceof BrokerError ? error.code : String(error);
  }
}

for (const [name, bytes] of samples) {
  test(`compress() and decompress() agree with zlib on ${name}`, () => {
    const packed = gzip.compress(bytes);
    assert.ok(zlib.gunzipSync(packed).equals(bytes));
    assert.ok(Buffer.from(gzip.decompress(packed, bytes.length)).equals(bytes));
    for (const level of [0, 1, 6, 9]) {
      const theirs = zlib.gzipSync(bytes, { level });
      assert.ok(Buffer.from(gzip.decompress(theirs, bytes.length)).equals(bytes), `level ${level}`);
    }
    const fixed = zlib.gzipSync(bytes, { strategy: zlib.constants.Z_FIXED });
    assert.ok(Buffer.from(gzip.decompress(fixed, bytes.length)).equals(bytes));
  });
}

test("compress() packs text nearly as small as zlib, and noise no larger than it is", () => {
  const words = sampleText().split(" ");
  const lines = words.map((word, i) => JSON.stringify({ id: i * 7919, word, next: words[i * 3] }));
  const long = new TextEncoder().encode(lines.join("\n"));
  assert.ok(gzip.compress(long).length < 1.2 * zlib.gzipSync(long, { level: 4 }).length);
  const noise = samples[5]![1];
  assert.ok(gzip.compress(noise).length <= noise.length + 64);
});

test("decompress() passes over every header field and reads joined members", () => {
  const member = gzip.compress(text);
  const fields = [4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 255, 3, 0, 1, 2, 3, 110, 0, 99, 0, 1, 2];
  const full = Uint8Array.from([...member.subarray(0, 3), ...fields, ...member.subarray(10)]);
  assert.equal(gzip.decompress(full, text.length), text);
  const two = gzip.decompress(Uint8Array.from([...member, ...full]), 2 * text.length);
  assert.equal(two, Uint8Array.from([...text, ...text]));
});

test("decompress() refuses what is damaged or cut off at any place, and what is too large", () => {
  const packed = gzip.compress(text);
  assert.is(refused(new Uint8Array(0)), "CORRUPT_MESSAGE");
  for (let length = 0; length < packed.length; length++) {
    assert.is(refused(packed.subarray(0, length)), "CORRUPT_MESSAGE", `cut at ${length}`);
  }
  for (let at = 10; at < packed.length; at++) {
    const damaged = packed.slice();
    damaged[at]! ^= 1 << (at % 8);
    const isPadding = at === packed.length - 9 && refused(damaged) === "read";
    if (!isPadding) assert.is.not(refused(damaged), "read", `damaged at ${at}`);
  }
  assert.is(refused(gzip.compress(new Uint8Array(1_001)), 1_000), "MESSAGE_TOO_LARGE");
});

test("decompress() ends on 20,000 pieces of noise that begin like gzip", () => {
  const noise = randomBytes(200_000, 9);
  for (let from = 0; from < 20_000; from++) {
    const piece = noise.slice(from, from + 40);
    piece.set([0x1f, 0x8b, 8, 0]);
    refused(piece, 10_000);
  }
});

test.run();
