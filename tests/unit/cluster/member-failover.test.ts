// Members when something dies, stalls or is cut off: who is fenced, who takes over, and how soon, on a clock in hand.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { MemberClock } from "../../../cluster/member-parts.ts";
import { faultOf } from "../../conformance/control-plane-harness.ts";
import { Scene } from "./member-scenes.ts";

function scene(title: string, run: (scene: Scene) => Promise<void>, count = 3): void {
  test(title, async () => {
    const scene = await Scene.of(count);
    try {
      await run(scene);
    } finally {
      await scene.close();
    }
  });
}

scene("the first to register is the controller, and all agree", async (scene) => {
  await scene.clock.advance(1_000);
  for (const plane of scene.planes) {
    assert.is(plane.status().controllerId, 1);
    assert.is(plane.status().controllerEpoch, 1);
    assert.is(plane.status().version, scene.planes[0]!.status().version);
  }
  assert.equal(scene.fenced(3), []);
});

scene("a broker that is killed is fenced at once, and others lead what it led", async (scene) => {
  await scene.topic("t", [[3, 1, 2]]);
  scene.process(3).kill();
  const tookMs = await scene.until(() => scene.fenced(1).includes(3));
  assert.ok(tookMs <= 50, `${tookMs} ms`);
  const { leader, leaderEpoch, isr } = scene.partition(2, "t");
  assert.equal({ leader, leaderEpoch, isr }, { leader: 1, leaderEpoch: 1, isr: [1, 2] });
});

scene("a controller that is killed is replaced and fenced within 300 ms", async (scene) => {
  await scene.topic("t", [[1, 2, 3]]);
  scene.process(1).kill();
  const tookMs = await scene.until(() => scene.partition(3, "t").leader === 2);
  assert.ok(tookMs <= 300, `${tookMs} ms`);
  assert.is(scene.plane(3).status().controllerEpoch, 2);
  assert.equal(scene.fenced(3), [1]);
  await scene.clock.advance(5_000);
  assert.is(scene.plane(3).status().controllerEpoch, 2, "one takeover is enough");
});

scene("two of three die at once: the third is the controller", async (scene) => {
  scene.process(1).kill();
  scene.process(2).kill();
  const tookMs = await scene.until(() => scene.fenced(3).length === 2);
  assert.ok(tookMs <= 3_000, `${tookMs} ms`);
  assert.is(scene.plane(3).status().controllerId, 3);
});

scene("a stopped controller is replaced and fenced within 3 s; back, it follows", async (scene) => {
  await scene.topic("t", [[1, 2, 3]]);
  scene.process(1).pause();
  const tookMs = await scene.until(() => scene.partition(3, "t").leader === 2);
  assert.ok(tookMs <= 3_000, `${tookMs} ms`);
  // Its next write meets the entries of the new controller: it must not count, and still be made.
  scene.process(1).resume();
  const late = scene.plane(1).createTopic({
    name: "late",
    layout: { assignments: [[2]] },
    configs: new Map(),
  });
  await scene.passing(late);
  await scene.until(() => scene.fenced(3).length === 0);
  for (const plane of scene.planes) {
    assert.is(plane.status().controllerEpoch, 2);
    assert.ok(plane.state().topics.has("late"));
  }
});

scene("a controller that hears of its successor stops at once", async (scene) => {
  scene.process(1).pause();
  await scene.until(() => scene.plane(2).status().controllerId === 2);
  scene.process(1).resume();
  await scene.until(() => scene.plane(1).status().controllerId === 2);
  const heartbeat = { ask: "heartbeat", id: 3, epoch: 1, incarnation: "", version: 0 };
  const answer = await scene.process(1).member.answer(heartbeat, 3);
  assert.is((answer as { isController: boolean }).isController, false);
});

scene("a stopped broker is fenced within 2 s, and back when it runs on", async (scene) => {
  await scene.topic("t", [[3, 1, 2]]);
  scene.process(3).pause();
  const tookMs = await scene.until(() => scene.fenced(1).includes(3));
  assert.ok(tookMs > 1_000 && tookMs <= 2_000, `${tookMs} ms`);
  await scene.clock.advance(5_000);
  scene.process(3).resume();
  await scene.until(() => scene.fenced(1).length === 0);
  const { leader, isr } = scene.partition(3, "t");
  assert.equal({ leader, isr }, { leader: 1, isr: [1, 2] });
});

