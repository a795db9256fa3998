// The hot APIs: what they ask the broker, how they say its answers, and their bytes on the wire.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import { createFetchHandler, fetch } from "../../../runtime/kafka/apis/fetch.ts";
import { handleListOffsets } from "../../../runtime/kafka/apis/list-offsets.ts";
import { handleMetadata, metadata } from "../../../runtime/kafka/apis/metadata.ts";
import {
  handleOffsetForLeaderEpoch,
  offsetForLeaderEpoch,
} from "../../../runtime/kafka/apis/offset-for-leader-epoch.ts";
import { handleProduce, produce } from "../../../runtime/kafka/apis/produce.ts";
import { errorCodes, errorName } from "../../../runtime/kafka/error-codes.ts";
import { FetchSessions } from "../../../runtime/kafka/fetch-sessions.ts";
import type { HandlerContext } from "../../../runtime/kafka/handler.ts";
import { Reader } from "../../../runtime/kafka/reader.ts";
import type { RequestInput } from "../../../runtime/kafka/schema.ts";
import { Writer } from "../../../runtime/kafka/writer.ts";
import type { Records } from "../../../runtime/records.ts";
import { hex, joined, unhex } from "./bytes.ts";
import {
  appended,
  batchOf,
  FakeBroker,
  fakePlatform,
  fetched,
  idOf,
  topicRecord,
} from "./fakes.ts";

function setUp(apiVersion: number) {
  const { platform } = fakePlatform();
  const broker = new FakeBroker().add(topicRecord("t", 2));
  const reports: string[] = [];
  const closed: string[] = [];
  const context: HandlerContext = {
    broker: broker.broker,
    platform,
    clientId: "test",
    apiVersion,
    report: (_error, what) => reports.push(what),
    connection: {
      id: 1,
      remoteAddress: "127.0.0.1",
      remotePort: 1,
      listener: "PLAINTEXT",
      signal: new AbortController().signal,
      close: (reason) => closed.push(reason),
    },
  };
  return { broker, context, reports, closed, sessions: new FetchSessions(platform) };
}

/** As a client encodes it and the door decodes it. */
function produceRequest(version: number, message: RequestInput<typeof produce>) {
  const writer = new Writer();
  produce.encodeRequest(version, message, writer);
  return produce.decodeRequest(version, new Reader(joined(writer)));
}

function produceTo(
  version: number,
  batches: (Uint8Array | null)[],
  given: { acks?: number; name?: string; topicId?: string } = {},
) {
  const { acks = -1, name = "t", topicId = idOf("t") } = given;
  const partitionData = batches.map((records, index) => ({ index, records }));
  const topicData = [{ name, topicId, partitionData }];
  return produceRequest(version, { acks, timeoutMs: 5, topicData });
}

async function partitionCodes(answer: ReturnType<typeof handleProduce>): Promise<number[]> {
  const response = await answer;
  return (
    response?.responses.flatMap((topic) =>
      topic.partitionResponses.map(({ errorCode }) => errorCode),
    ) ?? []
  );
}

// ---- Produce ----

test("handleProduce() answers at once when the broker does, and tells offsets", () => {
  const { broker, context } = setUp(9);
  broker.onAppend = () => ({ ...appended(42), logAppendTimeMs: 99, logStartOffset: 3 });
  const answer = handleProduce(produceTo(9, [batchOf(70)]), context);
  assert.not(answer instanceof Promise);
  const writer = new Writer();
  produce.encodeResponse(9, answer as never, writer);
  const expected =
    "02 02 74 02 00000000 0000 000000000000002a 0000000000000063 0000000000000003 01 00 00 00 00000000 00";
  assert.is(hex(joined(writer)), expected.replaceAll(" ", ""));
});

test("produce v3 request decodes from bytes made by hand", () => {
  const bytes = "ffff ffff 00007530 00000001 0001 74 00000001 00000000 00000003 010203".replaceAll(
    " ",
    "",
  );
  const request = produce.decodeRequest(3, new Reader(unhex(bytes)));
  assert.is(request.transactionalId, null);
  assert.equal([request.acks, request.timeoutMs], [-1, 30000]);
  const partition = request.topicData[0]?.partitionData[0];
  assert.equal([...(partition?.records ?? [])], [1, 2, 3]);
});

test("handleProduce() starts all appends before it returns, and fails partitions one by one", async () => {
  const { broker, context, reports } = setUp(9);
  broker.onAppend = ({ partition }) => {
    if (partition === 0) return Promise.resolve(appended(1));
    if (partition === 1) throw new BrokerError("NOT_LEADER_OR_FOLLOWER", "elsewhere");
    return Promise.reject(new TypeError("a bug"));
  };
  const answer = handleProduce(produceTo(9, [batchOf(70), batchOf(70), batchOf(70)]), context);
  assert.is(broker.appends.length, 3);
  assert.equal(await partitionCodes(answer), [0, 6, -1]);
  assert.is(reports.length, 1);
});

