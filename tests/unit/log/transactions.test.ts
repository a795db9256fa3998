// Transactions in one partition: what read_committed sees, the index of aborted ones, recovery of both. The last
// test puts random interleavings of many producers next to a plain model.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Appended } from "../../../runtime/broker.ts";
import { FetchedRecords } from "../../../runtime/client/fetched.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import type { Partition } from "../../../runtime/log/partition.ts";
import { collect } from "../../../runtime/records.ts";
import { MemoryStorage } from "../../../runtime/storage/memory.ts";
import { LogFixture, platform, textOf } from "../../support/log-fixture.ts";

const verified = { waits: true, isVerified: true };
const refuses = (code: string) => (error: unknown) =>
  error instanceof BrokerError && error.code === code;

/** Producer with its sequence numbers. */
class Writer {
  readonly id: number;
  epoch = 0;
  #sequence = 0;
  readonly #log: LogFixture;
  constructor(log: LogFixture, id: number) {
    this.#log = log;
    this.id = id;
  }
  batch(values: readonly string[], isTransactional = true): Uint8Array {
    const baseSequence = this.#sequence;
    this.#sequence += values.length;
    const { id: producerId, epoch: producerEpoch } = this;
    return this.#log.batch(values, {
      producerId,
      producerEpoch,
      baseSequence,
      isTransactional,
      key: "k",
    });
  }
  marker(isCommit: boolean, coordinatorEpoch = 0) {
    return { producerId: this.id, producerEpoch: this.epoch, coordinatorEpoch, isCommit };
  }
}

/** The partition with segments so small that they roll all the time; the door would refuse such a config. */
function withSegments(partition: Partition, segmentBytes: number): Partition {
  partition.config = { ...partition.config, segmentBytes, indexIntervalBytes: 200 };
  return partition;
}

/** What a read_committed client sees from `offset` on, fetch by fetch. */
async function committedFrom(
  partition: Partition,
  offset: number,
  bytesMax = 1 << 20,
): Promise<{ offset: number; value: string }[]> {
  const seen: { offset: number; value: string }[] = [];
  let next = offset;
  for (let fetches = 0; fetches < 10_000; fetches++) {
    const { records, aborted } = partition.readCommitted({
      offset: next,
      bytesMax,
      atLeastOneBatch: true,
    });
    if (records.length === 0) return seen;
    const fetched = new FetchedRecords(platform.core, await collect(records), aborted);
    for (;;) {
      const batch = fetched.next(next, () => new Uint8Array());
      if (batch === null) break;
      const { reader } = batch;
      while (reader.advance()) seen.push({ offset: reader.offset, value: textOf(reader) });
    }
    next = Math.max(next, fetched.nextOffset);
  }
  throw new Error("the reader does not come to an end");
}

const values = async (partition: Partition, offset = 0) =>
  (await committedFrom(partition, offset)).map((each) => each.value);

test("readCommitted() shows a transaction after its commit marker, and an aborted one never", async () => {
  const log = new LogFixture();
  const partition = log.partition();
  const one = new Writer(log, 1);
  const two = new Writer(log, 2);
  partition.append(one.batch(["a1", "a2"]), verified);
  partition.append(log.batch(["plain"]), { waits: true });
  partition.append(two.batch(["b1"]), verified);
  assert.is(partition.lastStableOffset, 0);
  assert.equal(await values(partition), []);
  partition.appendMarker(one.marker(true));
  assert.is(partition.lastStableOffset, 3);
  assert.equal(await values(partition), ["a1", "a2", "plain"]);
  partition.appendMarker(two.marker(false));
  assert.is(partition.lastStableOffset, partition.highWatermark);
  assert.equal(await values(partition), ["a1", "a2", "plain"]);
  partition.append(two.batch(["b2"]), verified);
  partition.appendMarker(two.marker(true));
  assert.equal(await values(partition), ["a1", "a2", "plain", "b2"]);
});

test("lastStableOffset waits for the marker to be synced", async () => {
  const log = new LogFixture();
  const partition = log.partition({ "timberline.flush": "group" });
  const one = new Writer(log, 1);
  void partition.append(one.batch(["a"]), verified);
  await log.clock.turn();
  assert.is(partition.highWatermark, 1);
  const ended = partition.appendMarker(one.marker(true)) as Promise<Appended>;
  assert.is(partition.lastStableOffset, 0, "a power loss could take the marker back");
  await log.clock.turn();
  assert.is((await ended).baseOffset, 1);
  assert.is(partition.lastStableOffset, 2);
});

test("append() refuses a transactional batch that nobody vouches for", () => {
  const log = new LogFixture();
  const partition = log.partition();
  const one = new Writer(log, 1);
  const first = one.batch(["a"]);
  assert.throws(() => partition.append(first, { waits: true }), refuses("INVALID_TXN_STATE"));
  partition.append(first, verified);
  partition.append(one.batch(["b"]), { waits: true });
  assert.throws(
    () => partition.append(one.batch(["c"], false), { waits: true }),
    refuses("INVALID_TXN_STATE"),
  );
  partition.appendMarker(one.marker(true));
  one.epoch++;
  const late = new Writer(log, 2).batch(["d"]);
  assert.throws(() => partition.append(late, { waits: true }), refuses("INVALID_TXN_STATE"));
});

