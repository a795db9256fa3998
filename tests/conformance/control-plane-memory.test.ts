// ControlPlane in process: the conformance suite with and without files, and what files add: crashes at every
// byte and between any two steps, damage, newer formats, failing disks.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { sealLine } from "../../cluster/change-codec.ts";
import type { ControlPlane } from "../../cluster/control-plane.ts";
import { type ClusterFiles, openMemoryControlPlane } from "../../cluster/memory.ts";
import { FakeClusterFiles } from "../support/cluster-files.ts";
import { seededRandom } from "../support/member-cluster.ts";
import { controlPlaneSuite } from "./control-plane.ts";
import { faultOf } from "./control-plane-harness.ts";

const one = { partitions: 1, replicationFactor: 1 };
const NO_CONFIGS = new Map<string, string>();

let seed = 1;
const open = (files?: ClusterFiles) =>
  openMemoryControlPlane({ random: seededRandom(seed++), ...(files ? { files } : {}) });

async function started(files: ClusterFiles) {
  const plane = open(files);
  await plane.register({ id: 1, host: "127.0.0.1", port: 9092, rack: null });
  return plane;
}

const harness = (files?: ClusterFiles) => {
  const plane = open(files);
  return {
    plane,
    join: (id: number) => plane.register({ id, host: `m${id}`, port: 9092, rack: null }),
    close: () => plane.close(),
  };
};

controlPlaneSuite("memory", () => harness());
controlPlaneSuite("memory with files", () => harness(new FakeClusterFiles()));

test("openMemoryControlPlane() finds everything again after a restart", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  const configs = new Map([["retention.ms", "5"]]);
  const layout = { partitions: 3, replicationFactor: 1 };
  const topic = await plane.createTopic({ name: "a", layout, configs });
  await plane.createTopic({ name: "gone", layout: one, configs });
  await plane.deleteTopic("gone");
  await plane.alterBrokerConfigs(null, new Map([["max.connections", "5"]]));
  await plane.alterBrokerConfigs(1, new Map([["max.connections", "6"]]));
  const interval = "consumer.heartbeat.interval.ms";
  await plane.alterGroupConfigs("g", new Map([[interval, "7000"]]));
  await plane.alterGroupConfigs("gone", new Map([[interval, "7000"]]));
  await plane.alterGroupConfigs("gone", new Map([[interval, null]]));
  const before = plane.state();
  await plane.close();

  const again = open(files);
  const after = again.state();
  assert.is(after.clusterId, before.clusterId);
  assert.equal([...after.topics.values()], [topic]);
  assert.equal(after.topicsById.get(topic.id), topic);
  assert.equal([...after.brokerConfigs.get(null)!], [["max.connections", "5"]]);
  assert.equal([...after.brokerConfigs.get(1)!], [["max.connections", "6"]]);
  assert.equal([...after.groupConfigs.keys()], ["g"]);
  assert.equal([...after.groupConfigs.get("g")!], [[interval, "7000"]]);
  assert.ok(after.brokers.get(1)!.fenced, "a broker of the last life is not alive");
  const broker = await again.register({ id: 1, host: "127.0.0.1", port: 1, rack: null });
  assert.ok(broker.epoch > before.brokers.get(1)!.epoch);
});

test("a crash at any byte loses nothing acknowledged and invents nothing", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  const acknowledged: { bytes: number; topics: number }[] = [];
  for (let index = 0; index < 12; index++) {
    await plane.createTopic({ name: `t${index}`, layout: one, configs: NO_CONFIGS });
    acknowledged.push({ bytes: files.journal.length, topics: index + 1 });
  }
  files.syncedBytes = 0;
  for (let bytes = 0; bytes <= files.journal.length; bytes++) {
    const reopened = open(files.crash(bytes));
    const known = acknowledged.filter((each) => each.bytes <= bytes).at(-1)?.topics ?? 0;
    assert.is(reopened.state().topics.size, known, `${bytes} bytes kept`);
  }
});

