// Partition and log folder together, on memory storage and a clock in the test's hand.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Appended } from "../../../runtime/broker.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import { decodeAll, LogFixture, platform, readAll, valuesOf } from "../../support/log-fixture.ts";

const waits = { waits: true };
const refuses = (code: string) => (error: unknown) =>
  error instanceof BrokerError && error.code === code;

test("append() gives growing offsets and read() the same bytes", async () => {
  const log = new LogFixture();
  const partition = log.partition();
  const first = partition.append(log.batch(["a", "b"]), waits) as Appended;
  const second = partition.append(log.batch(["c"]), waits) as Appended;
  assert.equal([first.baseOffset, first.nextOffset, second.baseOffset], [0, 2, 2]);
  assert.equal(await valuesOf(partition), ["a", "b", "c"]);
  assert.equal(
    (await readAll(partition, 1)).map((each) => each.offset),
    [1, 2],
  );
});

test("append() writes a whole batch although a new segment moves the core's memory", async () => {
  const log = new LogFixture();
  const { core } = platform;
  const partition = log.partition({ "segment.bytes": String(1 << 20), "segment.ms": "1000" });
  partition.append(log.batch(["a"]), waits);
  await log.clock.advance(5000);
  const newOffsetIndex = core.newOffsetIndex;
  core.newOffsetIndex = () => {
    core.free(core.alloc(core.memoryBytes));
    return newOffsetIndex.call(core);
  };
  try {
    partition.append(log.batch(["b"]), waits);
  } finally {
    core.newOffsetIndex = newOffsetIndex;
  }
  partition.append(log.batch(["c"]), waits);
  assert.is(partition.log.segments.length, 2);
  assert.equal(await valuesOf(partition), ["a", "b", "c"]);
});

test("append() answers flush=group only after the sync, and one sync serves many", async () => {
  const log = new LogFixture();
  const partition = log.partition({ "timberline.flush": "group" });
  const order: string[] = [];
  const answers = ["a", "b", "c"].map((value) =>
    (partition.append(log.batch([value]), waits) as Promise<Appended>).then(() =>
      order.push(value),
    ),
  );
  assert.is(partition.highWatermark, 0, "readers see nothing that a power loss could take back");
  assert.equal(order, []);
  await log.clock.turn();
  await Promise.all(answers);
  assert.equal(order, ["a", "b", "c"]);
  assert.is(partition.highWatermark, 3);
  assert.is(log.metrics.log.fsyncDuration.count, 1);
});

test("append() with flush=os answers at once and syncs in the background when told", async () => {
  const log = new LogFixture();
  const partition = log.partition({ "flush.ms": "1000" });
  partition.append(log.batch(["a"]), waits);
  assert.is(partition.highWatermark, 1);
  assert.is(partition.log.recoveryPoint, 0);
  log.folder.startHousekeeping();
  await log.clock.advance(2000);
  assert.is(partition.log.recoveryPoint, 1);
});

test("append() with flush=interval syncs after that time", async () => {
  const log = new LogFixture();
  const partition = log.partition({ "timberline.flush": "interval:500" });
  log.folder.startHousekeeping();
  partition.append(log.batch(["a"]), waits);
  await log.clock.advance(250);
  assert.is(partition.log.recoveryPoint, 0);
  await log.clock.advance(500);
  assert.is(partition.log.recoveryPoint, 1);
});

test("append() refuses what Kafka refuses, with its errors, and nothing changes", async () => {
  const log = new LogFixture();
  const partition = log.partition({ "max.message.bytes": "200" });
  const good = log.batch(["x"]);
  const flipped = good.slice();
  flipped[65]! ^= 1;
  const cases: [Uint8Array, string][] = [
    [flipped, "CORRUPT_MESSAGE"],
    [good.slice(0, -1), "CORRUPT_MESSAGE"],
    [new Uint8Array(10), "CORRUPT_MESSAGE"],
    [Uint8Array.from([...good, ...good]), "INVALID_RECORD"],
    [log.batch(["y".repeat(300)]), "MESSAGE_TOO_LARGE"],
    [log.batch(["z"], { isControl: true, producerId: 1, producerEpoch: 0 }), "INVALID_RECORD"],
  ];
  for (const [bytes, code] of cases) {
    assert.throws(() => partition.append(bytes, waits), refuses(code), code);
  }
  assert.is(partition.log.endOffset, 0);
  assert.is(partition.log.bytes, 0);
});

test("append() refuses timestamps outside the topic's limits", () => {
  const log = new LogFixture();
  const partition = log.partition({
    "message.timestamp.after.max.ms": "1000",
    "message.timestamp.before.max.ms": "1000",
  });
  const now = log.clock.nowMs();
  for (const timestampMs of [now + 1001, now - 1001]) {
    assert.throws(
      () => partition.append(log.batch(["x"], { timestampMs }), waits),
      refuses("INVALID_TIMESTAMP"),
    );
  }
  partition.append(log.batch(["x"], { timestampMs: now - 1000 }), waits);
});

