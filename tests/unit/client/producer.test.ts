// The producer against a fake cluster: batching, acknowledgements, order and exactly-once under every fault a
// broker or a network can have, and what is given up.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { produce } from "../../../runtime/kafka/apis/produce.ts";
import type { RequestOf } from "../../../runtime/kafka/schema.ts";
import { partitionForKey } from "../../../runtime/partitioner.ts";
import { FakeCluster, type FakeRequest, type Fault } from "./fake-cluster.ts";
import { connect, rejection } from "./producer-fixture.ts";

/** Lets the first `count` requests of an API fail this way. */
function failFirst(cluster: FakeCluster, api: string, count: number, fault: Fault): void {
  let left = count;
  cluster.fault = (request) => (request.api === api && left-- > 0 ? fault : undefined);
}

const produceMessage = (request: FakeRequest) => request.message as RequestOf<typeof produce>;

test("send() resolves with where and when the record was stored", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster);
  const headers = [{ key: "h", value: "x" }];
  const first = await producer.send({
    topic: "t",
    key: "k",
    value: "one",
    timestampMs: 77,
    headers,
  });
  assert.equal(first, { topic: "t", partition: 0, offset: 0, timestampMs: 77 });
  assert.is((await producer.send({ topic: "t", value: null })).offset, 1);
  const [record, tombstone] = partition!.records();
  assert.is(new TextDecoder().decode(record!.key!), "k");
  assert.is(new TextDecoder().decode(record!.headers[0]!.value!), "x");
  assert.is(tombstone!.key, null);
  assert.is(tombstone!.value, null);
  await client.close();
});

test("send() puts records of one turn into one batch, and lingerMs waits for more", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster, { lingerMs: 50 });
  const sends = [
    producer.send({ topic: "t", value: "a" }),
    producer.send({ topic: "t", value: "b" }),
  ];
  const sent = await Promise.all(sends);
  assert.equal(
    sent.map(({ offset }) => offset),
    [0, 1],
  );
  assert.is(partition!.batches.length, 1);
  const beganMs = cluster.clock.monotonicMs();
  await Promise.all([
    producer.send({ topic: "t", value: "c" }),
    producer.send({ topic: "t", value: "d" }),
  ]);
  assert.is(partition!.batches.length, 2);
  assert.is(cluster.asked("Produce")[1]!.atMs - beganMs, 50);
  await client.close();
});

test("send() does not wait once batchBytes are full", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster, { lingerMs: 60_000, batchBytes: 1_000 });
  const sends = Array.from({ length: 9 }, () =>
    producer.send({ topic: "t", value: new Uint8Array(300) }),
  );
  // Two fit into a batch; the ninth waits for company.
  await Promise.race([Promise.all(sends.slice(0, 8)), rejectAfter(cluster, 59_000)]);
  assert.is(partition!.batches.length, 4);
  assert.ok(partition!.batches.every(({ bytes }) => bytes.length <= 1_000));
  await client.close();
});

async function rejectAfter(cluster: FakeCluster, delayMs: number): Promise<never> {
  await new Promise<void>((resolve) => cluster.clock.after(delayMs, resolve));
  throw new Error(`not done after ${delayMs} ms`);
}

test("send() chooses partitions by key as Java, and respects a partition that is given", async () => {
  const cluster = new FakeCluster([1, 2]);
  cluster.addTopic("t", [1, 2, 1, 2, 1]);
  const { client, producer } = connect(cluster);
  for (const key of ["21", "foobar", "abc"]) {
    const { partition } = await producer.send({ topic: "t", key, value: "v" });
    assert.is(partition, partitionForKey(new TextEncoder().encode(key), 5));
  }
  assert.is(
    (await producer.send({ topic: "t", partition: 3, key: "21", value: "v" })).partition,
    3,
  );
  const error = await rejection(producer.send({ topic: "t", partition: 5, value: "v" }));
  assert.is(error.code, "UNKNOWN_TOPIC_OR_PARTITION");
  await client.close();
});

test("send() sees partitions that were added after it looked", async () => {
  const cluster = new FakeCluster();
  cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster);
  await producer.send({ topic: "t", value: "v" });
  cluster.addTopic("t", [1, 1]);
  assert.is((await producer.send({ topic: "t", partition: 1, value: "v" })).partition, 1);
  await client.close();
});

test("a partitioner of one's own decides, among partitions it is told of", async () => {
  const cluster = new FakeCluster();
  cluster.addTopic("t", [1, -1, 1]);
  let told: readonly number[] = [];
  const partitioner = {
    choose: ({ available, partitions }: { available: readonly number[]; partitions: number }) => {
      told = available;
      return partitions - 1;
    },
  };
  const { client, producer } = connect(cluster, { partitioner });
  assert.is((await producer.send({ topic: "t", key: "k", value: "v" })).partition, 2);
  assert.equal(told, [0, 2]);
  await client.close();
});

