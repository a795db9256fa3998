// Records one by one and batch by batch: read again, read ahead, paused in the middle, damaged.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { withCrc } from "../storage-wasm/batch-writer.ts";
import { connect, rejects, smallCluster, store, t0, take, text } from "./consumer-fixture.ts";
import { FakeCluster } from "./fake-cluster.ts";

test("a batch can be iterated again and again, and in part; records is the same as an array", async () => {
  const { cluster } = smallCluster();
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: 1 }]);
  const batch = await consumer.poll(1_000);
  assert.is(batch!.count, 2);
  const [first] = batch!;
  assert.is(first!.offset, 1);
  for (let i = 0; i < 2; i++) assert.equal([...batch!], batch!.records);
  assert.equal(
    batch!.records.map(({ value }) => text(value)),
    ["b", "c"],
  );
  assert.is(batch!.count, 2);
  await client.close();
});

test("records() answers calls of next() that do not wait for each other in their order", async () => {
  const { cluster, partition } = smallCluster();
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: 0 }]);
  const records = consumer.records();
  const asked = Array.from({ length: 6 }, () => records.next());
  const offset = async (i: number) => (await asked[i]!).value?.offset;
  assert.equal(await Promise.all([0, 1, 2, 3].map(offset)), [0, 1, 2, 3]);
  store(partition, ["e", "f"]);
  assert.equal(await Promise.all([4, 5].map(offset)), [4, 5]);
  const waiting = records.next();
  await consumer.stop();
  assert.is((await waiting).done, true);
  assert.is((await records.next()).done, true);
  await client.close();
});

test("what is left of a batch waits while its partition is paused and others are read", async () => {
  const cluster = new FakeCluster();
  const [a, b] = cluster.addTopic("t", [1, 1]);
  store(a!, ["a0", "a1", "a2"]);
  store(b!, ["b0", "b1"]);
  const { client, consumer } = connect(cluster);
  const other = { topic: "t", partition: 1 };
  await consumer.assign([
    { ...t0, offset: 0 },
    { ...other, offset: 0 },
  ]);
  consumer.pause([other]);
  assert.equal(await take(consumer, 1), ["a0"]);
  consumer.pause([t0]);
  consumer.resume([other]);
  assert.equal(await take(consumer, 2), ["b0", "b1"]);
  consumer.resume([t0]);
  assert.equal(await take(consumer, 2), ["a1", "a2"]);
  await client.close();
});

test("a batch whose records do not add up is an error where it is met, and passed by seek()", async () => {
  for (const way of ["batch", "record"]) {
    const { cluster, partition } = smallCluster();
    // The CRC is right, the last record's count of headers is not.
    const damaged = partition.batches[0]!.bytes;
    damaged[damaged.length - 1] = 8;
    damaged.set(withCrc(damaged));
    const { client, consumer } = connect(cluster);
    await consumer.assign([{ ...t0, offset: "earliest" }]);
    const seen: string[] = [];
    const read = async () => {
      if (way === "batch") {
        for (const { value } of (await consumer.poll(1_000))!) seen.push(text(value));
      } else for await (const { value } of consumer) seen.push(text(value));
    };
    await rejects(read(), "CORRUPT_MESSAGE");
    assert.equal(seen, ["a", "b"]);
    assert.is(await consumer.poll(10), null);
    await consumer.seek({ ...t0, offset: 3 });
    assert.equal(await take(consumer, 1), ["d"]);
    await client.close();
  }
});

test.run();
