// The cleaner's choice and its memory: what is due, what it remembers, what it leaves alone.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { LogFixture, valuesOf } from "../../support/log-fixture.ts";

const compact = { "cleanup.policy": "compact" };
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

/** Twenty values of one key, in a segment that is left. */
function filled(log: LogFixture, configs: Record<string, string>, topic: string) {
  const partition = log.partition(configs, topic);
  for (let i = 0; i < 20; i++) {
    partition.append(log.batch([`v${i}`], { key: "k" }), { waits: true });
  }
  partition.log.roll(log.clock.nowMs());
  return partition;
}

/** Lets a round come to its end: it rests between its pieces. */
async function run(log: LogFixture): Promise<void> {
  let isDone = false;
  const round = log.folder.cleaner.run().then(() => {
    isDone = true;
  });
  for (let turns = 0; turns < 1000 && !isDone; turns++) await log.clock.turn();
  await round;
}

test("run() cleans compacted logs only, and remembers how far in Kafka's checkpoint", async () => {
  const log = new LogFixture();
  const kept = filled(log, {}, "plain");
  const cleaned = filled(log, compact, "table");
  await run(log);
  assert.is((await valuesOf(kept)).length, 20);
  assert.equal(await valuesOf(cleaned), ["v19"]);
  const checkpoint = text(log.storage.readFile("cleaner-offset-checkpoint"));
  assert.is(checkpoint, "0\n1\ntable 0 20\n");
  assert.is(log.metrics.log.cleanerRuns, 1);
  assert.is(log.metrics.log.cleanerDirtyRatioMax, 0);
  await run(log);
  assert.is(log.metrics.log.cleanerRuns, 1, "it is clean");
  log.reopen();
  filled(log, compact, "table");
  await run(log);
  assert.is(log.metrics.log.cleanerRuns, 2, "a new process goes on where the last one was");
});

test("holes that cleaning leaves are told from lost records, also if its checkpoint was not written", async () => {
  const log = new LogFixture();
  const configs = { ...compact, "segment.bytes": String(1 << 20) };
  const partition = log.partition(configs, "table");
  // A segment each: what is left of two of them does not fit into one.
  for (const [i, key] of ["a", "b", "a", "c"].entries()) {
    partition.append(log.batch([`${i}`.repeat(600_000)], { key }), { waits: true });
  }
  partition.log.roll(log.clock.nowMs());
  const left = async () => (await valuesOf(log.partition(configs, "table"))).map((all) => all[0]);
  await run(log);
  log.storage.remove("cleaner-offset-checkpoint");
  log.reopen();
  assert.equal(await left(), ["1", "2", "3"]);
});

test("run() does nothing below min.cleanable.dirty.ratio or when it is switched off", async () => {
  const log = new LogFixture();
  const partition = filled(log, { ...compact, "min.cleanable.dirty.ratio": "1.0" }, "table");
  await run(log);
  assert.is((await valuesOf(partition)).length, 20);
  assert.is(log.metrics.log.cleanerDirtyRatioMax, 1);
  log.cleaner = { ...log.cleaner, isEnabled: false };
  const other = filled(log, compact, "other");
  await run(log);
  assert.is((await valuesOf(other)).length, 20);
});

test("a damaged log is reported once and left as it is, others are cleaned", async () => {
  const log = new LogFixture();
  const path = filled(log, compact, "damaged").log.segments[0]!.file.path;
  filled(log, compact, "other");
  await log.close();
  const bytes = log.storage.readFile(path)!.slice();
  bytes[70]! ^= 1;
  log.storage.writeFile(path, bytes);
  log.reopen();
  const damaged = log.partition(compact, "damaged");
  const other = log.partition(compact, "other");
  await run(log);
  await run(log);
  assert.equal(
    log.events.map(({ kind }) => kind),
    ["not-cleaned"],
  );
  assert.equal(await valuesOf(other), ["v19"]);
  assert.is(log.metrics.log.cleanerUncleanable, 1);
  assert.is(damaged.log.segments[0]!.bytes, bytes.length);
});

