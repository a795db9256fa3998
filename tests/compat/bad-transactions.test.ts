// Transactions by clients that lie or are late: foreign producer ids, old and future epochs, unknown places, markers
// and internal topics written by clients. Each gets the error that Kafka 4.1 gives to the same bytes, nothing of it
// is seen, and an honest transaction beside it commits. With KAFKA_BOOTSTRAP the same is asked of a Kafka there.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { addOffsetsToTxn } from "../../runtime/kafka/apis/add-offsets-to-txn.ts";
import { addPartitionsToTxn } from "../../runtime/kafka/apis/add-partitions-to-txn.ts";
import { createTopics } from "../../runtime/kafka/apis/create-topics.ts";
import { describeProducers } from "../../runtime/kafka/apis/describe-producers.ts";
import { endTxn } from "../../runtime/kafka/apis/end-txn.ts";
import { findCoordinator } from "../../runtime/kafka/apis/find-coordinator.ts";
import { initProducerId } from "../../runtime/kafka/apis/init-producer-id.ts";
import { produce } from "../../runtime/kafka/apis/produce.ts";
import { txnOffsetCommit } from "../../runtime/kafka/apis/txn-offset-commit.ts";
import { writeTxnMarkers } from "../../runtime/kafka/apis/write-txn-markers.ts";
import { errorName } from "../../runtime/kafka/error-codes.ts";
import type { Api } from "../../runtime/kafka/schema.ts";
import type { ProducerIdentity } from "../../runtime/transaction-coordinator.ts";
import { AskingConnection } from "../bench/load/connection.ts";
import { answerOf, encode } from "../bench/load/requests.ts";
import { requestJson } from "../support/http-client.ts";
import { TestServer } from "../support/server.ts";
import { writeBatch } from "../unit/storage-wasm/batch-writer.ts";

const topic = "target";
const setUpTries = 200;
const transactional = 0x10;
const control = 0x20;
const elsewhere = process.env.KAFKA_BOOTSTRAP;

let server: TestServer | undefined;
let connection: AskingConnection;
let identity: ProducerIdentity;
/** Makes ids of the tests their own, also where an earlier run left some. */
const run = String(process.pid);
const group = `movers-${run}`;

test.before(async () => {
  server = elsewhere === undefined ? await TestServer.start() : undefined;
  const [host = "", port] = (elsewhere ?? server?.bootstrap ?? "").split(":");
  connection = await AskingConnection.open({ host, port: Number(port) });
  const made = { name: topic, numPartitions: 2, replicationFactor: 1 };
  const wanted = { ...made, assignments: [], configs: [] };
  await ask(createTopics, 5, { topics: [wanted], timeoutMs: 10_000, validateOnly: false });
  for (const [key, keyType] of [
    [group, 0],
    [run, 1],
  ] as const) {
    await settled(async () => (await ask(findCoordinator, 3, { key, keyType })).errorCode);
  }
});

