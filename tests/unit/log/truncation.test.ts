// A log that is cut at its end: records, indexes, producers, transactions, epochs and what is known to be synced.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import { LogFixture, platform, readAll, textOf } from "../../support/log-fixture.ts";

const waits = { waits: true };
const notLeader = new BrokerError("NOT_LEADER_OR_FOLLOWER", "another broker leads");

/** Partition with `count` batches of two records each, in segments of a few batches. */
function filled(count: number, configs: Record<string, string> = {}) {
  const log = new LogFixture();
  const partition = log.partition({ "segment.bytes": "1048576", ...configs });
  for (let i = 0; i < count; i++) {
    if (i > 0 && i % 4 === 0) partition.log.roll(log.clock.nowMs());
    partition.append(log.batch([`${2 * i}`, `${2 * i + 1}`]), waits);
  }
  return { log, partition };
}

test("truncate() takes whole batches from the offset on, over segments", async () => {
  for (const [cut, end] of [
    [20, 20],
    [19, 18],
    [16, 16],
    [9, 8],
    [8, 8],
    [1, 0],
    [0, 0],
  ] as const) {
    const { log, partition } = filled(12);
    partition.truncate(cut);
    assert.is(partition.log.endOffset, end, `cut at ${cut}`);
    assert.is(partition.highWatermark, end);
    const values = (await readAll(partition)).map(textOf);
    assert.equal(
      values,
      Array.from({ length: end }, (_, i) => `${i}`),
    );
    partition.append(log.batch(["next"]), waits);
    assert.is((await readAll(partition)).at(-1)?.offset, end);
  }
});

test("truncate() survives a restart, clean or not", async () => {
  for (const isClean of [true, false]) {
    const { log, partition } = filled(12);
    partition.truncate(14);
    partition.append(log.batch(["new"]), waits);
    if (isClean) await log.close();
    log.reopen();
    const again = log.partition({ "segment.bytes": "1048576" });
    assert.is(again.log.endOffset, 15);
    assert.is((await readAll(again)).length, 15);
  }
});

test("truncate() ends the log behind the last batch, also where a flipped bit put one far away", () => {
  const log = new LogFixture();
  let partition = log.partition();
  for (const value of ["a", "b", "c"]) partition.append(log.batch([value]), { waits: false });
  const path = "t-0/00000000000000000000.log";
  const bytes = log.storage.readFile(path)!.slice();
  const batchBytes = bytes.length / 3;
  // No checksum covers a base offset: "c" is at 2 + 2^28 now.
  bytes[2 * batchBytes + 4]! |= 0x10;
  log.storage.writeFile(path, bytes);
  log.reopen();
  partition = log.partition();
  assert.is(partition.log.endOffset, 2 ** 28 + 3);
  partition.truncate(30);
  assert.is(partition.log.endOffset, 2, "nothing is between 2 and 30");
});

test("truncate() forgets what producers sent behind the cut: their next batch is no repeat", () => {
  const log = new LogFixture();
  const partition = log.partition();
  const send = (baseSequence: number) =>
    partition.append(log.batch(["x"], { producerId: 7, producerEpoch: 0, baseSequence }), waits);
  for (let i = 0; i < 4; i++) send(i);
  partition.truncate(2);
  assert.equal(partition.producerViews()[0]?.lastSequence, 1);
  send(2);
  assert.is(partition.log.endOffset, 3);
});

test("truncate() opens transactions again whose marker it takes, and drops their aborts from the index", () => {
  const log = new LogFixture();
  const partition = log.partition();
  const identity = { producerId: 7, producerEpoch: 0, baseSequence: 0, isTransactional: true };
  partition.append(log.batch(["a"], identity), { waits: true, isVerified: true });
  const marker = { producerId: 7, producerEpoch: 0, coordinatorEpoch: 0, isCommit: false };
  partition.appendMarker(marker);
  partition.append(log.batch(["b"]), waits);
  assert.is(partition.log.abortedBetween(0, 3).length, 1);
  assert.is(partition.lastStableOffset, 3);
  partition.truncate(1);
  assert.is(partition.lastStableOffset, 0);
  assert.is(partition.log.abortedBetween(0, 1).length, 0);
});

test("restartAt() forgets everything and goes on elsewhere", async () => {
  const { log, partition } = filled(12);
  partition.restartAt(100);
  const { startOffset, endOffset, recoveryPoint } = partition.log;
  assert.equal(
    [startOffset, endOffset, recoveryPoint, partition.highWatermark],
    [100, 100, 100, 100],
  );
  partition.append(log.batch(["x"]), waits);
  assert.equal((await readAll(partition, 100)).map(textOf), ["x"]);
  await log.clock.advance(60_000);
  const files = log.storage.list("t-0").map(({ name }) => name);
  assert.not(
    files.some((name) => name.endsWith(".deleted")),
    "the old files are gone",
  );
});

test("a sync that was under way when the log was cut vouches for nothing that came after", async () => {
  const { log, partition } = filled(4, { "timberline.flush": "group" });
  const flushed = partition.flush();
  partition.truncate(2);
  partition.append(log.batch(["a", "b", "c", "d"]), { waits: false });
  await flushed;
  assert.is(partition.log.recoveryPoint, 2);
  assert.is(partition.highWatermark, 2);
});

test("a follower keeps the leader's epochs; a cut takes those that began behind it", () => {
  const log = new LogFixture();
  const partition = log.partition();
  partition.follow(notLeader);
  const from = (epoch: number, offset: number) => {
    const batch = log.batch(["x"]);
    const { core } = platform;
    const at = core.place(batch);
    core.stamp(at, offset, epoch);
    return core.bytes(at, batch.length).slice();
  };
  for (const [epoch, offset] of [
    [1, 0],
    [1, 1],
    [4, 2],
    [6, 3],
  ] as const) {
    void partition.appendAsFollower(from(epoch, offset));
  }
  const starts = () =>
    partition.epochs.entries().map(({ epoch, startOffset }) => [epoch, startOffset]);
  assert.equal(starts(), [
    [1, 0],
    [4, 2],
    [6, 3],
  ]);
  partition.truncate(3);
  assert.equal(starts(), [
    [1, 0],
    [4, 2],
  ]);
  assert.throws(
    () => partition.append(log.batch(["x"]), waits),
    (e: unknown) => e === notLeader,
  );
});

test("a recovery point is not checkpointed above an epoch that is not in its file yet", async () => {
  const log = new LogFixture();
  const partition = log.partition();
  partition.append(log.batch(["a"]), waits);
  await partition.flush();
  partition.leaderEpoch = 5;
  const role = {
    isSettled: true,
    checkInSync() {},
    ownEndMoved() {},
    replicated: <T>(appended: T) => appended,
    resign() {},
  };
  partition.lead(role);
  partition.append(log.batch(["b"]), waits);
  await partition.flush();
  const checkpoint = () =>
    new TextDecoder().decode(log.storage.readFile("recovery-point-offset-checkpoint"));
  const epochs = () =>
    new TextDecoder().decode(log.storage.readFile("t-0/leader-epoch-checkpoint"));
  log.folder.checkpoint();
  assert.match(checkpoint(), /^t 0 1$/m);
  assert.not.match(epochs(), /^5 1$/m);
  log.folder.startHousekeeping();
  await log.clock.advance(300);
  log.folder.checkpoint();
  assert.match(epochs(), /^5 1$/m);
  assert.match(checkpoint(), /^t 0 2$/m);
});

test.run();
