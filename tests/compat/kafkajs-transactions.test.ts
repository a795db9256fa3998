// Transactions with kafkajs, a client of its own kin: commit, abort, fencing, a broker killed in the middle.
// Time limit: 120 s

import { type Admin, Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TestServer } from "../support/server.ts";

let server: TestServer;
let kafka: Kafka;
let admin: Admin;
const open: { disconnect(): Promise<void> }[] = [];

test.before(async () => {
  server = await TestServer.start({ args: ["--flush", "os"] });
  kafka = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING });
  admin = kafka.admin();
  await admin.connect();
});

test.after(async () => {
  for (const each of open) await each.disconnect();
  await admin.disconnect();
  await server.stop();
});

async function producer(transactionalId: string): Promise<Producer> {
  const made = kafka.producer({
    transactionalId,
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: 8, initialRetryTime: 50 },
  });
  await made.connect();
  open.push(made);
  return made;
}

/** Values in the order of their offsets, of one partition, up to what is stable now. */
async function committed(topic: string, partition = 0): Promise<string[]> {
  const response = await fetch(
    `${server.http}/v1/topics/${topic}/partitions/${partition}/records?offset=0&isolation=read_committed`,
  );
  assert.is(response.status, 200, await response.clone().text());
  const body = (await response.json()) as { records: { value: string }[] };
  return body.records.map(({ value }) => value);
}

test("a committed transaction is seen whole, an aborted one never", async () => {
  await admin.createTopics({ topics: [{ topic: "one", numPartitions: 2 }] });
  const one = await producer("one");
  const first = await one.transaction();
  await first.send({ topic: "one", messages: [{ value: "a", partition: 0 }] });
  await first.send({ topic: "one", messages: [{ value: "b", partition: 1 }] });
  assert.equal(await committed("one"), []);
  await first.commit();
  assert.equal([await committed("one"), await committed("one", 1)], [["a"], ["b"]]);
  const second = await one.transaction();
  await second.send({ topic: "one", messages: [{ value: "c", partition: 0 }] });
  await second.abort();
  const third = await one.transaction();
  await third.send({ topic: "one", messages: [{ value: "d", partition: 0 }] });
  await third.commit();
  assert.equal(await committed("one"), ["a", "d"]);
});

test("a second instance shuts the first one out and aborts what it left open", async () => {
  await admin.createTopics({ topics: [{ topic: "two" }] });
  const old = await producer("two");
  const left = await old.transaction();
  await left.send({ topic: "two", messages: [{ value: "left" }] });
  const young = await producer("two");
  const own = await young.transaction();
  await own.send({ topic: "two", messages: [{ value: "own" }] });
  await own.commit();
  let failed = false;
  await left.commit().catch(() => {
    failed = true;
  });
  assert.ok(failed, "the first instance is fenced");
  assert.equal(await committed("two"), ["own"]);
});

test("offsets of a group count with the transaction that carries them, or never", async () => {
  await admin.createTopics({ topics: [{ topic: "in" }, { topic: "out" }] });
  const one = await producer("four");
  const committedOffset = async () => {
    const [found] = await admin.fetchOffsets({ groupId: "workers", topics: ["in"] });
    return found?.partitions[0]?.offset;
  };
  const step = async (offset: string) => {
    const transaction = await one.transaction();
    await transaction.send({ topic: "out", messages: [{ value: `up to ${offset}` }] });
    const topics = [{ topic: "in", partitions: [{ partition: 0, offset }] }];
    await transaction.sendOffsets({ consumerGroupId: "workers", topics });
    return transaction;
  };
  await (await step("3")).commit();
  assert.is(await committedOffset(), "3");
  await (await step("7")).abort();
  assert.is(await committedOffset(), "3");
  await (await step("9")).commit();
  await server.kill();
  await server.restart();
  assert.is(await committedOffset(), "9");
  assert.equal(await committed("out"), ["up to 3", "up to 9"]);
});

test("a broker that is killed goes on with open transactions where it was", async () => {
  await admin.createTopics({ topics: [{ topic: "three" }] });
  const one = await producer("three");
  const transaction = await one.transaction();
  await transaction.send({ topic: "three", messages: [{ value: "before" }] });
  await server.kill();
  await server.restart();
  assert.equal(await committed("three"), []);
  await transaction.send({ topic: "three", messages: [{ value: "after" }] });
  await transaction.commit();
  assert.equal(await committed("three"), ["before", "after"]);
});

test.run();
