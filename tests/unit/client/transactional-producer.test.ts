// The transactional producer against a fake cluster: what is said to whom in both protocols, what is tried again, what
// spoils a transaction, and what ends the producer.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  ClientError,
  createClient,
  type TransactionalProducer,
} from "../../../runtime/client/mod.ts";
import type { addPartitionsToTxn } from "../../../runtime/kafka/apis/add-partitions-to-txn.ts";
import type { produce } from "../../../runtime/kafka/apis/produce.ts";
import type { RequestOf } from "../../../runtime/kafka/schema.ts";
import { FakeCluster, type FakeRequest, type Fault } from "./fake-cluster.ts";

function connect(level = 2) {
  const cluster = new FakeCluster();
  cluster.transactions.level = level;
  cluster.addTopic("t", [1, 1]);
  const client = createClient({ platform: cluster.platform(), bootstrap: ["bootstrap:1"] });
  const producer = client.transactionalProducer({ transactionalId: "id" });
  return { cluster, client, producer };
}

/** The first requests of an API fail this way. */
function failFirst(cluster: FakeCluster, api: string, count: number, fault: Fault): void {
  let left = count;
  cluster.fault = (request) => (request.api === api && left-- > 0 ? fault : undefined);
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "resolved",
    (error: unknown) => (error instanceof ClientError ? error.code : String(error)),
  );
}

/** What was said from the first question about the transaction on, without the way there. */
function said(cluster: FakeCluster): string[] {
  const ways = new Set(["ApiVersions", "Metadata", "FindCoordinator"]);
  return cluster.requests.map(({ api }) => api).filter((api) => !ways.has(api));
}

const one = (producer: TransactionalProducer, partition = 0) =>
  producer.transaction((transaction) => transaction.send({ topic: "t", partition, value: "v" }));

const produced = (request: FakeRequest) => request.message as RequestOf<typeof produce>;

test("transaction() announces nothing in protocol V2, and takes the epoch of each end", async () => {
  const { cluster, client, producer } = connect();
  const sent = await one(producer);
  assert.equal([sent.partition, sent.offset], [0, 0]);
  await one(producer);
  assert.equal(said(cluster), ["InitProducerId", "Produce", "EndTxn", "Produce", "EndTxn"]);
  assert.equal(cluster.transactions.ends, ["commit", "commit"]);
  const [request] = cluster.asked("Produce");
  assert.is(produced(request!).transactionalId, "id");
  assert.ok(request!.version >= 12);
  const epochs = cluster
    .asked("EndTxn")
    .map(({ message }) => (message as { producerEpoch: number }).producerEpoch);
  assert.equal(epochs, [0, 1]);
  await client.close();
});

test("transaction() announces partitions once and offsets first in protocol V1", async () => {
  const { cluster, client, producer } = connect(1);
  const offsets = [{ topic: "t", partition: 0, offset: 5 }];
  for (let i = 0; i < 2; i++) {
    await producer.transaction(async (transaction) => {
      const sends = [0, 1, 0].map((partition) =>
        transaction.send({ topic: "t", partition, value: "v" }),
      );
      await Promise.all(sends);
      await transaction.sendOffsets({ member: { groupId: "g" }, offsets });
      await transaction.sendOffsets({ member: { groupId: "g" }, offsets });
    });
  }
  const each = [
    "AddPartitionsToTxn",
    "Produce",
    "AddOffsetsToTxn",
    "TxnOffsetCommit",
    "TxnOffsetCommit",
    "EndTxn",
  ];
  assert.equal(said(cluster), ["InitProducerId", ...each, ...each]);
  const [announced] = cluster.asked("AddPartitionsToTxn");
  const { topics } = announced!.message as RequestOf<typeof addPartitionsToTxn>;
  assert.equal(topics, [{ name: "t", partitions: [0, 1] }]);
  for (const [api, versionMax] of [
    ["Produce", 11],
    ["TxnOffsetCommit", 4],
    ["EndTxn", 4],
  ] as const) {
    assert.ok(
      cluster.asked(api).every(({ version }) => version <= versionMax),
      api,
    );
  }
  await client.close();
});

test("commit() says nothing of a transaction in which nothing was sent", async () => {
  const { cluster, client, producer } = connect();
  await producer.transaction(() => {});
  await (await producer.begin()).abort();
  assert.equal(said(cluster), ["InitProducerId"]);
  await client.close();
});

test("transaction() tries again what passes: coordinators that load, move, or are busy", async () => {
  for (const level of [1, 2]) {
    const busy = [
      "COORDINATOR_LOAD_IN_PROGRESS",
      "NOT_COORDINATOR",
      "CONCURRENT_TRANSACTIONS",
    ] as const;
    for (const error of busy) {
      const { cluster, client, producer } = connect(level);
      const counts = new Map<string, number>();
      cluster.fault = ({ api }) => {
        if (!/Txn|InitProducerId/.test(api)) return undefined;
        counts.set(api, (counts.get(api) ?? 0) + 1);
        return counts.get(api)! <= 2 ? { error } : undefined;
      };
      await producer.transaction(async (transaction) => {
        await transaction.send({ topic: "t", partition: 0, value: "v" });
        const offsets = [{ topic: "t", partition: 0, offset: 5 }];
        await transaction.sendOffsets({ member: { groupId: "g" }, offsets });
      });
      assert.ok(counts.size >= (level === 1 ? 5 : 3));
      for (const [api, count] of counts) assert.is(count, 3, `${api} ${error}`);
      assert.equal(cluster.transactions.ends, ["commit"]);
      await client.close();
    }
  }
});

