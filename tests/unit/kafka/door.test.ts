// The Kafka door with a client at one end and a made-up broker at the other: order, pipelining, back pressure,
// limits, and what bad requests do.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { apiVersions } from "../../../runtime/kafka/apis/api-versions.ts";
import { createTopics } from "../../../runtime/kafka/apis/create-topics.ts";
import { fetch } from "../../../runtime/kafka/apis/fetch.ts";
import { metadata } from "../../../runtime/kafka/apis/metadata.ts";
import { produce } from "../../../runtime/kafka/apis/produce.ts";
import { createKafkaDoor } from "../../../runtime/kafka/door.ts";
import type { DoorLimits } from "../../../runtime/kafka/limits.ts";
import { concat, hex, unhex } from "./bytes.ts";
import {
  answerOf,
  appended,
  batchOf,
  FakeBroker,
  FakeConnection,
  fakePlatform,
  fetched,
  requestFrame,
  settled,
  topicRecord,
} from "./fakes.ts";

function setUp(limits: Partial<DoorLimits> = {}) {
  const { platform, clock, memory } = fakePlatform();
  const broker = new FakeBroker().add(topicRecord("t", 4));
  const notices: string[] = [];
  const reports: unknown[] = [];
  const door = createKafkaDoor({
    platform,
    broker: broker.broker,
    report: (error) => reports.push(error),
    notice: (message) => notices.push(message),
    limits,
  });
  const connect = (address?: string) => {
    const connection = new FakeConnection(address);
    door.accept(connection);
    return connection;
  };
  return { door, broker, clock, memory, notices, reports, connect };
}

function produceFrame(correlationId: number, acks = -1, batch = batchOf(100)): Uint8Array {
  return requestFrame(
    produce,
    { version: 9, correlationId },
    {
      acks,
      timeoutMs: 1000,
      topicData: [{ name: "t", partitionData: [{ index: 0, records: batch }] }],
    },
  );
}

function metadataFrame(correlationId: number): Uint8Array {
  return requestFrame(metadata, { version: 9, correlationId }, { topics: [{ name: "t" }] });
}

test("accept() answers requests in their order though later ones are ready first", async () => {
  const { broker, connect } = setUp();
  const finish: ((value: ReturnType<typeof appended>) => void)[] = [];
  broker.onAppend = () => new Promise((resolve) => finish.push(resolve));
  const client = connect();
  client.send(concat([produceFrame(1), metadataFrame(2), produceFrame(3), metadataFrame(4)]));
  finish[1]?.(appended(7));
  await settled();
  assert.equal(client.correlationIds(), []);
  finish[0]?.(appended(5));
  await settled();
  assert.equal(client.correlationIds(), [1, 2, 3, 4]);
  const answer = answerOf(produce, 9, client.frames()[2]);
  assert.is(answer.responses[0]?.partitionResponses[0]?.baseOffset, 7);
});

test("small answers that are ready together leave in one write", async () => {
  const { connect } = setUp();
  const client = connect();
  client.send(concat([1, 2, 3, 4, 5].map(metadataFrame)));
  assert.is(client.writes, 1);
  assert.equal(client.correlationIds(), [1, 2, 3, 4, 5]);
});

test("Produce with acks=0 has no answer, and an error closes the connection", async () => {
  const { broker, connect, notices } = setUp();
  const client = connect();
  client.send(concat([produceFrame(1, 0), metadataFrame(2)]));
  assert.equal(client.correlationIds(), [2]);
  broker.onAppend = () => {
    throw new Error("disk on fire");
  };
  client.send(produceFrame(3, 0));
  assert.is(client.destroyed, true);
  assert.match(notices[0] ?? "", /acks=0/);
});

test("every append of a request sees its own bytes though the memory moves under them", async () => {
  const { broker, connect, memory } = setUp();
  broker.onAppend = () => {
    memory.grow();
    return appended(0);
  };
  const client = connect();
  const batches = [1, 2, 3, 4].map((fill) => batchOf(200, fill));
  const frame = requestFrame(
    produce,
    { version: 9 },
    {
      acks: 1,
      timeoutMs: 1000,
      topicData: [
        { name: "t", partitionData: batches.map((records, index) => ({ index, records })) },
      ],
    },
  );
  client.send(frame.subarray(0, 300));
  client.send(frame.subarray(300));
  assert.equal(
    broker.appends.map(({ copy }) => hex(copy)),
    batches.map(hex),
  );
  assert.is(memory.live.size, 0);
});