test("append() refuses keyless records on a compacted topic", () => {
  const log = new LogFixture();
  const partition = log.partition({ "cleanup.policy": "compact" });
  assert.throws(() => partition.append(log.batch(["x"]), waits), refuses("INVALID_RECORD"));
  partition.append(log.batch(["x"], { key: "k" }), waits);
  for (const id of [1, 4]) {
    const codec = id === 1 ? platform.codecs.gzip : platform.codecs.zstd;
    const compression = { id, compress: (bytes: Uint8Array) => codec.compress(bytes) };
    assert.throws(
      () => partition.append(log.batch(["x", "y"], { compression }), waits),
      refuses("INVALID_RECORD"),
    );
    partition.append(log.batch(["x", "y"], { compression, key: "k" }), waits);
  }
  assert.is(partition.log.endOffset, 5);
});

test("append() stamps LogAppendTime with a valid CRC", async () => {
  const log = new LogFixture();
  const partition = log.partition({ "message.timestamp.type": "LogAppendTime" });
  const appended = partition.append(log.batch(["x"], { timestampMs: 5 }), waits) as Appended;
  assert.is(appended.logAppendTimeMs, log.clock.nowMs());
  assert.is((await readAll(partition))[0]!.timestampMs, log.clock.nowMs());
  log.reopen();
  assert.is((await readAll(log.partition()))[0]!.timestampMs, log.clock.nowMs());
});

test("append() rewrites a batch to the topic's compression.type, once, with a valid CRC", async () => {
  const log = new LogFixture();
  for (const type of ["gzip", "snappy", "lz4", "zstd", "uncompressed"] as const) {
    const partition = log.partition({ "compression.type": type }, `t-${type}`);
    const values = Array.from({ length: 50 }, (_, i) => `value ${i}`.repeat(10));
    const compress = (bytes: Uint8Array) => platform.codecs.gzip.compress(bytes);
    const sent = type === "uncompressed" ? { compression: { id: 1, compress } } : {};
    partition.append(log.batch(values, sent), waits);
    assert.equal(await valuesOf(partition), values);
    const stored = log.storage.readFile(`t-${type}-0/00000000000000000000.log`)!;
    const codec = ["uncompressed", "gzip", "snappy", "lz4", "zstd"].indexOf(type);
    assert.is(stored[22]! & 7, codec, type);
    const fault = platform.core.check(platform.core.place(stored), stored.length, {
      verifyCrc: true,
      walkRecords: true,
      requireKeys: false,
    });
    assert.is(fault, 0, type);
  }
});

test("append() compresses as hard as compression.gzip.level says", () => {
  const log = new LogFixture();
  const values = Array.from({ length: 200 }, (_, i) => `the quick brown ${i * 7919} fox`);
  const stored = ["1", "9"].map((level) => {
    const configs = { "compression.type": "gzip", "compression.gzip.level": level };
    const partition = log.partition(configs, `level-${level}`);
    partition.append(log.batch(values), waits);
    return partition.log.bytes;
  });
  assert.ok(stored[1]! < stored[0]!, stored.join(" "));
});

test("append() answers a repeated batch with its first offset, also after a restart", async () => {
  const log = new LogFixture();
  let partition = log.partition();
  const producer = { producerId: 9, producerEpoch: 0 };
  const send = (baseSequence: number) =>
    partition.append(log.batch(["v"], { ...producer, baseSequence }), waits) as Appended;
  for (let sequence = 0; sequence < 4; sequence++) send(sequence);
  assert.is(send(2).baseOffset, 2);
  assert.is(partition.log.endOffset, 4);
  log.reopen();
  partition = log.partition();
  assert.is(send(0).baseOffset, 0, "from the log, after a kill");
  await log.close();
  log.reopen();
  partition = log.partition();
  assert.is(send(3).baseOffset, 3, "from the snapshot, which has the newest batch");
  assert.throws(() => send(5), refuses("OUT_OF_ORDER_SEQUENCE_NUMBER"));
  assert.is(send(4).baseOffset, 4);
});

test("read() outside the log is OFFSET_OUT_OF_RANGE, at its end nothing", () => {
  const log = new LogFixture();
  const partition = log.partition();
  partition.append(log.batch(["a"]), waits);
  const read = (offset: number) =>
    partition.read({ offset, bytesMax: 100, atLeastOneBatch: true }).length;
  assert.is(read(1), 0);
  assert.throws(() => read(2), refuses("OFFSET_OUT_OF_RANGE"));
  assert.throws(() => read(-1), refuses("OFFSET_OUT_OF_RANGE"));
});