test("a crash between two steps of a snapshot leaves the same truth", async () => {
  for (const stop of ["snapshot", "truncate"]) {
    const files = new FakeClusterFiles();
    const plane = await started(files);
    await plane.createTopic({ name: "kept", layout: one, configs: NO_CONFIGS });
    await plane.createTopic({ name: "gone", layout: one, configs: NO_CONFIGS });
    await plane.deleteTopic("gone");
    files.before = (step) => {
      if (step === stop) throw new Error("power lost");
    };
    const big = new Map([["note", "x".repeat(1 << 20)]]);
    await plane.alterBrokerConfigs(1, big);
    const reopened = open(files.crash(files.journal.length));
    assert.equal([...reopened.state().topics.keys()], ["kept"], stop);
    assert.is(reopened.state().brokerConfigs.get(1)!.get("note")!.length, 1 << 20, stop);
  }
});

test("what is left of a journal that is already in the snapshot changes nothing", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  const lengths: number[] = [];
  const step = async (work: Promise<unknown>) => {
    await work;
    lengths.push(files.journal.length);
  };
  await step(plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS }));
  await step(plane.alterTopicConfigs("a", new Map([["retention.ms", "5"]])));
  await step(plane.createTopic({ name: "gone", layout: one, configs: NO_CONFIGS }));
  await step(plane.deleteTopic("gone"));
  const old = files.journal;
  await plane.alterBrokerConfigs(1, new Map([["note", "x".repeat(1 << 20)]]));
  for (const length of lengths) {
    const crashed = files.crash(0);
    crashed.journal = old.slice(0, length);
    const { topics } = open(crashed).state();
    assert.equal([...topics.keys()], ["a"]);
    assert.is(topics.get("a")!.configs.get("retention.ms"), "5");
  }
});

test("a torn end is cut off, so that what follows it can be read", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
  const torn = files.crash(0);
  torn.journal = new Uint8Array([...torn.journal, ...torn.journal.slice(-40, -3)]);
  const again = await started(torn);
  await again.createTopic({ name: "b", layout: one, configs: NO_CONFIGS });
  assert.equal([...open(torn.crash(0)).state().topics.keys()].sort(), ["a", "b"]);
});

test("the journal goes into a snapshot when it has grown, and goes on after it", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  const big = new Map([["note", "x".repeat(1 << 20)]]);
  await plane.alterBrokerConfigs(1, big);
  assert.is(files.journal.length, 0);
  assert.ok(files.snapshot!.length > 1 << 20);
  await plane.createTopic({ name: "later", layout: one, configs: NO_CONFIGS });
  const first = await plane.allocateProducerIds(10);
  const again = open(files.crash(0));
  assert.ok(again.state().topics.has("later"));
  assert.ok((await again.allocateProducerIds(1)) >= first + 10);
});

test("allocateProducerIds() gives no id twice over crashes", async () => {
  let files = new FakeClusterFiles();
  const taken = new Set<number>();
  for (let life = 0; life < 5; life++) {
    const plane = open(files);
    for (let call = 0; call < 7; call++) {
      const first = await plane.allocateProducerIds(3);
      for (let id = first; id < first + 3; id++) taken.add(id);
    }
    files = files.crash(0);
  }
  assert.is(taken.size, 5 * 7 * 3);
});

test("damage before a good change, in the snapshot or a missing snapshot is refused", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
  await plane.createTopic({ name: "b", layout: one, configs: NO_CONFIGS });
  const flipped = (bytes: Uint8Array, position: number) => {
    const copy = bytes.slice();
    copy[position]! ^= 1;
    return copy;
  };
  for (const position of [0, 40, 120]) {
    const damaged = files.crash(0);
    damaged.journal = flipped(damaged.journal, position);
    assert.throws(() => open(damaged), /damaged/);
  }
  for (let position = 0; position < files.snapshot!.length; position++) {
    const damaged = files.crash(0);
    damaged.snapshot = flipped(damaged.snapshot!, position);
    assert.throws(() => open(damaged), /damaged/, `byte ${position}`);
  }
  const lost = files.crash(0);
  lost.snapshot = undefined;
  assert.throws(() => open(lost), /missing/);
});

test("a folder of format 1 is read, and is of the newest format from then on", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  await plane.createTopic({ name: "old", layout: one, configs: NO_CONFIGS });
  await plane.close();
  files.snapshot = inFormat1(files.snapshot!);
  files.journal = inFormat1(files.journal);

  const again = open(files);
  assert.equal([...again.state().topics.keys()], ["old"]);
  assert.match(new TextDecoder().decode(files.snapshot), /^[0-9a-f]{8} \{.*"format":2/);
  await again.alterGroupConfigs("g", new Map([["consumer.session.timeout.ms", "50000"]]));
  await again.close();
  assert.is(open(files).state().groupConfigs.size, 1);
});