test("sendBatch() tells the offsets of all its records by range", async () => {
  const cluster = new FakeCluster();
  const partitions = cluster.addTopic("t", [1, 1]);
  const { client, producer } = connect(cluster);
  const records = Array.from({ length: 10 }, (_, i) => ({
    topic: "t",
    partition: i % 2,
    value: `${i}`,
  }));
  const ranges = await producer.sendBatch(records);
  assert.equal(ranges, [
    { topic: "t", partition: 0, offset: 0, count: 5 },
    { topic: "t", partition: 1, offset: 0, count: 5 },
  ]);
  assert.equal(partitions[1]!.values(), ["1", "3", "5", "7", "9"]);
  assert.equal(await producer.sendBatch([]), []);
  await client.close();
});

test("a topic that does not exist is created when the broker does that, else the send rejects", async () => {
  const cluster = new FakeCluster();
  cluster.autoCreate = 2;
  const { client, producer } = connect(cluster);
  assert.is((await producer.send({ topic: "new", value: "v" })).offset, 0);
  cluster.autoCreate = 0;
  const error = await rejection(producer.send({ topic: "missing", value: "v" }));
  assert.is(error.code, "UNKNOWN_TOPIC_OR_PARTITION");
  assert.match(error.message, /Create the topic/);
  await client.close();
});

test("a batch follows its partition to a new leader", async () => {
  const cluster = new FakeCluster([1, 2]);
  const [partition] = cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster);
  await producer.send({ topic: "t", value: "a" });
  partition!.leader = 2;
  assert.is((await producer.send({ topic: "t", value: "b" })).offset, 1);
  assert.equal(
    cluster.asked("Produce").map(({ broker }) => broker),
    [1, 1, 2],
  );
  await client.close();
});

test("an answer that was lost does not store the batch twice", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  failFirst(cluster, "Produce", 1, "cut after");
  const { client, producer } = connect(cluster);
  assert.is((await producer.send({ topic: "t", value: "once" })).offset, 0);
  assert.equal(partition!.values(), ["once"]);
  assert.is(cluster.asked("Produce").length, 2);
  await client.close();
});

test("a producer id the broker has forgotten is replaced, and nothing is lost", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster);
  await producer.send({ topic: "t", value: "a" });
  failFirst(cluster, "Produce", 1, { error: "UNKNOWN_PRODUCER_ID" });
  await producer.send({ topic: "t", value: "b" });
  await producer.send({ topic: "t", value: "c" });
  assert.equal(partition!.values(), ["a", "b", "c"]);
  assert.equal(
    partition!.batches.map(({ header }) => header.producerId),
    [1, 2, 2],
  );
  await client.close();
});

test("an error for good rejects its batch alone; the next ones go on without a gap", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster);
  await producer.send({ topic: "t", value: "a" });
  failFirst(cluster, "Produce", 1, { error: "INVALID_RECORD" });
  const error = await rejection(producer.send({ topic: "t", value: "bad" }));
  assert.is(error.code, "INVALID_RECORD");
  assert.not(error.retriable);
  await producer.send({ topic: "t", value: "b" });
  assert.equal(partition!.values(), ["a", "b"]);
  assert.is(cluster.producerIds, 1);
  await client.close();
});

test("a batch too large for the broker is cut until it fits; one record too large rejects", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  partition!.batchBytesMax = 1_500;
  const { client, producer } = connect(cluster);
  const values = Array.from({ length: 20 }, (_, i) => `${i}`.padStart(300, "."));
  const ranges = await producer.sendBatch(values.map((value) => ({ topic: "t", value })));
  assert.equal(partition!.values(), values);
  assert.is(
    ranges.reduce((sum, { count }) => sum + count, 0),
    20,
  );
  assert.equal(
    ranges.map(({ offset }) => offset),
    [...ranges.map((r) => r.offset)].sort((a, b) => a - b),
  );
  const tooLarge = producer.send({ topic: "t", value: new Uint8Array(2_000) });
  assert.is((await rejection(tooLarge)).code, "MESSAGE_TOO_LARGE");
  await producer.send({ topic: "t", value: "after" });
  assert.is(partition!.values().at(-1), "after");
  const above = producer.send({ topic: "t", value: new Uint8Array(2 ** 20) });
  assert.match((await rejection(above)).message, /requestBytesMax/);
  await client.close();
});

test("acks 0 resolves without an offset and without an answer", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster, { acks: 0 });
  assert.is((await producer.send({ topic: "t", value: "a" })).offset, -1);
  assert.equal(partition!.values(), ["a"]);
  assert.is(cluster.producerIds, 0);
  await client.close();
});

