// encode() and decode() against the independent reader and writer.

import { deflateSync, inflateSync } from "node:zlib";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CorruptBatch, type EncodeOptions, type RecordInput } from "../../../storage-wasm/core.ts";
import { readBatch, readStoredBatch, Unreadable } from "./batch-reader.ts";
import { type WrittenHeader, withCrc, writeBatch, writeRaw } from "./batch-writer.ts";
import { newCore, randomBytes } from "./core-under-test.ts";

const core = newCore();
const plain: EncodeOptions = { compression: null };
const deflated: EncodeOptions = { compression: { id: 1, compress: (bytes) => deflateSync(bytes) } };
const noCodec = (): never => {
  throw new Error("nothing to decompress");
};
const text = (value: string) => new TextEncoder().encode(value);

const optionalBytes = fc.option(
  fc.oneof(
    { arbitrary: fc.uint8Array({ maxLength: 8 }), weight: 7 },
    { arbitrary: fc.uint8Array({ minLength: 60, maxLength: 300, size: "max" }), weight: 1 },
  ),
);
/** Plain objects, which compare equal to what is decoded. */
const plainObject = { noNullPrototype: true };
const inputs = fc.array(
  fc.record(
    {
      key: optionalBytes,
      value: optionalBytes,
      timestampMs: fc.oneof(
        fc.integer({ min: 1_600_000_000_000, max: 1_700_000_000_000 }),
        fc.maxSafeInteger(),
      ),
      headers: fc.array(
        fc.record({ key: fc.string({ unit: "grapheme" }), value: optionalBytes }, plainObject),
        { maxLength: 3 },
      ),
    },
    plainObject,
  ),
  { minLength: 1, maxLength: 40, size: "medium" },
);

test("encode() writes what the reader reads and check() accepts", () => {
  const property = fc.property(inputs, fc.maxSafeInteger(), (records, offset) => {
    const baseOffset = Math.abs(offset);
    const bytes = core.encode(records, { ...plain, baseOffset, leaderEpoch: 3 });
    const batch = readBatch(bytes, { verifyCrc: true });
    assert.is(batch.bytes, bytes.length);
    assert.is(batch.baseOffset, BigInt(baseOffset));
    assert.is(batch.leaderEpoch, 3);
    assert.is(batch.count, records.length);
    assert.is(batch.baseTimestamp, BigInt(records[0]!.timestampMs));
    assert.is(batch.maxTimestamp, BigInt(Math.max(...records.map((r) => r.timestampMs))));
    records.forEach((record, i) => {
      const read = batch.records[i]!;
      assert.is(read.attributes, 0);
      assert.is(batch.baseTimestamp + read.timestampDelta, BigInt(record.timestampMs));
      assert.equal(read.key, record.key);
      assert.equal(read.value, record.value);
      const headers = record.headers.map(({ key, value }) => ({ key: text(key), value }));
      assert.equal(read.headers, headers);
    });
  });
  fc.assert(property, { numRuns: 200 });
});

test("decode() gives back what encode() got, compressed or not", () => {
  const property = fc.property(inputs, fc.boolean(), (records, compressed) => {
    const options = { ...(compressed ? deflated : plain), baseOffset: 1000 };
    const bytes = core.encode(records, options);
    const decoded = core.decode(bytes, (codec, stored) => {
      assert.is(codec, 1);
      return inflateSync(stored);
    });
    const wanted = records.map((record, i) => ({ offset: 1000 + i, ...record }));
    assert.equal(
      decoded.map((record) => ({ ...record })),
      wanted,
    );
  });
  fc.assert(property, { numRuns: 200 });
});

test("encode() sets producer, transaction and control fields", () => {
  const bytes = core.encode([{ key: text("k"), value: null, timestampMs: 5 }], {
    ...plain,
    producerId: 2 ** 52 + 1,
    producerEpoch: 32767,
    baseSequence: 2147483647,
    isTransactional: true,
    isControl: true,
  });
  const batch = readBatch(bytes, { verifyCrc: true });
  assert.is(batch.attributes, 0x30);
  assert.is(batch.producerId, 2n ** 52n + 1n);
  assert.is(batch.producerEpoch, 32767);
  assert.is(batch.baseSequence, 2147483647);
});

test("encode() without options leaves ids, epochs and sequence at -1", () => {
  const bytes = core.encode([{ key: null, value: null, timestampMs: 0 }], plain);
  const batch = readBatch(bytes, { verifyCrc: true });
  assert.equal(
    [batch.leaderEpoch, batch.producerId, batch.producerEpoch, batch.baseSequence],
    [-1, -1n, -1, -1],
  );
});

test("encode() refuses an empty list", () => {
  assert.throws(() => core.encode([], plain), /at least one record/);
});

test("encode() and decode() handle a large batch and give its memory back", () => {
  const own = newCore();
  const value = randomBytes(1 << 20, 7);
  const records: RecordInput[] = Array.from({ length: 24 }, (_, i) => ({
    key: text(`key ${i}`),
    value,
    timestampMs: i,
  }));
  const bytes = own.encode(records, plain);
  const decoded = own.decode(bytes, noCodec);
  assert.is(decoded.length, 24);
  assert.equal(decoded[23]!.value, value);
  const memoryBytes = own.memoryBytes;
  for (let i = 0; i < 5; i++) own.decode(own.encode(records, plain), noCodec);
  assert.is(own.memoryBytes, memoryBytes);
});