function inFormat1(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const [header = "", ...lines] = new TextDecoder().decode(bytes).split("\n");
  const old = sealLine(header.slice(9).replace('"format":2', '"format":1'));
  const rest = new TextEncoder().encode(lines.join("\n"));
  const all = new Uint8Array(old.length + rest.length);
  all.set(old);
  all.set(rest, old.length);
  return all;
}

test("a newer format and another cluster's folder are refused in one sentence", async () => {
  const files = new FakeClusterFiles();
  await (await started(files)).close();
  const newer = files.crash(0);
  newer.snapshot = sealLine('{"format":4,"kind":"timberline-cluster"}');
  assert.throws(() => open(newer), /format 4, this version reads up to 3/);
  newer.snapshot = sealLine('{"format":3,"kind":"timberline-cluster"}');
  assert.throws(() => open(newer), /is a cluster member's/);
  assert.throws(
    () => openMemoryControlPlane({ random: seededRandom(1), files, clusterId: "other" }),
    /belongs to cluster .{22}, not to other/,
  );
});

test("a full disk refuses the change and the next one works", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  files.before = () => {
    throw new Error("disk full");
  };
  const create = (name: string) => plane.createTopic({ name, layout: one, configs: NO_CONFIGS });
  assert.is(await faultOf(create("a")), "storage-failed");
  assert.not.ok(plane.state().topics.has("a"));
  files.before = () => undefined;
  assert.is(await faultOf(create("a")), undefined);
  assert.ok(open(files.crash(0)).state().topics.has("a"));
});

test("after a failed sync nothing is acknowledged any more", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  files.before = (step) => {
    if (step === "sync") throw new Error("EIO");
  };
  const create = (name: string) =>
    faultOf(plane.createTopic({ name, layout: one, configs: NO_CONFIGS }));
  assert.equal(await Promise.all([create("a"), create("b")]), ["storage-failed", "storage-failed"]);
  files.before = () => undefined;
  assert.is(await create("c"), "storage-failed");
  assert.is(plane.state().topics.size, 0);
});

test("changes asked for together share a sync", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  const before = files.syncs;
  await Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      plane.createTopic({ name: `t${index}`, layout: one, configs: NO_CONFIGS }),
    ),
  );
  assert.ok(files.syncs - before <= 2, `${files.syncs - before} syncs`);
});

test("close() ends what is under way and refuses what comes later", async () => {
  const files = new FakeClusterFiles();
  const plane = await started(files);
  const under = plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
  await plane.close();
  await under;
  assert.ok(open(files.crash(0)).state().topics.has("a"));
  const late = plane.createTopic({ name: "b", layout: one, configs: NO_CONFIGS });
  assert.is(await faultOf(late), "storage-failed");
});

test("leader epochs raised by a restart are there after the next, and new topics begin at 0", async () => {
  const files = new FakeClusterFiles();
  const random = seededRandom(1);
  const start = async () => {
    const plane = openMemoryControlPlane({ random, files });
    await plane.register({ id: 1, host: "127.0.0.1", port: 1, rack: null });
    return plane;
  };
  const epochOf = (plane: ControlPlane, name: string) =>
    plane.state().topics.get(name)!.partitions[0]!.leaderEpoch;
  let plane = await start();
  await plane.createTopic({ name: "old", layout: one, configs: NO_CONFIGS });
  await plane.close();
  plane = await start();
  await plane.createTopic({ name: "new", layout: one, configs: NO_CONFIGS });
  assert.equal([epochOf(plane, "old"), epochOf(plane, "new")], [2, 0]);
  await plane.close();
  const opened = openMemoryControlPlane({ random, files });
  assert.equal([epochOf(opened, "old"), epochOf(opened, "new")], [2, 0]);
  await opened.close();
  plane = await start();
  assert.equal([epochOf(plane, "old"), epochOf(plane, "new")], [3, 3]);
  await plane.close();
});

test.run();