test("appendMarker() fences older producers and coordinators", () => {
  const log = new LogFixture();
  const partition = log.partition();
  const one = new Writer(log, 1);
  partition.append(one.batch(["a"]), verified);
  one.epoch = 1;
  partition.appendMarker(one.marker(false, 5));
  one.epoch = 0;
  assert.throws(
    () => partition.append(one.batch(["b"]), verified),
    refuses("INVALID_PRODUCER_EPOCH"),
  );
  assert.throws(() => partition.appendMarker(one.marker(true)), refuses("INVALID_PRODUCER_EPOCH"));
  one.epoch = 1;
  assert.throws(
    () => partition.appendMarker(one.marker(true, 4)),
    refuses("TRANSACTION_COORDINATOR_FENCED"),
  );
});

test("applyRetention() keeps what an open transaction needs", async () => {
  const log = new LogFixture();
  const partition = withSegments(log.partition({ "retention.ms": "1000" }), 200);
  const one = new Writer(log, 1);
  partition.append(log.batch(["old"]), { waits: true });
  partition.append(one.batch(["a"]), verified);
  for (let i = 0; i < 10; i++) partition.append(log.batch([`x${i}`]), { waits: true });
  await log.clock.advance(10_000);
  partition.applyRetention(log.clock.nowMs());
  assert.ok(partition.log.startOffset <= 1, "the transaction began at 1");
  partition.appendMarker(one.marker(false));
  await log.clock.advance(10_000);
  partition.applyRetention(log.clock.nowMs());
  assert.ok(partition.log.startOffset > 10);
});

for (const isClean of [true, false]) {
  const stop = isClean ? "a clean stop" : "a kill";
  test(`open transactions and the index of aborted ones survive ${stop}`, async () => {
    const log = new LogFixture();
    let partition = withSegments(log.partition(), 200);
    const writers = Array.from({ length: 4 }, (_, i) => new Writer(log, i));
    for (const [i, writer] of writers.entries()) {
      for (let round = 0; round < 3; round++)
        partition.append(writer.batch([`${i}.${round}`]), verified);
      if (i < 3) partition.appendMarker(writer.marker(i !== 1));
    }
    assert.ok(partition.log.segments.length > 4);
    const before = { lso: partition.lastStableOffset, seen: await values(partition) };
    const index = partition.log.abortedIn(
      partition.log.read({ offset: 0, endOffset: 99, bytesMax: 1, atLeastOneBatch: true })!,
      0,
      99,
    );
    if (isClean) await log.close();
    log.reopen();
    partition = withSegments(log.partition(), 200);
    assert.equal({ lso: partition.lastStableOffset, seen: await values(partition) }, before);
    const again = partition.log.segments.flatMap((segment) => segment.transactions.entries);
    assert.is(again.length, 1);
    assert.equal(index.slice(0, 1), again.slice(0, 1));
    partition.append(writers[3]!.batch(["3.3"]), { waits: true });
    partition.appendMarker(writers[3]!.marker(true));
    assert.equal((await values(partition)).slice(-4), ["3.0", "3.1", "3.2", "3.3"]);
  });
}

// ---- a plain model ----

interface Written {
  readonly offset: number;
  readonly value: string;
  readonly transaction: { outcome: "open" | "committed" | "aborted" } | undefined;
}

class Model {
  readonly written: Written[] = [];
  readonly open = new Map<number, { outcome: "open" | "committed" | "aborted" }>();

  note(id: number, isTransactional: boolean, base: number, values: readonly string[]): void {
    let transaction: Written["transaction"];
    if (isTransactional) {
      transaction = this.open.get(id) ?? { outcome: "open" };
      this.open.set(id, transaction);
    }
    for (const [i, value] of values.entries()) {
      this.written.push({ offset: base + i, value, transaction });
    }
  }

  end(id: number, isCommit: boolean): void {
    const transaction = this.open.get(id);
    if (transaction) transaction.outcome = isCommit ? "committed" : "aborted";
    this.open.delete(id);
  }

  committedFrom(offset: number): { offset: number; value: string }[] {
    const seen: { offset: number; value: string }[] = [];
    for (const each of this.written) {
      if (each.transaction?.outcome === "open") break;
      if (each.offset < offset || each.transaction?.outcome === "aborted") continue;
      seen.push({ offset: each.offset, value: each.value });
    }
    return seen;
  }
}

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("readCommitted() agrees with a plain model over random interleavings", async () => {
  for (let seed = 1; seed <= 25; seed++) {
    const draw = generator(seed * 7919);
    const segmentBytes = 300 + draw(2000);
    const log = new LogFixture(new MemoryStorage(Infinity));
    let partition = withSegments(log.partition(), segmentBytes);
    const model = new Model();
    const writers = Array.from({ length: 5 }, (_, i) => new Writer(log, i));
    for (let step = 0; step < 150; step++) {
      const writer = writers[draw(writers.length)]!;
      const action = draw(20);
      if (action < 9 || (action < 12 && !model.open.has(writer.id))) {
        const isTransactional = action < 9;
        const texts = Array.from({ length: 1 + draw(3) }, (_, i) => `${seed}.${step}.${i}`);
        const batch = writer.batch(texts, isTransactional);
        if (!isTransactional && model.open.has(writer.id)) continue;
        const { baseOffset } = partition.append(batch, verified) as Appended;
        model.note(writer.id, isTransactional, baseOffset, texts);
      } else if (action < 18) {
        const isCommit = draw(2) === 0;
        partition.appendMarker(writer.marker(isCommit));
        model.end(writer.id, isCommit);
      } else if (action === 18) {
        if (draw(2) === 0) await log.close();
        log.reopen();
        partition = withSegments(log.partition(), segmentBytes);
      }
      if (step % 10 !== 0) continue;
      const from = draw(partition.highWatermark + 1);
      const seen = await committedFrom(partition, from, 100 + draw(1000));
      assert.equal(seen, model.committedFrom(from), `seed ${seed}, step ${step}, from ${from}`);
    }
  }
});

test.run();
