// Which segments go, by each rule and by several at once.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { segmentsToDrop } from "../../../runtime/log/retention.ts";

/** Segments of 100 records and 1000 bytes with these max timestamps. */
const segments = (...timestamps: number[]) =>
  timestamps.map((maxTimestamp, i) => ({ baseOffset: i * 100, bytes: 1000, maxTimestamp }));
const rules = {
  retentionMs: -1,
  retentionBytes: -1,
  logStartOffset: 0,
  endOffset: 300,
  stableOffset: 1e9,
};

test("nothing goes without limits", () => {
  assert.is(segmentsToDrop(segments(1, 2, 3), rules, 1e12), 0);
});

test("by time: all that are too old, up to the first that is not", () => {
  const byTime = { ...rules, retentionMs: 100 };
  assert.is(segmentsToDrop(segments(10, 20, 900), byTime, 1000), 2);
  assert.is(segmentsToDrop(segments(10, 950, 20), byTime, 1000), 1);
  assert.is(segmentsToDrop(segments(900, 900, 900), byTime, 1000), 0);
});

test("by time: the active segment goes too when all of it is old", () => {
  const byTime = { ...rules, retentionMs: 100, endOffset: 300, stableOffset: 300 };
  assert.is(segmentsToDrop(segments(10, 20, 30), byTime, 1000), 3);
  const empty = [...segments(10), { baseOffset: 100, bytes: 0, maxTimestamp: -1 }];
  assert.is(segmentsToDrop(empty, { ...byTime, endOffset: 100, stableOffset: 100 }, 1000), 1);
});

test("by time: what compaction left empty goes with the old ones and keeps none of them", () => {
  const byTime = { ...rules, retentionMs: 100 };
  const emptied = (before: number, after: number) =>
    segments(before, -1, after, 990).map((each, i) => (i === 1 ? { ...each, bytes: 0 } : each));
  assert.is(segmentsToDrop(emptied(10, 20), byTime, 1000), 3);
  assert.is(segmentsToDrop(emptied(10, 950), byTime, 1000), 2);
  assert.is(segmentsToDrop(emptied(950, 950), byTime, 1000), 0);
});

test("by size: as many as fit under the limit stay, never the active one", () => {
  assert.is(segmentsToDrop(segments(1, 2, 3, 4), { ...rules, retentionBytes: 2500 }, 5), 1);
  assert.is(segmentsToDrop(segments(1, 2, 3, 4), { ...rules, retentionBytes: 2000 }, 5), 2);
  assert.is(segmentsToDrop(segments(1, 2, 3, 4), { ...rules, retentionBytes: 0 }, 5), 3);
});

test("by start: segments wholly below it", () => {
  assert.is(segmentsToDrop(segments(1, 2, 3), { ...rules, logStartOffset: 99 }, 5), 0);
  assert.is(segmentsToDrop(segments(1, 2, 3), { ...rules, logStartOffset: 100 }, 5), 1);
  assert.is(segmentsToDrop(segments(1, 2, 3), { ...rules, logStartOffset: 300 }, 5), 2);
});

test("nothing at or above the high watermark goes", () => {
  const all = { ...rules, retentionMs: 0, retentionBytes: 0 };
  assert.is(segmentsToDrop(segments(1, 2, 3), { ...all, stableOffset: 150 }, 1000), 1);
  assert.is(segmentsToDrop(segments(1, 2, 3), { ...all, stableOffset: 99 }, 1000), 0);
});

test.run();