test("handleProduce() refuses what is not exactly one batch of magic 2", async () => {
  const { broker, context } = setUp(9);
  const two = new Uint8Array(140);
  two.set(batchOf(70));
  two.set(batchOf(70), 70);
  const old = batchOf(70);
  old[16] = 1;
  const batches = [null, new Uint8Array(0), new Uint8Array(20), two, old];
  const codes = await partitionCodes(handleProduce(produceTo(9, batches), context));
  assert.equal(codes, [87, 87, 87, 87, 87]);
  assert.is(broker.appends.length, 0);
});

test("handleProduce() refuses zstd before version 7, and unknown acks", async () => {
  const zstd = batchOf(70);
  zstd[22] = 4;
  const old = setUp(6);
  assert.equal(await partitionCodes(handleProduce(produceTo(6, [zstd]), old.context)), [76]);
  const now = setUp(7);
  assert.equal(await partitionCodes(handleProduce(produceTo(7, [zstd]), now.context)), [0]);
  const acks = produceTo(7, [batchOf(70), batchOf(70)], { acks: 2 });
  assert.equal(await partitionCodes(handleProduce(acks, now.context)), [21, 21]);
  assert.is(now.broker.appends.length, 1);
});

test("handleProduce() v13 names topics by id and says the new leader", async () => {
  const { broker, context } = setUp(13);
  assert.equal(await partitionCodes(handleProduce(produceTo(13, [batchOf(70)]), context)), [0]);
  assert.is(broker.appends[0]?.topic, "t");
  const unknown = produceTo(13, [batchOf(70)], { topicId: idOf("other") });
  assert.equal(await partitionCodes(handleProduce(unknown, context)), [100]);
  broker.onAppend = () => {
    throw new BrokerError("NOT_LEADER_OR_FOLLOWER", "elsewhere");
  };
  const answer = await handleProduce(produceTo(13, [batchOf(70)]), context);
  assert.equal(answer?.responses[0]?.partitionResponses[0]?.currentLeader, {
    leaderId: 1,
    leaderEpoch: 3,
  });
  assert.is(answer?.nodeEndpoints?.[0]?.port, 9092);
});

test("handleProduce() with acks=0 has no answer and closes on errors", async () => {
  const { broker, context, closed } = setUp(9);
  assert.is(handleProduce(produceTo(9, [batchOf(70)], { acks: 0 }), context), null);
  assert.is(closed.length, 0);
  broker.onAppend = () => Promise.reject(new BrokerError("CORRUPT_MESSAGE", "crc"));
  assert.is(await handleProduce(produceTo(9, [batchOf(70)], { acks: 0 }), context), null);
  assert.is(closed.length, 1);
});

// ---- Fetch ----

function fetchRequest(version: number, given: Partial<RequestInput<typeof fetch>> = {}) {
  const writer = new Writer();
  const partition = { partition: 0, fetchOffset: 5, partitionMaxBytes: 100 };
  const topics = [{ topic: "t", topicId: idOf("t"), partitions: [partition] }];
  const message = { maxWaitMs: 500, minBytes: 1, maxBytes: 1 << 30, topics, ...given };
  fetch.encodeRequest(version, message, writer);
  return fetch.decodeRequest(version, new Reader(joined(writer)));
}

test("fetch handler asks the broker within its own limit and encodes v4 byte for byte", () => {
  const { broker, context, sessions } = setUp(4);
  const records: Records = { length: 3, parts: [Uint8Array.of(1, 2, 3)], release() {} };
  broker.onFetch = () => [fetched("t", 0, { records, lastStableOffset: 9 })];
  const answer = createFetchHandler(sessions)(fetchRequest(4, { isolationLevel: 1 }), context);
  const asked = broker.fetches[0];
  assert.is(asked?.bytesMax, 55 * 1024 * 1024);
  assert.is(asked?.isolation, "read_committed");
  assert.equal(asked?.partitions, [
    { topic: "t", partition: 0, offset: 5, bytesMax: 100, currentLeaderEpoch: -1 },
  ]);
  const writer = new Writer();
  fetch.encodeResponse(4, answer as never, writer);
  const expected =
    "00000000 00000001 0001 74 00000001 00000000 0000 000000000000000a 0000000000000009 ffffffff 00000003 010203";
  assert.is(hex(joined(writer)), expected.replaceAll(" ", ""));
});

