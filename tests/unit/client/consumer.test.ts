// The consumer against a fake cluster: where it begins, what it hands out in which order, its position after
// every way of stopping, and what it does when records are gone, damaged, aborted or elsewhere.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createClient } from "../../../runtime/client/mod.ts";
import type { fetch } from "../../../runtime/kafka/apis/fetch.ts";
import type { RequestOf } from "../../../runtime/kafka/schema.ts";
import { connect, rejects, smallCluster, store, t0, take, text } from "./consumer-fixture.ts";
import { FakeCluster } from "./fake-cluster.ts";

test("assign() begins at an offset, the earliest, the latest, or a time", async () => {
  const { cluster, partition } = smallCluster();
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  assert.equal(await take(consumer, 4), ["a", "b", "c", "d"]);
  await consumer.assign([{ ...t0, offset: 2 }]);
  assert.equal(await take(consumer, 2), ["c", "d"]);
  await consumer.assign([{ ...t0, offset: { timestampMs: 11 } }]);
  assert.equal(await take(consumer, 1), ["c"]);
  await consumer.assign([{ ...t0, offset: { timestampMs: 1_000 } }]);
  assert.is(consumer.position(t0), 4);
  await consumer.assign([{ ...t0, offset: "latest" }]);
  store(partition, ["new"]);
  assert.equal(await take(consumer, 1), ["new"]);
  await client.close();
});

test("assign() rejects for a topic or a partition that is not there", async () => {
  const { cluster } = smallCluster();
  const { client, consumer } = connect(cluster);
  const code = "UNKNOWN_TOPIC_OR_PARTITION";
  await rejects(consumer.assign([{ topic: "no", partition: 0, offset: "earliest" }]), code);
  await rejects(consumer.assign([{ topic: "t", partition: 9, offset: "latest" }]), code);
  await client.close();
});

test("records() carries offsets, times and positions; leaving the loop keeps the place", async () => {
  const { cluster } = smallCluster();
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  for await (const record of consumer) {
    assert.is(record.timestampMs, 10 * record.offset);
    assert.is(consumer.position(t0), record.offset + 1);
    if (record.offset === 1) break;
  }
  assert.is(consumer.position(t0), 2);
  const batch = await consumer.poll(1_000);
  assert.equal(
    batch?.records.map(({ value }) => text(value)),
    ["c"],
  );
  assert.is(batch?.nextOffset, 3);
  assert.equal(await take(consumer.records(), 1), ["d"]);
  await client.close();
});

test("batches() tells the partition's end, epoch and codec with each batch", async () => {
  const { cluster, partition } = smallCluster();
  store(partition, ["z"], { leaderEpoch: 7 });
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: 4 }]);
  const batch = await consumer.poll(1_000);
  assert.is(batch?.highWatermark, 5);
  assert.is(batch?.nextOffset, 5);
  assert.is(batch?.leaderEpoch, 7);
  assert.is(batch?.attributes, 0);
  await client.close();
});

test("poll() gives null after its time, and at once when stopped", async () => {
  const { cluster } = smallCluster();
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: "latest" }]);
  const beganMs = cluster.clock.monotonicMs();
  assert.is(await consumer.poll(700), null);
  assert.ok(cluster.clock.monotonicMs() - beganMs >= 700);
  const waiting = consumer.poll(3_600_000);
  await consumer.stop();
  assert.is(await waiting, null);
  assert.ok(cluster.clock.monotonicMs() < 3_600_000);
  await client.close();
});

test("stop() ends an iteration that waits", async () => {
  const { cluster } = smallCluster();
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: "latest" }]);
  const ended = take(consumer, 1);
  await consumer.stop();
  assert.equal(await ended, []);
  await client.close();
});

test("seek() drops what was fetched and goes elsewhere, also in the middle of a batch", async () => {
  const { cluster } = smallCluster();
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  assert.equal(await take(consumer, 2), ["a", "b"]);
  await consumer.seek({ ...t0, offset: 1 });
  assert.is(consumer.position(t0), 1);
  assert.equal(await take(consumer, 3), ["b", "c", "d"]);
  const seen: number[] = [];
  await consumer.seek({ ...t0, offset: "earliest" });
  for await (const { offset } of consumer) {
    seen.push(offset);
    if (seen.length === 1) await consumer.seek({ ...t0, offset: 3 });
    else break;
  }
  assert.equal(seen, [0, 3]);
  await rejects(consumer.seek({ topic: "t", partition: 1, offset: 0 }), "INVALID_REQUEST");
  await client.close();
});

