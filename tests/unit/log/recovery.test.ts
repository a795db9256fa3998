// What is left after a stop that was not clean, byte by byte.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Partition } from "../../../runtime/log/partition.ts";
import { MemoryStorage } from "../../../runtime/storage/memory.ts";
import { LogFixture, valuesOf } from "../../support/log-fixture.ts";

const waits = { waits: true };
const folder = "t-0";
const firstLog = `${folder}/00000000000000000000.log`;

/** A log of three batches as a kill leaves it, and the offsets where its batches end in the file. */
function threeBatches(): { storage: MemoryStorage; ends: number[] } {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition();
  const ends = ["first", "second", "third"].map((value) => {
    partition.append(log.batch([value]), waits);
    return partition.log.bytes;
  });
  return { storage, ends };
}

function copyWith(storage: MemoryStorage, path: string, bytes: Uint8Array): MemoryStorage {
  const copy = new MemoryStorage(Infinity);
  const walk = (at: string) => {
    for (const { name, folder: isFolder } of storage.list(at)) {
      const full = at === "" ? name : `${at}/${name}`;
      if (isFolder) walk(full);
      else copy.writeFile(full, storage.readFile(full)!);
    }
  };
  walk("");
  copy.writeFile(path, bytes);
  return copy;
}

const open = (storage: MemoryStorage): { log: LogFixture; partition: Partition } => {
  const log = new LogFixture(storage);
  return { log, partition: log.partition() };
};

test("a log torn at any byte keeps exactly its whole batches and takes new ones", async () => {
  const { storage, ends } = threeBatches();
  const whole = storage.readFile(firstLog)!;
  for (let length = 0; length <= whole.length; length++) {
    const { log, partition } = open(copyWith(storage, firstLog, whole.slice(0, length)));
    const kept = ends.filter((end) => end <= length).length;
    assert.is(partition.log.endOffset, kept, `torn at ${length}`);
    const cut = length - (ends[kept - 1] ?? 0);
    assert.equal(
      log.events,
      cut === 0 ? [] : [{ kind: "truncated", folder, bytes: cut }],
      `torn at ${length}`,
    );
    partition.append(log.batch(["after"]), waits);
    const expected = ["first", "second", "third"].slice(0, kept);
    assert.equal(await valuesOf(partition), [...expected, "after"]);
  }
});

test("a bit flipped anywhere cuts the log at the batch that has it", () => {
  const { storage, ends } = threeBatches();
  const whole = storage.readFile(firstLog)!;
  // Base offset and leader epoch lie outside the CRC: a flip there is found by order or changes nothing read.
  const unprotected = (at: number) => at < 8 || (at >= 12 && at < 16);
  for (let i = 0; i < whole.length; i++) {
    const batch = ends.findIndex((end) => i < end);
    if (unprotected(i - (ends[batch - 1] ?? 0))) continue;
    const bytes = whole.slice();
    bytes[i]! ^= 0x10;
    const { partition } = open(copyWith(storage, firstLog, bytes));
    assert.is(partition.log.endOffset, batch, `flipped in byte ${i}`);
    assert.is(partition.log.bytes, ends[batch - 1] ?? 0);
  }
});

test("zeros after the last batch, as file systems leave them, are cut", () => {
  const { storage } = threeBatches();
  const whole = storage.readFile(firstLog)!;
  const padded = new Uint8Array(whole.length + 5000);
  padded.set(whole);
  const { partition } = open(copyWith(storage, firstLog, padded));
  assert.is(partition.log.endOffset, 3);
  assert.is(partition.log.bytes, whole.length);
});

test("segments after a torn one are dropped, files and all", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition({ "segment.bytes": String(1 << 20) });
  for (let i = 0; i < 4; i++) partition.append(log.batch(["x".repeat(600_000)]), waits);
  assert.is(partition.log.segments.length, 4);
  const second = `${folder}/00000000000000000001.log`;
  const torn = copyWith(storage, second, storage.readFile(second)!.slice(0, 1000));
  const again = open(torn);
  assert.is(again.partition.log.endOffset, 1);
  const logs = torn.list(folder).filter(({ name }) => name.endsWith(".log"));
  assert.equal(
    logs.map(({ name }) => name),
    ["00000000000000000000.log", "00000000000000000001.log"],
  );
  again.partition.append(again.log.batch(["y"]), waits);
  assert.is((await valuesOf(again.partition)).length, 2);
});

test("a segment after batches that are missing is dropped, though nothing is torn", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition({ "segment.bytes": String(1 << 20) });
  const ends: number[] = [];
  for (let i = 0; i < 4; i++) {
    partition.append(log.batch(["x".repeat(400_000)]), waits);
    ends.push(partition.log.bytes);
  }
  const names = ["00000000000000000000.log", "00000000000000000002.log"];
  assert.equal(
    partition.log.segments.map(({ baseOffset }) => baseOffset),
    [0, 2],
  );
  const whole = storage.readFile(firstLog)!;
  for (const left of [whole.slice(0, ends[0]), new Uint8Array()]) {
    for (const last of [storage.readFile(`${folder}/${names[1]}`)!, new Uint8Array()]) {
      const lost = copyWith(copyWith(storage, firstLog, left), `${folder}/${names[1]}`, last);
      const again = open(lost);
      assert.is(again.partition.log.endOffset, left.length > 0 ? 1 : 0);
      const logs = lost.list(folder).filter(({ name }) => name.endsWith(".log"));
      assert.equal(
        logs.map(({ name }) => name),
        [names[0]],
      );
    }
  }
});