test("ApiVersions lists what is registered; an unknown version gets error 35 in exact v0 form", () => {
  const { connect } = setUp();
  const client = connect();
  const named = { clientSoftwareName: "test", clientSoftwareVersion: "1.0" };
  client.send(requestFrame(apiVersions, { version: 3 }, named));
  const answer = answerOf(apiVersions, 3, client.frames()[0]);
  assert.is(answer.errorCode, 0);
  const keys = answer.apiKeys.map(({ apiKey }) => apiKey);
  assert.equal(keys.slice(0, 7), [0, 1, 2, 3, 8, 9, 10]);
  assert.equal(answer.apiKeys[0], { apiKey: 0, minVersion: 0, maxVersion: 13 });
  assert.equal(answer.apiKeys[1], { apiKey: 1, minVersion: 4, maxVersion: 18 });
  client.send(unhex("0000000d 0012 0063 00000009 0001 78 00 00"));
  assert.is(hex(client.frames()[1] ?? new Uint8Array()), "000000090023000000010012000000" + "04");
});

test("a client's name that is none is INVALID_REQUEST", () => {
  const { connect } = setUp();
  const client = connect();
  client.send(
    requestFrame(
      apiVersions,
      { version: 3 },
      { clientSoftwareName: " bad name", clientSoftwareVersion: "1" },
    ),
  );
  assert.is(answerOf(apiVersions, 3, client.frames()[0]).errorCode, 42);
});

test("unknown APIs, unserved versions and broken messages close the connection with one sentence", () => {
  const cases: [string, RegExp][] = [
    ["0000000a 03e7 0000 00000001 ffff", /unknown API key 999/],
    ["0000000a 0000 0002 00000001 ffff", /Produce version 2/],
    ["0000000a 0003 0063 00000001 ffff", /Metadata version 99/],
    ["0000000a 0003 0001 00000001 ffff", /bytes wanted/],
    ["0000000b 0003 0000 00000001 ffff 00", /bytes wanted/],
    ["00000012 0003 0001 00000001 ffff 7fffffff 00000000", /array of 2147483647/],
    ["00000012 0003 0001 00000001 ffff ffffffff 00000000", /bytes after the end/],
    ["ffffffff", /a request of -1 bytes/],
  ];
  for (const [bytes, sentence] of cases) {
    const { connect, notices, door } = setUp();
    const client = connect();
    client.send(unhex(bytes));
    assert.is(client.destroyed, true, bytes);
    assert.is(notices.length, 1);
    assert.match(notices[0] ?? "", sentence);
    assert.is(door.stats().connections, 0);
    assert.is(door.stats().pendingBytes, 0);
  }
});

test("answers that are due before a broken request are still sent", () => {
  const { connect } = setUp();
  const client = connect();
  client.send(concat([metadataFrame(1), unhex("ffffffff")]));
  assert.equal(client.correlationIds(), [1]);
});

test("a handler that fails is reported and closes only its connection", async () => {
  const { broker, connect, reports } = setUp();
  broker.onFetch = () => {
    throw new TypeError("a bug");
  };
  const [client, other] = [connect(), connect()];
  const topics = [
    { topic: "t", partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }] },
  ];
  client.send(
    requestFrame(fetch, { version: 4 }, { maxWaitMs: 0, minBytes: 0, maxBytes: 1, topics }),
  );
  assert.is(client.destroyed, true);
  assert.is(reports.length, 1);
  other.send(metadataFrame(1));
  assert.equal(other.correlationIds(), [1]);
});

