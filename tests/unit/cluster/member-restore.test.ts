// Members that start while the metadata service holds less than they know, and the way back.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SharedLogStore } from "../../../cluster/shared-log.ts";
import { FakeClusterFiles } from "../../support/cluster-files.ts";
import { Scene } from "./member-scenes.ts";

/** Three members with copies of their own, who know topic `t` of brokers 1, 2 and 3. */
async function remembering() {
  const scene = new Scene();
  const files = [1, 2, 3].map(() => new FakeClusterFiles());
  for (const id of [1, 2, 3]) await scene.start(id, { files: files[id - 1]! });
  await scene.topic("t", [[1, 2, 3]]);
  const wipe = () => {
    scene.cluster.store = new SharedLogStore();
    for (const { log } of scene.cluster.processes) {
      log.cut();
      log.heal(scene.cluster.store);
    }
  };
  const killed = (id: number) => {
    scene.process(id).kill();
    return files[id - 1]!.crash(Number.POSITIVE_INFINITY);
  };
  return { scene, wipe, killed };
}

/** Opened and told to register; what becomes of it is known later. */
async function starting(scene: Scene, id: number, files: FakeClusterFiles) {
  const process = await scene.passing(scene.cluster.open(id, { files }));
  const alarms: string[] = [];
  let epoch = -1;
  const { member, host } = process;
  const request = { id, host, port: 9092, rack: null };
  const registered = member
    .register(request, (alarm) => alarms.push(alarm))
    .then((broker) => {
      epoch = broker.epoch;
    });
  return { member, alarms, registered, epoch: () => epoch };
}

test("all brokers start while the service is wiped: they wait, and one restores from its copy", async () => {
  const { scene, killed } = await remembering();
  const copies = [1, 2, 3].map(killed);
  const before = scene.plane(3).status();
  scene.cluster.store = new SharedLogStore();
  const all = [];
  for (const id of [1, 2, 3]) all.push(await starting(scene, id, copies[id - 1]!));
  await scene.clock.advance(200_000);
  for (const { member, alarms, epoch } of all) {
    assert.is(alarms.length, 1, "told once, however long it takes");
    assert.match(alarms[0]!, /went back: it ends at entry 0, this broker knows/);
    assert.is(epoch(), -1);
    assert.ok(member.state().topics.has("t"), "what it knows is there to be read");
  }
  await scene.passing(all[1]!.member.restore(all[1]!.member.snapshot()));
  await scene.passing(Promise.all(all.map(({ registered }) => registered)));
  await scene.until(() => scene.partition(1, "t").isr.length > 0);
  for (const { member, epoch } of all) {
    const { alarm, version } = member.status();
    assert.is(alarm, null);
    assert.ok(version > before.version);
    assert.ok(epoch() > before.version);
  }
  await scene.close();
});

test("one starts while the others run on and the service is wiped: it takes part after the restore", async () => {
  const { scene, wipe, killed } = await remembering();
  const copy = killed(3);
  await scene.until(() => scene.fenced(1).includes(3));
  wipe();
  const third = await starting(scene, 3, copy);
  await scene.clock.advance(5_000);
  assert.is(third.epoch(), -1);
  assert.is(scene.partition(1, "t").leader, 1, "who ran on leads what it led");
  const { member } = scene.process(1);
  await scene.passing(member.restore(member.snapshot()));
  await scene.passing(third.registered);
  await scene.until(() => scene.fenced(1).length === 0);
  assert.is(scene.partition(3, "t").leader, 1);
  await scene.close();
});

test("whoever waits ends with an error when it is closed", async () => {
  const { scene, killed } = await remembering();
  const copy = killed(1);
  scene.cluster.store = new SharedLogStore();
  const first = await starting(scene, 1, copy);
  const failed = first.registered.then(
    () => "registered",
    (error: unknown) => (error as Error).message,
  );
  await first.member.close();
  assert.match(await scene.passing(failed), /this broker is stopping/);
  await scene.close();
});

test("a broker without a copy hears from those who live that the service went back", async () => {
  const { scene } = await remembering();
  const versions: number[] = [];
  const older = new SharedLogStore();
  await copied(scene.cluster.store, older, 6);
  scene.cluster.store = older;
  for (const { log } of scene.cluster.processes) {
    log.cut();
    log.heal(older);
  }
  await scene.clock.advance(1_000);
  const late = await starting(scene, 4, new FakeClusterFiles());
  await scene.clock.advance(10_000);
  versions.push(late.member.status().version);
  assert.match(late.alarms[0] ?? "", /it ends at entry 6, broker \d knows \d+: run `timberline/);
  assert.equal(versions, [6], "nobody writes on");
  const { member } = scene.process(2);
  await scene.passing(member.restore(member.snapshot()));
  await scene.passing(late.registered);
  assert.ok(late.member.state().topics.has("t"));
  await scene.close();
});

test("another cluster was begun in the wiped service: a restore takes the place back", async () => {
  const { scene } = await remembering();
  const stranger = new Scene(500);
  await stranger.start(9);
  scene.cluster.store = stranger.cluster.store;
  for (const { log } of scene.cluster.processes) {
    log.cut();
    log.heal(scene.cluster.store);
  }
  await scene.clock.advance(1_000);
  for (const plane of scene.planes) {
    assert.match(plane.status().alarm ?? "", /the metadata service holds cluster/);
  }
  const copy = await scene.process(1).member.answer({ ask: "copy" }, -1);
  assert.is((copy as { isBehind: boolean }).isBehind, true, "it is something to restore");
  const { member } = scene.process(2);
  await scene.passing(member.restore(member.snapshot()));
  await scene.until(() => scene.planes.every((plane) => plane.status().alarm === null));
  assert.ok(scene.plane(3).state().topics.has("t"));
  await stranger.clock.advance(1_000);
  assert.match(stranger.plane(9).status().alarm ?? "", /the metadata service holds cluster/);
  await stranger.close();
  await scene.close();
});

async function copied(from: SharedLogStore, to: SharedLogStore, count: number): Promise<void> {
  const writes: Promise<unknown>[] = [];
  const target = to.open();
  await new Promise<void>((resolve) => {
    from.open().follow(0, {
      entry: ({ sequence, bytes }) => {
        if (sequence > count) return;
        writes.push(target.append({ expected: sequence - 1, id: `${sequence}`, bytes }));
      },
      caughtUp: () => resolve(),
      reset: () => undefined,
    });
  });
  await Promise.all(writes);
}

test.run();
