// Which copies a throttle slows, over brokers on a clock in hand: those that are named, at the end that they are named
// for, until they are in sync. Lists are read as Kafka's tools write them.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { ReplicaScene, topic } from "./replica-scene.ts";

const BATCHES = 20;
const BATCH_BYTES = 1_000;
const RATE = 1_000;

/** Brokers 1 and 2 have twenty kilobytes, and broker 3 gets a copy. */
async function copying(side: "leader" | "follower", names: string): Promise<ReplicaScene> {
  const scene = new ReplicaScene({
    [`${side}.replication.throttled.rate`]: String(RATE),
    "replica.fetch.max.bytes": "1024",
    "replica.fetch.response.max.bytes": "1024",
  });
  await scene.start(1, 2, 3);
  await scene.createTopic([1, 2], { [`${side}.replication.throttled.replicas`]: names });
  for (let i = 0; i < BATCHES; i++) {
    await Promise.all([scene.append(1, "x".repeat(BATCH_BYTES)), scene.settle()]);
  }
  const { plane } = scene;
  await plane.open(99).reassign([{ topic, partition: 0, replicas: [1, 2, 3] }]);
  await scene.settle();
  return scene;
}

async function passSeconds(scene: ReplicaScene, seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 20; i++) await scene.clock.advance(50);
}

for (const [side, named] of [
  ["leader", "0:1"],
  ["leader", "*"],
  ["follower", "0:3"],
  ["follower", "*"],
] as const) {
  test(`a ${side}'s throttle of ${named} lets its rate through, and holds no replica in sync back`, async () => {
    const scene = await copying(side, named);
    await passSeconds(scene, 5);
    const [, , end = 0] = scene.offsets(3);
    assert.ok(end >= 3 && end <= 9, `${end} batches of a kilobyte after five seconds`);
    await Promise.all([scene.append(1, "at once"), scene.settle()]);
    assert.is(scene.offsets(1)[1], BATCHES + 1, "acks=all does not wait for it");
    await passSeconds(scene, 25);
    assert.ok(scene.record.isr.includes(3), "it has caught up");
    assert.is(scene.offsets(3)[2], BATCHES + 1);
    await scene.close();
  });
}

for (const [side, other] of [
  ["leader", "0:3"],
  ["leader", "1:1"],
  ["follower", "0:1"],
] as const) {
  test(`a ${side}'s throttle of ${other} is not for the copy on broker 3`, async () => {
    const scene = await copying(side, other);
    await passSeconds(scene, 1);
    assert.ok(scene.record.isr.includes(3));
    await scene.close();
  });
}

test.run();
