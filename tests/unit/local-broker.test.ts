// LocalBroker on memory storage and the in-process control plane: what no door and no log alone can show.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { openMemoryControlPlane } from "../../cluster/memory.ts";
import type { OffsetSpec } from "../../runtime/broker.ts";
import { BrokerConfig } from "../../runtime/config.ts";
import { LocalBroker } from "../../runtime/local-broker.ts";
import { MemoryStorage } from "../../runtime/storage/memory.ts";
import { LogFixture, platform } from "../support/log-fixture.ts";
import { codeOf } from "../support/refusal.ts";

const layout = { partitions: 1, replicationFactor: 1 };

/** A broker whose topics flush=os, so that nothing waits. */
async function openBroker(storage = new MemoryStorage(Infinity), options = { adopt: false }) {
  const log = new LogFixture(storage);
  const controlPlane = openMemoryControlPlane({ random: platform.random });
  const found = log.folder.found();
  const epochMin = Math.max(0, ...found.map(({ leaderEpoch }) => leaderEpoch + 1));
  await controlPlane.register({ id: 1, host: "127.0.0.1", port: 1, rack: null, epochMin });
  const set = new Map([["timberline.flush", { text: "os", place: "test" }]]);
  const broker = new LocalBroker({
    platform: { ...platform, clock: log.clock },
    controlPlane,
    folder: log.folder,
    brokerId: 1,
    config: new BrokerConfig({ set }),
    metrics: log.metrics,
  });
  await broker.open({ ...options, found });
  const append = (topic: string, values: string[], batch: { timestampMs?: number } = {}) =>
    broker.append({
      topic,
      partition: 0,
      batch: log.batch(values, batch),
      acks: -1,
      timeoutMs: 1000,
    });
  const offset = async (topic: string, spec: OffsetSpec) => {
    const at = { topic, partition: 0, spec, currentLeaderEpoch: -1 };
    const found = await broker.listOffsets({ ...at, isolation: "read_uncommitted" });
    return [found.offset, found.timestampMs];
  };
  return { broker, controlPlane, log, append, offset };
}

const newTopic = (name: string, configs: Record<string, string> = {}) => ({
  name,
  partitions: 1,
  replicationFactor: 1,
  configs: new Map(Object.entries(configs)),
});

test("autoCreateTopic() resolves for everybody only when the topic can be written", async () => {
  const { broker, append } = await openBroker();
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      await broker.autoCreateTopic("shared");
      await append("shared", [`${i}`]);
    }),
  );
  assert.is(broker.describePartition({ topic: "shared", partition: 0 }).highWatermark, 20);
});

test("append() with an expected offset is stored there or not at all", async () => {
  const { broker, log } = await openBroker();
  await broker.createTopic(newTopic("t"));
  const at = (expectedOffset: number) => ({
    ...({ topic: "t", partition: 0, acks: -1, timeoutMs: 1000, expectedOffset } as const),
    batch: log.batch(["a", "b"]),
  });
  assert.is((await broker.append(at(0))).nextOffset, 2);
  for (const wrong of [0, 1, 3]) {
    assert.is(await codeOf(async () => broker.append(at(wrong))), "OPERATION_NOT_ATTEMPTED");
  }
  assert.is((await broker.append(at(2))).nextOffset, 4);
});

test("append() with a fence is stored only for who took it last", async () => {
  const { broker, log } = await openBroker();
  await broker.createTopic(newTopic("t"));
  const place = { topic: "t", partition: 0 };
  const append = (fence?: number, expectedOffset?: number) => {
    const batch = log.batch(["a"]);
    const terms = { ...place, batch, acks: -1, timeoutMs: 1000 } as const;
    return codeOf(async () => broker.append({ ...terms, fence, expectedOffset }));
  };
  const first = await broker.takeFence(place);
  assert.is(await append(first), "NONE");
  const second = await broker.takeFence(place);
  assert.is(await append(first), "PRODUCER_FENCED");
  assert.is(await append(second, broker.endOffset(place)), "NONE");
  assert.is(await append(second, 0), "OPERATION_NOT_ATTEMPTED");
  assert.is(await append(), "NONE", "without a token nobody is asked for one");
  assert.is(broker.endOffset(place), 5);
});

