// Members and their metadata: a log that goes backwards, is wiped, trimmed, of another cluster or of a newer version,
// restarts on the own copy, two brokers of one id, and the folder of a broker that was alone.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeEntry } from "../../../cluster/entry-codec.ts";
import { openMemoryControlPlane } from "../../../cluster/memory.ts";
import { SharedLogStore } from "../../../cluster/shared-log.ts";
import { faultOf } from "../../conformance/control-plane-harness.ts";
import { FakeClusterFiles } from "../../support/cluster-files.ts";
import { seededRandom } from "../../support/member-cluster.ts";
import { Scene } from "./member-scenes.ts";

const NO_CONFIGS = new Map<string, string>();

function scene(title: string, run: (scene: Scene) => Promise<void>): void {
  test(title, async () => {
    const scene = await Scene.of(3);
    try {
      await run(scene);
    } finally {
      await scene.close();
    }
  });
}

function create(scene: Scene, id: number, name: string) {
  const layout = { partitions: 1, replicationFactor: 1 };
  return faultOf(scene.passing(scene.plane(id).createTopic({ name, layout, configs: NO_CONFIGS })));
}

async function messageOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "nothing was refused",
    (error: unknown) => (error as Error).message,
  );
}

/** The metadata service as it was after its first `count` entries. */
async function rolledBack(store: SharedLogStore, count: number): Promise<SharedLogStore> {
  const older = new SharedLogStore();
  const copies: Promise<unknown>[] = [];
  const from = store.open();
  const to = older.open();
  await new Promise<void>((resolve) => {
    from.follow(0, {
      entry: ({ sequence, bytes }) => {
        if (sequence > count) return;
        copies.push(to.append({ expected: sequence - 1, id: `${sequence}`, bytes }));
      },
      caughtUp: () => resolve(),
      reset: () => undefined,
    });
  });
  await Promise.all(copies);
  return older;
}

function replaceStore(scene: Scene, store: SharedLogStore): void {
  scene.cluster.store = store;
  for (const { log } of scene.cluster.processes) {
    log.cut();
    log.heal(store);
  }
}

scene(
  "a wiped metadata service freezes everybody, and restore() brings all back",
  async (scene) => {
    const topic = await scene.topic("t", [[1, 2, 3]]);
    const before = scene.plane(1).status();
    replaceStore(scene, new SharedLogStore());
    await scene.clock.advance(10_000);
    for (const plane of scene.planes) {
      assert.match(plane.status().alarm ?? "", /went back: it ends at entry 0, this broker knows/);
      assert.match(plane.status().alarm ?? "", /timberline cluster restore/);
      assert.equal(plane.state().topics.get("t"), topic, "data goes on with what is known");
      assert.equal(scene.fenced(1), []);
    }
    assert.is(await create(scene, 2, "no"), "unavailable");
    await scene.passing(scene.plane(2).restore(scene.plane(2).snapshot()));
    await scene.clock.advance(2_000);
    for (const plane of scene.planes) {
      const { alarm, version, controllerEpoch } = plane.status();
      assert.is(alarm, null);
      assert.ok(version > before.version && controllerEpoch > before.controllerEpoch);
      const [partition] = plane.state().topics.get("t")!.partitions;
      assert.ok(partition!.leaderEpoch > topic.partitions[0]!.leaderEpoch);
      assert.equal([partition!.leader, partition!.isr], [1, [1, 2, 3]]);
    }
    assert.is(await create(scene, 3, "yes"), undefined);
    const late = await scene.start(4);
    assert.ok(late.member.state().topics.has("t"), "newcomers find it too");
  },
);