test("read() returns the first batch whole even above bytesMax, others cut", () => {
  const log = new LogFixture();
  const partition = log.partition();
  const batch = log.batch(["x".repeat(500)]);
  partition.append(batch, waits);
  partition.append(batch, waits);
  const read = (bytesMax: number, atLeastOneBatch: boolean) => {
    const records = partition.read({ offset: 0, bytesMax, atLeastOneBatch });
    records.release();
    return records.length;
  };
  assert.is(read(1, true), batch.length);
  assert.is(read(1, false), 1);
  assert.is(read(batch.length + 10, true), batch.length + 10);
  assert.is(read(1e6, true), 2 * batch.length);
});

test("segments roll by size and by time, and reads cross them", async () => {
  const log = new LogFixture();
  const partition = log.partition({ "segment.bytes": String(1 << 20), "segment.ms": "60000" });
  const big = "x".repeat(300_000);
  for (let i = 0; i < 5; i++) partition.append(log.batch([`${i}${big}`]), waits);
  assert.equal(
    partition.log.segments.map((each) => each.baseOffset),
    [0, 3],
  );
  await log.clock.advance(60_001);
  partition.append(log.batch(["later"]), waits);
  assert.is(partition.log.segments.length, 3);
  assert.equal(
    (await valuesOf(partition)).map((each) => each.slice(0, 5)),
    ["0xxxx", "1xxxx", "2xxxx", "3xxxx", "4xxxx", "later"],
  );
});

test("retention drops old segments while a reader holds one, whose bytes stay until it lets go", async () => {
  const log = new LogFixture();
  const partition = log.partition({
    "segment.bytes": String(1 << 20),
    "retention.ms": "1000",
    "file.delete.delay.ms": "10",
  });
  const big = "x".repeat(700_000);
  for (let i = 0; i < 3; i++) partition.append(log.batch([big]), waits);
  const held = partition.read({ offset: 0, bytesMax: 1000, atLeastOneBatch: true });
  await log.clock.advance(5000);
  partition.append(log.batch([`new${big}`]), waits);
  log.folder.applyRetention();
  assert.is(partition.log.startOffset, 3);
  assert.throws(
    () => partition.read({ offset: 0, bytesMax: 1, atLeastOneBatch: true }),
    refuses("OFFSET_OUT_OF_RANGE"),
  );
  await log.clock.advance(100);
  const files = () => log.storage.list("t-0").filter(({ name }) => name.endsWith(".deleted"));
  assert.is(files().length, 3, "log and both indexes of the segment that is held");
  const part = held.parts[0]!;
  assert.ok(!(part instanceof Uint8Array));
  const into = new Uint8Array(part.length);
  assert.is(await part.file.read(into, part.position), part.length);
  assert.is(decodeAll(into).length, 1);
  held.release();
  assert.is(files().length, 0);
  assert.equal(await valuesOf(partition, 3), [`new${big}`]);
});

test("retention by size keeps the newest bytes", async () => {
  const log = new LogFixture();
  const partition = log.partition({
    "segment.bytes": String(1 << 20),
    "retention.bytes": String(2 << 20),
  });
  const big = "x".repeat(700_000);
  for (let i = 0; i < 6; i++) partition.append(log.batch([big]), waits);
  log.folder.applyRetention();
  assert.is(partition.log.startOffset, 3);
  assert.ok(partition.log.bytes >= 2 << 20);
});

test("deleteRecords() moves the start, for good", async () => {
  const log = new LogFixture();
  const partition = log.partition();
  for (const value of ["a", "b", "c"]) partition.append(log.batch([value]), waits);
  assert.is(partition.deleteRecords(2), 2);
  assert.is(partition.deleteRecords(1), 2, "never back");
  assert.throws(() => partition.deleteRecords(4), refuses("OFFSET_OUT_OF_RANGE"));
  assert.equal(await valuesOf(partition, 2), ["c"]);
  log.reopen();
  const again = log.partition();
  assert.is(again.log.startOffset, 2, "also after a kill");
  assert.is(again.deleteRecords(-1), 3);
  await log.close();
  log.reopen();
  assert.is(log.partition().log.endOffset, 3, "an emptied log keeps its offsets");
});

test("watch() tells when there is more to read, and when the partition goes away", async () => {
  const log = new LogFixture();
  const partition = log.partition();
  let calls = 0;
  const stop = partition.watch(() => calls++);
  partition.append(log.batch(["a"]), waits);
  assert.is(calls, 1);
  stop();
  partition.append(log.batch(["b"]), waits);
  assert.is(calls, 1);
  partition.watch(() => calls++);
  log.folder.delete(partition);
  assert.is(calls, 2);
});

test("delete() leaves no file behind after the delay, nor after a restart within it", async () => {
  const log = new LogFixture();
  const first = log.partition({ "file.delete.delay.ms": "1000" });
  first.append(log.batch(["a"]), waits);
  log.folder.delete(first);
  assert.is(log.storage.list("").filter(({ name }) => name.endsWith("-delete")).length, 1);
  await log.clock.advance(1001);
  assert.equal(log.storage.list(""), []);
  log.folder.delete(log.partition({ "file.delete.delay.ms": "1000" }));
  log.reopen();
  assert.equal(log.storage.list(""), []);
});

test.run();
