// The transaction coordinator on real partitions in memory and a clock in the test's hand: every timeout passes
// without being waited for.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { TopicPartition } from "../../../runtime/broker.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import type { Partition } from "../../../runtime/log/partition.ts";
import { TransactionMetrics } from "../../../runtime/telemetry/metrics.ts";
import { transactionsTopic } from "../../../runtime/topic-name.ts";
import type {
  ProducerIdentity,
  TransactionMember,
} from "../../../runtime/transaction-coordinator.ts";
import { Coordinator } from "../../../runtime/transactions/coordinator.ts";
import { LogFixture, platform } from "../../support/log-fixture.ts";

const refuses = (code: string) => (error: unknown) =>
  error instanceof BrokerError && error.code === code;
const place: TopicPartition = { topic: "t", partition: 0 };

class World {
  readonly log = new LogFixture();
  readonly counters = new TransactionMetrics();
  readonly reports: unknown[] = [];
  readonly ended: string[] = [];
  nextProducerId = 100;
  state: Partition | undefined;
  records: Partition;
  coordinator: Coordinator;
  readonly #flush: string;

  constructor(flush = "os") {
    this.#flush = flush;
    this.records = this.#open("t");
    this.coordinator = this.newCoordinator();
  }

  /** As a new process on the same files. */
  async restart(): Promise<void> {
    this.coordinator.close();
    this.log.reopen();
    this.records = this.#open("t");
    if (this.state) this.state = this.#open(transactionsTopic);
    this.coordinator = this.newCoordinator();
    await this.coordinator.load();
  }

  async init(id = "id", given?: ProducerIdentity): Promise<TransactionMember> {
    const identity = await this.coordinator.initProducer({
      transactionalId: id,
      transactionTimeoutMs: 60_000,
      producerId: given?.producerId ?? -1,
      producerEpoch: given?.producerEpoch ?? -1,
    });
    return { transactionalId: id, ...identity };
  }

  write(member: TransactionMember, value: string, baseSequence = 0): void {
    const { producerId, producerEpoch } = member;
    const identity = { producerId, producerEpoch, baseSequence, isTransactional: true };
    this.records.append(this.log.batch([value], identity), { waits: true, isVerified: true });
  }