scene("a metadata service that went back freezes, also when others write on", async (scene) => {
  await create(scene, 1, "a");
  const older = await rolledBack(scene.cluster.store, scene.plane(1).status().version);
  await create(scene, 1, "b");
  await create(scene, 2, "c");
  const { version } = scene.plane(1).status();
  replaceStore(scene, older);
  await scene.clock.advance(1_000);
  for (const plane of scene.planes) assert.match(plane.status().alarm ?? "", /went back/);
  // A broker without a copy that reaches nobody finds nothing wrong, and writes on: that is another course.
  scene.cluster.isCut = (from, to) => from === 4 || to === 4;
  const stranger = await scene.start(4);
  await scene.until(() => stranger.member.status().version > version);
  assert.ok(stranger.member.state().topics.has("a"));
  for (const id of [1, 2, 3]) {
    assert.match(scene.plane(id).status().alarm ?? "", /went back/);
    assert.ok(scene.plane(id).state().topics.has("c"));
  }
  scene.cluster.isCut = () => false;
  await scene.passing(scene.plane(1).restore(scene.plane(1).snapshot()));
  await scene.clock.advance(2_000);
  for (const plane of scene.planes) {
    assert.is(plane.status().alarm, null);
    assert.equal([...plane.state().topics.keys()].sort(), ["a", "b", "c"]);
  }
  assert.equal(scene.fenced(2), []);
});

test("a broker that was away finds a log of another course by its own copy", async () => {
  const scene = await Scene.of(2);
  const files = new FakeClusterFiles();
  const process = await scene.start(3, { files });
  await create(scene, 1, "a");
  const older = await rolledBack(scene.cluster.store, scene.plane(1).status().version - 1);
  const store = scene.cluster.store;
  process.kill();
  await process.member.close();
  // Others go on from before; the numbers grow past those it knows.
  const other = new Scene();
  other.cluster.store = older;
  await other.start(9);
  for (const name of ["x", "y", "z"]) await create(other, 9, name);
  scene.cluster.store = older;
  const again = await scene.passing(scene.cluster.open(3, { files: files.crash(Infinity) }));
  assert.match(again.member.status().alarm ?? "", /took another course than this broker knows/);
  assert.ok(again.member.state().topics.has("a"));
  scene.cluster.store = store;
  await other.close();
  await scene.close();
});

test("a restart on the own copy reads on where it ended, and notices a wiped service", async () => {
  const scene = new Scene();
  const files = new FakeClusterFiles();
  const first = await scene.start(1, { files });
  await create(scene, 1, "a");
  first.kill();
  const second = await scene.start(1, { files: files.crash(Infinity) });
  assert.ok(second.member.state().topics.has("a"));
  assert.is(second.member.status().controllerEpoch, 2);
  await create(scene, 1, "b");
  second.kill();
  scene.cluster.store = new SharedLogStore();
  const third = await scene.passing(scene.cluster.open(1, { files: files.crash(Infinity) }));
  assert.match(third.member.status().alarm ?? "", /went back/);
  const registered = scene.cluster.register(third);
  await scene.passing(third.member.restore(third.member.snapshot()));
  await scene.passing(registered);
  assert.is(third.member.status().alarm, null);
  await scene.close();
});

scene("two brokers of one id: the second is refused, the first does not notice", async (scene) => {
  for (const id of [1, 2]) {
    const second = await scene.passing(scene.cluster.open(id));
    assert.match(
      await scene.passing(messageOf(scene.cluster.register(second))),
      new RegExp(`^Broker id ${id} belongs to the living broker at m${id}:9092: give this one`),
    );
    await second.member.close();
  }
  await scene.clock.advance(3_000);
  assert.equal(scene.fenced(3), []);
  assert.is(scene.plane(3).status().controllerEpoch, 1);
});

scene("a process whose place was taken says so and stops deciding", async (scene) => {
  const [first] = scene.cluster.processes;
  first!.pause();
  await scene.until(() => scene.fenced(2).includes(1));
  await scene.start(1);
  first!.resume();
  await scene.until(() => first!.member.status().alarm !== null);
  assert.match(first!.member.status().alarm!, /another process at m4:9092 registered as broker 1/);
  await scene.clock.advance(3_000);
  assert.equal(scene.fenced(2), []);
});

