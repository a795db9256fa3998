// Batches on their way: their memory is not the caller's, and their size is learnt.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { FakeCluster } from "./fake-cluster.ts";
import { connect, rejection } from "./producer-fixture.ts";

test("what the broker refused as too large is not tried again at that size", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  partition!.batchBytesMax = 1_500;
  const { client, producer } = connect(cluster);
  const records = Array.from({ length: 20 }, () => ({ topic: "t", value: "v".repeat(300) }));
  await producer.sendBatch(records);
  const refused = () => cluster.asked("Produce").length - partition!.batches.length;
  const before = refused();
  assert.ok(before > 0);
  await producer.sendBatch(records);
  assert.is(refused(), before);
  assert.is(partition!.nextOffset, 40);
  await client.close();
});

test("a caller's bytes may change as soon as send() has returned", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster);
  const value = new TextEncoder().encode("0");
  const sent: Promise<unknown>[] = [];
  // The first wait for the topic's partitions.
  for (let i = 0; i < 3; i++) {
    value[0] = 48 + i;
    sent.push(producer.send({ topic: "t", key: value, value }));
  }
  await Promise.all(sent);
  value[0] = 51;
  const last = producer.send({ topic: "t", value });
  value[0] = 0;
  await last;
  assert.equal(partition!.values(), ["0", "1", "2", "3"]);
  await client.close();
});

test("a value that is neither text nor bytes is refused", async () => {
  const cluster = new FakeCluster();
  cluster.addTopic("t", [1]);
  const { client, producer } = connect(cluster);
  const value = 7 as unknown as Uint8Array;
  assert.is((await rejection(producer.send({ topic: "t", value }))).code, "INVALID_REQUEST");
  await client.close();
});

test.run();
