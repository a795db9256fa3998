// Assignors of the consumer protocol: complete, even, and as few moves as can be.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { AssignedMember, Assignor } from "../../../runtime/groups/assignor.ts";
import { type PartitionSet, partitionSet } from "../../../runtime/groups/partition-set.ts";
import { assignRanges } from "../../../runtime/groups/range-assignor.ts";
import { assignUniformly } from "../../../runtime/groups/uniform-assignor.ts";

type Result = ReadonlyMap<string, PartitionSet>;

function member(memberId: string, topics: string, target?: PartitionSet): AssignedMember {
  const topicIds = new Set(topics.split(""));
  return { memberId, instanceId: null, topicIds, target: target ?? new Map() };
}

function counts(result: Result): number[] {
  return [...result.values()].map((set) => size(set));
}

function size(set: PartitionSet): number {
  return [...set.values()].reduce((sum, partitions) => sum + partitions.size, 0);
}

function places(result: Result): string[] {
  return [...result.values()].flatMap((set) =>
    [...set].flatMap(([topic, partitions]) => [...partitions].map((each) => `${topic}${each}`)),
  );
}

function kept(before: Result, after: Result): number {
  let same = 0;
  for (const [memberId, set] of after) {
    for (const [topic, partitions] of set) {
      for (const each of partitions) if (before.get(memberId)?.get(topic)?.has(each)) same++;
    }
  }
  return same;
}

const topics = new Map([
  ["a", 7],
  ["b", 5],
]);

for (const [name, assign] of Object.entries({ assignRanges, assignUniformly })) {
  test(`${name}() gives every partition to exactly one of those who read it`, () => {
    const members = [member("1", "a"), member("2", "ab"), member("3", "b"), member("4", "")];
    const result = (assign as Assignor)(members, topics);
    assert.is(new Set(places(result)).size, 12);
    assert.is(places(result).length, 12);
    assert.is(result.get("1")?.has("b"), false);
    assert.is(result.get("3")?.has("a"), false);
    assert.is(size(result.get("4")!), 0);
  });
}

test("assignRanges() keeps equal partitions of topics together", () => {
  const both = new Map([
    ["a", 4],
    ["b", 4],
  ]);
  const result = assignRanges([member("1", "ab"), member("2", "ab")], both);
  assert.equal([...result.get("1")!.get("a")!], [0, 1]);
  assert.equal([...result.get("1")!.get("b")!], [0, 1]);
});

test("assignUniformly() is even to within one, and moves as little as possible", () => {
  const names = ["1", "2", "3", "4", "5"];
  const first = assignUniformly(
    names.slice(0, 4).map((name) => member(name, "ab")),
    topics,
  );
  assert.equal(counts(first), [3, 3, 3, 3]);
  const more = assignUniformly(
    names.map((name) => member(name, "ab", first.get(name))),
    topics,
  );
  assert.equal(counts(more).sort(), [2, 2, 2, 3, 3]);
  assert.is(kept(first, more), 10);
  const fewer = assignUniformly(
    names.slice(1).map((name) => member(name, "ab", more.get(name))),
    topics,
  );
  assert.equal(counts(fewer), [3, 3, 3, 3]);
  assert.is(kept(more, fewer), 12 - size(more.get("1")!));
});

test("assignUniformly() balances members that read different topics", () => {
  const members = [member("1", "ab"), member("2", "a"), member("3", "a")];
  const result = assignUniformly(members, topics);
  assert.is(size(result.get("1")!), 5);
  assert.equal([size(result.get("2")!), size(result.get("3")!)].sort(), [3, 4]);
});

test("assignUniformly() forgets partitions that are gone and topics no longer read", () => {
  const target = partitionSet([
    { topicId: "a", partitions: [0, 9] },
    { topicId: "c", partitions: [0] },
  ]);
  const result = assignUniformly([member("1", "a", target)], new Map([["a", 2]]));
  assert.equal(places(result), ["a0", "a1"]);
});

test.run();
