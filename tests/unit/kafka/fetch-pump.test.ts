// Fetch answers on their way out: byte-exact from files and memory, bounded buffers, records released once.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { fetch } from "../../../runtime/kafka/apis/fetch.ts";
import { createKafkaDoor } from "../../../runtime/kafka/door.ts";
import type { DoorLimits } from "../../../runtime/kafka/limits.ts";
import type { Records, RecordsPart } from "../../../runtime/records.ts";
import type { StorageFile } from "../../../runtime/storage/storage.ts";
import { concat } from "./bytes.ts";
import {
  answerOf,
  FakeBroker,
  FakeConnection,
  fakePlatform,
  fetched,
  requestFrame,
  settled,
  topicRecord,
} from "./fakes.ts";

const fileBytes = Uint8Array.from({ length: 5_000_000 }, (_, i) => (i * 31 + (i >> 8)) & 255);

/** A file in memory that counts its reads, and can fail. */
class FakeFile {
  readonly path = "t-0/0.log";
  readonly size = fileBytes.length;
  reads = 0;
  syncReads = 0;
  under = 0;
  underMax = 0;
  failAt = Number.POSITIVE_INFINITY;

  async read(into: Uint8Array, position: number): Promise<number> {
    this.reads++;
    this.underMax = Math.max(this.underMax, ++this.under);
    await new Promise((resolve) => setImmediate(resolve));
    this.under--;
    if (position >= this.failAt) throw new Error("input/output error");
    return this.copy(into, position);
  }
  readSync(into: Uint8Array, position: number): number {
    this.syncReads++;
    return this.copy(into, position);
  }
  copy(into: Uint8Array, position: number): number {
    const found = fileBytes.subarray(position, position + into.length);
    into.set(found);
    return found.length;
  }
  get file(): StorageFile {
    return this as unknown as StorageFile;
  }
}

let released: number[] = [];

function recordsOf(id: number, parts: RecordsPart[]): Records {
  return {
    length: parts.reduce((sum, part) => sum + part.length, 0),
    parts,
    release: () => void released.push(id),
  };
}

function setUp(limits: Partial<DoorLimits> = {}) {
  released = [];
  const { platform } = fakePlatform();
  const broker = new FakeBroker().add(topicRecord("t", 10));
  const reports: unknown[] = [];
  const door = createKafkaDoor({
    platform,
    broker: broker.broker,
    report: (error) => reports.push(error),
    notice: () => {},
    limits,
  });
  const client = new FakeConnection();
  door.accept(client);
  const answerWith = (...records: Records[]) => {
    broker.onFetch = () => records.map((data, i) => fetched("t", i, { records: data }));
    const partitions = records.map((_, partition) => ({
      partition,
      fetchOffset: 0,
      partitionMaxBytes: 1 << 30,
    }));
    const message = { maxWaitMs: 0, minBytes: 0, maxBytes: 1 << 30 };
    return requestFrame(
      fetch,
      { version: 11 },
      { ...message, topics: [{ topic: "t", partitions }] },
    );
  };
  const received = (i = 0) => {
    const answer = answerOf(fetch, 11, client.frames()[i]);
    return concat(answer.responses[0]?.partitions.map(({ records }) => records!) ?? []);
  };
  return { door, client, reports, answerWith, received };
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await settled();
}

test("a large answer is pumped byte for byte, in order, four reads ahead", async () => {
  const { door, client, answerWith, received } = setUp();
  const file = new FakeFile();
  const memory = new Uint8Array(200_000).fill(9);
  const range = { file: file.file, position: 17, length: 4_900_000 };
  client.send(
    concat([
      answerWith(recordsOf(1, [range, memory]), recordsOf(2, [{ ...range, length: 70_000 }])),
    ]),
  );
  assert.is(door.stats().requestsInFlight, 1);
  await until(() => client.frames().length === 1);
  const expected = [fileBytes.subarray(17, 4_900_017), memory, fileBytes.subarray(17, 70_017)];
  assert.is(Buffer.compare(received(), concat(expected)), 0);
  assert.ok(file.underMax > 1 && file.underMax <= 4, `${file.underMax} reads at once`);
  await settled();
  assert.equal(released.toSorted(), [1, 2]);
  assert.is(door.stats().pumpBuffers, 0);
});

test("small records are copied into the answer with one read and one write", async () => {
  const { client, answerWith, received } = setUp();
  const file = new FakeFile();
  client.send(answerWith(recordsOf(1, [{ file: file.file, position: 5, length: 3000 }])));
  assert.is(client.writes, 1);
  assert.equal([file.reads, file.syncReads], [0, 1]);
  assert.is(Buffer.compare(received(), fileBytes.subarray(5, 3005)), 0);
  assert.equal(released, [1]);
});