test("listOffsets() finds records by time, the largest time, and the ends", async () => {
  const { broker, append, offset } = await openBroker();
  await broker.createTopic(newTopic("t"));
  for (const timestampMs of [100, 300, 200, 400]) await append("t", ["a", "b"], { timestampMs });
  assert.equal(await offset("t", "earliest"), [0, -1]);
  assert.equal(await offset("t", "latest"), [8, -1]);
  assert.equal(await offset("t", { timestampMs: 0 }), [0, 100]);
  assert.equal(await offset("t", { timestampMs: 150 }), [2, 300]);
  assert.equal(await offset("t", { timestampMs: 301 }), [6, 400]);
  assert.equal(await offset("t", { timestampMs: 401 }), [-1, -1]);
  assert.equal(await offset("t", "max-timestamp"), [6, 400]);
  await broker.deleteRecords({ topic: "t", partition: 0, offset: 3 });
  assert.equal(await offset("t", "earliest"), [3, -1]);
  assert.equal(await offset("t", { timestampMs: 0 }), [3, 300]);
});

test("listOffsets() looks into compressed batches and across segments", async () => {
  const { broker, log, offset } = await openBroker();
  await broker.createTopic(
    newTopic("t", { "segment.bytes": "1048576", "compression.type": "zstd" }),
  );
  const noise = () => [...platform.random.bytes(300_000)].join("");
  for (let i = 0; i < 5; i++) {
    const batch = log.batch([noise(), "x"], { timestampMs: 1000 * (i + 1) });
    await broker.append({ topic: "t", partition: 0, batch, acks: -1, timeoutMs: 1 });
  }
  const view = broker.describePartition({ topic: "t", partition: 0 });
  assert.ok(view.segments > 1, `${view.segments} segments`);
  assert.equal(await offset("t", { timestampMs: 3500 }), [6, 4000]);
  assert.equal(await offset("t", "max-timestamp"), [8, 5000]);
});

test("a topic's and a broker's configs take effect on partitions that are open", async () => {
  const { broker, append } = await openBroker();
  await broker.createTopic(newTopic("t"));
  const big = () => append("t", ["x".repeat(2000)]);
  await big();
  const topic = { kind: "topic", name: "t" } as const;
  const set = (name: string, value: string) => [{ name, op: "set", value }] as const;
  const really = { validateOnly: false };
  await broker.alterConfigs(topic, set("max.message.bytes", "1000"), { validateOnly: true });
  await big();
  await broker.alterConfigs(topic, set("max.message.bytes", "1000"), really);
  assert.is(await codeOf(big), "MESSAGE_TOO_LARGE");
  await broker.replaceConfigs(topic, new Map(), really);
  await big();
  const all = { kind: "broker", broker: null } as const;
  await broker.alterConfigs(all, set("message.max.bytes", "1000"), really);
  assert.is(await codeOf(big), "MESSAGE_TOO_LARGE");
});

test("an unknown partition and another leader epoch have Kafka's errors", async () => {
  const { broker, append } = await openBroker();
  assert.is(await codeOf(() => append("nowhere", ["x"])), "UNKNOWN_TOPIC_OR_PARTITION");
  await broker.createTopic(newTopic("t"));
  const at = { topic: "t", partition: 0, leaderEpoch: 0 };
  assert.is(
    broker.epochEndOffset({ ...at, currentLeaderEpoch: 5 }).error?.code,
    "UNKNOWN_LEADER_EPOCH",
  );
  assert.is(broker.epochEndOffset({ ...at, currentLeaderEpoch: -1 }).error, null);
});

test("min.insync.replicas above the number of replicas counts as all of them, as in Kafka", async () => {
  const { broker, append } = await openBroker();
  await broker.createTopic(newTopic("t", { "min.insync.replicas": "2" }));
  assert.is(await codeOf(() => append("t", ["x"])), "NONE");
});