test("fetch handler v13 finds topics by id; unknown ones fail without asking the broker", async () => {
  const { broker, context, sessions } = setUp(13);
  const handle = createFetchHandler(sessions);
  const answer = await handle(fetchRequest(13), context);
  assert.is(answer?.responses[0]?.topicId, idOf("t"));
  const partition = { partition: 0, fetchOffset: 0, partitionMaxBytes: 1 };
  const topics = [{ topicId: idOf("nope"), partitions: [partition] }];
  const unknown = await handle(fetchRequest(13, { topics }), context);
  assert.is(unknown?.responses[0]?.partitions[0]?.errorCode, 100);
  assert.is(broker.fetches.length, 1);
});

test("fetch handler keeps failed and found partitions in the order asked", async () => {
  const { broker, context, sessions } = setUp(11);
  broker.onFetch = ({ partitions }) =>
    partitions.map(({ topic, partition }) =>
      fetched(topic, partition, { highWatermark: partition }),
    );
  const ask = (...numbers: number[]) =>
    numbers.map((partition) => ({ partition, fetchOffset: 0, partitionMaxBytes: 1 }));
  const topics = [
    { topic: "t", partitions: ask(1) },
    { topic: "gone", partitions: ask(0) },
    { topic: "t", partitions: ask(0) },
  ];
  const answer = await createFetchHandler(sessions)(fetchRequest(11, { topics }), context);
  const told = answer?.responses.map(({ topic, partitions }) => [
    topic,
    partitions[0]?.errorCode,
    partitions[0]?.highWatermark,
  ]);
  assert.equal(told, [
    ["t", 0, 1],
    ["gone", 3, -1],
    ["t", 0, 0],
  ]);
});

test("fetch handler tells errors of sessions at the top", async () => {
  const { context, sessions } = setUp(11);
  const handle = createFetchHandler(sessions);
  const answer = await handle(fetchRequest(11, { sessionId: 9, sessionEpoch: 4 }), context);
  assert.equal([answer?.errorCode, answer?.responses], [70, []]);
  const first = await handle(fetchRequest(11, { sessionEpoch: 0 }), context);
  assert.ok((first?.sessionId ?? 0) > 0);
  const next = fetchRequest(11, { sessionId: first?.sessionId ?? 0, sessionEpoch: 1, topics: [] });
  const second = await handle(next, context);
  assert.equal([second?.sessionId, second?.responses], [first?.sessionId, []]);
});

test("fetch handler refuses followers", async () => {
  const { broker, context, sessions } = setUp(11);
  const answer = await createFetchHandler(sessions)(fetchRequest(11, { replicaId: 2 }), context);
  assert.is(answer?.responses[0]?.partitions[0]?.errorCode, 31);
  assert.is(broker.fetches.length, 0);
});

// ---- Metadata ----

async function topicsOf(
  version: number,
  message: RequestInput<typeof metadata>,
  prepare: (broker: FakeBroker) => void = () => {},
) {
  const { broker, context } = setUp(version);
  prepare(broker);
  const writer = new Writer();
  metadata.encodeRequest(version, message, writer);
  const request = metadata.decodeRequest(version, new Reader(joined(writer)));
  const answer = await handleMetadata(request, context);
  const named = answer?.topics.map(({ name, errorCode }) => `${name}:${errorCode}`);
  return { answer, named, broker };
}

test("handleMetadata() v0 reads an empty list as all topics, later ones as none", async () => {
  assert.equal((await topicsOf(0, { topics: [] })).named, ["t:0"]);
  assert.equal((await topicsOf(1, { topics: [] })).named, []);
  assert.equal((await topicsOf(1, { topics: null })).named, ["t:0"]);
});

test("handleMetadata() creates missing topics only if the client allows it", async () => {
  const topics = [{ name: "new" }, { name: "t" }, { name: "new" }];
  const created = await topicsOf(4, { topics, allowAutoTopicCreation: true });
  assert.equal(created.named, ["new:0", "t:0", "new:0"]);
  assert.equal(created.broker.created, ["new"]);
  const not = await topicsOf(4, { topics, allowAutoTopicCreation: false });
  assert.equal(not.named, ["new:3", "t:0", "new:3"]);
  assert.equal(not.broker.created, []);
});

test("handleMetadata() tells why a topic could not be created", async () => {
  const topics = [{ name: "bad" }, { name: "raced" }];
  const { named } = await topicsOf(4, { topics }, (broker) => {
    broker.onAutoCreate = async (name) => {
      if (name === "bad") throw new BrokerError("INVALID_TOPIC_EXCEPTION", "no");
      broker.add(topicRecord(name));
      throw new BrokerError("TOPIC_ALREADY_EXISTS", "another client was faster");
    };
  });
  assert.equal(named, ["bad:17", "raced:0"]);
});

test("handleMetadata() finds by topic id, and says when there is none", async () => {
  const topics = [
    { topicId: idOf("t"), name: null },
    { topicId: idOf("x"), name: null },
  ];
  const { named, broker } = await topicsOf(12, { topics });
  assert.equal(named, ["t:0", "null:100"]);
  assert.equal(broker.created, []);
});

