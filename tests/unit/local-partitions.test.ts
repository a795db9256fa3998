// LocalPartitions through a broker whose every look at the clock takes a millisecond: topics with more partitions
// than one slice of work opens.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { openMemoryControlPlane } from "../../cluster/memory.ts";
import { BrokerConfig } from "../../runtime/config.ts";
import { LocalBroker } from "../../runtime/local-broker.ts";
import { MemoryStorage } from "../../runtime/storage/memory.ts";
import { LogFixture, platform } from "../support/log-fixture.ts";
import { ManualClock } from "../support/manual-clock.ts";

const partitions = 50;

class SlowClock extends ManualClock {
  #spentMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.#spentMs++;
  }
}

async function openBroker(storage = new MemoryStorage(Infinity)) {
  const clock = new SlowClock();
  const log = new LogFixture(storage, clock);
  const controlPlane = openMemoryControlPlane({ random: platform.random });
  await controlPlane.register({ id: 1, host: "127.0.0.1", port: 1, rack: null });
  const broker = new LocalBroker({
    platform: { ...platform, clock },
    controlPlane,
    folder: log.folder,
    brokerId: 1,
    config: new BrokerConfig({ set: new Map([["timberline.flush", { text: "os", place: "" }]]) }),
    metrics: log.metrics,
  });
  await broker.open({ adopt: false, found: [] });
  const create = (name: string) =>
    broker.createTopic({ name, partitions, replicationFactor: 1, configs: new Map() });
  const settle = async () => {
    for (let slice = 0; slice < partitions; slice++) await clock.advance(1);
  };
  return { broker, controlPlane, log, create, settle, opened: log.folder.partitions };
}

test("a new topic's partitions are opened in slices, and all of them", async () => {
  const { create, settle, opened, log } = await openBroker();
  await create("many");
  assert.ok(opened.size > 0 && opened.size < partitions / 2, `${opened.size} at once`);
  await settle();
  assert.is(opened.size, partitions);
  const folders = log.storage.list("").filter(({ folder }) => folder);
  assert.is(folders.length, partitions);
});

test("describePartition() opens nothing that is not open yet", async () => {
  const { broker, create, opened } = await openBroker();
  await create("many");
  const before = opened.size;
  const { leader, highWatermark, segments } = broker.describePartition({
    topic: "many",
    partition: 49,
  });
  assert.equal([leader, highWatermark, segments], [1, 0, 0]);
  assert.throws(
    () => broker.describePartition({ topic: "many", partition: 50 }),
    /no partition 50/,
  );
  assert.is(opened.size, before);
});

test("get() opens a partition that is asked for before its slice, listOffsets() waits for it", async () => {
  const { broker, create, settle, opened, log } = await openBroker();
  await create("many");
  assert.not.ok(opened.has("many-49"));
  const place = { topic: "many", partition: 49 };
  const batch = log.batch(["early"]);
  await broker.append({ ...place, batch, acks: -1, timeoutMs: 1000 });
  const latest = { spec: "latest", currentLeaderEpoch: -1, isolation: "read_uncommitted" } as const;
  const found = async (partition: number) =>
    (await broker.listOffsets({ topic: "many", partition, ...latest })).offset;
  const asked = Promise.all([found(49), found(48)]);
  assert.ok(opened.size < partitions);
  await settle();
  assert.equal(await asked, [1, 0]);
  assert.is(opened.size, partitions);
});

test("a topic that is deleted before all of it is open leaves nothing behind", async () => {
  const { broker, create, settle, opened, log } = await openBroker();
  await create("many");
  await broker.deleteTopic("many");
  await settle();
  await log.clock.advance(120_000);
  assert.is(opened.size, 0);
  assert.equal(
    log.storage.list("").filter(({ folder }) => folder),
    [],
  );
  await create("many");
  await settle();
  assert.is(opened.size, partitions);
});

test("createPartitions() of a topic that is not open yet opens old and new ones", async () => {
  const { broker, create, settle, opened } = await openBroker();
  await create("many");
  await broker.createPartitions({ name: "many", partitions: partitions * 2 });
  await settle();
  await settle();
  assert.is(opened.size, partitions * 2);
});

test("open() gives partitions their files that a kill left without", async () => {
  const { controlPlane, create, log } = await openBroker();
  await create("many");
  const again = new LogFixture(log.storage);
  const broker = new LocalBroker({
    platform: { ...platform, clock: again.clock },
    controlPlane,
    folder: again.folder,
    brokerId: 1,
    config: new BrokerConfig(),
    metrics: again.metrics,
  });
  await broker.open({ adopt: false, found: again.folder.found() });
  assert.is(again.folder.partitions.size, partitions);
  assert.equal(again.events, []);
});

test.run();
