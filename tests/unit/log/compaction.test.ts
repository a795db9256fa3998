// Compaction against a plain model: the newest value of every key survives, order and offsets stay, tombstones and
// markers go when their time has come.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { groupSegments, planCompaction } from "../../../runtime/log/compaction-plan.ts";
import {
  append,
  clean,
  expected,
  generator,
  open,
  type Row,
  randomRows,
  rowsOf,
} from "../../support/compaction-fixture.ts";
import { LogFixture, readAll } from "../../support/log-fixture.ts";

test("the newest value of every key survives, in order and at its offset", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const draw = generator(seed * 104_729);
    const log = new LogFixture();
    let partition = open(log, 400 + draw(2000));
    const { segmentBytes } = partition.config;
    const rows: Row[] = [];
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 60; i++) {
        rows.push(...append(log, partition, randomRows(draw, 20), draw(3) === 0 ? draw(5) : 0));
      }
      const done = await clean(log, partition);
      assert.ok(done !== undefined && done.bytesAfter <= done.bytesBefore * 1.2);
      const what = `seed ${seed}, round ${round}`;
      assert.equal(await rowsOf(partition), expected(rows, done.endOffset), what);
      if (draw(2) === 0) await log.close();
      log.reopen();
      partition = open(log, segmentBytes);
      assert.equal(await rowsOf(partition), expected(rows, done.endOffset), `${what}, reopened`);
    }
  }
});

test("what does not fit into the map is left to the next pass", async () => {
  const log = new LogFixture();
  const partition = open(log);
  const rows: Row[] = [];
  for (let i = 0; i < 300; i++) {
    rows.push(...append(log, partition, [{ key: `k${i % 150}`, value: `v${i}` }]));
  }
  const first = await clean(log, partition, 64 * 24);
  assert.ok(first !== undefined && first.endOffset < 100, String(first?.endOffset));
  assert.equal(await rowsOf(partition), expected(rows, first.endOffset));
});

test("a tombstone stays for delete.retention.ms after it was cleaned first, then goes", async () => {
  const log = new LogFixture();
  const partition = open(log);
  append(log, partition, [
    { key: "a", value: "1" },
    { key: "b", value: "2" },
  ]);
  append(log, partition, [{ key: "a", value: null }]);
  const roll = () => partition.log.roll(log.clock.nowMs());
  roll();
  const timestamps = (await readAll(partition)).map((each) => each.timestampMs);
  const values = async () => (await rowsOf(partition)).map(({ key, value }) => `${key}=${value}`);
  await clean(log, partition);
  assert.equal(await values(), ["b=2", "a=null"]);
  assert.equal(
    (await readAll(partition)).map((each) => each.timestampMs),
    timestamps.slice(1),
    "the horizon in the base timestamp does not change the records' own",
  );
  await log.clock.advance(999);
  await clean(log, partition);
  assert.equal(await values(), ["b=2", "a=null"]);
  await log.clock.advance(2);
  await clean(log, partition);
  assert.equal(await values(), ["b=2"]);
});

test("the last batch of what is cleaned stays, if empty: the log keeps its end", async () => {
  const log = new LogFixture();
  const partition = open(log);
  append(log, partition, [{ key: "a", value: "1" }]);
  append(log, partition, [{ key: "b", value: null }]);
  partition.log.roll(log.clock.nowMs());
  await clean(log, partition);
  await log.clock.advance(2000);
  await clean(log, partition);
  assert.equal(
    (await rowsOf(partition)).map(({ key }) => key),
    ["a"],
  );
  const [first] = partition.log.segments;
  assert.is(first!.readNextOffset(), 2);
});

test("aborted records go at once and shadow nothing, markers go after them", async () => {
  const log = new LogFixture();
  const partition = open(log);
  const write = (producerId: number, baseSequence: number, value: string) =>
    partition.append(
      log.batch([value], {
        producerId,
        producerEpoch: 0,
        baseSequence,
        isTransactional: true,
        key: "k",
      }),
      { waits: true, isVerified: true },
    );
  const end = (producerId: number, isCommit: boolean) =>
    partition.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 0, isCommit });
  const committed = async () => {
    const { records, aborted } = partition.readCommitted({
      offset: 0,
      bytesMax: 1 << 20,
      atLeastOneBatch: true,
    });
    records.release();
    const gone = new Set(aborted.map(({ producerId }) => producerId));
    return { aborted: gone.size, rows: await rowsOf(partition) };
  };
  write(1, 0, "good");
  end(1, true);
  write(2, 0, "bad");
  end(2, false);
  // Each producer's last batch must stay for its sequence, if empty: these are no longer the last.
  write(1, 1, "other");
  end(1, false);
  write(2, 1, "last");
  partition.log.roll(log.clock.nowMs());
  await clean(log, partition);
  assert.is(
    (await committed()).aborted,
    2,
    "the last transaction is open: nothing from it on is cleaned",
  );
  end(2, true);
  partition.log.roll(log.clock.nowMs());
  await clean(log, partition);
  const values = (await rowsOf(partition)).filter(({ key }) => key === "k");
  assert.equal(
    values.map(({ value }) => value),
    ["last"],
  );
  for (let pass = 0; pass < 3; pass++) {
    await log.clock.advance(2000);
    await clean(log, partition);
  }
  const left = await readAll(partition);
  const markers = left.filter(({ key }) => key?.length === 4);
  assert.equal(
    markers.map(({ offset }) => offset),
    [5, 7],
    "of the record that is left, and of an empty batch that keeps its producer's sequence",
  );
  log.reopen();
  const again = open(log);
  assert.is(again.lastStableOffset, again.highWatermark);
  assert.equal(await readAll(again), left);
});

