// Snappy by hand-made bytes: the elements of the raw format, Java's framing, and lengths that lie.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { snappy } from "../../../runtime/compression/snappy.ts";
import { BrokerError } from "../../../runtime/errors.ts";

const magic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1];
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const ascii = (value: string): number[] => [...value].map((character) => character.charCodeAt(0));

function refuses(bytes: readonly number[], code: string, bytesMax = 1_000_000): void {
  const isRight = (error: Error) => error instanceof BrokerError && error.code === code;
  assert.throws(() => snappy.decompress(Uint8Array.from(bytes), bytesMax), isRight);
}

test("decompress() reads literals and copies with one, two and four bytes of distance", () => {
  const literal = [3 << 2, ...ascii("abcd")];
  const near = [1 | (0 << 2), 4]; // 4 bytes from 4 back
  const middle = [2 | (2 << 2), 8, 0]; // 3 bytes from 8 back
  const far = [3 | (1 << 2), 11, 0, 0, 0]; // 2 bytes from 11 back
  const bytes = Uint8Array.from([13, ...literal, ...near, ...middle, ...far]);
  assert.is(text(snappy.decompress(bytes, 13)), "abcdabcdabcab");
});

test("decompress() repeats what a copy itself writes", () => {
  const bytes = Uint8Array.from([11, 0, 97, 2 | (9 << 2), 1, 0]);
  assert.is(text(snappy.decompress(bytes, 100)), "a".repeat(11));
});

test("decompress() reads literals with long lengths", () => {
  const long = ascii("x".repeat(300));
  assert.is(
    text(snappy.decompress(Uint8Array.from([0xac, 2, 61 << 2, 43, 1, ...long]), 300)),
    "x".repeat(300),
  );
});

test("decompress() reads Java's framing, in pieces and joined streams", () => {
  const piece = (value: string): number[] => {
    const raw = [...snappy.compress(new TextEncoder().encode(value))];
    return [0, 0, raw.length >> 8, raw.length & 255, ...raw];
  };
  const framed = [...magic, ...piece("hello "), ...piece("framed "), ...magic, ...piece("world")];
  assert.is(text(snappy.decompress(Uint8Array.from(framed), 100)), "hello framed world");
  assert.is(snappy.decompress(Uint8Array.from(magic), 100).length, 0);
});

test("decompress() bounds the sum of framed pieces", () => {
  const raw = [...snappy.compress(new Uint8Array(60))];
  const piece = [0, 0, 0, raw.length, ...raw];
  refuses([...magic, ...piece, ...piece], "MESSAGE_TOO_LARGE", 100);
});

test("decompress() refuses lengths that cannot be true before it takes memory", () => {
  refuses([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1], "CORRUPT_MESSAGE", 2 ** 33);
  refuses([...magic, 0x7f, 0xff, 0xff, 0xff, 0], "CORRUPT_MESSAGE");
  refuses([...magic, 0xff, 0xff, 0xff, 0xff, 0], "CORRUPT_MESSAGE");
});

test("decompress() refuses copies from before the start, or over the end", () => {
  refuses([8, 0, 97, 2 | (6 << 2), 2, 0], "CORRUPT_MESSAGE");
  refuses([8, 0, 97, 2 | (6 << 2), 0, 0], "CORRUPT_MESSAGE");
  refuses([4, 0, 97, 2 | (9 << 2), 1, 0], "CORRUPT_MESSAGE");
  refuses([9, 0, 97, 2 | (6 << 2), 1, 0], "CORRUPT_MESSAGE");
});

test("decompress() never copies from one framed piece into the next", () => {
  const first = [4, 3 << 2, ...ascii("abcd")];
  const reaching = [4, 1 | (0 << 2), 4];
  const framed = [...magic, 0, 0, 0, first.length, ...first, 0, 0, 0, reaching.length, ...reaching];
  refuses(framed, "CORRUPT_MESSAGE");
});

test("compress() writes raw snappy, which all clients read", () => {
  const packed = snappy.compress(new TextEncoder().encode("a".repeat(100)));
  assert.is(packed[0], 100);
  assert.ok(packed.length < 20);
  assert.equal([...snappy.compress(new Uint8Array(0))], [0]);
});

test.run();