test("transaction() waits milliseconds, not more, for the one before to end", async () => {
  const { cluster, client, producer } = connect();
  await one(producer);
  failFirst(cluster, "Produce", 3, { error: "CONCURRENT_TRANSACTIONS" });
  const beganMs = cluster.clock.monotonicMs();
  await one(producer);
  assert.ok(cluster.clock.monotonicMs() - beganMs < 100);
  await client.close();
});

test("transaction() aborts and rejects with what its function threw", async () => {
  const { cluster, client, producer } = connect();
  const thrown = producer.transaction(async (transaction) => {
    await transaction.send({ topic: "t", value: "v" });
    throw new Error("changed my mind");
  });
  assert.is(await code(thrown), "Error: changed my mind");
  assert.equal(cluster.transactions.ends, ["abort"]);
  await one(producer);
  assert.equal(cluster.transactions.ends, ["abort", "commit"]);
  await client.close();
});

test("commit() rejects with the error of a record nobody waited for, and only abort is left", async () => {
  for (const level of [1, 2]) {
    const { cluster, client, producer } = connect(level);
    failFirst(cluster, "Produce", 1, { error: "INVALID_RECORD" });
    const transaction = await producer.begin();
    void transaction.send({ topic: "t", partition: 0, value: "refused" });
    assert.is(await code(transaction.commit()), "INVALID_RECORD");
    assert.is(await code(transaction.send({ topic: "t", value: "late" })), "INVALID_TXN_STATE");
    assert.is(await code(producer.begin()), "INVALID_TXN_STATE");
    await transaction.abort();
    assert.equal(cluster.transactions.ends, ["abort"]);
    assert.is(await code(transaction.abort()), "INVALID_TXN_STATE");
    await one(producer);
    await client.close();
  }
});

test("sendOffsets() of a member that is out of its group spoils the transaction", async () => {
  const { cluster, client, producer } = connect();
  failFirst(cluster, "TxnOffsetCommit", 1, { error: "ILLEGAL_GENERATION" });
  const spoiled = producer.transaction(async (transaction) => {
    const member = { groupId: "g", memberId: "m", generation: 3 };
    void transaction.sendOffsets({ member, offsets: [{ topic: "t", partition: 0, offset: 1 }] });
  });
  assert.is(await code(spoiled), "ILLEGAL_GENERATION");
  assert.equal(cluster.transactions.ends, ["abort"]);
  await client.close();
});

test("a refused announcement fails the records that wait for it", async () => {
  const { cluster, client, producer } = connect(1);
  failFirst(cluster, "AddPartitionsToTxn", 1, { error: "TOPIC_AUTHORIZATION_FAILED" });
  const beganMs = cluster.clock.monotonicMs();
  assert.is(await code(one(producer)), "TOPIC_AUTHORIZATION_FAILED");
  assert.ok(cluster.clock.monotonicMs() - beganMs < 1_000);
  await one(producer);
  await client.close();
});

test("in protocol V1 a new epoch is asked for when sequences no longer fit", async () => {
  const { cluster, client, producer } = connect(1);
  failFirst(cluster, "Produce", 1, { error: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
  assert.is(await code(one(producer)), "OUT_OF_ORDER_SEQUENCE_NUMBER");
  await one(producer);
  const [first, second] = cluster.asked("InitProducerId").map(({ message }) => message);
  assert.equal(pick(first), { producerId: -1, producerEpoch: -1 });
  assert.equal(pick(second), { producerId: 77, producerEpoch: 0 });
  await client.close();
});

function pick(message: unknown) {
  const { producerId, producerEpoch } = message as { producerId: number; producerEpoch: number };
  return { producerId, producerEpoch };
}

test("PRODUCER_FENCED is final and says so", async () => {
  const { cluster, client, producer } = connect();
  cluster.fault = ({ api }) => (api === "EndTxn" ? { error: "PRODUCER_FENCED" } : undefined);
  assert.is(await code(one(producer)), "PRODUCER_FENCED");
  cluster.fault = () => undefined;
  const again = await producer.begin().catch((error: unknown) => error);
  assert.is((again as ClientError).code, "PRODUCER_FENCED");
  assert.match((again as ClientError).message, "Another producer began as id");
  await client.close();
});

test("OUTCOME_UNKNOWN is final when nobody answers a commit, and a lost answer is asked for again", async () => {
  const { cluster, client, producer } = connect();
  failFirst(cluster, "EndTxn", 1, "cut after");
  await one(producer);
  cluster.fault = ({ api }) => (api === "EndTxn" ? "cut before" : undefined);
  assert.is(await code(one(producer)), "OUTCOME_UNKNOWN");
  assert.is(await code(producer.begin()), "OUTCOME_UNKNOWN");
  await client.close();
});

test("close() aborts what is open", async () => {
  const { cluster, client, producer } = connect();
  const transaction = await producer.begin();
  await transaction.send({ topic: "t", value: "v" });
  await client.close();
  assert.equal(cluster.transactions.ends, ["abort"]);
  assert.is(await code(producer.begin()), "CLOSED");
});

test.run();
