// Metadata: which topics are meant, what is created, what is told in which version.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../../runtime/errors.ts";
import { handleMetadata, metadata } from "../../../../runtime/kafka/apis/metadata.ts";
import { Reader } from "../../../../runtime/kafka/reader.ts";
import type { RequestInput } from "../../../../runtime/kafka/schema.ts";
import { Writer } from "../../../../runtime/kafka/writer.ts";
import { hex, joined } from "../bytes.ts";
import { type FakeBroker, idOf, topicRecord } from "../fakes.ts";
import { setUp } from "./handler-context.ts";

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

test.run();