test("createTopic() refuses names that Kafka refuses, and planned topics stay plans", async () => {
  const { broker } = await openBroker();
  for (const name of ["", ".", "..", "a/b", "ü", "x".repeat(250)]) {
    assert.is(
      await codeOf(() => broker.createTopic(newTopic(name))),
      "INVALID_TOPIC_EXCEPTION",
      name,
    );
  }
  await broker.createTopic(newTopic("a.b"));
  assert.is(await codeOf(() => broker.createTopic(newTopic("a_b"))), "INVALID_TOPIC_EXCEPTION");
  assert.is(await codeOf(() => broker.createTopic(newTopic("a.b"))), "TOPIC_ALREADY_EXISTS");
  await broker.createTopic({ ...newTopic("plan"), validateOnly: true });
  assert.not(broker.cluster().topics.has("plan"));
});

test("a topic deleted and created again is new: other id, offset 0, no old record", async () => {
  const { broker, append } = await openBroker();
  const first = await broker.createTopic(newTopic("t"));
  await append("t", ["old"]);
  await broker.deleteTopic("t");
  assert.is(await codeOf(() => append("t", ["x"])), "UNKNOWN_TOPIC_OR_PARTITION");
  const second = await broker.createTopic(newTopic("t"));
  assert.is.not(first.id, second.id);
  assert.is((await append("t", ["new"])).baseOffset, 0);
});

test("a topic created again does not inherit deleted records, not even after a crash", async () => {
  const storage = new MemoryStorage(Infinity);
  const { broker, log, append, controlPlane } = await openBroker(storage);
  await broker.createTopic(newTopic("t"));
  for (const value of ["a", "b", "c"]) await append("t", [value]);
  await broker.deleteRecords({ topic: "t", partition: 0, offset: 3 });
  log.folder.checkpoint();
  await broker.deleteTopic("t");
  await broker.createTopic(newTopic("t"));
  await append("t", ["new"]);
  log.reopen();
  const config = new BrokerConfig();
  const parts = { controlPlane, folder: log.folder, brokerId: 1, config, metrics: log.metrics };
  const again = new LocalBroker({ platform: { ...platform, clock: log.clock }, ...parts });
  await again.open({ adopt: false, found: log.folder.found() });
  const view = again.describePartition({ topic: "t", partition: 0 });
  assert.equal([view.logStartOffset, view.logEndOffset], [0, 1]);
});

test("open() adopts the folders that another Kafka left, and sets aside what is nobody's", async () => {
  const storage = new MemoryStorage(Infinity);
  const before = await openBroker(storage);
  const { id } = await before.broker.createTopic(newTopic("flights"));
  await before.append("flights", ["a", "b"]);
  const metadata = new TextEncoder().encode("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n");
  storage.writeFile("__cluster_metadata-0/partition.metadata", metadata);
  const adopted = await openBroker(storage, { adopt: true });
  assert.equal([...adopted.broker.cluster().topics.keys()], ["flights"]);
  assert.is(adopted.broker.cluster().topics.get("flights")!.id, id);
  assert.equal(await adopted.offset("flights", "latest"), [2, -1]);
  const record = adopted.broker.cluster().topics.get("flights")!.partitions[0]!;
  assert.is(record.leaderEpoch, 1, "above the newest epoch on disk");
  await adopted.append("flights", ["c"]);
  const stranger = await openBroker(storage);
  assert.is(stranger.broker.cluster().topics.size, 0);
  const folders = storage.list("").map(({ name }) => name.replace(/\.[0-9a-f]{32}-/, ".ID-"));
  assert.ok(folders.includes("flights-0.ID-stray"), folders.join(" "));
  assert.ok(folders.includes("__cluster_metadata-0"));
});

test("a partition that a full disk kept from being made answers why, and opens when there is space", async () => {
  const storage = new MemoryStorage(Infinity);
  const { broker, controlPlane, append } = await openBroker(storage);
  await broker.createTopic(newTopic("good"));
  await append("good", ["x"]);
  storage.bytesMax = 0;
  await controlPlane.createTopic({ name: "late", layout, configs: new Map() });
  assert.is(await codeOf(() => append("late", ["x"])), "KAFKA_STORAGE_ERROR");
  storage.bytesMax = Infinity;
  assert.is((await append("late", ["x"])).baseOffset, 0);
  await append("good", ["y"]);
});

test.run();