test("without idempotence one batch a partition is on its way, so that retries keep the order", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  failFirst(cluster, "Produce", 2, { error: "NOT_ENOUGH_REPLICAS" });
  const { client, producer } = connect(cluster, { acks: 1, batchBytes: 200 });
  const values = Array.from({ length: 30 }, (_, i) => `${i}`);
  await Promise.all(values.map((value) => producer.send({ topic: "t", value })));
  assert.equal(partition!.values(), values);
  assert.ok(cluster.asked("Produce").every((request) => produceMessage(request).acks === 1));
  await client.close();
});

test("compression is said in the batch and undone by the reader", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster, { compression: "lz4" });
  await producer.send({ topic: "t", value: "lz4 ".repeat(100) });
  assert.is(partition!.batches[0]!.header.codec, 3);
  const consumer = client.consumer();
  await consumer.assign([{ topic: "t", partition: 0, offset: "earliest" }]);
  const batch = await consumer.poll(1000);
  assert.is(new TextDecoder().decode(batch!.records[0]!.value!), "lz4 ".repeat(100));
  await client.close();
});

test("ready() waits above bufferBytesMax, and send() rejects above twice that", async () => {
  const cluster = new FakeCluster();
  cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster, { bufferBytesMax: 10_000, lingerMs: 1_000 });
  assert.is(producer.ready(), undefined);
  const sends = Array.from({ length: 8 }, () =>
    producer.send({ topic: "t", value: new Uint8Array(2_500) }),
  );
  const refused = rejection(producer.send({ topic: "t", value: new Uint8Array(2_500) }));
  const ready = producer.ready();
  assert.instance(ready, Promise);
  assert.is((await refused).code, "BUFFER_FULL");
  await ready;
  await Promise.all(sends);
  assert.is(producer.ready(), undefined);
  await client.close();
});

test("a batch no broker takes within deliveryTimeoutMs rejects, and flush() does not", async () => {
  const cluster = new FakeCluster();
  cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster, { deliveryTimeoutMs: 5_000 });
  await producer.send({ topic: "t", value: "a" });
  cluster.down.add(1);
  cluster.cut(1);
  const beganMs = cluster.clock.monotonicMs();
  const lost = rejection(producer.send({ topic: "t", value: "b" }));
  await producer.flush();
  assert.is((await lost).code, "REQUEST_TIMED_OUT");
  const waitedMs = cluster.clock.monotonicMs() - beganMs;
  assert.ok(waitedMs >= 5_000 && waitedMs < 8_000, `${waitedMs} ms`);
  cluster.down.clear();
  assert.is((await producer.send({ topic: "t", value: "c" })).offset, 1);
  await client.close();
});

test("close() sends what is left and refuses more", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster, { lingerMs: 30_000 });
  const last = producer.send({ topic: "t", value: "last" });
  await producer.close();
  assert.is((await last).offset, 0);
  assert.ok(cluster.clock.monotonicMs() < 30_000);
  assert.equal(partition!.values(), ["last"]);
  assert.is((await rejection(producer.send({ topic: "t", value: "more" }))).code, "CLOSED");
  await client.close();
});

const faults: readonly Fault[] = [
  "lose",
  "cut before",
  "cut after",
  { error: "NOT_LEADER_OR_FOLLOWER" },
  { error: "NOT_ENOUGH_REPLICAS" },
  { error: "REQUEST_TIMED_OUT" },
  { error: "LEADER_NOT_AVAILABLE" },
  { error: "UNKNOWN_TOPIC_OR_PARTITION" },
];

for (let seed = 1; seed <= 12; seed++) {
  test(`every record is stored once and in order whatever happens (seed ${seed})`, async () => {
    const cluster = new FakeCluster([1, 2]);
    const partitions = cluster.addTopic("t", [1, 2, 1]);
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state >>> 8) % below;
    };
    let faultsLeft = 60;
    cluster.fault = ({ api }) => {
      if (api !== "Produce" && api !== "InitProducerId" && api !== "Metadata") return undefined;
      if (random(3) > 0 || faultsLeft-- <= 0) return undefined;
      const fault = faults[random(faults.length)];
      if (random(4) === 0) for (const each of partitions) each.leader = 1 + random(2);
      return api === "Produce" || typeof fault === "string" ? fault : undefined;
    };
    const { client, producer } = connect(cluster, {
      batchBytes: 400,
      deliveryTimeoutMs: 3_600_000,
    });
    const sent = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        producer.send({ topic: "t", partition: i % 3, value: `${i}` }),
      ),
    );
    for (const [index, partition] of partitions.entries()) {
      const wanted = Array.from({ length: 100 }, (_, i) => `${3 * i + index}`);
      assert.equal(partition.values(), wanted, `partition ${index}`);
    }
    assert.ok(sent.every(({ offset }, i) => offset === Math.floor(i / 3)));
    await client.close();
  });
}

test.run();
