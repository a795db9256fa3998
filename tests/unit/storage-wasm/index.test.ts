// Offset and time indexes against plain lists.

import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { newCore } from "./core-under-test.ts";

const core = newCore();

/** Strictly growing numbers. */
const growing = (lengthMax: number) =>
  fc
    .array(fc.integer({ min: 1, max: 5000 }), { maxLength: lengthMax, size: "max" })
    .map((steps) =>
      steps.map((_, i) => steps.slice(0, i + 1).reduce((sum, step) => sum + step, 0)),
    );

function offsetFile(entries: [number, number][]): Uint8Array {
  const bytes = new Uint8Array(entries.length * 8);
  const view = new DataView(bytes.buffer);
  entries.forEach(([relativeOffset, position], i) => {
    view.setInt32(i * 8, relativeOffset);
    view.setInt32(i * 8 + 4, position);
  });
  return bytes;
}

function timeFile(entries: [number, number][]): Uint8Array {
  const bytes = new Uint8Array(entries.length * 12);
  const view = new DataView(bytes.buffer);
  entries.forEach(([timestampMs, relativeOffset], i) => {
    view.setBigInt64(i * 12, BigInt(timestampMs));
    view.setInt32(i * 12 + 8, relativeOffset);
  });
  return bytes;
}

