// A controller that hears too few of the others: it may be the one that is cut off, so it leaves its place first.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Scene } from "./member-scenes.ts";

/** Runs with members 1..count; `fenced` collects who was ever fenced, as the last member sees it. */
function scene(
  title: string,
  count: number,
  run: (scene: Scene, fenced: Set<number>) => Promise<void>,
): void {
  test(title, async () => {
    const scene = await Scene.of(count);
    const fenced = new Set<number>();
    const end = scene.plane(count).watch((change) => {
      if (change.kind === "broker-changed" && change.broker.fenced) fenced.add(change.broker.id);
    });
    try {
      await run(scene, fenced);
    } finally {
      end();
      await scene.close();
    }
  });
}

/** Only the metadata service is reached from one side to the other. */
function cutBetween(scene: Scene, side: readonly number[]): void {
  scene.cluster.isCut = (from, to) => side.includes(from) !== side.includes(to);
}

scene("a controller that all others lost gives way to them", 3, async (scene, fenced) => {
  await scene.topic("t", [[1, 2, 3]]);
  cutBetween(scene, [1]);
  const tookMs = await scene.until(() => scene.partition(3, "t").leader === 2);
  assert.ok(tookMs <= 3_000, `${tookMs} ms`);
  assert.is(scene.plane(1).status().controllerId, 2);
  await scene.clock.advance(60_000);
  assert.equal([...fenced], [1], "those who hear each other stay");
  assert.is(scene.plane(3).status().controllerEpoch, 2);
  scene.cluster.isCut = () => false;
  await scene.until(() => scene.fenced(3).length === 0);
});

scene("the larger side decides, also after the wrong one tried", 5, async (scene, fenced) => {
  cutBetween(scene, [1, 2]);
  await scene.until(() => scene.plane(5).status().controllerId === 3 && fenced.size === 2);
  await scene.clock.advance(60_000);
  assert.equal([...fenced].sort(), [1, 2]);
  assert.is(scene.plane(5).status().controllerId, 3);
});

scene(
  "two of three stop at once: nobody takes the place, and they are fenced",
  3,
  async (scene) => {
    await scene.topic("t", [[2, 1, 3]]);
    scene.process(2).pause();
    scene.process(3).pause();
    const tookMs = await scene.until(() => scene.partition(1, "t").leader === 1);
    assert.ok(tookMs <= 3_000, `${tookMs} ms`);
    assert.equal(scene.fenced(1), [2, 3]);
    scene.process(2).resume();
    scene.process(3).resume();
    await scene.until(() => scene.fenced(1).length === 0);
  },
);

scene("the other of two stops: fenced within 3 s", 2, async (scene) => {
  await scene.topic("t", [[2, 1]]);
  scene.process(2).pause();
  const tookMs = await scene.until(() => scene.partition(1, "t").leader === 1);
  assert.ok(tookMs <= 3_000, `${tookMs} ms`);
  assert.is(scene.plane(1).status().controllerId, 1);
});

scene("nobody hears anybody: one round of doubts, then one goes on alone", 3, async (scene) => {
  await scene.topic("t", [[1, 2, 3]]);
  scene.cluster.isCut = () => true;
  await scene.until(() => scene.fenced(3).length === 2);
  const { controllerEpoch } = scene.plane(3).status();
  await scene.clock.advance(60_000);
  assert.is(scene.plane(3).status().controllerEpoch, controllerEpoch, "no more changes of place");
  assert.ok(controllerEpoch <= 6, `epoch ${controllerEpoch}`);
  scene.cluster.isCut = () => false;
  await scene.until(() => scene.fenced(3).length === 0);
});

test.run();
