// Admin against a fake cluster: the right broker is asked, changes are waited for, errors say what to do. That
// every API's answer is understood is shown against real brokers, in tests/compat.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { ClientError, createClient } from "../../../runtime/client/mod.ts";
import { FakeCluster } from "./fake-cluster.ts";

function connect(cluster: FakeCluster) {
  const client = createClient({ platform: cluster.platform(), bootstrap: ["bootstrap:1"] });
  return { client, admin: client.admin() };
}

async function rejection(promise: Promise<unknown>): Promise<ClientError> {
  const error = await promise.then(
    () => new Error("it should have rejected"),
    (reason: unknown) => reason,
  );
  assert.instance(error, ClientError);
  return error as ClientError;
}

test("createTopic() asks the controller, and again when it has changed", async () => {
  const cluster = new FakeCluster([1, 2]);
  const { client, admin } = connect(cluster);
  await admin.cluster();
  cluster.controllerId = 2;
  const topic = await admin.createTopic({ name: "t", partitions: 3 });
  assert.is(topic.partitions.length, 3);
  assert.equal(
    cluster.asked("CreateTopics").map(({ broker }) => broker),
    [1, 2],
  );
  await client.close();
});

test("createTopic() resolves when all partitions have leaders", async () => {
  const cluster = new FakeCluster();
  const { client, admin } = connect(cluster);
  let looks = 0;
  cluster.fault = ({ api }) => {
    if (api !== "Metadata" || !cluster.topics.has("t")) return undefined;
    looks++;
    cluster.topics.get("t")![1]!.leader = looks < 3 ? -1 : 1;
    return undefined;
  };
  const topic = await admin.createTopic({ name: "t", partitions: 2 });
  assert.is(looks, 3);
  assert.ok(topic.partitions.every(({ leader }) => leader === 1));
  await client.close();
});

test("createTopic() tells the broker's refusal and what to do", async () => {
  const cluster = new FakeCluster();
  cluster.fault = ({ api }) =>
    api === "CreateTopics" ? { error: "TOPIC_ALREADY_EXISTS" } : undefined;
  const { client, admin } = connect(cluster);
  const error = await rejection(admin.createTopic({ name: "t" }));
  assert.is(error.code, "TOPIC_ALREADY_EXISTS");
  assert.is(
    error.message,
    "Creating topic t: TOPIC_ALREADY_EXISTS (the fake says no). Choose another name, or use the topic as it is.",
  );
  assert.is(cluster.asked("CreateTopics").length, 1);
  await client.close();
});

test("topics() names all or those asked, and topic() rejects at once for one that is missing", async () => {
  const cluster = new FakeCluster();
  cluster.addTopic("a", [1]);
  cluster.addTopic("b", [1, 1]);
  const { client, admin } = connect(cluster);
  assert.equal(
    (await admin.topics()).map(({ name }) => name),
    ["a", "b"],
  );
  assert.equal(
    (await admin.topics(["b"])).map(({ partitions }) => partitions.length),
    [2],
  );
  assert.is((await rejection(admin.topic("c"))).code, "UNKNOWN_TOPIC_OR_PARTITION");
  assert.is(cluster.clock.monotonicMs(), 0);
  await client.close();
});

test("listOffsets() asks each leader once, and tells errors by partition", async () => {
  const cluster = new FakeCluster([1, 2]);
  const partitions = cluster.addTopic("t", [1, 2, 1, 2]);
  for (const [i, partition] of partitions.entries()) partition.nextOffset = 10 + i;
  const { client, admin } = connect(cluster);
  const asked = [0, 1, 2, 3].map((partition) => ({
    topic: "t",
    partition,
    spec: "latest" as const,
  }));
  const found = await admin.listOffsets([...asked, { topic: "t", partition: 7, spec: "earliest" }]);
  assert.equal(
    found.map(({ offset }) => offset),
    [10, 11, 12, 13, -1],
  );
  assert.equal(
    found.map(({ error }) => error?.code),
    [...[undefined, undefined, undefined, undefined], "UNKNOWN_TOPIC_OR_PARTITION"],
  );
  assert.is(cluster.asked("ListOffsets").length, 2);
  await client.close();
});

test("listOffsets() answers several questions about one partition", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  partition!.logStartOffset = 3;
  partition!.nextOffset = 8;
  const { client, admin } = connect(cluster);
  const t0 = { topic: "t", partition: 0 };
  const found = await admin.listOffsets([
    { ...t0, spec: "latest" },
    { ...t0, spec: "earliest" },
  ]);
  assert.equal(
    found.map(({ offset }) => offset),
    [8, 3],
  );
  await client.close();
});

test("listOffsets() follows a leader that has moved", async () => {
  const cluster = new FakeCluster([1, 2]);
  const partitions = cluster.addTopic("t", [1, 1]);
  const { client, admin } = connect(cluster);
  const asked = [0, 1].map((partition) => ({ topic: "t", partition, spec: "latest" as const }));
  await admin.listOffsets(asked);
  partitions[1]!.leader = 2;
  partitions[1]!.nextOffset = 5;
  const found = await admin.listOffsets(asked);
  assert.equal(
    found.map(({ offset, error }) => [offset, error]),
    [
      [0, null],
      [5, null],
    ],
  );
  await client.close();
});

test("a client that is closed refuses further use", async () => {
  const cluster = new FakeCluster();
  const { client, admin } = connect(cluster);
  await admin.cluster();
  await client.close();
  assert.is((await rejection(admin.cluster())).code, "CLOSED");
  assert.throws(() => client.producer(), /closed/);
});

test.run();