test("lookup() of an offset index returns the position of the largest entry ≤ the target", () => {
  const property = fc.property(
    growing(60),
    fc.integer({ min: -5, max: 400_000 }),
    (list, target) => {
      const index = core.newOffsetIndex();
      for (const offset of list) index.append(offset, offset * 3);
      const wanted = list.filter((offset) => offset <= target).at(-1);
      assert.is(index.lookup(target), wanted === undefined ? 0 : wanted * 3);
      assert.is(index.entries, list.length);
      assert.is(index.lastRelativeOffset(), list.at(-1) ?? -1);
      assert.is(index.lastPosition(), (list.at(-1) ?? 0) * 3);
      index.free();
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test("truncate() of an offset index drops entries ≥ the given offset", () => {
  const property = fc.property(
    growing(60),
    fc.integer({ min: -5, max: 400_000 }),
    (list, limit) => {
      const index = core.newOffsetIndex();
      for (const offset of list) index.append(offset, offset * 3);
      index.truncate(limit);
      const kept = list.filter((offset) => offset < limit);
      assert.equal(index.fileBytes().slice(), offsetFile(kept.map((o) => [o, o * 3])));
      if (limit >= 0) index.append(limit, limit * 3 + 1);
      index.free();
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test("fileBytes() is Kafka's layout, from any entry on", () => {
  const index = core.newOffsetIndex();
  const entries: [number, number][] = [
    [7, 4096],
    [0x01020304, 0x0a0b0c0d],
  ];
  for (const [offset, position] of entries) index.append(offset, position);
  assert.equal(index.fileBytes().slice(), offsetFile(entries));
  assert.equal(index.fileBytes(1).slice(), Uint8Array.from([1, 2, 3, 4, 10, 11, 12, 13]));
  assert.is(index.fileBytes(2).length, 0);
  index.free();
});

test("append() of an offset index refuses entries that do not grow or do not fit", () => {
  const index = core.newOffsetIndex();
  index.append(10, 100);
  for (const [offset, position] of [
    [10, 200],
    [9, 200],
    [11, 100],
    [11, -1],
    [2 ** 31, 200],
    [2 ** 32 + 11, 200],
    [11, 2 ** 32 + 200],
  ] as const) {
    assert.throws(() => index.append(offset, position), RangeError);
  }
  assert.is(index.entries, 1);
  index.append(2 ** 31 - 1, 2 ** 31 - 1);
  assert.is(index.lookup(2 ** 40), 2 ** 31 - 1);
  index.free();
});

test("loadOffsetIndex() keeps entries as long as they grow", () => {
  const load = (entries: [number, number][], tail: number[] = []) => {
    const index = core.loadOffsetIndex(Uint8Array.from([...offsetFile(entries), ...tail]));
    const { entries: count } = index;
    index.free();
    return count;
  };
  assert.is(load([]), 0);
  assert.is(
    load([
      [1, 10],
      [2, 20],
      [3, 30],
    ]),
    3,
  );
  assert.is(
    load([
      [1, 10],
      [2, 20],
      [2, 30],
    ]),
    2,
  );
  assert.is(
    load([
      [1, 10],
      [2, 10],
      [3, 30],
    ]),
    1,
  );
  assert.is(load([[-1, 10]]), 0);
  assert.is(load([[1, 10]], [0, 0, 0]), 1, "a torn entry");
  assert.is(
    load([
      [1, 10],
      [0, 0],
      [0, 0],
    ]),
    1,
    "a preallocated file",
  );
  assert.is(
    load([
      [0, 0],
      [0, 0],
    ]),
    0,
    "a preallocated file without entries",
  );
});

test("loadOffsetIndex() and loadTimeIndex() give an index that goes on growing", () => {
  const offsets = core.loadOffsetIndex(
    offsetFile([
      [1, 10],
      [2, 20],
    ]),
  );
  for (let i = 3; i < 2000; i++) offsets.append(i, i * 10);
  assert.is(offsets.lookup(1999), 19_990);
  assert.is(offsets.lookup(1), 10);
  const times = core.loadTimeIndex(
    timeFile([
      [100, 1],
      [200, 2],
    ]),
  );
  for (let i = 3; i < 2000; i++) times.append(i * 100, i);
  assert.is(times.lookup(199_950), 1999);
  assert.equal(core.loadTimeIndex(times.fileBytes()).lastTimestamp(), 199_900);
  offsets.free();
  times.free();
});

test("lookup() of a time index returns the offset of the largest entry ≤ the timestamp", () => {
  const property = fc.property(
    growing(60),
    fc.integer({ min: -5, max: 400_000 }),
    (list, target) => {
      const index = core.newTimeIndex();
      const base = 1_700_000_000_000;
      list.forEach((time, i) => {
        index.append(base + time, i + 1);
      });
      const below = list.filter((time) => time <= target).length;
      assert.is(index.lookup(base + target), below);
      assert.is(index.lastTimestamp(), list.length ? base + list.at(-1)! : -1);
      assert.is(index.lastRelativeOffset(), list.length || -1);
      index.truncate(4);
      assert.equal(
        index.fileBytes().slice(),
        timeFile(list.slice(0, 3).map((time, i) => [base + time, i + 1])),
      );
      index.free();
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test("append() of a time index ignores what is not newer", () => {
  const index = core.newTimeIndex();
  index.append(1000, 5);
  index.append(1000, 6);
  index.append(999, 7);
  index.append(2000, 4);
  assert.is(index.entries, 1);
  index.append(2000, 5);
  assert.is(index.entries, 2);
  assert.is(index.lastRelativeOffset(), 5);
  index.free();
});

test("append() of a time index takes any timestamp a batch can carry", () => {
  const index = core.newTimeIndex();
  index.append(-Number.MAX_SAFE_INTEGER, 0);
  index.append(Number.MAX_SAFE_INTEGER, 1);
  index.append(Number.POSITIVE_INFINITY, 2);
  assert.is(index.lookup(0), 0);
  assert.is(index.lookup(Number.MAX_SAFE_INTEGER), 1);
  index.free();
});

test("loadTimeIndex() keeps entries as long as they grow", () => {
  const load = (entries: [number, number][]) => {
    const index = core.loadTimeIndex(timeFile(entries));
    const { entries: count } = index;
    index.free();
    return count;
  };
  assert.is(
    load([
      [100, 1],
      [200, 1],
      [300, 2],
    ]),
    3,
  );
  assert.is(
    load([
      [100, 1],
      [100, 2],
    ]),
    1,
  );
  assert.is(
    load([
      [100, 2],
      [200, 1],
    ]),
    1,
  );
  assert.is(
    load([
      [0, 0],
      [0, 0],
    ]),
    0,
  );
});

test("an index of a full segment's size is looked up right", () => {
  const index = core.newOffsetIndex();
  const entries = 262_144;
  for (let i = 1; i <= entries; i++) index.append(i * 16, i * 4096);
  assert.is(index.entries, entries);
  for (const i of [1, 2, 1000, 131_072, entries]) assert.is(index.lookup(i * 16 + 15), i * 4096);
  index.free();
});

test.run();
