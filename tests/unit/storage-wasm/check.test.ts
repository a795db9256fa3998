// check() against the independent reader: right, wrong, mutated and random batches.

import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BatchFault,
  type CheckRules,
  type Core,
  CoreMemoryFull,
} from "../../../storage-wasm/core.ts";
import { type ReadBatch, readBatch, Unreadable } from "./batch-reader.ts";
import { type WrittenRecord, withCrc, writeBatch, writeRaw, zigzag } from "./batch-writer.ts";
import { newCore } from "./core-under-test.ts";

const core = newCore();
const allRules: CheckRules = { verifyCrc: true, walkRecords: true, requireKeys: false };
const text = (value: string) => new TextEncoder().encode(value);
const nameOf = Object.fromEntries(Object.entries(BatchFault).map(([name, code]) => [code, name]));

function check(bytes: Uint8Array, rules: Partial<CheckRules> = {}): string {
  return nameOf[core.check(core.place(bytes), bytes.length, { ...allRules, ...rules })]!;
}

/** "none" or the fault, by the reader. */
function expected(bytes: Uint8Array): { fault: string; batch?: ReadBatch } {
  try {
    return { fault: "none", batch: readBatch(bytes, { verifyCrc: true }) };
  } catch (error) {
    if (error instanceof Unreadable) return { fault: error.message };
    throw error;
  }
}

const optionalBytes = fc.option(
  fc.oneof(
    { arbitrary: fc.uint8Array({ maxLength: 8 }), weight: 7 },
    { arbitrary: fc.uint8Array({ minLength: 60, maxLength: 200, size: "max" }), weight: 1 },
  ),
);
const records = fc.array(
  fc.record({
    key: optionalBytes,
    value: optionalBytes,
    timestampDelta: fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(0n, 100_000n)),
    headers: fc.array(fc.record({ key: fc.uint8Array({ maxLength: 8 }), value: optionalBytes }), {
      maxLength: 3,
    }),
  }),
  { minLength: 1, maxLength: 12 },
);
const sound = writeBatch([{ key: text("k"), value: text("v") }, { value: text("w") }]);

test("check() accepts what the reader accepts, and reads the same header", () => {
  const header = fc.record({
    baseOffset: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    baseTimestamp: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    maxTimestamp: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    leaderEpoch: fc.integer(),
    producerId: fc.bigInt(0n, 2n ** 53n - 1n),
    producerEpoch: fc.integer({ min: 0, max: 32767 }),
    baseSequence: fc.nat(),
  });
  const property = fc.property(records, header, (some, fields) => {
    const bytes = writeBatch(some, fields);
    assert.is(check(bytes), "none");
    assertHeader(core, readBatch(bytes, { verifyCrc: true }));
  });
  fc.assert(property, { numRuns: 300 });
});

test("check() finds the reader's fault in mutated batches", () => {
  const position = fc.double({ min: 0, max: 0.999_999, noNaN: true });
  const value = fc.oneof(fc.constantFrom(0, 1, 2, 127, 128, 255), fc.integer({ min: 0, max: 255 }));
  const kind = fc.constantFrom("set", "insert", "remove", "cut");
  const mutations = fc.array(fc.tuple(position, value, kind), { minLength: 1, maxLength: 3 });
  const property = fc.property(records, mutations, fc.boolean(), (some, changes, fixCrc) => {
    let bytes = writeBatch(some);
    for (const change of changes) bytes = mutate(bytes, ...change);
    if (fixCrc && bytes.length >= 61) bytes = withCrc(bytes);
    assert.is(check(bytes), expected(bytes).fault);
  });
  fc.assert(property, { numRuns: 3000 });
});

test("check() never accepts random bytes behind a right header unless the reader does", () => {
  const tail = fc.uint8Array({ maxLength: 80 });
  const property = fc.property(tail, fc.integer({ min: 1, max: 5 }), (bytes, count) => {
    const batch = writeRaw(bytes, { count, lastOffsetDelta: count - 1 });
    assert.is(check(batch), expected(batch).fault);
  });
  fc.assert(property, { numRuns: 2000 });
});

