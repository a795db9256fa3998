// Rules that all four codecs keep, with the runtime's zlib and with the portable zstd of runtimes without one:
// roundtrip, bounds, bombs, garbage. What is particular to a format stands in the files beside.

import * as zlib from "node:zlib";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  codecId,
  codecNames,
  codecWord,
  createCodecs,
  decompressor,
} from "../../../runtime/compression/codecs.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import type { Codec } from "../../../runtime/platform.ts";

const { gzipSync, gunzipSync } = zlib;
const native = createCodecs(zlib);
const codecs: [string, Codec][] = [
  ...Object.entries(native),
  ["portable zstd", createCodecs({ gzipSync, gunzipSync }).zstd],
];
const megabyte = 1_048_576;

/** Data of every kind: repetitive, textual, random. */
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 2_000 }),
  fc
    .tuple(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 12 }), { minLength: 1 }),
      fc.nat(3_000),
    )
    .map(([words, count]) =>
      Uint8Array.from(
        Array.from({ length: count }, (_, i) => [...words[(i * i) % words.length]!]).flat(),
      ),
    ),
  fc.string({ maxLength: 3_000 }).map((text) => new TextEncoder().encode(text)),
);

/** What unpacking gives: bytes, or the code of the only error that may come. */
function outcome(run: () => Uint8Array): Uint8Array | string {
  try {
    return run();
  } catch (error) {
    assert.instance(error, BrokerError);
    return (error as BrokerError).code;
  }
}

for (const [name, codec] of codecs) {
  test(`${name}: decompress() gives back what compress() took`, () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const packed = codec.compress(bytes);
        assert.equal(Buffer.compare(codec.decompress(packed, bytes.length), bytes), 0);
      }),
      { numRuns: 60 },
    );
  });

  test(`${name}: data over many blocks survives`, () => {
    const text = Array.from({ length: 40_000 }, (_, i) => `{"id":${i},"to":"${i % 91}"}`).join(
      "\n",
    );
    const bytes = new TextEncoder().encode(text);
    const packed = codec.compress(bytes);
    assert.ok(
      packed.length < bytes.length / 2,
      `packs text to ${packed.length} of ${bytes.length}`,
    );
    assert.equal(Buffer.compare(codec.decompress(packed, bytes.length), bytes), 0);
  });

  test(`${name}: decompress() works on a view inside a larger buffer`, () => {
    const packed = codec.compress(new TextEncoder().encode("inside ".repeat(50)));
    const buffer = new Uint8Array(packed.length + 20).fill(255);
    buffer.set(packed, 7);
    const view = buffer.subarray(7, 7 + packed.length);
    assert.is(new TextDecoder().decode(codec.decompress(view, 1000)), "inside ".repeat(50));
  });

  test(`${name}: decompress() stops a bomb at the bound`, () => {
    const bomb = codec.compress(new Uint8Array(8 * megabyte));
    assert.is(
      outcome(() => codec.decompress(bomb, megabyte)),
      "MESSAGE_TOO_LARGE",
    );
    const exact = codec.compress(new Uint8Array(1000));
    assert.is(codec.decompress(exact, 1000).length, 1000);
    assert.is(
      outcome(() => codec.decompress(exact, 999)),
      "MESSAGE_TOO_LARGE",
    );
  });

  test(`${name}: decompress() refuses data that is cut off, at every length`, () => {
    const packed = codec.compress(new TextEncoder().encode("cut me off, cut me off ".repeat(9)));
    for (let length = 0; length < packed.length; length++) {
      const cut = packed.subarray(0, length);
      assert.is(
        outcome(() => codec.decompress(cut, megabyte)),
        "CORRUPT_MESSAGE",
        `${length} bytes`,
      );
    }
  });

  test(`${name}: decompress() of garbage ends within the bound or in one of the two errors`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        const result = outcome(() => codec.decompress(bytes, 10_000));
        assert.ok(typeof result === "string" || result.length <= 10_000);
      }),
      { numRuns: 200 },
    );
  });

  test(`${name}: decompress() of damaged data ends within the bound or in one of the two errors`, () => {
    const text = Array.from({ length: 300 }, (_, i) => `offset ${i * 7919} `).join("");
    const packed = codec.compress(new TextEncoder().encode(text));
    const damage = fc.array(fc.tuple(fc.nat(packed.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(damage, (changes) => {
        const damaged = packed.slice();
        for (const [at, byte] of changes) damaged[at] = byte;
        const result = outcome(() => codec.decompress(damaged, 100_000));
        assert.ok(typeof result === "string" || result.length <= 100_000);
      }),
      { numRuns: 500 },
    );
  });
}

test("codecId() and codecNames are the numbers of the record batch's attributes", () => {
  assert.equal(codecNames, [null, "gzip", "snappy", "lz4", "zstd"]);
  assert.is(codecId("none"), 0);
  assert.is(codecId("zstd"), 4);
  assert.equal([0, 2, 7].map(codecWord), ["none", "snappy", "unknown"]);
});

test("decompressor() picks by number and refuses unknown ones", () => {
  const unpack = decompressor(native, 100);
  const packed = native.lz4.compress(Uint8Array.of(1, 2, 3));
  assert.equal([...unpack(3, packed)], [1, 2, 3]);
  assert.is(
    outcome(() => unpack(5, packed)),
    "UNSUPPORTED_COMPRESSION_TYPE",
  );
  assert.is(
    outcome(() => unpack(3, native.lz4.compress(new Uint8Array(101)))),
    "MESSAGE_TOO_LARGE",
  );
});

test.run();
