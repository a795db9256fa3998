// A consumer with `reuseMemory`: every record is right while it is handed out, answers share memory, and what is held
// on to for too long says so.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ConsumedBatch } from "../../../runtime/client/mod.ts";
import { connect, store, t0, text } from "./consumer-fixture.ts";
import { FakeCluster } from "./fake-cluster.ts";

/** Large enough that an answer's memory is worth using again. */
const letters = "abcdefghijklmnopqrst";
const value = (letter: string) => letter.repeat(80_000);
const answers = { fetchBytesMax: 100_000, partitionBytesMax: 100_000, reuseMemory: true };

function cluster(): FakeCluster {
  const made = new FakeCluster([1]);
  const [partition] = made.addTopic("t", [1]);
  for (const letter of letters) store(partition!, [value(letter), `${letter}.`]);
  return made;
}

test("records are right while they are handed out, one by one and in batches", async () => {
  for (const way of ["records", "batches"] as const) {
    const { client, consumer } = connect(cluster(), answers);
    await consumer.assign([{ ...t0, offset: "earliest" }]);
    const seen: string[] = [];
    const memories = new Set<ArrayBufferLike>();
    const see = (bytes: Uint8Array | null) => {
      memories.add(bytes!.buffer);
      // The next answer may come meanwhile.
      seen.push(text(bytes));
    };
    for await (const found of way === "records" ? consumer.records() : consumer.batches()) {
      if ("value" in found) see(found.value);
      else for (const record of found) see(record.value);
      if (seen.length === 2 * letters.length) break;
      await new Promise(setImmediate);
    }
    const expected = [...letters].flatMap((letter) => [value(letter), `${letter}.`]);
    assert.ok(
      seen.every((found, i) => found === expected[i]),
      way,
    );
    assert.ok(
      memories.size <= 4,
      `${way}: ${memories.size} memories for ${letters.length} answers`,
    );
    await client.close();
  }
});

test("a batch that was kept while others were asked for is an error that says so", async () => {
  const { client, consumer } = connect(cluster(), answers);
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  const batches: ConsumedBatch[] = [];
  for await (const batch of consumer.batches()) {
    assert.is(batch.count, 2);
    if (batches.push(batch) === 3) break;
  }
  assert.throws(() => [...batches[0]!], /reuseMemory a batch ends when the next is asked for/);
  assert.is([...batches[2]!].length, 2);
  await client.close();
});

test("without it, records stay what they are", async () => {
  const { client, consumer } = connect(cluster(), { ...answers, reuseMemory: false });
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  const values: Uint8Array[] = [];
  for await (const record of consumer) if (values.push(record.value!) === 2 * letters.length) break;
  assert.ok([...letters].every((letter, i) => text(values[2 * i]!) === value(letter)));
  await client.close();
});

test("seek() in the middle of a batch leaves the batch readable", async () => {
  const { client, consumer } = connect(cluster(), answers);
  await consumer.assign([{ ...t0, offset: "earliest" }]);
  for await (const batch of consumer.batches()) {
    if (batch.nextOffset < 8) continue;
    await consumer.seek({ ...t0, offset: "earliest" });
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    assert.equal(
      [...batch].map((record) => text(record.value)),
      [value("d"), "d."],
    );
    break;
  }
  await client.close();
});

test.run();
