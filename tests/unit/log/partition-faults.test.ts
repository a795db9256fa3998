// A partition whose disk is full, fails its sync, or is taken away: what is acknowledged, and what ends.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Appended } from "../../../runtime/broker.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import { MemoryStorage } from "../../../runtime/storage/memory.ts";
import { StorageError } from "../../../runtime/storage/storage.ts";
import { LogFixture, platform, valuesOf } from "../../support/log-fixture.ts";

const waits = { waits: true };
const refuses = (code: string) => (error: unknown) =>
  error instanceof BrokerError && error.code === code;

test("a full disk refuses the append with KAFKA_STORAGE_ERROR, keeps the rest, and ends by itself", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition({ "timberline.flush": "group" });
  const first = partition.append(log.batch(["a"]), waits);
  await log.clock.turn();
  await first;
  const { totalBytes } = { totalBytes: partition.log.bytes };
  storage.bytesMax = totalBytes;
  assert.throws(() => partition.append(log.batch(["b"]), waits), refuses("KAFKA_STORAGE_ERROR"));
  assert.is(partition.fault, undefined);
  assert.equal(await valuesOf(partition), ["a"]);
  storage.bytesMax = Infinity;
  const second = partition.append(log.batch(["c"]), waits);
  await log.clock.turn();
  assert.is((await second).baseOffset, 1);
  assert.equal(await valuesOf(partition), ["a", "c"]);
});

test("what follows a batch that found no room is refused like it, also when there is room again", () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition();
  const send = (baseSequence: number, producerId = 9) => {
    const batch = log.batch(["v"], { producerId, producerEpoch: 0, baseSequence });
    return partition.append(batch, waits) as Appended;
  };
  for (const producerId of [8, 9]) send(0, producerId);
  storage.bytesMax = partition.log.bytes;
  for (const sequence of [1, 2]) {
    assert.throws(() => send(sequence), refuses("KAFKA_STORAGE_ERROR"));
  }
  assert.throws(() => send(2, 8), refuses("OUT_OF_ORDER_SEQUENCE_NUMBER"));
  storage.bytesMax = Infinity;
  assert.throws(() => send(2), refuses("KAFKA_STORAGE_ERROR"));
  assert.is(send(1).baseOffset, 2);
  assert.is(send(2).baseOffset, 3);
  assert.throws(() => send(4), refuses("OUT_OF_ORDER_SEQUENCE_NUMBER"));
});

test("appendAsFollower() syncs what came before the disk was full: only then is more asked for", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition({ "timberline.flush": "group" });
  partition.follow(new BrokerError("NOT_LEADER_OR_FOLLOWER", "another broker leads"));
  const batches = [0, 1].map((offset) => {
    const batch = log.batch(["x"]);
    const at = platform.core.place(batch);
    platform.core.stamp(at, offset, 1);
    return platform.core.bytes(at, batch.length).slice();
  });
  const chunk = new Uint8Array([...batches[0]!, ...batches[1]!]);
  storage.bytesMax = chunk.length - 1;
  assert.throws(() => partition.appendAsFollower(chunk), refuses("KAFKA_STORAGE_ERROR"));
  assert.is(partition.log.endOffset, 1);
  await log.clock.turn();
  assert.is(partition.durableEnd, 1);
  storage.bytesMax = Infinity;
  const rest = partition.appendAsFollower(chunk);
  await log.clock.turn();
  await rest;
  assert.is(partition.durableEnd, 2);
});

test("a partition that is taken away before its sync breaks no log directory", async () => {
  const log = new LogFixture();
  const partition = log.partition({ "timberline.flush": "group" });
  const other = log.partition({ "timberline.flush": "group" }, "other");
  const answer = partition.append(log.batch(["a"]), waits) as Promise<Appended>;
  const outcome = answer.catch((error: BrokerError) => error.code);
  partition.abandon();
  await log.clock.turn();
  assert.is(await outcome, "NOT_LEADER_OR_FOLLOWER");
  assert.equal(log.events, []);
  const kept = other.append(log.batch(["b"]), waits);
  await log.clock.turn();
  assert.is((await kept).baseOffset, 0);
});

test("a failed sync is never acknowledged and takes the whole directory offline", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition({ "timberline.flush": "group" });
  const other = log.partition({}, "other");
  const answer = partition.append(log.batch(["a"]), waits) as Promise<Appended>;
  storage.fault = new StorageError("failed", "input/output error");
  const outcome = answer.then(
    () => "acknowledged",
    (error: BrokerError) => error.code,
  );
  await log.clock.turn();
  assert.is(await outcome, "KAFKA_STORAGE_ERROR");
  assert.is(partition.highWatermark, 0);
  storage.fault = undefined;
  assert.throws(() => partition.append(log.batch(["b"]), waits), refuses("KAFKA_STORAGE_ERROR"));
  assert.throws(() => other.append(log.batch(["b"]), waits), refuses("KAFKA_STORAGE_ERROR"));
  assert.equal(
    log.events.map((event) => event.kind),
    ["failed"],
  );
  await log.close();
  assert.is(storage.readFile(".kafka_cleanshutdown"), undefined, "no clean stop after that");
});

test("a sync after one that failed counts for nothing: the system may have forgotten what it had to write", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition({ "timberline.flush": "group" });
  const answer = partition.append(log.batch(["a"]), waits) as Promise<Appended>;
  const outcome = answer.catch((error: BrokerError) => error.code);
  storage.fault = new StorageError("failed", "input/output error");
  await log.clock.turn();
  assert.is(await outcome, "KAFKA_STORAGE_ERROR");
  storage.fault = undefined;
  // As the flusher does for whoever asked while the first one was under way.
  await partition.flush();
  assert.is(partition.highWatermark, 0);
  assert.is(partition.durableEnd, 0, "and no leader is told that it is safe here");
});

test.run();