scene(
  "a restart that was not clean leaves ISR and ELR; a clean one only the ISR",
  async (scene) => {
    await scene.topic("t", [[1, 2, 3]], [["min.insync.replicas", "3"]]);
    const restart = async (cleanEpoch: number | undefined) => {
      scene.process(3).kill();
      const process = await scene.passing(scene.cluster.open(3));
      const clean = cleanEpoch === undefined ? {} : { cleanEpoch };
      await scene.passing(scene.cluster.register(process, clean));
      return scene.partition(1, "t");
    };
    const { epoch } = scene.plane(1).state().brokers.get(3)!;
    const clean = await restart(epoch);
    assert.equal([clean.isr, clean.elr], [[1, 2], [3]]);
    const unclean = await restart(epoch);
    assert.equal([unclean.isr, unclean.elr], [[1, 2], []], "that epoch is an old one");
  },
);

scene("the last one in sync leads again, however it stopped", async (scene) => {
  await scene.topic("t", [[3]]);
  scene.process(3).kill();
  await scene.until(() => scene.partition(1, "t").leader === -1);
  await scene.start(3);
  const { leader, leaderEpoch, isr } = scene.partition(1, "t");
  assert.equal([leader, isr], [3, [3]]);
  assert.is(leaderEpoch, 2);
});

scene("hold(): a broker leads nothing before it is ready()", async (scene) => {
  await scene.topic("t", [[3]]);
  scene.process(3).kill();
  const process = await scene.passing(scene.cluster.open(3));
  process.member.hold();
  await scene.passing(scene.cluster.register(process));
  await scene.clock.advance(5_000);
  assert.equal(scene.fenced(1), [3]);
  process.member.ready();
  const tookMs = await scene.until(() => scene.partition(1, "t").leader === 3);
  assert.ok(tookMs <= 50, `${tookMs} ms`);
});

scene("another cluster's folder is refused, and so is another cluster's log", async (scene) => {
  const files = new FakeClusterFiles();
  const other = new Scene(1_000);
  await other.start(7, { files });
  await other.close();
  const again = await scene.passing(scene.cluster.open(7, { files: files.crash(Infinity) }));
  assert.match(
    again.member.status().alarm ?? "",
    /the metadata service holds cluster .{22}, this broker belongs to cluster .{22}: connect it/,
  );
  const named = scene.cluster.open(8, { clusterId: "other" });
  assert.match(await scene.passing(messageOf(named)), /this broker belongs to cluster other/);
});

scene("metadata of a newer version is not followed", async (scene) => {
  const log = scene.cluster.store.open();
  const version = scene.plane(1).status().version;
  const entry = encodeEntry({
    clusterId: scene.plane(1).state().clusterId,
    controllerId: 9,
    controllerEpoch: 9,
    version: version + 1,
    chain: 0,
    changes: [],
  });
  const bytes = new TextEncoder().encode(
    new TextDecoder().decode(entry).replace('"format":1', '"format":2'),
  );
  await log.append({ expected: version, id: "newer", bytes });
  await scene.clock.advance(1_000);
  for (const plane of scene.planes) {
    assert.match(plane.status().alarm ?? "", /has format 2, this broker reads up to 1: update/);
    assert.is(plane.status().version, version);
  }
});

test("the log is trimmed when it has grown, and newcomers find everything", async () => {
  const scene = new Scene();
  const settings = { logBytesMax: 20_000 };
  await scene.start(1, { settings });
  await scene.start(2, { settings });
  for (let index = 0; index < 150; index++) await create(scene, 1 + (index % 2), `t${index}`);
  const kept = await countEntries(scene.cluster.store);
  const { version } = scene.plane(1).status();
  assert.ok(kept < version, `${kept} of ${version} entries are kept`);
  const late = await scene.start(3);
  assert.is(late.member.state().topics.size, 150);
  scene.process(1).kill();
  await scene.until(() => late.member.status().controllerId === 2);
  assert.is(await create(scene, 3, "later"), undefined);
  for (const id of [2, 3]) assert.is(scene.plane(id).state().topics.size, 151);
  await scene.close();
});

