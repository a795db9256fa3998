// BatchBuilder and RecordReader: what is built record by record is what `encode` makes, byte for byte, and what is
// read record by record is what `decode` gives.

import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BatchBuilder,
  type BatchMemory,
  CorruptBatch,
  type DecodedRecord,
  type RecordInput,
  RecordReader,
} from "../../../storage-wasm/core.ts";
import { writeBatch, zigzag } from "./batch-writer.ts";
import { newCore } from "./core-under-test.ts";

const core = newCore();
const identity = { producerId: 7, producerEpoch: 2, baseSequence: 40 };
const memory: BatchMemory = { take: (bytes) => new Uint8Array(bytes), give() {} };
const noCodec = (): never => {
  throw new Error("nothing to decompress");
};

const bytes = fc.option(
  fc.oneof(
    { arbitrary: fc.uint8Array({ maxLength: 70 }), weight: 7 },
    { arbitrary: fc.uint8Array({ minLength: 8_150, maxLength: 8_250, size: "max" }), weight: 1 },
  ),
);
const plainObject = { noNullPrototype: true };
const header = fc.record({ key: fc.string({ unit: "grapheme" }), value: bytes }, plainObject);
const times = fc.oneof(fc.integer({ min: 0, max: 2 ** 41 }), fc.integer({ min: -9e15, max: 9e15 }));
const records = fc.array(
  fc.record(
    { key: bytes, value: bytes, timestampMs: times, headers: fc.array(header, { maxLength: 3 }) },
    plainObject,
  ),
  { minLength: 1, maxLength: 40, size: "medium" },
);

function built(inputs: readonly RecordInput[], bytesMin = 0): BatchBuilder {
  const builder = new BatchBuilder(memory, bytesMin);
  for (const input of inputs) builder.add(input);
  return builder;
}

function read(reader: RecordReader): DecodedRecord[] {
  const found: DecodedRecord[] = [];
  while (reader.advance()) {
    const { offset, timestampMs, key, value, headers } = reader;
    found.push({ offset, timestampMs, key, value, headers });
  }
  return found;
}

const origin = (count: number) => ({
  baseOffset: 0,
  lastOffset: count - 1,
  count,
  baseTimestamp: 1_000_000_000_000,
  appendTimeMs: null,
});

test("seal() gives the bytes that encode() gives, plain and compressed", () => {
  const compress = (plain: Uint8Array) => deflateSync(plain);
  const property = fc.property(records, fc.boolean(), (inputs, isTransactional) => {
    for (const compression of [null, { id: 1, compress }]) {
      const options = { compression, isTransactional, ...identity };
      assert.equal(built(inputs).seal(core, options), core.encode(inputs, options));
    }
  });
  fc.assert(property, { numRuns: 60 });
});

test("seal() again under another identity changes only that", () => {
  const builder = built([{ key: null, value: Uint8Array.of(1), timestampMs: 5 }]);
  builder.seal(core, { compression: null, ...identity });
  const again = { compression: null, ...identity, producerId: 8, baseSequence: 0 };
  const expected = core.encode([{ key: null, value: Uint8Array.of(1), timestampMs: 5 }], again);
  assert.equal(builder.seal(core, again), expected);
});

test("RecordReader reads what decode() reads, views of the bytes it was given", () => {
  const property = fc.property(records, (inputs) => {
    const batch = core.encode(inputs, { compression: null });
    const body = batch.subarray(61);
    const baseTimestamp = inputs[0]!.timestampMs;
    const reader = new RecordReader(body, { ...origin(inputs.length), baseTimestamp });
    const found = read(reader);
    assert.equal(found, core.decode(batch, noCodec));
    assert.equal(found, read(built(inputs).reader()));
    assert.is(reader.left, 0);
    for (const { value } of found) if (value !== null) assert.is(value.buffer, body.buffer);
  });
  fc.assert(property, { numRuns: 60 });
});

test("add() copies, and times that are no whole numbers are cut to ones", () => {
  const value = Uint8Array.of(1, 2);
  const times = [1.5, Number.NaN, Number.POSITIVE_INFINITY];
  const builder = built(times.map((timestampMs) => ({ key: null, value, timestampMs })));
  value.fill(9);
  const found = read(builder.reader());
  assert.equal(found[0]!.value, Uint8Array.of(1, 2));
  assert.equal(
    found.map(({ timestampMs }) => timestampMs),
    [1, 0, Number.MAX_SAFE_INTEGER],
  );
});

test("a builder takes more memory as it grows, and gives back all it took", () => {
  const out = new Set<Uint8Array>();
  const counted: BatchMemory = {
    take(size) {
      const taken = new Uint8Array(size);
      out.add(taken);
      return taken;
    },
    give: (given) => assert.ok(out.delete(given)),
  };
  const builder = new BatchBuilder(counted, 100);
  for (let i = 0; i < 100; i++) {
    builder.add({ key: null, value: new Uint8Array(500).fill(i), timestampMs: i });
    assert.is(out.size, 1);
  }
  assert.is(read(builder.reader())[77]!.value![499], 77);
  builder.release();
  builder.release();
  assert.is(out.size, 0);
});

test("skipTo() stops before the first record at or above an offset; clone() reads on from there", () => {
  const batch = writeBatch([{ offsetDelta: 0 }, { offsetDelta: 4 }, { offsetDelta: 9 }]);
  const reader = new RecordReader(batch.subarray(61), { ...origin(3), lastOffset: 9 });
  reader.skipTo(3);
  assert.is(reader.left, 2);
  const copy = reader.clone();
  for (const each of [copy, reader]) {
    assert.ok(each.advance());
    assert.is(each.offset, 4);
  }
  reader.skipTo(10);
  assert.is(reader.left, 0);
  assert.not.ok(reader.advance());
});

test("RecordReader refuses what does not add up, whatever bytes it gets", () => {
  const right = [...writeBatch([{ value: Uint8Array.of(5) }, {}]).subarray(61)];
  const refused = (body: readonly number[], count = 2) =>
    assert.throws(
      () => read(new RecordReader(Uint8Array.from(body), origin(count))),
      (error: unknown) => error instanceof CorruptBatch,
    );
  assert.is(read(new RecordReader(Uint8Array.from(right), origin(2))).length, 2);
  refused([...right, 0]);
  refused(right.slice(0, -1));
  refused(right, 1);
  refused(right, 3);
  const below = { ...origin(2), lastOffset: 0 };
  const reader = new RecordReader(Uint8Array.from(right), below);
  assert.throws(() => read(reader), /beyond the last offset/);
  // One record: length, attributes, times, offset, key, value, headers.
  for (const body of [
    [0, 0, 0, 1, 40, 0], // a value longer than the record
    [0, 0, 0, 1, 0, 8], // headers that are not there
    [0, 0, 0, 1, 0, 1], // a negative count of headers
    [0, 0, 1, 1, 0, 0], // a negative offset
    [0, 255, 255, 255, 255, 255], // a varint without end
  ]) {
    refused([...zigzag(body.length), ...body], 1);
  }
  const random = fc.property(fc.uint8Array({ maxLength: 40 }), (body) => {
    try {
      read(new RecordReader(body, origin(3)));
    } catch (error) {
      assert.instance(error, CorruptBatch);
    }
  });
  fc.assert(random, { numRuns: 2_000 });
});

test.run();