test("what stands before pumped records leaves in one write with them", async () => {
  const { client, answerWith, received } = setUp();
  const file = new FakeFile();
  client.send(answerWith(recordsOf(1, [{ file: file.file, position: 5, length: 100_000 }])));
  await until(() => client.frames().length === 1);
  assert.equal([client.writes, file.reads], [1, 1]);
  assert.is(Buffer.compare(received(), fileBytes.subarray(5, 100_005)), 0);
});

test("empty records are released too", async () => {
  const { client, answerWith, received } = setUp();
  client.send(answerWith(recordsOf(1, [])));
  assert.equal(released, [1]);
  assert.is(received().length, 0);
});

test("answers behind a pumped one wait for it", async () => {
  const { client, answerWith } = setUp();
  const file = new FakeFile();
  const big = answerWith(recordsOf(1, [{ file: file.file, position: 0, length: 3_000_000 }]));
  client.send(concat([big, big, big]));
  await until(() => client.frames().length === 3);
  assert.equal(client.correlationIds(), [1, 1, 1]);
});

test("a client that does not read holds four buffers at most, and one that leaves gives them back", async () => {
  const { door, client, answerWith } = setUp();
  const file = new FakeFile();
  client.flowing = false;
  client.send(answerWith(recordsOf(1, [{ file: file.file, position: 0, length: 5_000_000 }])));
  await settled();
  await settled();
  assert.is(door.stats().pumpBuffers, 4);
  assert.is(file.reads, 4);
  assert.equal(released, []);
  client.hangUp();
  await settled();
  assert.equal(released, [1]);
  assert.is(door.stats().pumpBuffers, 0);
  client.drain();
  assert.equal(released, [1]);
  assert.is(door.stats().pumpBuffers, 0);
});

test("when all shared buffers are out, others go on with a small one of their own", async () => {
  const { door, client, answerWith, received } = setUp({ pumpBuffersMax: 4 });
  const file = new FakeFile();
  const frame = answerWith(recordsOf(1, [{ file: file.file, position: 0, length: 5_000_000 }]));
  const greedy = new FakeConnection();
  door.accept(greedy);
  greedy.flowing = false;
  greedy.send(frame);
  await settled();
  assert.is(door.stats().pumpBuffers, 4);
  client.send(frame);
  await until(() => client.frames().length === 1);
  assert.is(Buffer.compare(received(), fileBytes), 0);
});

test("a file that cannot be read ends the connection, is reported, and releases", async () => {
  const { door, client, reports, answerWith } = setUp();
  const file = new FakeFile();
  file.failAt = 2_000_000;
  client.send(answerWith(recordsOf(1, [{ file: file.file, position: 0, length: 5_000_000 }])));
  await until(() => client.destroyed);
  await settled();
  assert.match(String(reports[0]), /input\/output error/);
  assert.equal(released, [1]);
  assert.is(door.stats().pumpBuffers, 0);
});

test("a file that ended too early is an error, not a shorter answer", async () => {
  const { client, reports, answerWith } = setUp();
  const file = new FakeFile();
  client.send(answerWith(recordsOf(1, [{ file: file.file, position: 4_999_000, length: 90_000 }])));
  await until(() => client.destroyed);
  assert.match(String(reports[0]), /bytes wanted, 1000 read/);
  assert.equal(released, [1]);
});

test("records whose client left while they were fetched are released", async () => {
  const { platform } = fakePlatform();
  const broker = new FakeBroker().add(topicRecord("t", 1));
  const door = createKafkaDoor({
    platform,
    broker: broker.broker,
    report: (error) => assert.unreachable(String(error)),
    notice: () => {},
  });
  const client = new FakeConnection();
  door.accept(client);
  released = [];
  let finish: (records: Records) => void = () => {};
  broker.onFetch = () =>
    new Promise((resolve) => {
      finish = (records) => resolve([fetched("t", 0, { records })]);
    });
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }];
  const message = { maxWaitMs: 9, minBytes: 1, maxBytes: 1, topics: [{ topic: "t", partitions }] };
  client.send(requestFrame(fetch, { version: 11 }, message));
  client.hangUp();
  finish(recordsOf(1, [{ file: new FakeFile().file, position: 0, length: 100_000 }]));
  await settled();
  assert.equal(released, [1]);
});

test.run();