scene("a stall of 500 ms fences nobody and moves no controller", async (scene) => {
  for (const id of [3, 1, 2]) {
    scene.process(id).pause();
    await scene.clock.advance(500);
    scene.process(id).resume();
    await scene.clock.advance(2_000);
  }
  for (const plane of scene.planes) assert.is(plane.status().controllerEpoch, 1);
  assert.equal(scene.fenced(1), []);
});

/** Timers stand still while the process does. */
class StallingClock implements MemberClock {
  readonly #clock: MemberClock;
  #held: (() => void)[] | undefined;

  constructor(clock: MemberClock) {
    this.#clock = clock;
  }
  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }
  after(delayMs: number, run: () => void) {
    return this.#clock.after(delayMs, () => (this.#held ? this.#held.push(run) : run()));
  }
  stall(): void {
    this.#held = [];
  }
  run(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const run of held) run();
  }
}

test("a controller that stood still itself fences nobody", async () => {
  const scene = new Scene();
  const clock = new StallingClock(scene.clock);
  await scene.start(1, { clock });
  await scene.start(2);
  await scene.start(3);
  const { version } = scene.plane(1).status();
  // One was silent before it stands still, but not for long.
  scene.cluster.isCut = (from) => from === 3;
  await scene.clock.advance(600);
  clock.stall();
  scene.cluster.isCut = () => true;
  await scene.clock.advance(1_050);
  scene.cluster.isCut = () => false;
  clock.run();
  await scene.clock.advance(5_000);
  assert.equal(scene.fenced(1), []);
  assert.is(scene.plane(1).status().controllerEpoch, 1);
  assert.is(scene.plane(1).status().version, version, "nobody was fenced in between either");
  await scene.close();
});

scene("a broker is let back when it knows what was decided without it", async (scene) => {
  const { log, member } = scene.process(3);
  log.cut();
  scene.cluster.isCut = (from) => from === 3;
  await scene.until(() => scene.fenced(1).includes(3));
  scene.cluster.isCut = () => false;
  await scene.passing(scene.plane(1).alterBrokerConfigs(null, new Map([["a", "b"]])));
  await scene.clock.advance(5_000);
  assert.equal(scene.fenced(1), [3]);
  log.heal();
  await scene.until(() => scene.fenced(1).length === 0);
  assert.ok(member.state().brokerConfigs.has(null));
});

scene("one that only the controller cannot hear is fenced; others are not", async (scene) => {
  scene.cluster.isCut = (from, to) => from === 3 && to === 1;
  await scene.until(() => scene.fenced(2).includes(3));
  await scene.clock.advance(5_000);
  assert.equal(scene.fenced(2), [3]);
  // Its controller is alive for everybody else, and says so.
  assert.is(scene.plane(3).status().controllerEpoch, 1);
  scene.cluster.isCut = () => false;
  await scene.until(() => scene.fenced(2).length === 0);
});

scene("a controller that lost the metadata service alone is replaced", async (scene) => {
  scene.process(1).log.cut();
  await scene.until(() => scene.plane(2).status().controllerId === 2);
  await scene.topicThrough(3, "t");
  assert.equal(scene.fenced(2), [], "it lives, and is heard");
  assert.is(scene.plane(1).status().isConnected, false);
  assert.ok(scene.plane(1).status().ageMs > 0);
  scene.process(1).log.heal();
  await scene.until(() => scene.plane(1).state().topics.has("t"));
  assert.is(scene.plane(1).status().controllerId, 2);
});

scene(
  "the metadata service away for 60 s: no fencing, no takeover, changes wait",
  async (scene) => {
    await scene.topic("t", [[1, 2, 3]]);
    for (const { log } of scene.cluster.processes) log.cut();
    const create = (name: string) =>
      faultOf(
        scene.plane(2).createTopic({ name, layout: { assignments: [[1]] }, configs: new Map() }),
      );
    assert.is(await scene.passing(create("early")), "unavailable");
    await scene.clock.advance(50_000);
    scene.process(3).kill();
    await scene.clock.advance(5_000);
    assert.equal(scene.fenced(1), []);
    const waiting = create("late");
    for (const id of [1, 2]) scene.process(id).log.heal();
    assert.is(await scene.passing(waiting), undefined);
    const tookMs = await scene.until(() => scene.fenced(1).includes(3));
    assert.ok(tookMs <= 3_000, `${tookMs} ms`);
    assert.is(scene.plane(1).status().controllerEpoch, 1);
    assert.equal([...scene.plane(2).state().topics.keys()].sort(), ["late", "t"]);
  },
);

