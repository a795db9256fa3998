// Unit tests of runtime/partitioner.ts, with the vectors known from Kafka's Java client.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  murmur2,
  partitionForKey,
  RoundRobinPartitioner,
  StickyPartitioner,
} from "../../runtime/partitioner.ts";

const text = new TextEncoder();

function seededRandom(state: number) {
  return {
    integer(below: number) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % below;
    },
    bytes: (length: number) => new Uint8Array(length),
  };
}

test("murmur2() equals the Java client's hash", () => {
  const vectors: [string, number][] = [
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ];
  for (const [key, hash] of vectors) assert.is(murmur2(text.encode(key)), hash, key);
});

test("partitionForKey() is never negative and below the partition count", () => {
  assert.is(partitionForKey(text.encode("21"), 7), (-973932308 & 0x7fffffff) % 7);
  for (let i = 0; i < 1000; i++) {
    const partition = partitionForKey(text.encode(`key-${i}`), 13);
    assert.ok(partition >= 0 && partition < 13);
  }
});

test("StickyPartitioner stays until the batch is full, then moves to another partition", () => {
  const sticky = new StickyPartitioner({ random: seededRandom(7), batchBytes: 1000 });
  let previous = -1;
  const seen = new Set<number>();
  for (let batch = 0; batch < 100; batch++) {
    const chosen = Array.from({ length: 10 }, () => sticky.next("t", 4, 100));
    assert.is(new Set(chosen).size, 1, `one partition in batch ${batch}`);
    assert.is.not(chosen[0], previous);
    previous = chosen[0]!;
    seen.add(previous);
  }
  assert.is(seen.size, 4);
});

test("StickyPartitioner adapts when there are fewer partitions than before", () => {
  const sticky = new StickyPartitioner({ random: seededRandom(1) });
  for (let i = 0; i < 100; i++) {
    sticky.next(`t${i}`, 10, 1);
    assert.ok(sticky.next(`t${i}`, 2, 1) < 2);
  }
});

test("RoundRobinPartitioner visits every partition in turn, per topic", () => {
  const robin = new RoundRobinPartitioner({ random: seededRandom(3) });
  const first = robin.next("t", 3);
  robin.next("other", 3);
  const next = Array.from({ length: 5 }, () => robin.next("t", 3));
  assert.equal(
    next,
    [1, 2, 3, 4, 5].map((step) => (first + step) % 3),
  );
});

test.run();
