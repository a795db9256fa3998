// CreatePartitions: growth, assignments, errors per topic.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { handleCreatePartitions } from "../../../../runtime/kafka/apis/create-partitions.ts";
import { topicRecord } from "../fakes.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

async function grow(
  broker: AdminBroker,
  topics: { name: string; count: number; assignments: { brokerIds: number[] }[] | null }[],
  validateOnly = false,
) {
  const request = { topics, timeoutMs: 1000, validateOnly };
  const { results } = await answered(handleCreatePartitions(request, contextOf(broker, 3)));
  return results.map(({ name, errorCode }) => [name, errorCode]);
}

const broker = () => new AdminBroker().add(topicRecord("a", 3)).add(topicRecord("b", 1));

test("handleCreatePartitions() grows topics to a total", async () => {
  const admin = broker();
  const asked = [
    { name: "a", count: 5, assignments: null },
    { name: "b", count: 2, assignments: [{ brokerIds: [1] }] },
  ];
  assert.equal(await grow(admin, asked), [
    ["a", 0],
    ["b", 0],
  ]);
  assert.equal(admin.calls, [
    ["createPartitions", { name: "a", partitions: 5, validateOnly: false }],
    ["createPartitions", { name: "b", partitions: 2, validateOnly: false, assignments: [[1]] }],
  ]);
});

test("handleCreatePartitions() refuses what would not be an increase, and unknown topics", async () => {
  const admin = broker();
  const asked = [
    { name: "a", count: 3, assignments: null },
    { name: "b", count: -1, assignments: null },
    { name: "x", count: 3, assignments: null },
  ];
  assert.equal(await grow(admin, asked), [
    ["a", 37],
    ["b", 37],
    ["x", 3],
  ]);
  assert.is(admin.calls.length, 0);
});

test("handleCreatePartitions() refuses a name that occurs twice, once", async () => {
  const admin = broker();
  const asked = [4, 5].map((count) => ({ name: "a", count, assignments: null }));
  assert.equal(await grow(admin, asked), [["a", 42]]);
  assert.is(admin.calls.length, 0);
});

test("handleCreatePartitions() checks assignments even if it only validates", async () => {
  const admin = broker();
  const codeOf = async (...brokerIds: number[][]) => {
    const assignments = brokerIds.map((ids) => ({ brokerIds: ids }));
    return (await grow(admin, [{ name: "b", count: 2, assignments }], true))[0]?.[1];
  };
  assert.is(await codeOf(), 39, "too few");
  assert.is(await codeOf([1], [1]), 39, "too many");
  assert.is(await codeOf([7]), 39, "unknown broker");
  assert.is(await codeOf([1, 1]), 39, "twice");
  assert.is(await codeOf([]), 39, "none");
  assert.is(await codeOf([1]), 0);
});

test.run();