test("indexes that are lost, torn or wrong are rebuilt, after a clean stop too", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition();
  for (let i = 0; i < 40; i++) partition.append(log.batch([`${i}`.padEnd(1000, "x")]), waits);
  await log.close();
  const index = `${folder}/00000000000000000000.index`;
  const time = `${folder}/00000000000000000000.timeindex`;
  const good = storage.readFile(index)!;
  assert.ok(good.length >= 8 * 8, "an entry about every 4 KiB");
  const beyond = good.slice();
  beyond.set([0x7f, 0, 0, 0], beyond.length - 4);
  const cases: [string, Uint8Array][] = [
    [index, new Uint8Array()],
    [index, good.slice(0, 12)],
    [index, new Uint8Array(good.length)],
    [index, beyond],
    [time, new Uint8Array(5)],
    [time, new Uint8Array(24)],
  ];
  for (const [path, bytes] of cases) {
    const again = open(copyWith(storage, path, bytes));
    assert.is(again.partition.log.endOffset, 40, path);
    for (const offset of [0, 7, 39]) {
      const [value] = await valuesOf(again.partition, offset);
      assert.ok(value?.startsWith(`${offset}x`), `${path} ${offset}`);
    }
  }
});

test("a clean stop leaves everything a start needs, and the log is not read again", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition();
  for (let i = 0; i < 40; i++) partition.append(log.batch([`${i}`.padEnd(1000, "x")]), waits);
  await log.close();
  log.reopen();
  const again = log.partition();
  assert.ok(log.folder.wasClean);
  assert.is(again.log.endOffset, 40);
  assert.is(again.log.recoveryPoint, 40);
  assert.is(log.metrics.log.recoverySeconds, 0);
  assert.is(again.log.segments[0]!.maxTimestamp, log.clock.nowMs());
  log.reopen();
  assert.not(log.folder.wasClean, "the marker vouches for one start only");
});

test("after a clean stop all batches that a client may repeat are known, not only the newest", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition({ "segment.bytes": String(1 << 20) });
  const filler = "x".repeat(700);
  const batch = (baseSequence: number, producerId: number) =>
    log.batch([`${baseSequence}${filler}`], { producerId, producerEpoch: 0, baseSequence });
  // They lie in two segments.
  for (const bytes of [520_000, 515_000]) partition.append(log.batch(["x".repeat(bytes)]), waits);
  for (let i = 0; i < 11; i++) {
    partition.append(batch(i, 5), waits);
    partition.append(batch(i, 6), waits);
  }
  const [, second] = partition.log.segments;
  assert.ok(second!.baseOffset > 14 && second!.baseOffset < 22, `${second!.baseOffset}`);
  await log.close();
  log.reopen();
  const again = log.partition();
  const end = again.log.endOffset;
  for (let i = 6; i < 11; i++) {
    assert.is((await again.append(batch(i, 5), waits)).baseOffset, 2 + 2 * i);
    assert.is((await again.append(batch(i, 6), waits)).baseOffset, 3 + 2 * i);
  }
  assert.is(again.log.endOffset, end, "nothing was written twice");
  assert.is((await again.append(batch(11, 5), waits)).baseOffset, end);
});

test("epochs that the file knows of records that are not there are forgotten", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition();
  for (let i = 0; i < 4; i++) partition.append(log.batch([`${i}`]), waits);
  const before = storage.readFile(`${folder}/00000000000000000000.log`)!;
  // Another leader has something else from 2 on; the power fails before the cut is on the disk, the file of epochs is.
  partition.truncate(2);
  partition.leaderEpoch = 3;
  partition.append(log.batch(["other"]), waits);
  partition.persistEpochs();
  assert.is(partition.epochs.epochAt(2), 3);
  const again = open(copyWith(storage, `${folder}/00000000000000000000.log`, before));
  assert.is(again.partition.log.endOffset, 4);
  assert.is(again.partition.epochs.epochAt(3), 0);
  assert.is(again.partition.epochs.latest(), 0);
});

test("a snapshot that is torn is rebuilt from the log", async () => {
  const storage = new MemoryStorage(Infinity);
  const log = new LogFixture(storage);
  const partition = log.partition();
  const producer = { producerId: 5, producerEpoch: 0 };
  partition.append(log.batch(["a"], { ...producer, baseSequence: 0 }), waits);
  await log.close();
  const path = `${folder}/00000000000000000001.snapshot`;
  const torn = copyWith(storage, path, storage.readFile(path)!.slice(0, 20));
  const again = open(torn);
  const repeated = again.log.batch(["a"], { ...producer, baseSequence: 0 });
  assert.is((await again.partition.append(repeated, waits)).baseOffset, 0);
  assert.is(again.partition.log.endOffset, 1);
});

test("a partition folder of another topic id is set aside, not mixed", () => {
  const { storage } = threeBatches();
  const path = `${folder}/partition.metadata`;
  const other = new TextEncoder().encode("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA\n");
  const again = open(copyWith(storage, path, other));
  assert.is(again.partition.log.endOffset, 0);
  assert.equal(
    again.log.events.map((event) => event.kind),
    ["stray"],
  );
});

test.run();