scene("a change that is too long is refused, and nothing else suffers", async (scene) => {
  const long = new Map([["note", "x".repeat(2 << 20)]]);
  const refused = faultOf(scene.plane(2).alterBrokerConfigs(null, long));
  const other = scene.plane(3).alterBrokerConfigs(3, new Map([["a", "b"]]));
  assert.is(await scene.passing(refused), "storage-failed");
  await scene.passing(other);
  assert.is(scene.plane(1).status().controllerEpoch, 1);
});

test("a topic of ten thousand partitions goes through a snapshot of the log", async () => {
  const scene = new Scene();
  const settings = { logBytesMax: 100_000 };
  await scene.start(1, { settings });
  const topic = await scene.topic(
    "t",
    Array.from({ length: 10_000 }, () => [1]),
  );
  await create(scene, 1, "u");
  const late = await scene.start(2);
  assert.equal(late.member.state().topics.get("t"), topic);
  assert.equal(late.member.state().topicsById.get(topic.id), topic);
  await scene.close();
});

async function countEntries(store: SharedLogStore): Promise<number> {
  let count = 0;
  await new Promise<void>((resolve) => {
    store.open().follow(0, {
      entry: () => {
        count += 1;
      },
      caughtUp: () => resolve(),
      reset: () => undefined,
    });
  });
  return count;
}

test("the folder of a broker that was alone becomes the beginning of a cluster", async () => {
  const files = new FakeClusterFiles();
  const random = seededRandom(5);
  const alone = openMemoryControlPlane({ random, files });
  const { epoch } = await alone.register({ id: 1, host: "m1", port: 9092, rack: null });
  const configs = new Map([["retention.ms", "5"]]);
  const layout = { partitions: 2, replicationFactor: 1 };
  const topic = await alone.createTopic({ name: "t", layout, configs });
  const ids = await alone.allocateProducerIds(1);
  const { clusterId } = alone.state();
  await alone.close();
  const scene = new Scene();
  const settings = { newClusterConfigs: new Map([["min.insync.replicas", "2"]]) };
  const process = await scene.passing(scene.cluster.open(1, { files, settings }));
  await scene.passing(scene.cluster.register(process, { cleanEpoch: epoch }));
  const other = await scene.start(2);
  for (const { member } of [process, other]) {
    assert.is(member.state().clusterId, clusterId);
    const found = member.state().topics.get("t")!;
    assert.is(found.id, topic.id);
    assert.equal([...found.configs], [...configs]);
    assert.equal(
      found.partitions.map(({ leader, isr }) => ({ leader, isr })),
      [0, 1].map(() => ({ leader: 1, isr: [1] })),
    );
    assert.is(member.state().brokerConfigs.get(null)!.get("min.insync.replicas"), "2");
    assert.ok((await scene.passing(member.allocateProducerIds(1))) > ids);
  }
  await process.member.close();
  assert.throws(
    () => openMemoryControlPlane({ random, files: files.crash(Infinity) }),
    /is a cluster member's/,
  );
  await scene.close();
});

test("open() says after a while that the metadata service does not answer", async () => {
  const scene = new Scene();
  const mute = scene.cluster.store;
  mute.follow = () => () => undefined;
  const message = messageOf(scene.cluster.open(1, { settings: { openMsMax: 3_000 } }));
  assert.match(await scene.passing(message), /did not answer within 3000 ms/);
  await scene.close();
});

test("a copy that cannot be written is an alarm, and the next entry tries again", async () => {
  const scene = new Scene();
  const files = new FakeClusterFiles();
  const { member } = await scene.start(1, { files });
  files.before = () => {
    throw new Error("disk full");
  };
  assert.is(await create(scene, 1, "a"), undefined);
  assert.match(member.status().alarm ?? "", /copy of the metadata cannot be written \(disk full\)/);
  files.before = () => undefined;
  assert.is(await create(scene, 1, "b"), undefined);
  assert.is(member.status().alarm, null);
  await scene.close();
});

test.run();