test("above pipelinedRequestsMax the connection pauses, and goes on when answers leave", async () => {
  const { broker, connect } = setUp({ pipelinedRequestsMax: 4 });
  const finish: (() => void)[] = [];
  broker.onAppend = () => new Promise((resolve) => finish.push(() => resolve(appended(0))));
  const client = connect();
  client.send(concat([1, 2, 3, 4, 5, 6, 7].map((id) => produceFrame(id))));
  assert.is(finish.length, 4);
  assert.is(client.paused, true);
  client.send(produceFrame(8));
  for (const done of finish.splice(0)) done();
  await settled();
  assert.equal(client.correlationIds(), [1, 2, 3, 4]);
  assert.is(finish.length, 4);
  for (const done of finish.splice(0)) done();
  await settled();
  assert.equal(client.correlationIds(), [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.is(client.paused, false);
});

test("a client that does not read holds back encoding and reading", async () => {
  const { door, connect } = setUp({ pipelinedRequestsMax: 8 });
  const client = connect();
  client.flowing = false;
  for (let id = 1; id <= 50; id++) client.send(metadataFrame(id));
  assert.is(client.writes, 1);
  assert.is(client.paused, true);
  assert.ok(door.stats().requestsInFlight <= 9);
  client.drain();
  await settled();
  assert.is(client.correlationIds().length, 50);
  assert.is(client.paused, false);
  assert.is(door.stats().pendingBytes, 0);
});

test("silence closes idle connections, but not one whose answer is due", async () => {
  const { broker, clock, connect, notices } = setUp({ idleMsMax: 1000, stallMsMax: 400 });
  broker.onAppend = () => new Promise(() => {});
  const [idle, waiting, stalled, active] = [connect(), connect(), connect(), connect()];
  waiting.send(produceFrame(1));
  stalled.send(produceFrame(1).subarray(0, 30));
  for (let i = 0; i < 6; i++) {
    clock.advance(200);
    active.send(metadataFrame(i));
  }
  assert.is(stalled.destroyed, true);
  assert.is(idle.destroyed, true);
  assert.is(waiting.destroyed, false);
  assert.is(active.destroyed, false);
  assert.match(notices[0] ?? "", /in the middle of a request/);
  assert.match(notices[1] ?? "", /idle/);
});

test("connections above the limits are refused", () => {
  const { connect, notices, door } = setUp({ connectionsMax: 3, connectionsPerAddressMax: 2 });
  const first = connect("10.0.0.1");
  connect("10.0.0.1");
  assert.is(connect("10.0.0.1").destroyed, true);
  assert.match(notices[0] ?? "", /max.connections.per.ip=2/);
  connect("10.0.0.2");
  assert.is(connect("10.0.0.3").destroyed, true);
  assert.match(notices[1] ?? "", /max.connections=3/);
  first.hangUp();
  assert.is(connect("10.0.0.1").destroyed, false);
  assert.is(door.stats().connections, 3);
});

test("a client that leaves aborts its fetch", async () => {
  const { broker, connect } = setUp();
  broker.onFetch = () => new Promise(() => {});
  const client = connect();
  const topics = [
    { topic: "t", partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }] },
  ];
  const frame = requestFrame(
    fetch,
    { version: 4 },
    { maxWaitMs: 500, minBytes: 1, maxBytes: 1, topics },
  );
  client.send(frame);
  assert.is(broker.fetches[0]?.signal?.aborted, false);
  client.hangUp();
  assert.is(broker.fetches[0]?.signal?.aborted, true);
});

test("close() sends what is due, then ends; late answers are waited for only so long", async () => {
  const { broker, clock, connect, door } = setUp({ closeMsMax: 100 });
  const finish: (() => void)[] = [];
  broker.onAppend = () => new Promise((resolve) => finish.push(() => resolve(appended(0))));
  const [quick, never] = [connect(), connect()];
  quick.send(produceFrame(1));
  never.send(produceFrame(1));
  let closed = false;
  const done = door.close().then(() => {
    closed = true;
  });
  quick.send(metadataFrame(2));
  finish[0]?.();
  await settled();
  assert.equal(quick.correlationIds(), [1]);
  assert.is(quick.ended, true);
  quick.hangUp();
  assert.is(connect().destroyed, true);
  assert.is(closed, false);
  clock.advance(100);
  await done;
  assert.is(never.destroyed, true);
});

test("close() does not wait for long polls", async () => {
  const { broker, connect, door } = setUp();
  broker.onFetch = ({ partitions, signal }) =>
    new Promise((resolve) => {
      const none = partitions.map(({ topic, partition }) => fetched(topic, partition));
      signal?.addEventListener("abort", () => resolve(none));
    });
  const client = connect();
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }];
  const message = {
    maxWaitMs: 1e6,
    minBytes: 1,
    maxBytes: 1,
    topics: [{ topic: "t", partitions }],
  };
  client.send(requestFrame(fetch, { version: 4 }, message));
  const done = door.close();
  await settled();
  assert.is(client.frames().length, 1);
  assert.is(client.ended, true);
  client.hangUp();
  await done;
});

test("random bytes never get an exception out of the door and leave nothing behind", async () => {
  const { door, connect, memory, reports } = setUp();
  let seed = 42;
  const next = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed >>> 8;
  };
  const frames = [
    produceFrame(1),
    metadataFrame(2),
    requestFrame(createTopics, { version: 5 }, { topics: [], timeoutMs: 1, validateOnly: true }),
  ];
  for (let round = 0; round < 2000; round++) {
    const bytes = frames[round % frames.length]!.slice();
    for (let i = 0; i < 3; i++) bytes[4 + (next() % (bytes.length - 4))] = next() & 255;
    const client = connect();
    const cut = next() % bytes.length;
    client.send(bytes.subarray(0, cut));
    client.send(bytes.subarray(cut));
    client.hangUp();
  }
  await settled();
  assert.is(reports.length, 0);
  assert.is(memory.live.size, 0);
  assert.is(door.stats().connections, 0);
  assert.is(door.stats().pendingBytes, 0);
});

test.run();