test("check() calls every shorter chunk incomplete, without reading beyond it", () => {
  for (let length = 0; length < sound.length; length++) {
    assert.is(check(sound.subarray(0, length)), "incomplete", `${length} bytes`);
  }
  assert.is(check(Uint8Array.from([...sound, 1, 2, 3])), "none");
});

test("check() tells header faults apart", () => {
  const one = [{ value: text("v") }];
  const faultOf = (header: Parameters<typeof writeBatch>[1]) => check(writeBatch(one, header));
  assert.is(faultOf({ magic: 1 }), "magic");
  assert.is(faultOf({ magic: 0 }), "magic");
  assert.is(faultOf({ attributes: 5 }), "attributes");
  assert.is(faultOf({ attributes: 0x80 }), "attributes");
  assert.is(faultOf({ attributes: -32768 }), "attributes");
  assert.is(faultOf({ attributes: 0x58 }), "none");
  assert.is(faultOf({ count: 0, lastOffsetDelta: -1 }), "count");
  assert.is(faultOf({ count: 2 }), "count");
  assert.is(faultOf({ count: 0x7fffffff, lastOffsetDelta: 0x7ffffffe }), "record");
  assert.is(check(new Uint8Array(100)), "magic");
});

test("check() tells length faults from missing bytes", () => {
  const withLength = (length: number) => {
    const bytes = sound.slice();
    new DataView(bytes.buffer).setInt32(8, length);
    return bytes;
  };
  for (const length of [-1, -2147483648, 0, 48]) assert.is(check(withLength(length)), "length");
  for (const length of [sound.length, 0x7fffffff]) {
    assert.is(check(withLength(length)), "incomplete");
    assert.is(core.header.bytes, length + 12);
  }
});

test("check() wants producer id, epoch and sequence together", () => {
  const one = [{ value: text("v") }];
  const faultOf = (producerId: bigint, producerEpoch: number, baseSequence: number, control = 0) =>
    check(writeBatch(one, { producerId, producerEpoch, baseSequence, attributes: control }));
  assert.is(faultOf(7n, 0, 0), "none");
  assert.is(faultOf(7n, -1, 0), "producer");
  assert.is(faultOf(7n, 0, -1), "producer");
  assert.is(faultOf(7n, 0, -1, 0x30), "none");
  assert.is(faultOf(-1n, -1, -1), "none");
  assert.is(faultOf(-2n, 0, 0), "producer");
  assert.is(faultOf(2n ** 53n, 0, 0), "producer");
  assert.is(faultOf(2n ** 63n - 1n, 0, 0), "producer");
});

test("check() demands keys only where asked, and only of sound records", () => {
  assert.is(check(sound, { requireKeys: true }), "key");
  assert.is(check(writeBatch([{ key: text("") }]), { requireKeys: true }), "none");
  const unsound = writeBatch([{ value: text("v") }, { offsetDelta: 5 }]);
  assert.is(check(unsound, { requireKeys: true }), "record");
});

test("check() refuses offset deltas with gaps, and bytes behind the last record", () => {
  assert.is(check(writeBatch([{}, { offsetDelta: 2 }, {}])), "record");
  assert.is(check(writeBatch([{}, { offsetDelta: 0 }, {}])), "record");
  const trailing = writeBatch([{}, {}], { count: 1, lastOffsetDelta: 0 });
  assert.is(check(trailing), "record");
  assert.is(check(trailing, { walkRecords: false }), "none");
});

