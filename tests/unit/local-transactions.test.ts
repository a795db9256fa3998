// How transactional batches get into a partition: once the coordinator knows, whole, and from the first one on.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../runtime/errors.ts";
import { appendInTransaction } from "../../runtime/local-transactions.ts";
import { LogFixture, valuesOf } from "../support/log-fixture.ts";

const refuses = (code: string) => (error: unknown) =>
  error instanceof BrokerError && error.code === code;

function scene() {
  const log = new LogFixture();
  const partition = log.partition();
  let answer: (error?: BrokerError) => void = () => {};
  const coordinator = {
    admit: () =>
      new Promise<void>((resolve, reject) => {
        answer = (error) => (error === undefined ? resolve() : reject(error));
      }),
  };
  const append = (value: string, baseSequence: number, joinsTransaction = true) => {
    const producer = { producerId: 1, producerEpoch: 0, baseSequence, isTransactional: true };
    const batch = log.batch([value], producer);
    const request = {
      topic: "t",
      partition: 0,
      batch,
      acks: -1 as const,
      timeoutMs: 1,
      joinsTransaction,
    };
    const appended = appendInTransaction(coordinator, partition, request);
    return { batch, appended: Promise.resolve(appended) };
  };
  return { partition, append, answer: (error?: BrokerError) => answer(error) };
}

test("appendInTransaction() keeps a batch while the coordinator is asked", async () => {
  const { partition, append, answer } = scene();
  const { batch, appended } = append("kept", 0);
  // As a connection does with what it has handed over.
  batch.fill(0);
  answer();
  await appended;
  assert.equal(await valuesOf(partition), ["kept"]);
});

test("appendInTransaction() refuses the second batch of a transaction whose first was refused", async () => {
  const { partition, append, answer } = scene();
  const { appended } = append("first", 0);
  answer(new BrokerError("COORDINATOR_NOT_AVAILABLE", "away"));
  await rejects(appended, "NOT_ENOUGH_REPLICAS");
  const second = append("second", 1);
  answer();
  await rejects(second.appended, "OUT_OF_ORDER_SEQUENCE_NUMBER");
  const again = append("first", 0);
  answer();
  await again.appended;
  await append("second", 1).appended;
  assert.equal(await valuesOf(partition), ["first", "second"]);
});

async function rejects(asked: Promise<unknown>, code: string): Promise<void> {
  const error: unknown = await asked.then(
    () => assert.unreachable(`expected ${code}`),
    (reason: unknown) => reason,
  );
  assert.ok(refuses(code)(error), `${error} is not ${code}`);
}

test.run();