test("encode() takes keys and values that are views of the core's memory", () => {
  const own = newCore();
  const at = own.alloc(5);
  own.bytes(at, 5).set(text("hello"));
  const big = randomBytes(8 << 20, 3); // makes the memory grow in the middle
  const bytes = own.encode(
    [
      { key: own.bytes(at, 5), value: big, timestampMs: 1, headers: [] },
      { key: null, value: own.bytes(at, 2), timestampMs: 1 },
    ],
    plain,
  );
  const { records } = readBatch(bytes, { verifyCrc: true });
  assert.equal(records[0]!.key, text("hello"));
  assert.equal(records[1]!.value, text("he"));
});

test("decode() takes a batch in the core's memory and returns copies", () => {
  const own = newCore();
  const value = randomBytes(900_000, 4); // leaves no room for the work area: the memory grows
  const batch = core.encode([{ key: text("k"), value, timestampMs: 1 }], plain);
  const at = own.alloc(batch.length);
  own.bytes(at, batch.length).set(batch);
  const [record] = own.decode(own.bytes(at, batch.length), noCodec);
  own.bytes(at, batch.length).fill(0);
  assert.equal(record!.key, text("k"));
  assert.equal(record!.value, value);
});

test("decode() returns copies of a batch outside the core's memory", () => {
  const batch = core.encode([{ key: text("k"), value: text("v"), timestampMs: 1 }], plain);
  const [record] = core.decode(batch, noCodec);
  batch.fill(0);
  assert.equal([record!.key, record!.value], [text("k"), text("v")]);
});

test("decode() returns copies even when the codec returns its input", () => {
  const records = writeBatch([{ value: text("v") }]).subarray(61);
  const batch = writeRaw(records, { attributes: 3 });
  const [record] = core.decode(batch, (_, bytes) => bytes);
  batch.fill(0);
  assert.equal(record!.value, text("v"));
});

test("decode() accepts compacted batches: gaps, and none left", () => {
  const gaps = writeBatch([{ offsetDelta: 2 }, { offsetDelta: 7 }], {
    baseOffset: 100n,
    lastOffsetDelta: 9,
  });
  assert.equal(
    core.decode(gaps, noCodec).map(({ offset }) => offset),
    [102, 107],
  );
  assert.equal(core.decode(writeBatch([], { lastOffsetDelta: 9 }), noCodec), []);
});

test("decode() gives every record the append time of a LogAppendTime batch", () => {
  const header: WrittenHeader = { attributes: 8, maxTimestamp: 42n };
  const batch = writeBatch([{ timestampDelta: 5n }, {}], header);
  assert.equal(
    core.decode(batch, noCodec).map(({ timestampMs }) => timestampMs),
    [42, 42],
  );
});

test("decode() clamps timestamps beyond 2^53", () => {
  const [most, least] = [2n ** 63n - 1n, -(2n ** 63n)];
  for (const baseTimestamp of [most, least, 0n]) {
    const deltas = [most, least, 1n].map((timestampDelta) => ({ timestampDelta }));
    const decoded = core.decode(writeBatch(deltas, { baseTimestamp }), noCodec);
    const [high, low, near] = decoded.map(({ timestampMs }) => timestampMs);
    assert.equal([high, low], [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]);
    assert.ok(Number.isSafeInteger(near));
  }
});

test("decode() keeps a byte order mark and non-ASCII in header keys", () => {
  const headers = [{ key: "\uFEFFclé 鍵 🔑", value: null }];
  const batch = core.encode([{ key: null, value: null, timestampMs: 1, headers }], plain);
  assert.equal(core.decode(batch, noCodec)[0]!.headers, headers);
});

test("decode() throws CorruptBatch exactly when the reader refuses", () => {
  const records = fc.array(fc.record({ key: optionalBytes, value: optionalBytes }), {
    maxLength: 6,
  });
  const change = fc.tuple(fc.double({ min: 0, max: 0.999_999, noNaN: true }), fc.nat(255));
  const changes = fc.array(change, { maxLength: 3 });
  const property = fc.property(records, changes, (some, edits) => {
    const bytes = writeBatch(some, { lastOffsetDelta: Math.max(0, some.length - 1) });
    for (const [where, value] of edits) {
      const at = Math.floor(where * bytes.length);
      if (at !== 22) bytes[at] = value; // the codec stays none
    }
    let wanted: number | undefined;
    try {
      wanted = readStoredBatch(bytes).records.length;
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
    }
    if (wanted === undefined) {
      assert.throws(
        () => core.decode(bytes, noCodec),
        (error: unknown) => error instanceof CorruptBatch,
      );
    } else {
      assert.is(core.decode(bytes, noCodec).length, wanted);
    }
  });
  fc.assert(property, { numRuns: 3000 });
});

test("decode() refuses a huge count without trying to hold it", () => {
  const count = 0x7fffffff;
  const batch = withCrc(writeBatch([{}], { count, lastOffsetDelta: count - 1 }));
  assert.throws(
    () => core.decode(batch, noCodec),
    (error: unknown) => error instanceof CorruptBatch,
  );
});

test("decode() refuses codecs that do not exist", () => {
  const batch = writeRaw(new Uint8Array(3), { attributes: 6 });
  assert.throws(() => core.decode(batch, (_, bytes) => bytes), /unknown codec 6/);
});

test.run();