test("a broker that starts while the metadata service takes no changes goes on when it does", async () => {
  const scene = await Scene.of(2);
  const third = await scene.passing(scene.cluster.open(3));
  for (const { log } of scene.cluster.processes) log.cut();
  const registered = scene.cluster.register(third);
  await scene.clock.advance(30_000);
  for (const { log } of scene.cluster.processes) log.heal();
  assert.is((await scene.passing(registered)).id, 3);
  await scene.close();
});

test("a broker that starts gives up after a while, and says why", async () => {
  const scene = await Scene.of(2);
  const third = await scene.passing(scene.cluster.open(3, { settings: { openMsMax: 20_000 } }));
  for (const { log } of scene.cluster.processes) log.cut();
  const fault = faultOf(scene.cluster.register(third));
  assert.is(await scene.passing(fault), "unavailable");
  await scene.close();
});

scene("new producers begin while the metadata service is away", async (scene) => {
  for (const { log } of scene.cluster.processes) log.cut();
  const given = new Set<number>();
  for (const id of [1, 2, 3])
    given.add(await scene.passing(scene.plane(id).allocateProducerIds(1)));
  assert.is(given.size, 3);
});

scene("silence while the metadata service is away is forgiven when it is back", async (scene) => {
  const { version } = scene.plane(1).status();
  for (const { log } of scene.cluster.processes) log.cut();
  scene.cluster.isCut = (from) => from === 3;
  await scene.clock.advance(10_000);
  for (const { log } of scene.cluster.processes) log.heal();
  await scene.clock.advance(1_000);
  scene.cluster.isCut = () => false;
  await scene.clock.advance(3_000);
  assert.is(scene.plane(1).status().version, version, "nothing was decided");
  assert.equal(scene.fenced(1), []);
});

scene("a thousand partitions fail over in one entry", async (scene) => {
  for (const name of ["a", "b"]) {
    await scene.topic(
      name,
      Array.from({ length: 500 }, () => [3, 1, 2]),
    );
  }
  const { version } = scene.plane(1).status();
  scene.process(3).kill();
  await scene.until(() => scene.fenced(1).includes(3));
  assert.is(scene.plane(1).status().version, version + 1);
  for (const name of ["a", "b"]) {
    const { partitions } = scene.plane(2).state().topics.get(name)!;
    assert.ok(partitions.every(({ leader }) => leader === 1));
  }
});

scene("drain() moves what others can lead, and the rest stays until the end", async (scene) => {
  await scene.topic("shared", [[3, 1, 2]]);
  await scene.topic("own", [[3]]);
  await scene.passing(scene.plane(3).drain());
  const [shared, own] = [scene.partition(3, "shared"), scene.partition(3, "own")];
  assert.equal([shared.leader, shared.isr], [1, [1, 2]]);
  assert.equal([own.leader, own.isr], [3, [3]]);
  assert.is(scene.plane(1).state().brokers.get(3)!.draining, true);
});

scene("a reassignment goes on when the controller dies in the middle", async (scene) => {
  const topic = await scene.topic("t", [[1, 2]]);
  const request = { topic: "t", partition: 0, replicas: [2, 3] };
  const [outcome] = await scene.passing(scene.plane(2).reassign([request]));
  assert.is(outcome!.fault, null);
  assert.equal(scene.partition(2, "t").adding, [3]);
  scene.process(1).kill();
  await scene.until(() => scene.partition(2, "t").leader === 2);
  const { leaderEpoch, partitionEpoch } = scene.partition(2, "t");
  const isr = [2, 3].map((id) => ({ id, epoch: scene.plane(2).state().brokers.get(id)!.epoch }));
  const wish = { topicId: topic.id, partition: 0, leaderEpoch, partitionEpoch, isr };
  const [changed] = await scene.passing(scene.plane(2).alterIsr([wish]));
  assert.is(changed!.fault, null);
  const { replicas, adding, removing, isr: now } = scene.partition(3, "t");
  assert.equal(
    { replicas, adding, removing, now },
    {
      replicas: [2, 3],
      adding: [],
      removing: [],
      now: [2, 3],
    },
  );
});

scene("a controller that leaves is followed at once", async (scene) => {
  await scene.passing(scene.plane(1).drain());
  await scene.plane(1).close();
  const tookMs = await scene.until(() => scene.plane(2).status().controllerId === 2);
  assert.ok(tookMs <= 200, `${tookMs} ms`);
});

test.run();