test.before.each(async () => {
  await settled(async () => {
    const answer = await init({});
    identity = { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
    return answer.errorCode;
  });
});

test.after(async () => {
  connection.close();
  await server?.kill();
});

test("InitProducerId refuses timeouts outside the limits and identities of others", async () => {
  for (const transactionTimeoutMs of [0, -1, 900_001, 2 ** 31 - 1]) {
    const { errorCode } = await init({ transactionTimeoutMs });
    assert.is(errorName(errorCode), "INVALID_TRANSACTION_TIMEOUT", `${transactionTimeoutMs}`);
  }
  const { producerId, producerEpoch } = identity;
  for (const [given, expected] of [
    [{ producerId: producerId + 1000, producerEpoch }, "PRODUCER_FENCED"],
    [{ producerId, producerEpoch: producerEpoch + 5 }, "PRODUCER_FENCED"],
    [{ producerId, producerEpoch: -1 }, "INVALID_REQUEST"],
    [{ producerId: -1, producerEpoch: 3 }, "INVALID_REQUEST"],
  ] as const) {
    assert.is(errorName((await init(given)).errorCode), expected, JSON.stringify(given));
  }
});

test("Produce refuses batches of foreign producers, other epochs and no transaction", async () => {
  const { producerId, producerEpoch } = identity;
  for (const version of [11, 12]) {
    const foreign = { ...identity, producerId: producerId + 1000 };
    assert.is(await write(version, foreign), "INVALID_PRODUCER_ID_MAPPING", `v${version}`);
    const future = { producerId, producerEpoch: producerEpoch + 1 };
    assert.is(await write(version, future), "INVALID_PRODUCER_EPOCH", `v${version}`);
  }
  assert.is(await write(10, identity), "INVALID_TXN_STATE");
  assert.is(await write(11, identity), "TRANSACTION_ABORTABLE");
  const old = identity;
  assert.is(await write(12, old), "NONE");
  await settled(async () => (await init({})).errorCode);
  for (const version of [11, 12]) {
    assert.is(await write(version, old), "INVALID_PRODUCER_EPOCH", `v${version}`);
  }
});

test("Produce refuses markers and internal topics, also within a transaction", async () => {
  for (const attributes of [control, control | transactional]) {
    assert.is(await write(12, identity, { attributes }), "INVALID_RECORD");
  }
  for (const name of ["__transaction_state", "__consumer_offsets"]) {
    assert.is(await write(12, identity, { name }), "INVALID_TOPIC_EXCEPTION", name);
    assert.is(await write(12, identity, { name, attributes: 0 }), "INVALID_TOPIC_EXCEPTION", name);
  }
});

test("AddPartitionsToTxn takes all partitions or none, of its own producer", async () => {
  const known = { name: topic, partitions: [0, 1] };
  assert.equal(await add(identity, [known, { name: "absent", partitions: [0] }]), [
    "OPERATION_NOT_ATTEMPTED",
    "OPERATION_NOT_ATTEMPTED",
    "UNKNOWN_TOPIC_OR_PARTITION",
  ]);
  assert.equal(await add(identity, [{ name: topic, partitions: [99] }]), [
    "UNKNOWN_TOPIC_OR_PARTITION",
  ]);
  assert.is(await write(11, identity), "TRANSACTION_ABORTABLE", "nothing was added");
  for (const [given, expected] of wrongMembers()) {
    const answers = await add(given, [{ name: topic, partitions: [0] }]);
    assert.equal(answers, [expected], JSON.stringify(given));
  }
});

test("EndTxn ends only its producer's own transaction, and only one that is open", async () => {
  for (const [given, expected] of wrongMembers()) {
    assert.is(await end(given, true), expected, JSON.stringify(given));
  }
  assert.is(await end(identity, true, 3), "INVALID_TXN_STATE");
  assert.is(await end(identity, true, 5), "INVALID_TXN_STATE");
});

test("offsets in transactions are refused to strangers, for nothing and for no group", async () => {
  const { producerId } = identity;
  for (const [given, expected] of wrongMembers()) {
    const member = { transactionalId: run, ...given, groupId: group };
    const { errorCode } = await ask(addOffsetsToTxn, 3, member);
    assert.is(errorName(errorCode), expected, JSON.stringify(given));
  }
  assert.is(await commit(identity, {}), "INVALID_TXN_STATE", "the group was not announced");
  const foreign = { ...identity, producerId: producerId + 1000 };
  assert.is(await commit(foreign, {}), "INVALID_PRODUCER_ID_MAPPING");
  await ask(addOffsetsToTxn, 3, { transactionalId: run, ...identity, groupId: group });
  assert.is(await commit(identity, { name: "absent" }), "UNKNOWN_TOPIC_OR_PARTITION");
  assert.is(await commit(identity, { generationId: 7, memberId: "m" }), "ILLEGAL_GENERATION");
  const committedMetadata = "x".repeat(5_000);
  assert.is(await commit(identity, { committedMetadata }), "OFFSET_METADATA_TOO_LARGE");
  assert.is(await commit(identity, {}), "NONE");
  assert.is(await commit(identity, { generationId: 7, memberId: "m" }), "UNKNOWN_MEMBER_ID");
});

test("WriteTxnMarkers by anybody ends what hangs, and breaks nothing else", async () => {
  const { producerId, producerEpoch } = identity;
  assert.is(await write(12, identity), "NONE");
  assert.is(await mark({ ...identity, name: "absent" }), "UNKNOWN_TOPIC_OR_PARTITION");
  const stranger = { producerId: producerId + 1000, producerEpoch: 0 };
  assert.is(await mark(stranger), "NONE", "a marker without a transaction");
  assert.is(await mark({ producerId, producerEpoch: producerEpoch - 1 }), "INVALID_PRODUCER_EPOCH");
  assert.is(await mark(identity), "NONE");
  assert.is(await end(identity, true, 5), "NONE", "the coordinator still ends it");
});

test("an honest transaction commits beside all of that, and nothing else is seen", async () => {
  assert.is(await write(12, identity, { value: "honest", partition: 1 }), "NONE");
  assert.is(await end(identity, true, 5), "NONE");
  if (server === undefined) return;
  const url = `${server.http}/v1/topics/${topic}/partitions/1/records?offset=0`;
  const committed = `${url}&isolation=read_committed`;
  const { records } = await requestJson<{ records: { value: string }[] }>(committed);
  assert.equal(
    records.map(({ value }) => value),
    ["honest"],
  );
  await server.kill();
  await server.restart();
  assert.equal((await requestJson<{ records: unknown }>(committed)).records, records);
});

function wrongMembers(): [ProducerIdentity & { transactionalId?: string }, string][] {
  const { producerId, producerEpoch } = identity;
  return [
    [{ producerId: producerId + 1000, producerEpoch }, "INVALID_PRODUCER_ID_MAPPING"],
    [{ producerId, producerEpoch: producerEpoch - 1 }, "PRODUCER_FENCED"],
    [{ producerId, producerEpoch: producerEpoch + 1 }, "PRODUCER_FENCED"],
    [{ ...identity, transactionalId: `${run}-nobody` }, "INVALID_PRODUCER_ID_MAPPING"],
  ];
}

function init(given: Partial<ProducerIdentity & { transactionTimeoutMs: number }>) {
  const wanted = { transactionalId: run, transactionTimeoutMs: 60_000, ...given };
  return ask(initProducerId, 4, wanted);
}

async function write(
  version: number,
  producer: ProducerIdentity,
  given: { name?: string; partition?: number; attributes?: number; value?: string } = {},
): Promise<string> {
  const { name = topic, partition = 0, attributes = transactional, value = "never" } = given;
  const records = writeBatch([{ value: new TextEncoder().encode(value) }], {
    ...{ producerId: BigInt(producer.producerId), producerEpoch: producer.producerEpoch },
    ...{ baseSequence: 0, attributes, baseTimestamp: now(), maxTimestamp: now() },
  });
  const answer = await ask(produce, version, {
    ...{ transactionalId: run, acks: -1, timeoutMs: 10_000 },
    topicData: [{ name, partitionData: [{ index: partition, records }] }],
  });
  return errorName(answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1);
}

async function add(
  producer: ProducerIdentity & { transactionalId?: string },
  topics: readonly { name: string; partitions: readonly number[] }[],
): Promise<string[]> {
  const asked = { transactionalId: run, ...producer, topics };
  const { results } = await ask(addPartitionsToTxn, 3, asked);
  const codes = topics.flatMap(({ name, partitions }) =>
    partitions.map((partition) => {
      const found = results.find((each) => each.name === name)?.partitions;
      return found?.find((each) => each.partitionIndex === partition)?.errorCode ?? -1;
    }),
  );
  return codes.map(errorName);
}

async function end(
  producer: ProducerIdentity & { transactionalId?: string },
  committed: boolean,
  version = 3,
): Promise<string> {
  const asked = { transactionalId: run, ...producer, committed };
  return errorName((await ask(endTxn, version, asked)).errorCode);
}

async function commit(
  producer: ProducerIdentity,
  given: { name?: string; committedMetadata?: string; generationId?: number; memberId?: string },
): Promise<string> {
  const { name = topic, committedMetadata = "", generationId = -1, memberId = "" } = given;
  const offset = { partitionIndex: 0, committedOffset: 1, committedMetadata };
  const answer = await ask(txnOffsetCommit, 3, {
    ...{ transactionalId: run, ...producer, groupId: group, generationId, memberId },
    topics: [{ name, partitions: [offset] }],
  });
  return errorName(answer.topics[0]?.partitions[0]?.errorCode ?? -1);
}

async function mark(given: ProducerIdentity & { name?: string }): Promise<string> {
  const { name = topic, ...producer } = given;
  const topics = [{ name, partitionIndexes: [0] }];
  const coordinatorEpoch = await knownCoordinatorEpoch();
  const marker = { ...producer, transactionResult: false, topics, coordinatorEpoch };
  const { markers } = await ask(writeTxnMarkers, 1, { markers: [marker] });
  return errorName(markers[0]?.topics[0]?.partitions[0]?.errorCode ?? -1);
}

/** As an operator finds it: what the partition saw of this producer's coordinator. */
async function knownCoordinatorEpoch(): Promise<number> {
  const asked = { topics: [{ name: topic, partitionIndexes: [0] }] };
  const { topics } = await ask(describeProducers, 0, asked);
  const producers = topics[0]?.partitions[0]?.activeProducers ?? [];
  const own = producers.find(({ producerId }) => producerId === identity.producerId);
  return Math.max(0, own?.coordinatorEpoch ?? 0);
}

async function ask<Req, ReqIn, Res, ResIn>(
  api: Api<Req, ReqIn, Res, ResIn>,
  version: number,
  message: ReqIn,
): Promise<Res> {
  return answerOf(api, version, await connection.ask(encode(api, version, message)));
}

/** Coordinators are not there at once, and the last transaction may still be ending. */
async function settled(attempt: () => Promise<number>): Promise<void> {
  let code = await attempt();
  for (let tries = 0; code !== 0; tries++) {
    if (tries === setUpTries) throw new Error(`never ready: ${errorName(code)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    code = await attempt();
  }
}

function now(): bigint {
  return BigInt(Date.now());
}

test.run();
