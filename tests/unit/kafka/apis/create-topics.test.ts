// CreateTopics: order, duplicates, counts, assignments, limits, errors per topic.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CreateTopicRequest } from "../../../../runtime/broker.ts";
import { createTopics, handleCreateTopics } from "../../../../runtime/kafka/apis/create-topics.ts";
import { Reader } from "../../../../runtime/kafka/reader.ts";
import { Writer } from "../../../../runtime/kafka/writer.ts";
import { joined } from "../bytes.ts";
import { AdminBroker, answered, configEntry, contextOf } from "./admin-broker.ts";

type Given = { name: string } & Record<string, unknown>;

const topic = (given: Given) => ({
  numPartitions: 1,
  replicationFactor: 1,
  assignments: [],
  configs: [],
  ...given,
});
const assigned = (name: string, ...partitions: number[][]) =>
  topic({
    name,
    numPartitions: -1,
    replicationFactor: -1,
    assignments: partitions.map(([partitionIndex = 0, ...brokerIds]) => ({
      partitionIndex,
      brokerIds,
    })),
  });

async function create(broker: AdminBroker, topics: ReturnType<typeof topic>[], version = 7) {
  const context = contextOf(broker, version);
  const request = { topics, timeoutMs: 1000, validateOnly: false };
  const { topics: results } = await answered(handleCreateTopics(request, context));
  return { results, context, codes: results.map(({ name, errorCode }) => [name, errorCode]) };
}

const asked = ({ calls }: AdminBroker) => (calls[0] ?? [])[1] as CreateTopicRequest;

test("handleCreateTopics() creates each topic alone and answers in the order asked", async () => {
  const broker = new AdminBroker().refuse("b", "TOPIC_ALREADY_EXISTS", "there");
  broker.entries = [configEntry("k"), configEntry("p", { sensitive: true, value: "secret" })];
  const { results } = await create(broker, [
    topic({ name: "a", numPartitions: 3, configs: [{ name: "k", value: "v" }] }),
    topic({ name: "b" }),
    topic({ name: "c" }),
  ]);
  assert.equal(
    results.map(({ name, errorCode, errorMessage, numPartitions }) => [
      name,
      errorCode,
      errorMessage,
      numPartitions,
    ]),
    [
      ["a", 0, null, 3],
      ["b", 36, "there", -1],
      ["c", 0, null, 1],
    ],
  );
  assert.equal(broker.calls[0]?.[1], {
    name: "a",
    partitions: 3,
    replicationFactor: 1,
    configs: new Map([["k", "v"]]),
    validateOnly: false,
  });
  assert.is(results[0]?.topicId, broker.topics.get("a")?.id);
  assert.equal(
    results[0]?.configs?.map(({ value, configSource }) => [value, configSource]),
    [
      ["1", 5],
      [null, 5],
    ],
  );
});

test("handleCreateTopics() passes validateOnly on", async () => {
  const broker = new AdminBroker();
  const request = { topics: [topic({ name: "a" })], timeoutMs: 1000, validateOnly: true };
  await answered(handleCreateTopics(request, contextOf(broker, 7)));
  assert.is(asked(broker).validateOnly, true);
});

test("handleCreateTopics() creates no topic whose name occurs twice", async () => {
  const broker = new AdminBroker();
  const { codes } = await create(broker, [
    topic({ name: "a" }),
    topic({ name: "b" }),
    topic({ name: "a", numPartitions: 2 }),
  ]);
  assert.equal(codes, [
    ["a", 42],
    ["b", 0],
  ]);
  assert.equal([...broker.topics.keys()], ["b"]);
});

test("handleCreateTopics() checks counts before the broker is asked; -1 is its default", async () => {
  const broker = new AdminBroker();
  const { codes } = await create(broker, [
    topic({ name: "p0", numPartitions: 0 }),
    topic({ name: "p-2", numPartitions: -2 }),
    topic({ name: "r0", replicationFactor: 0 }),
    topic({ name: "both", numPartitions: 0, replicationFactor: -2 }),
    topic({ name: "ok", numPartitions: -1, replicationFactor: -1 }),
  ]);
  assert.equal(codes, [
    ["p0", 37],
    ["p-2", 37],
    ["r0", 38],
    ["both", 38],
    ["ok", 0],
  ]);
  assert.is(broker.calls.length, 1);
});

test("handleCreateTopics() puts given replicas in the order of their partitions", async () => {
  const broker = new AdminBroker();
  const { codes } = await create(broker, [assigned("a", [1, 1], [0, 1])]);
  assert.equal(codes, [["a", 0]]);
  assert.equal(asked(broker).assignments, [[1], [1]]);
});

test("handleCreateTopics() refuses assignments that do not fit", async () => {
  const broker = new AdminBroker();
  const { codes } = await create(broker, [
    { ...assigned("count", [0, 1]), numPartitions: 1 },
    { ...assigned("factor", [0, 1]), replicationFactor: 1 },
    assigned("twice", [0, 1], [0, 1]),
    assigned("gap", [0, 1], [2, 1]),
    assigned("negative", [-1, 1]),
    assigned("unknown", [0, 9]),
    assigned("doubled", [0, 1, 1]),
    assigned("empty", [0]),
  ]);
  assert.equal(
    codes.map(([, code]) => code),
    [42, 42, 39, 39, 39, 39, 39, 39],
  );
  assert.is(broker.calls.length, 0);
});

test("handleCreateTopics() refuses null values of configs", async () => {
  const { codes } = await create(new AdminBroker(), [
    topic({ name: "a", configs: [{ name: "k", value: null }] }),
  ]);
  assert.equal(codes, [["a", 40]]);
});

test("handleCreateTopics() refuses more than 10,000 partitions in one request", async () => {
  const broker = new AdminBroker();
  const { codes } = await create(broker, [
    topic({ name: "a", numPartitions: 9_999 }),
    topic({ name: "b", numPartitions: 2 }),
  ]);
  assert.equal(codes, [
    ["a", 44],
    ["b", 44],
  ]);
  assert.is(broker.calls.length, 0);
});

test("handleCreateTopics() answers in an inflexible version however long the refused name", async () => {
  const name = "x".repeat(32_767);
  const broker = new AdminBroker().refuse(name, "INVALID_TOPIC_EXCEPTION", `bad name ${name}`);
  const { results } = await create(broker, [topic({ name })], 2);
  const writer = new Writer();
  createTopics.encodeResponse(2, { throttleTimeMs: 0, topics: results }, writer);
  const decoded = createTopics.decodeResponse(2, new Reader(joined(writer)));
  assert.is(decoded.topics[0]?.errorCode, 17);
});

test("handleCreateTopics() reports what is not the client's fault and says nothing of it", async () => {
  const broker = new AdminBroker();
  broker.refusals.set("a", new TypeError("a bug"));
  const { results, context } = await create(broker, [topic({ name: "a" }), topic({ name: "b" })]);
  assert.equal(
    results.map(({ errorCode }) => errorCode),
    [-1, 0],
  );
  assert.not.match(String(results[0]?.errorMessage), "a bug");
  assert.is(context.reported.length, 1);
});

test.run();
