// ProducerIds: ids that are there before they are needed, none of them twice.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { ProducerIds } from "../../../cluster/producer-ids.ts";

function reserving() {
  const reserved: number[] = [];
  let next = 0;
  const scene = { reserved, isAway: false };
  const ids = new ProducerIds(async (count) => {
    if (scene.isAway) throw new Error("the metadata service is away");
    reserved.push(count);
    next += count;
    return next - count;
  });
  return { ids, scene };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("ProducerIds.take() gives each id once, in rows as long as asked for", async () => {
  const { ids } = reserving();
  const counts = [1, 700, 2_500, 1, 999, 1];
  const firsts = await Promise.all(counts.map((count) => ids.take(count)));
  const all = firsts.flatMap((first, i) =>
    Array.from({ length: counts[i]! }, (_, at) => first + at),
  );
  assert.is(new Set(all).size, all.length);
});

test("ProducerIds.take() goes on from what was reserved ahead while nothing can be reserved", async () => {
  const { ids, scene } = reserving();
  ids.reserveAhead();
  ids.reserveAhead();
  await settled();
  assert.equal(scene.reserved, [1_000]);
  scene.isAway = true;
  for (let i = 0; i < 1_000; i++) assert.is(await ids.take(1), i);
  try {
    await ids.take(1);
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, "away");
  }
  scene.isAway = false;
  assert.is(await ids.take(1), 1_000);
});

test("ProducerIds.take() reserves the next block when half of one is left", async () => {
  const { ids, scene } = reserving();
  await ids.take(500);
  await settled();
  assert.is(scene.reserved.length, 1);
  await ids.take(1);
  await settled();
  assert.is(scene.reserved.length, 2);
  scene.isAway = true;
  assert.is(await ids.take(900), 1_000);
});

test("ProducerIds.take() refuses a count that is none", () => {
  assert.throws(() => reserving().ids.take(0), RangeError);
});

test.run();