test("a marker that holds only its producer's epoch stays, emptied, until the producer is forgotten", async () => {
  const log = new LogFixture();
  const partition = open(log);
  partition.appendMarker({ producerId: 1, producerEpoch: 5, coordinatorEpoch: 0, isCommit: false });
  append(log, partition, [{ key: "a", value: "1" }]);
  const pass = async () => {
    partition.log.roll(log.clock.nowMs());
    await clean(log, partition);
    await log.clock.advance(2000);
  };
  for (let i = 0; i < 3; i++) await pass();
  assert.equal((await rowsOf(partition)).length, 1, "no marker is left");
  const bytes = partition.log.segments[0]!.bytes;
  log.reopen();
  assert.is(open(log).producerViews()[0]?.producerEpoch, 5);
  partition.log.producers.expire(Infinity);
  await pass();
  assert.is(partition.log.segments[0]!.bytes, bytes - 61, "nor its empty batch");
});

test("a sync under way ends well when its segment, with an index of aborts, leaves the log", async () => {
  const log = new LogFixture();
  const partition = open(log);
  partition.append(
    log.batch(["x"], {
      producerId: 1,
      producerEpoch: 0,
      baseSequence: 0,
      isTransactional: true,
      key: "k",
    }),
    { waits: true, isVerified: true },
  );
  partition.appendMarker({ producerId: 1, producerEpoch: 0, coordinatorEpoch: 0, isCommit: false });
  partition.log.roll(log.clock.nowMs());
  assert.is(partition.log.segments[0]!.transactions.entries.length, 1);
  const flushing = partition.flush();
  partition.log.dropOldest(1, log.clock.nowMs());
  await flushing;
  assert.is(partition.fault, undefined);
  assert.is(partition.log.recoveryPoint, 2);
});

test("nothing above the last stable offset, of the active segment, or younger than the lag is cleaned", () => {
  const segments = [0, 10, 20, 30].map((baseOffset, i) => ({
    baseOffset,
    bytes: 100,
    maxTimestamp: 1000 + i,
    firstTimestamp: 1000 + i,
  }));
  const rules = {
    cleanedOffset: -1,
    stableOffset: 40,
    minLagMs: 0,
    maxLagMs: Infinity,
    dirtyRatioMin: 0.5,
  };
  const end = (changed: object) =>
    planCompaction(segments, { ...rules, ...changed }, 2000)?.endOffset;
  assert.is(end({}), 30);
  assert.is(end({ stableOffset: 29 }), 20);
  assert.is(end({ minLagMs: 999 }), 20);
  assert.is(end({ minLagMs: 1000 }), 10);
  assert.is(end({ cleanedOffset: 30 }), undefined);
  const due = (changed: object) => planCompaction(segments, { ...rules, ...changed }, 2000)?.isDue;
  assert.is(due({ cleanedOffset: 10 }), true);
  assert.is(due({ cleanedOffset: 20 }), false);
  assert.is(due({ cleanedOffset: 20, maxLagMs: 900 }), true);
});

test("groupSegments() joins neighbours up to the size and the span of one segment", () => {
  const segment = (baseOffset: number, bytes: number) => ({
    ...{ baseOffset, bytes, maxTimestamp: 0, firstTimestamp: 0 },
  });
  const bases = (sizes: number[], span = 10) =>
    groupSegments(
      sizes.map((bytes, i) => segment(i * span, bytes)),
      { segmentBytes: 100, endOffset: sizes.length * span },
    ).map((group) => group.map(({ baseOffset }) => baseOffset / span));
  assert.equal(bases([50, 50, 50]), [[0, 1], [2]]);
  assert.equal(bases([500, 10, 10]), [[0], [1, 2]]);
  assert.equal(bases([1, 1, 1], 2 ** 31 - 1), [[0], [1], [2]]);
});

test("readers of a segment that is cleaned away keep their bytes", async () => {
  const log = new LogFixture();
  const partition = open(log);
  for (let i = 0; i < 60; i++) append(log, partition, [{ key: "k", value: `v${i}` }]);
  const reading = partition.read({ offset: 0, bytesMax: 300, atLeastOneBatch: true });
  await clean(log, partition);
  await log.clock.advance(10_000_000);
  const [part] = reading.parts;
  assert.ok(part && "file" in part);
  const bytes = new Uint8Array(part.length);
  assert.is(await part.file.read(bytes, part.position), part.length);
  assert.is(new DataView(bytes.buffer).getBigInt64(0), 0n);
  reading.release();
});

test.run();