test("close() ends a round that is under way, and nothing is lost", async () => {
  const log = new LogFixture();
  const partition = filled(log, compact, "table");
  const round = log.folder.cleaner.run();
  const closing = log.folder.cleaner.close();
  for (let turns = 0; turns < 50; turns++) await log.clock.turn();
  await Promise.all([round, closing]);
  assert.is((await valuesOf(partition)).at(-1), "v19");
  const left = log.storage.list("table-0").filter(({ name }) => name.endsWith(".cleaned"));
  assert.equal(left, []);
});

test("a topic that is deleted and created again is cleaned from its beginning", async () => {
  const log = new LogFixture();
  const first = filled(log, compact, "table");
  await run(log);
  log.folder.delete(first);
  assert.is(text(log.storage.readFile("cleaner-offset-checkpoint")), "0\n0\n");
  const again = filled(log, compact, "table");
  await run(log);
  assert.equal(await valuesOf(again), ["v19"]);
});

test("a partition that goes away while it is cleaned is nobody's fault", async () => {
  const log = new LogFixture();
  const partition = filled(log, compact, "table");
  const round = log.folder.cleaner.run();
  log.folder.delete(partition);
  for (let turns = 0; turns < 50; turns++) await log.clock.turn();
  await round;
  assert.equal(log.events, []);
});

test("the limit on bytes may change while the cleaner rests for it", async () => {
  const log = new LogFixture();
  const partition = filled(log, compact, "table");
  log.cleaner = { ...log.cleaner, bytesPerSecondMax: 1 };
  const round = log.folder.cleaner.run();
  const pass = async (ms: number) => {
    for (let step = 0; step < ms; step += 50) {
      await log.clock.advance(50);
      await log.clock.turn();
    }
  };
  await pass(60_000);
  assert.is((await valuesOf(partition)).length, 20, "a byte a second: this takes long");
  assert.ok(log.metrics.log.cleanerBytesRead > 0, "what was read is counted at once");
  log.cleaner = { ...log.cleaner, bytesPerSecondMax: Number.MAX_VALUE };
  await pass(1_000);
  await round;
  assert.equal(await valuesOf(partition), ["v19"]);
});

test("run() rests while requests come, and only then", async () => {
  const log = new LogFixture();
  const produce = log.metrics.api("Produce", "kafka");
  const monotonicMs = log.clock.monotonicMs.bind(log.clock);
  let passedMs = 0;
  let isRequested = true;
  // Everything takes a while, as on a busy machine.
  log.clock.monotonicMs = () => {
    if (isRequested) produce.requests++;
    passedMs++;
    return monotonicMs() + passedMs;
  };
  const partition = filled(log, compact, "table");
  const round = log.folder.cleaner.run();
  for (let turns = 0; turns < 100; turns++) await log.clock.turn();
  assert.is((await valuesOf(partition)).length, 20, "it rests");
  isRequested = false;
  passedMs += 1_000;
  await log.clock.advance(1_000);
  for (let turns = 0; turns < 100; turns++) await log.clock.turn();
  await round;
  assert.equal(await valuesOf(partition), ["v19"]);
});

test("a batch with more records than the map may have is said, not tried for ever", async () => {
  const log = new LogFixture();
  log.cleaner = { ...log.cleaner, mapBytesMax: 64 * 24 };
  const partition = log.partition(compact, "table");
  const values = Array.from({ length: 60 }, (_, i) => `v${i}`);
  partition.append(log.batch(values, { key: "k" }), { waits: true });
  partition.log.roll(log.clock.nowMs());
  await run(log);
  await run(log);
  assert.equal(
    log.events.map((event) => event.kind === "not-cleaned" && String(event.error)),
    [
      "BrokerError: a batch of table-0 has more records than the cleaner's 48 keys: " +
        "raise log.cleaner.dedupe.buffer.size",
    ],
  );
  assert.is((await valuesOf(partition)).length, 60);
  log.cleaner = { ...log.cleaner, mapBytesMax: 1 << 20 };
  await log.clock.advance(300_000);
  await run(log);
  assert.equal(await valuesOf(partition), ["v59"], "when it may have more, without a restart");
});

test.run();