test("pause() holds back what is buffered and asks for no more; resume() goes on", async () => {
  const cluster = new FakeCluster();
  const partitions = cluster.addTopic("t", [1, 1]);
  for (const [i, partition] of partitions.entries()) store(partition, [`${i}a`, `${i}b`]);
  const { client, consumer } = connect(cluster);
  const t1 = { topic: "t", partition: 1 };
  await consumer.assign([t0, t1].map((place) => ({ ...place, offset: "earliest" as const })));
  await consumer.poll(1_000);
  consumer.pause([t0]);
  store(partitions[0]!, ["0c"]);
  const rest = [await consumer.poll(100), await consumer.poll(100)];
  assert.ok(rest.every((batch) => batch === null || batch.partition === 1));
  consumer.resume([t0]);
  const values: string[] = [];
  for (let batch = await consumer.poll(1_000); batch; batch = await consumer.poll(1_000)) {
    values.push(...batch.records.map(({ value }) => text(value)));
  }
  assert.ok(values.includes("0c"));
  assert.equal([consumer.position(t0), consumer.position(t1)], [3, 2]);
  await client.close();
});

test("all partitions get their turn, over several leaders", async () => {
  const cluster = new FakeCluster([1, 2]);
  const partitions = cluster.addTopic("t", [1, 2, 1]);
  for (const [i, partition] of partitions.entries()) {
    for (let n = 0; n < 20; n++) store(partition, [`${i}-${n}`]);
  }
  const { client, consumer } = connect(cluster);
  await consumer.assign([0, 1, 2].map((partition) => ({ topic: "t", partition, offset: 0 })));
  const values = await take(consumer, 60);
  for (const i of [0, 1, 2]) {
    const own = values.filter((value) => value.startsWith(`${i}-`));
    assert.equal(
      own,
      Array.from({ length: 20 }, (_, n) => `${i}-${n}`),
    );
  }
  await client.close();
});

test("nothing more is asked for while the buffer is full", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  for (let i = 0; i < 50; i++) store(partition!, ["x".repeat(1_000)]);
  const { client, consumer } = connect(cluster, {
    bufferBytesMax: 1_500,
    partitionBytesMax: 1_000,
  });
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  await consumer.poll(1_000);
  await new Promise<void>((resolve) => cluster.clock.after(10_000, resolve));
  assert.ok(cluster.asked("Fetch").length <= 3, `${cluster.asked("Fetch").length} fetches`);
  assert.is((await take(consumer, 49)).length, 49);
  await client.close();
});

test("a partition that has moved is read from its new leader", async () => {
  const { cluster, partition } = smallCluster();
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  await take(consumer, 4);
  partition.leader = 2;
  store(partition, ["moved"]);
  assert.equal(await take(consumer, 1), ["moved"]);
  assert.is(cluster.asked("Fetch").at(-1)?.broker, 2);
  await client.close();
});

test("a topic deleted and created again is noticed, not read at the old offset", async () => {
  const { cluster, partition } = smallCluster();
  cluster.addTopic("other", [1]);
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  await take(consumer, 4);
  cluster.deleteTopic("t");
  const [anew] = cluster.addTopic("t", [1]);
  for (const { bytes, header } of partition.batches) anew!.store(bytes.slice(), header);
  store(anew!, ["fifth of another log"]);
  await rejects(consumer.poll(10_000), "UNKNOWN_TOPIC_ID");
  await consumer.assign([{ ...t0, offset: 4 }]);
  assert.equal(await take(consumer, 1), ["fifth of another log"]);
  await client.close();
});

test("a lost connection is opened again and nothing is handed out twice", async () => {
  const { cluster, partition } = smallCluster();
  let cuts = 3;
  cluster.fault = ({ api }) => (api === "Fetch" && cuts-- > 0 ? "cut after" : undefined);
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  assert.equal(await take(consumer, 4), ["a", "b", "c", "d"]);
  cluster.cut(1);
  store(partition, ["e"]);
  assert.equal(await take(consumer, 1), ["e"]);
  await client.close();
});

test("an offset that is gone is an error, or the earliest there is, as asked", async () => {
  const { cluster, partition } = smallCluster();
  partition.batches.shift();
  partition.logStartOffset = 3;
  const strict = connect(cluster);
  await strict.consumer.assign([{ ...t0, offset: 0 }]);
  await rejects(strict.consumer.poll(1_000), "OFFSET_OUT_OF_RANGE");
  await strict.consumer.seek({ ...t0, offset: "earliest" });
  assert.equal(await take(strict.consumer, 1), ["d"]);
  await strict.client.close();
  const lenient = connect(cluster, { offsetReset: "earliest" });
  await lenient.consumer.assign([{ ...t0, offset: 0 }]);
  assert.equal(await take(lenient.consumer, 1), ["d"]);
  await lenient.client.close();
});

