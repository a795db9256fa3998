// The map of keys: the newest offset of each key, a bound that holds, and the records that are left.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createPlatform } from "../../../runtime/platforms/node.ts";

const { core } = createPlatform();
const headerBytes = 61;
const seed = new Uint8Array(16).fill(3);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A batch in the core's memory. */
function placed(keys: readonly (string | null)[], values: readonly (string | null)[] = keys) {
  const records = keys.map((key, i) => ({
    key: key === null ? null : encoder.encode(key),
    value: values[i] == null ? null : encoder.encode(values[i]),
    timestampMs: 1000 + i,
  }));
  const bytes = core.encode(records, { compression: null });
  const at = core.alloc(bytes.length);
  core.bytes(at, bytes.length).set(bytes);
  return { at, bytes, records: at + headerBytes, length: bytes.length - headerBytes };
}

function kept(
  batch: ReturnType<typeof placed>,
  map: ReturnType<typeof core.newKeyMap>,
  options: {
    baseOffset?: number;
    latestOffset?: number;
    dropTombstones?: boolean;
    timestampShift?: number;
  } = {},
) {
  const count = new DataView(batch.bytes.buffer).getInt32(57);
  const out = core.alloc(batch.bytes.length + count * 12);
  const rules = { latestOffset: 1e6, dropTombstones: false, timestampShift: 0, ...options };
  const asked = { count, baseOffset: 0, ...rules };
  const found = map.filter(batch.records, batch.length, asked, out + headerBytes);
  core.bytes(out, headerBytes).set(batch.bytes.subarray(0, headerBytes));
  core.reseal(out, {
    recordsBytes: found.bytes,
    count: found.count,
    attributes: 0,
    baseTimestamp: 1000 + rules.timestampShift,
    maxTimestamp: 1000 + found.timestampDeltaMax,
  });
  const length = headerBytes + found.bytes;
  const fault = core.check(out, length, {
    verifyCrc: true,
    walkRecords: false,
    requireKeys: false,
  });
  const records = core.decode(core.bytes(out, length).slice(), () => new Uint8Array());
  core.free(out);
  const rows = records.map(({ offset, key, timestampMs }) => [
    offset,
    key && decoder.decode(key),
    timestampMs,
  ]);
  return { rows, fault, tombstones: found.tombstones };
}

test("filter() keeps the newest record of each key and what lies behind the map", () => {
  const batch = placed(["a", "b", "a", "", "b", "c", ""]);
  const map = core.newKeyMap({ entries: 10, bytesMax: 1 << 20, seed });
  assert.ok(map.add(batch.records, batch.length, { count: 7, baseOffset: 0 }));
  assert.is(map.entries, 4);
  const offsets = (options = {}) => kept(batch, map, options).rows.map(([offset]) => offset);
  assert.equal(offsets(), [2, 4, 5, 6]);
  assert.equal(offsets({ latestOffset: 2 }), [2, 3, 4, 5, 6]);
  map.free();
});

test("markNewest() changes nothing of what filter() keeps, at any place of the marked range", () => {
  const keys = Array.from({ length: 300 }, (_, i) => (i === 150 ? null : `key-${(i * 7) % 40}`));
  const values = keys.map((_, i) => (i % 9 === 0 ? null : `${i}`));
  const batch = placed(keys, values);
  const baseOffset = 1000;
  for (const from of [0, 970, 1000, 1001]) {
    const map = core.newKeyMap({ entries: 300, bytesMax: 1 << 20, seed });
    map.add(batch.records, batch.length, { count: 300, baseOffset });
    const rules = [{}, { latestOffset: 1270 }, { latestOffset: -1 }, { dropTombstones: true }];
    const all = () => rules.map((rule) => kept(batch, map, { baseOffset, ...rule }));
    const before = all();
    map.markNewest(from, 1300);
    assert.equal(all(), before, `from ${from}`);
    assert.equal(
      before.map(({ rows }) => rows.length),
      [40, 40, 300, 35],
    );
    map.free();
  }
});

test("filter() leaves out tombstones when told, and records without a key always", () => {
  const batch = placed(["a", "b", null, "a"], ["1", "2", "3", null]);
  const map = core.newKeyMap({ entries: 10, bytesMax: 1 << 20, seed });
  map.add(batch.records, batch.length, { count: 4, baseOffset: 0 });
  assert.equal(
    kept(batch, map).rows.map(([offset]) => offset),
    [1, 3],
  );
  assert.is(kept(batch, map).tombstones, 1);
  assert.equal(
    kept(batch, map, { dropTombstones: true }).rows.map(([offset]) => offset),
    [1],
  );
  map.free();
});

test("filter() can move the base timestamp and leaves every record its own time", () => {
  const batch = placed(["a", "b", "c"]);
  const map = core.newKeyMap({ entries: 10, bytesMax: 1 << 20, seed });
  map.add(batch.records, batch.length, { count: 3, baseOffset: 0 });
  for (const timestampShift of [0, 1, -5, 86_400_000, 2 ** 45]) {
    const { rows } = kept(batch, map, { timestampShift });
    assert.equal(rows, [
      [0, "a", 1000],
      [1, "b", 1001],
      [2, "c", 1002],
    ]);
  }
  map.free();
});

test("add() keeps to its bound: it says that a batch might not fit, and takes nothing of it", () => {
  const map = core.newKeyMap({ entries: 1e9, bytesMax: 64 * 24, seed });
  assert.is(map.bytes, 64 * 24);
  assert.is(map.entriesMax, 48);
  const batch = placed(Array.from({ length: 40 }, (_, i) => `key-${i}`));
  const add = (baseOffset: number) =>
    map.add(batch.records, batch.length, { count: 40, baseOffset });
  assert.ok(add(0));
  assert.not(add(40));
  assert.is(map.entries, 40);
  map.free();
});

test("add() finds a million keys again", () => {
  const map = core.newKeyMap({ entries: 1_000_000, bytesMax: 1 << 26, seed });
  for (let from = 0; from < 1_000_000; from += 10_000) {
    const batch = placed(Array.from({ length: 10_000 }, (_, i) => `key-${from + i}`));
    map.add(batch.records, batch.length, { count: 10_000, baseOffset: from });
    core.free(batch.at);
  }
  assert.is(map.entries, 1_000_000, "no two keys meet");
  map.free();
});

test.run();