test("check() refuses records that claim more or less than they hold", () => {
  const raw = (count: number, ...bytes: number[]) =>
    check(writeRaw(Uint8Array.from(bytes), { count, lastOffsetDelta: count - 1 }));
  assert.is(raw(2, 12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 2, 1, 1, 0), "none");
  assert.is(raw(2, 14, 0, 0, 0, 1, 1, 0, 12, 0, 0, 2, 1, 1, 0), "record", "reaches into the next");
  assert.is(raw(1, 14, 0, 0, 0, 1, 1, 0, 0), "record", "a byte too many");
  assert.is(raw(1, 10, 0, 0, 0, 1, 1), "record", "no header count");
  assert.is(raw(1, 12, 0, 0, 0, 1, 1, 2), "record", "a header count without header");
  assert.is(raw(1, 12, 0, 0, 0, 1, 1, 1), "record", "a negative header count");
  assert.is(raw(1, 16, 0, 0, 0, 1, 1, 2, 1, 1), "record", "a header without key");
  assert.is(raw(1, 12, 0, 0, 0, 3, 1, 0), "record", "a key length of -2");
  assert.is(raw(1, 12, 0, 0, 0, 1, 3, 0), "record", "a value length of -2");
  assert.is(raw(1, 0), "record", "an empty record");
  assert.is(raw(1, 1), "record", "a negative length");
});

test("check() refuses overlong varints and bits beyond their width", () => {
  const record = (body: number[]) =>
    writeRaw(Uint8Array.from([...zigzag(body.length), ...body]), {});
  const [zero, nothing] = [0, 1];
  const overlong = [0x80, 0x80, 0x80, 0x80, 0x00];
  assert.is(check(record([0, zero, zero, nothing, nothing, zero])), "none");
  assert.is(check(record([0, zero, ...overlong, nothing, nothing, zero])), "none");
  assert.is(check(record([0, zero, 0x80, ...overlong, nothing, nothing, zero])), "record");
  assert.is(check(record([0, zero, 0x80, 0x80, 0x80, 0x80, 0x10, nothing, nothing, 0])), "record");
  // Taken for a four-byte delta, the rest would look sound.
  assert.is(check(record([0, 0x80, 0x80, 0x80, 0x80, 0, nothing, nothing, zero])), "record");
  const ten = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  assert.is(check(record([0, ...ten, 0x01, zero, nothing, nothing, zero])), "none");
  assert.is(check(record([0, ...ten, 0x02, zero, nothing, nothing, zero])), "record");
  assert.is(check(record([0, ...ten, 0x80, 0x00, zero, nothing, nothing, zero])), "record");
});

test("check() reads timestamp deltas of every width alike", () => {
  for (let bit = 0n; bit < 63n; bit++) {
    for (const timestampDelta of [1n << bit, -(1n << bit), (1n << bit) - 1n]) {
      assert.is(check(writeBatch([{ timestampDelta }, { timestampDelta }])), "none", `bit ${bit}`);
    }
  }
});

test("check() does not read beyond a batch at the very end of the memory", () => {
  const own = newCore({ memoryBytesMax: 1 << 20 });
  let length = 1 << 20;
  let at = 0;
  while (at === 0) {
    length -= 16;
    try {
      at = own.alloc(length);
    } catch (error) {
      if (!(error instanceof CoreMemoryFull)) throw error;
    }
  }
  const end = at + length;
  assert.ok(own.memoryBytes - end < 64, `${own.memoryBytes - end} bytes from the end`);
  const lying = Uint8Array.from([...zigzag(5), 0, 0, 0, ...zigzag(8000)]);
  for (const bytes of [sound, writeRaw(lying, {}), writeRaw(Uint8Array.of(0x80), {})]) {
    for (let cut = 0; cut < bytes.length; cut += 7) {
      const part = bytes.subarray(0, bytes.length - cut);
      own.bytes(end - part.length, part.length).set(part);
      const fault = own.check(end - part.length, part.length, allRules);
      assert.is(nameOf[fault], expected(part).fault);
    }
  }
});

test("check() does not walk compressed records", () => {
  assert.is(check(writeRaw(Uint8Array.from([9, 9, 9]), { attributes: 4 })), "none");
  assert.is(core.header.codec, 4);
});