test("a damaged batch is an error after the good ones, and can be passed by seek()", async () => {
  const { cluster, partition } = smallCluster();
  store(partition, ["good"]);
  const damaged = partition.batches[1]!.bytes;
  damaged[damaged.length - 1]! ^= 1;
  const { client, consumer } = connect(cluster);
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  const first = await consumer.poll(1_000);
  assert.is(first?.records.length, 3);
  await rejects(consumer.poll(1_000), "CORRUPT_MESSAGE");
  assert.is(consumer.position(t0), 3);
  await consumer.seek({ ...t0, offset: 4 });
  assert.equal(await take(consumer, 1), ["good"]);
  await client.close();
});

test("a batch that unpacks above batchBytesMax is an error, not memory", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const platform = cluster.platform();
  const compress = platform.codecs.zstd.compress;
  store(partition!, ["0".repeat(100_000)], { compression: { id: 4, compress } });
  const client = createClient({ platform, bootstrap: ["bootstrap:1"] });
  const consumer = client.consumer({ batchBytesMax: 10_000 });
  await consumer.assign([{ ...t0, offset: 0 }]);
  await rejects(consumer.poll(1_000), "MESSAGE_TOO_LARGE");
  await client.close();
});

test("read_committed leaves out aborted records and the marks of transactions", async () => {
  const cluster = new FakeCluster();
  const [partition] = cluster.addTopic("t", [1]);
  const of = (producerId: number) => ({ producerId, producerEpoch: 0, isTransactional: true });
  const plain = (producerId: number) => ({ ...of(producerId), baseSequence: 0 });
  store(partition!, ["aborted"], plain(8));
  store(partition!, ["committed"], plain(9));
  store(partition!, ["mark"], { ...of(8), isControl: true });
  store(partition!, ["mark"], { ...of(9), isControl: true });
  store(partition!, ["second try"], { ...of(8), baseSequence: 1 });
  partition!.abortedTransactions = [{ producerId: 8, firstOffset: 0 }];
  const committed = connect(cluster, { isolation: "read_committed" });
  await committed.consumer.assign([{ ...t0, offset: "earliest" }]);
  assert.equal(await take(committed.consumer, 2), ["committed", "second try"]);
  const asked = cluster.asked("Fetch")[0]!.message as RequestOf<typeof fetch>;
  assert.is(asked.isolationLevel, 1);
  await committed.client.close();
});

test("partitions are asked for together also while old metadata is asked for again", async () => {
  const cluster = new FakeCluster();
  cluster.addTopic("t", [1, 1]);
  const platform = cluster.platform();
  const client = createClient({ platform, bootstrap: ["bootstrap:1"], metadataAgeMsMax: 300 });
  const consumer = client.consumer();
  await consumer.assign([0, 1].map((partition) => ({ topic: "t", partition, offset: 0 })));
  await consumer.poll(5_000);
  const counts = cluster
    .asked("Fetch")
    .map(({ message }) => (message as RequestOf<typeof fetch>).topics[0]!.partitions.length);
  assert.ok(counts.length >= 9 && cluster.asked("Metadata").length >= 8);
  assert.equal(new Set(counts), new Set([2]));
  await client.close();
});

test("who led before is not asked again, whatever a broker that is cut off says", async () => {
  const { cluster, partition } = smallCluster();
  partition.leaderEpoch = 5;
  const { client, consumer } = connect(cluster, { offsetReset: "earliest" });
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  assert.equal(await take(consumer, 4), ["a", "b", "c", "d"]);
  let failures = 2;
  cluster.fault = ({ api, broker }) => {
    // The log of the one before ends earlier.
    if (api === "Fetch" && broker === 2) return { error: "OFFSET_OUT_OF_RANGE" };
    return api === "Fetch" && failures-- > 0 ? { error: "NOT_LEADER_OR_FOLLOWER" } : undefined;
  };
  partition.told = { leader: 2, leaderEpoch: 4 };
  store(partition, ["e"]);
  assert.equal(await take(consumer, 1), ["e"]);
  const fetches = cluster.asked("Fetch");
  assert.ok(fetches.every(({ broker }) => broker === 1));
  const message = fetches.at(-1)!.message as RequestOf<typeof fetch>;
  assert.is(message.topics[0]?.partitions[0]?.currentLeaderEpoch, 5);
  await client.close();
});

test.run();
