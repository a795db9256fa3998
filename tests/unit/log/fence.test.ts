// The fence of a partition: who took the highest token writes, and nothing makes the log forget it: no restart, no
// crash, no retention, no compaction, no expiry of producers.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkFence, fenceTokenMax, takeFence } from "../../../runtime/log/fence.ts";
import type { Partition } from "../../../runtime/log/partition.ts";
import { append, clean, open } from "../../support/compaction-fixture.ts";
import { LogFixture, readAll } from "../../support/log-fixture.ts";
import { codeOf } from "../../support/refusal.ts";

const dayMs = 86_400_000;

async function refuses(partition: Partition, token: number): Promise<void> {
  assert.is(await codeOf(async () => checkFence(partition, token)), "PRODUCER_FENCED", `${token}`);
}

test("takeFence() gives the next token, or a higher one that is asked for", async () => {
  const partition = new LogFixture().partition();
  await refuses(partition, 1);
  assert.is(await takeFence(partition, undefined), 1);
  assert.is(await takeFence(partition, undefined), 2);
  assert.is(await takeFence(partition, 70), 70);
  for (const late of [70, 69, 1]) {
    assert.is(await codeOf(() => takeFence(partition, late)), "PRODUCER_FENCED");
  }
  for (const wrong of [0, fenceTokenMax + 1]) {
    assert.is(await codeOf(() => takeFence(partition, wrong)), "INVALID_REQUEST");
  }
  checkFence(partition, 70);
  for (const other of [1, 2, 69, 71]) await refuses(partition, other);
});

test("takeFence() stores no record that a reader sees, and takes one offset", async () => {
  const log = new LogFixture();
  const partition = log.partition();
  await partition.append(log.batch(["a"]), { waits: true });
  await takeFence(partition, undefined);
  await partition.append(log.batch(["b"]), { waits: true });
  assert.equal(
    (await readAll(partition)).map(({ offset }) => offset),
    [0, 1, 2],
  );
  const { aborted } = partition.readCommitted({ offset: 0, bytesMax: 1e6, atLeastOneBatch: true });
  assert.equal(aborted, []);
  assert.is(partition.lastStableOffset, 3);
});

for (const how of ["a clean stop", "a crash"]) {
  test(`the fence is known after ${how}`, async () => {
    const log = new LogFixture();
    await takeFence(log.partition(), 7);
    if (how === "a clean stop") await log.close();
    log.reopen();
    const partition = log.partition();
    checkFence(partition, 7);
    await refuses(partition, 6);
    assert.is(await takeFence(partition, undefined), 8);
  });
}

test("retention and deleted records take the fence's place, and it is said again at the end", async () => {
  const log = new LogFixture();
  const partition = log.partition({ "retention.ms": "1000" });
  await takeFence(partition, 3);
  await partition.append(log.batch(["a"]), { waits: true });
  partition.deleteRecords(-1);
  assert.ok(partition.log.producers.fenceOffset >= partition.log.startOffset);
  await log.clock.advance(60_000);
  log.folder.applyRetention();
  assert.ok(partition.log.startOffset > 2);
  assert.ok(partition.log.producers.fenceOffset >= partition.log.startOffset);
  checkFence(partition, 3);
});

test("the fence outlives the expiry of producers", async () => {
  const log = new LogFixture();
  const partition = log.partition();
  await takeFence(partition, 3);
  partition.log.producers.expire(log.clock.nowMs() + 30 * dayMs);
  checkFence(partition, 3);
});

test("compaction keeps what says the fence", async () => {
  const log = new LogFixture();
  const partition = open(log);
  await takeFence(partition, 3);
  const { fenceOffset } = partition.log.producers;
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 300; i++) append(log, partition, [{ key: `k${i % 5}`, value: `v${i}` }]);
    await clean(log, partition);
    await log.clock.advance(2 * dayMs);
  }
  const kept = await readAll(partition);
  assert.ok(kept.length < 300, `${kept.length} records`);
  assert.ok(kept.some(({ offset }) => offset === fenceOffset));
});

test.run();
