// Fetch: what it asks the broker, how it answers, sessions and topic ids.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createFetchHandler, fetch } from "../../../../runtime/kafka/apis/fetch.ts";
import { Reader } from "../../../../runtime/kafka/reader.ts";
import type { RequestInput } from "../../../../runtime/kafka/schema.ts";
import { Writer } from "../../../../runtime/kafka/writer.ts";
import type { Records } from "../../../../runtime/records.ts";
import { hex, joined } from "../bytes.ts";
import { fetched, idOf } from "../fakes.ts";
import { setUp } from "./handler-context.ts";

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
  const rest = { currentLeaderEpoch: -1, lastFetchedEpoch: -1, highWatermarkKnown: 2 ** 63 };
  assert.equal(asked?.partitions, [
    { topic: "t", partition: 0, offset: 5, bytesMax: 100, ...rest },
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

test.run();