test("checkRecords() walks records without a batch around them", () => {
  const some: WrittenRecord[] = [{ key: text("a") }, { value: text("b") }];
  const bytes = writeBatch(some).subarray(61);
  const at = core.place(bytes);
  const walk = (count: number, requireKeys: boolean, length = bytes.length) =>
    nameOf[core.checkRecords(at, length, { count, requireKeys })];
  assert.is(walk(2, false), "none");
  assert.is(walk(2, true), "key");
  assert.is(walk(1, false), "record");
  assert.is(walk(3, false), "record");
  assert.is(walk(2, false, bytes.length - 1), "record");
});

test("stamp() changes base offset and leader epoch only, and the CRC holds", () => {
  const at = core.place(sound);
  core.stamp(at, 2 ** 40 + 5, 77);
  const stamped = core.bytes(at, sound.length).slice();
  const batch = readBatch(stamped, { verifyCrc: true });
  assert.is(batch.baseOffset, 2n ** 40n + 5n);
  assert.is(batch.leaderEpoch, 77);
  assert.equal(stamped.subarray(16), sound.subarray(16));
  assert.equal(stamped.subarray(8, 12), sound.subarray(8, 12));
});

test("stampAppendTime() sets type, time and CRC, nothing else", () => {
  const at = core.place(sound);
  core.stampAppendTime(at, sound.length, 1_700_000_000_123);
  const batch = readBatch(core.bytes(at, sound.length).slice(), { verifyCrc: true });
  assert.is(batch.attributes, 8);
  assert.is(batch.maxTimestamp, 1_700_000_000_123n);
  assert.equal(batch.records, readBatch(sound, { verifyCrc: true }).records);
});

test("check() costs well below a microsecond", () => {
  const at = core.place(sound);
  const rules = { verifyCrc: false, walkRecords: false, requireKeys: false };
  let bestNs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round++) {
    const start = performance.now();
    for (let i = 0; i < 20_000; i++) core.check(at, sound.length, rules);
    bestNs = Math.min(bestNs, ((performance.now() - start) * 1e6) / 20_000);
  }
  assert.ok(bestNs < 200, `${bestNs.toFixed(0)} ns`);
});

function assertHeader({ header }: Core, batch: ReadBatch): void {
  assert.is(header.bytes, batch.bytes);
  assert.is(header.baseOffset, clamped(batch.baseOffset));
  assert.is(
    header.lastOffset,
    Math.min(clamped(batch.baseOffset) + batch.lastOffsetDelta, Number.MAX_SAFE_INTEGER),
  );
  assert.is(header.leaderEpoch, batch.leaderEpoch);
  assert.is(header.crc, batch.crc);
  assert.is(header.attributes, batch.attributes);
  assert.is(header.baseTimestamp, clamped(batch.baseTimestamp));
  assert.is(header.maxTimestamp, clamped(batch.maxTimestamp));
  assert.is(header.producerId, Number(batch.producerId));
  assert.is(header.producerEpoch, batch.producerEpoch);
  assert.is(header.baseSequence, batch.baseSequence);
  assert.is(header.count, batch.count);
}

function clamped(value: bigint): number {
  const most = Number.MAX_SAFE_INTEGER;
  return Math.max(-most, Math.min(Number(value), most));
}

function mutate(bytes: Uint8Array, where: number, value: number, kind: string): Uint8Array {
  const at = Math.floor(where * bytes.length);
  if (kind === "cut") return bytes.slice(0, at);
  const list = [...bytes];
  if (kind === "set") list[at] = value;
  else if (kind === "insert") list.splice(at, 0, value);
  else list.splice(at, 1);
  const changed = Uint8Array.from(list);
  // Otherwise almost all are merely too short or too long.
  if (kind !== "set" && at > 60) new DataView(changed.buffer).setInt32(8, changed.length - 12);
  return changed;
}

test.run();
