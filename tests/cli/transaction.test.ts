// `transaction list describe hanging abort` against a server and a client that leaves its transactions open.

import { Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TestServer } from "../support/server.ts";
import { callInProcess } from "./command-line.ts";

let server: TestServer;
const producers: Producer[] = [];

test.before(async () => {
  server = await TestServer.start({ args: ["--flush", "os"] });
});
test.after(async () => {
  for (const producer of producers) await producer.disconnect();
  await server.stop();
});

/** Must end with 0; its rows. */
async function rows(...args: string[]): Promise<Record<string, unknown>[]> {
  const flags = ["-b", server.bootstrap, "-o", "json"];
  const end = await callInProcess(["transaction", ...args, ...flags]);
  assert.is(end.code, 0, `${args.join(" ")}: ${end.stderr}`);
  return end.stdout === "" ? [] : (JSON.parse(end.stdout) as Record<string, unknown>[]);
}

/** A transaction that is left open on partition 0 of a topic of its own. */
async function open(name: string) {
  const kafka = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: name }] });
  await admin.disconnect();
  const producer = kafka.producer({
    ...{ transactionalId: name, idempotent: true, maxInFlightRequests: 1 },
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: 1, initialRetryTime: 20 },
  });
  await producer.connect();
  producers.push(producer);
  const transaction = await producer.transaction();
  await transaction.send({ topic: name, messages: [{ value: "a" }] });
  return transaction;
}

async function stableOffset(topic: string): Promise<number> {
  const path = `/v1/topics/${topic}/offsets?isolation=read_committed`;
  const response = await fetch(server.http + path);
  const body = (await response.json()) as { offsets: { offset: number }[] };
  return body.offsets[0]?.offset ?? -1;
}

test("list and describe show what is open, abort --id ends it and shuts the producer out", async () => {
  const transaction = await open("payments");
  const listed = await rows("list", "--state", "Ongoing");
  assert.equal(
    listed.map(({ transactionalId, state }) => [transactionalId, state]),
    [["payments", "Ongoing"]],
  );
  const [described] = await rows("describe", "payments");
  assert.equal(
    [described?.state, described?.partitions, described?.producerEpoch],
    ["Ongoing", ["payments-0"], 0],
  );
  await rows("abort", "--id", "payments", "--yes");
  assert.equal(await rows("list", "--state", "Ongoing"), []);
  let failed = false;
  await transaction.commit().catch(() => {
    failed = true;
  });
  assert.ok(failed, "its producer is fenced");
});

test("hanging leaves out what a coordinator will end; abort by offset frees the partition", async () => {
  await open("stuck");
  assert.equal(await rows("hanging", "--longer-than", "0"), []);
  assert.is(await stableOffset("stuck"), 0);
  await rows("abort", "stuck", "0", "0", "--yes");
  assert.is(await stableOffset("stuck"), 2);
});

test("unknown ids, states and offsets end with a sentence", async () => {
  const call = (...args: string[]) =>
    callInProcess(["transaction", ...args, "-b", server.bootstrap, "--yes"]);
  const unknown = await call("describe", "nobody");
  assert.is(unknown.code, 1);
  assert.match(unknown.stderr, /TRANSACTIONAL_ID_NOT_FOUND/);
  assert.match((await call("list", "--state", "Sleeping")).stderr, /no transaction state Sleeping/);
  assert.is((await call("abort")).code, 2);
  assert.is((await call("abort", "--id", "payments", "payments", "0", "0")).code, 2);
  assert.match((await call("abort", "--id", "nobody")).stderr, /TRANSACTIONAL_ID_NOT_FOUND/);
  assert.is((await call("describe", "nobody")).code, 1, "nothing was made by ending it");
  assert.is((await call("abort", "stuck", "0", "77")).code, 2);
});

test.run();