  #open(topic: string): Partition {
    return this.log.partition({ "timberline.flush": this.#flush }, topic);
  }

  newCoordinator(): Coordinator {
    const world = this;
    return new Coordinator({
      core: platform.core,
      codecs: platform.codecs,
      clock: this.log.clock,
      brokerId: 1,
      counters: this.counters,
      groups: {
        partitionOf: async () => 0,
        commitInTransaction: async ({ offsets }) => offsets.map(() => null),
        endTransaction: (_partition, producerId, isCommit) =>
          this.ended.push(`${producerId} ${isCommit}`),
      },
      report: (error) => this.reports.push(error),
      partition({ topic }) {
        if (topic === "t" || topic === "__consumer_offsets") return world.records;
        throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", topic);
      },
      leaderOf: () => 1,
      stateLeader: () => 1,
      watchStates: () => () => {},
      remote: { admit: async () => {}, writeMarkers: async () => [] },
      statePartitionCount: () => (this.state ? 1 : 0),
      statePartition: () => this.state!,
      createStateTopic: async () => {
        this.state = this.#open(transactionsTopic);
      },
      allocateProducerId: async () => this.nextProducerId++,
      limits: () => ({
        timeoutMsMax: 900_000,
        timeoutCheckMs: 10_000,
        idExpirationMs: 1_000_000,
        expirationCheckMs: 100_000,
      }),
    });
  }
}

async function world(flush?: string): Promise<World> {
  const made = new World(flush);
  await made.coordinator.load();
  return made;
}

const v1 = { isCommit: true, bumpsEpoch: false };
const v2 = { isCommit: true, bumpsEpoch: true };

test("initProducer() gives a new id epoch 0 and the next instance the next epoch", async () => {
  const { coordinator } = await world();
  const first = await coordinator.initProducer({
    transactionalId: "id",
    transactionTimeoutMs: 1000,
    producerId: 0,
    producerEpoch: 0,
  });
  assert.equal(first, { producerId: 100, producerEpoch: 0 }, "0/0 is taken for a new id");
  const second = await coordinator.initProducer({
    transactionalId: "id",
    transactionTimeoutMs: 1000,
    producerId: -1,
    producerEpoch: -1,
  });
  assert.equal(second, { producerId: 100, producerEpoch: 1 });
});

test("initProducer() refuses foreign identities and timeouts outside the limits", async () => {
  const w = await world();
  await w.init();
  for (const given of [
    { producerId: 0, producerEpoch: 0 },
    { producerId: 100, producerEpoch: 7 },
  ]) {
    await rejects(w.init("id", given), "PRODUCER_FENCED");
  }
  for (const transactionTimeoutMs of [0, -1, 900_001]) {
    const asked = { transactionalId: "x", transactionTimeoutMs, producerId: -1, producerEpoch: -1 };
    await rejects(w.coordinator.initProducer(asked), "INVALID_TRANSACTION_TIMEOUT");
  }
});

test("initProducer() answers the same again to a producer whose answer got lost", async () => {
  const w = await world();
  const first = await w.init();
  const second = await w.init("id", first);
  assert.is(second.producerEpoch, 1);
  assert.equal(await w.init("id", first), second);
  const third = await w.init("id", second);
  assert.is(third.producerEpoch, 2);
  await rejects(w.init("id", first), "PRODUCER_FENCED");
});

test("end() takes a new producer id when epochs are used up", async () => {
  const w = await world();
  let member = await w.init();
  for (let ends = 0; ends < 32_767; ends++) {
    member = { ...member, ...(await w.coordinator.end(member, { ...v2, isCommit: false })) };
  }
  assert.equal([member.producerId, member.producerEpoch], [101, 0]);
  await w.coordinator.addPartitions(member, [place]);
  w.write(member, "a");
  assert.is((await w.coordinator.end(member, v2)).producerEpoch, 1);
});

test("addPartitions() opens a transaction, end() writes markers and closes it", async () => {
  const w = await world();
  const member = await w.init();
  await w.coordinator.addPartitions(member, [place]);
  assert.is(w.coordinator.describe("id").phase, "Ongoing");
  w.write(member, "a");
  assert.is(w.records.lastStableOffset, 0);
  await w.coordinator.end(member, v1);
  assert.is(w.coordinator.describe("id").phase, "CompleteCommit");
  assert.is(w.records.lastStableOffset, 2);
  assert.equal(await w.coordinator.end(member, v1), {
    producerId: 100,
    producerEpoch: 0,
  });
  await rejects(w.coordinator.end(member, { ...v1, isCommit: false }), "INVALID_TXN_STATE");
});

test("end() of protocol V2 raises the epoch and answers its repetition alike", async () => {
  const w = await world();
  const member = await w.init();
  await w.coordinator.admit(member, place, { mayAdd: true });
  w.write(member, "a");
  const next = { ...member, ...(await w.coordinator.end(member, v2)) };
  assert.is(next.producerEpoch, 1);
  assert.equal(await w.coordinator.end(member, v2), { producerId: 100, producerEpoch: 1 });
  await rejects(w.coordinator.end(next, v2), "INVALID_TXN_STATE");
  const aborted = await w.coordinator.end(next, { ...v2, isCommit: false });
  assert.is(aborted.producerEpoch, 2, "an abort of nothing is an end too");
  assert.throws(() => w.write(member, "late", 1), refuses("INVALID_PRODUCER_EPOCH"));
});

test("foreign ids, old epochs and unknown members get Kafka's errors", async () => {
  const w = await world();
  const member = await w.init();
  const old = { ...member, producerEpoch: -5 };
  const foreign = { ...member, producerId: 7 };
  const unknown = { ...member, transactionalId: "nobody" };
  await rejects(w.coordinator.addPartitions(old, [place]), "PRODUCER_FENCED");
  await rejects(w.coordinator.addPartitions(foreign, [place]), "INVALID_PRODUCER_ID_MAPPING");
  assert.throws(
    () => w.coordinator.addPartitions(unknown, [place]),
    refuses("INVALID_PRODUCER_ID_MAPPING"),
  );
  await rejects(w.coordinator.end(old, v1), "PRODUCER_FENCED");
  await rejects(w.coordinator.end(member, v1), "INVALID_TXN_STATE");
  const reject = (producer: ProducerIdentity) => () =>
    w.coordinator.admit(producer, place, { mayAdd: false });
  assert.throws(reject(foreign), refuses("INVALID_PRODUCER_ID_MAPPING"));
  assert.throws(reject(member), refuses("TRANSACTION_ABORTABLE"));
  assert.throws(reject(old), refuses("INVALID_PRODUCER_EPOCH"));
});

test("a new instance aborts what the old one left and fences it", async () => {
  const w = await world();
  const old = await w.init();
  await w.coordinator.addPartitions(old, [place]);
  w.write(old, "left");
  const young = await w.init();
  assert.is(young.producerEpoch, 2);
  assert.is(w.records.lastStableOffset, w.records.highWatermark);
  assert.is(w.counters.transactionsAborted, 1);
  await rejects(w.coordinator.end(old, v1), "PRODUCER_FENCED");
});

test("a transaction that is open for too long is aborted and its producer fenced", async () => {
  const w = await world();
  const member = await w.init();
  await w.coordinator.addPartitions(member, [place]);
  w.write(member, "slow");
  await w.log.clock.advance(59_000);
  assert.is(w.coordinator.describe("id").phase, "Ongoing");
  await w.log.clock.advance(11_000);
  assert.is(w.coordinator.describe("id").phase, "CompleteAbort");
  assert.is(w.records.lastStableOffset, 2);
  await rejects(w.coordinator.end(member, v1), "PRODUCER_FENCED");
  assert.is(w.counters.transactionsTimedOut, 1);
  assert.is((await w.init()).producerEpoch, 2);
});

test("an id that nobody uses is forgotten", async () => {
  const w = await world();
  await w.init();
  await w.log.clock.advance(900_000);
  assert.is(
    w.coordinator.list({ phases: [], producerIds: [], openForMs: -1, idPattern: null }).length,
    1,
  );
  await w.log.clock.advance(200_000);
  assert.throws(() => w.coordinator.describe("id"), refuses("TRANSACTIONAL_ID_NOT_FOUND"));
  await w.restart();
  assert.throws(() => w.coordinator.describe("id"), refuses("TRANSACTIONAL_ID_NOT_FOUND"));
});

test("requests answer only after the state is synced, and wait for markers of the one before", async () => {
  const w = await world("group");
  const member = await settled(w, w.init());
  let isAdded = false;
  const adding = Promise.resolve(w.coordinator.addPartitions(member, [place])).then(() => {
    isAdded = true;
  });
  for (let i = 0; i < 100; i++) await Promise.resolve();
  assert.not(isAdded, "not before the sync");
  await settled(w, adding);
  await settled(w, w.coordinator.end(member, v1));
  await settled(w, Promise.resolve(w.coordinator.addPartitions(member, [place])));
  assert.is(w.coordinator.describe("id").phase, "Ongoing");
});

/** Turns the event loop until the promise has an answer. */
async function settled<T>(w: World, promise: Promise<T>): Promise<T> {
  let isDone = false;
  const done = () => {
    isDone = true;
  };
  promise.then(done, done);
  for (let turns = 0; turns < 100 && !isDone; turns++) await w.log.clock.turn();
  assert.ok(isDone, "the request is never answered");
  return promise;
}

test("every request is COORDINATOR_LOAD_IN_PROGRESS until load() is done", async () => {
  const w = await world();
  const member = await w.init();
  await w.coordinator.addPartitions(member, [place]);
  w.coordinator.close();
  w.coordinator = w.newCoordinator();
  const { coordinator } = w;
  const filter = { phases: [], producerIds: [], openForMs: -1, idPattern: null };
  for (const asked of [
    () => w.init(),
    () => coordinator.addPartitions(member, [place]),
    () => coordinator.addGroup(member, "g"),
    () => coordinator.end(member, v1),
    () => coordinator.admit(member, place, { mayAdd: true }),
    () => coordinator.describe("id"),
    () => coordinator.list(filter),
  ]) {
    await rejects(new Promise((resolve) => resolve(asked())), "COORDINATOR_LOAD_IN_PROGRESS");
  }
  await coordinator.load();
  await coordinator.end(member, v1);
  assert.is(coordinator.describe("id").phase, "CompleteCommit");
});

test("load() finishes what was decided and goes on with what was open", async () => {
  const w = await world();
  const one = await w.init("one");
  const two = await w.init("two");
  await w.coordinator.addPartitions(one, [place]);
  await w.coordinator.addPartitions(two, [place]);
  w.write(one, "a");
  w.write(two, "b");
  // The decision is durable, the disk fails before the markers.
  const { records } = w;
  records.fault = new BrokerError("KAFKA_STORAGE_ERROR", "away");
  await w.coordinator.end(one, v1);
  assert.is(w.coordinator.describe("one").phase, "PrepareCommit");
  await rejects(
    Promise.all([w.coordinator.end(one, v1), w.log.clock.advance(5000)]),
    "CONCURRENT_TRANSACTIONS",
  );
  await w.restart();
  assert.is(w.coordinator.describe("one").phase, "CompleteCommit");
  assert.is(w.coordinator.describe("two").phase, "Ongoing");
  assert.is(w.records.lastStableOffset, 1, "the second is open from offset 1 on");
  w.write(two, "c", 1);
  await w.coordinator.end(two, v1);
  assert.is(w.records.lastStableOffset, w.records.highWatermark);
});

test("what waited for an end does not undo it when the state was read anew meanwhile", async () => {
  const w = await world();
  const member = await w.init();
  await w.coordinator.addPartitions(member, [place]);
  w.write(member, "a");
  w.records.fault = new BrokerError("KAFKA_STORAGE_ERROR", "away");
  const next = { ...member, ...(await w.coordinator.end(member, v2)) };
  const waiting = Promise.resolve(w.coordinator.addPartitions(next, [place]));
  // Its part of the states has another leader epoch now, under the same leader.
  await w.log.clock.advance(500);
  w.state!.leaderEpoch++;
  await w.coordinator.follow();
  await rejects(Promise.all([waiting, w.log.clock.advance(900)]), "COORDINATOR_LOAD_IN_PROGRESS");
  assert.is(w.coordinator.describe("id").phase, "PrepareCommit");
  w.records.fault = undefined;
  await w.log.clock.advance(2_000);
  assert.is(w.coordinator.describe("id").phase, "CompleteCommit");
});

test("offsets of a group are part of the transaction", async () => {
  const w = await world();
  const member = await w.init();
  const commit = {
    ...member,
    groupId: "g",
    memberId: "",
    groupInstanceId: null,
    generation: -1,
    offsets: [{ ...place, offset: 5, leaderEpoch: -1, metadata: "" }],
  };
  await rejects(w.coordinator.commitOffsets(commit, { addsGroup: false }), "TRANSACTION_ABORTABLE");
  await w.coordinator.addGroup(member, "g");
  assert.equal(await w.coordinator.commitOffsets(commit, { addsGroup: false }), [null]);
  await w.coordinator.end(member, v1);
  assert.equal(w.ended, ["100 true"]);
});

test("markers for topics that are gone are left out", async () => {
  const w = await world();
  const member = await w.init();
  await w.coordinator.addPartitions(member, [{ topic: "gone", partition: 0 }, place]);
  w.write(member, "a");
  await w.coordinator.end(member, v1);
  assert.is(w.coordinator.describe("id").phase, "CompleteCommit");
});

async function rejects(asked: unknown, code: string): Promise<void> {
  try {
    await asked;
  } catch (error) {
    assert.instance(error, BrokerError);
    assert.is((error as BrokerError).code, code);
    return;
  }
  assert.unreachable(`expected ${code}`);
}

test.run();