test("handleMetadata() gives authorized operations only when asked", async () => {
  const topics = [{ name: "t" }];
  const silent = await topicsOf(8, { topics });
  assert.is(silent.answer?.topics[0]?.topicAuthorizedOperations, -2147483648);
  assert.is(silent.answer?.clusterAuthorizedOperations, -2147483648);
  const asked = {
    includeTopicAuthorizedOperations: true,
    includeClusterAuthorizedOperations: true,
  };
  const told = await topicsOf(8, { topics, ...asked });
  assert.is(told.answer?.topics[0]?.topicAuthorizedOperations, 3576);
  assert.is(told.answer?.clusterAuthorizedOperations, 8096);
});

test("metadata v1 answer is byte for byte what Kafka's protocol says", async () => {
  const { answer } = await topicsOf(1, { topics: [{ name: "t" }] });
  const writer = new Writer();
  metadata.encodeResponse(1, answer as never, writer);
  const broker = "00000001 00000001 0009 6c6f63616c686f7374 00002384 ffff 00000001";
  const partition = (n: string) => `0000 0000000${n} 00000001 00000001 00000001 00000001 00000001`;
  const topic = `00000001 0000 0001 74 00 00000002 ${partition("0")} ${partition("1")}`;
  assert.is(hex(joined(writer)), `${broker}${topic}`.replaceAll(" ", ""));
});

// ---- offsets ----

function listOne(version: number, timestamp: number, asks: unknown[] = []) {
  const { broker, context } = setUp(version);
  Object.assign(broker, {
    listOffsets: async (request: { spec: unknown; partition: number }) => {
      asks.push(request.spec);
      if (request.partition === 1) throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", "no");
      return { error: null, offset: 7, timestampMs: 8, leaderEpoch: 3 };
    },
  });
  const partitions = [0, 1].map((partitionIndex) => ({
    partitionIndex,
    currentLeaderEpoch: -1,
    timestamp,
  }));
  const topics = [{ name: "t", partitions }];
  return handleListOffsets({ replicaId: -1, isolationLevel: 0, topics, timeoutMs: 0 }, context);
}

test("handleListOffsets() knows the special timestamps of each version", async () => {
  const asks: unknown[] = [];
  for (const timestamp of [-1, -2, -3, -4, 5]) await listOne(10, timestamp, asks);
  assert.equal(
    asks.filter((_, i) => i % 2 === 0),
    ["latest", "earliest", "max-timestamp", "earliest-local", { timestampMs: 5 }],
  );
  const codes = async (version: number, timestamp: number) =>
    (await listOne(version, timestamp))?.topics[0]?.partitions.map(({ errorCode }) => errorCode);
  assert.equal(await codes(6, -3), [35, 35]);
  assert.equal(await codes(7, -4), [35, 35]);
  assert.equal(await codes(10, -9), [35, 35]);
  assert.equal(await codes(10, -5), [0, 0]);
  assert.equal(await codes(10, -1), [0, 3]);
});

test("handleListOffsets() refuses a partition that is named twice", async () => {
  const { context } = setUp(5);
  const partition = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 };
  const topics = [{ name: "t", partitions: [partition, partition] }];
  const request = { replicaId: -1, isolationLevel: 0, topics, timeoutMs: 0 };
  const answer = await handleListOffsets(request, context);
  assert.equal(
    answer?.topics[0]?.partitions.map(({ errorCode }) => errorCode),
    [42, 42],
  );
});

test("handleOffsetForLeaderEpoch() tells the end, or the error of one partition", async () => {
  const { broker, context } = setUp(4);
  Object.assign(broker, {
    epochEndOffset: ({ partition }: { partition: number }) => {
      if (partition > 0) throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", "no");
      return { error: null, leaderEpoch: 3, endOffset: 10 };
    },
  });
  const ask = (partition: number) => ({ partition, leaderEpoch: 3, currentLeaderEpoch: -1 });
  const topics = [{ topic: "t", partitions: [ask(0), ask(1)] }];
  const answer = await handleOffsetForLeaderEpoch({ replicaId: -2, topics }, context);
  const writer = new Writer();
  offsetForLeaderEpoch.encodeResponse(2, answer as never, writer);
  const expected =
    "00000000 00000001 0001 74 00000002 0000 00000000 00000003 000000000000000a 0003 00000001 ffffffff ffffffffffffffff";
  assert.is(hex(joined(writer)), expected.replaceAll(" ", ""));
});

test("errorName() and errorCodes are one another's inverse, without gaps", () => {
  const codes = Object.values(errorCodes).toSorted((a, b) => a - b);
  assert.equal(
    codes,
    Array.from({ length: codes.length }, (_, i) => i - 1),
  );
  for (const [name, code] of Object.entries(errorCodes)) assert.is(errorName(code), name);
});

test.run();
