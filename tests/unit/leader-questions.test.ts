// Questions of an HTTP door to another broker: what comes back is what that broker said, errors included.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../runtime/errors.ts";
import {
  answerIn,
  answerLeaderQuestion,
  type LeadingBroker,
  questionOf,
} from "../../runtime/leader-questions.ts";
import type { DescribedPartition } from "../../runtime/routable-broker.ts";

const view = { topic: "t", partition: 0, leaderEpoch: 3, replicas: [1, 2], isr: [1] };
const numbers = {
  logStartOffset: 0,
  highWatermark: 5,
  logEndOffset: 6,
  sizeBytes: 70,
  segments: 1,
};

function brokerWith(own: Partial<Record<keyof LeadingBroker, unknown>>): LeadingBroker {
  return { brokerId: 1, ...own } as unknown as LeadingBroker;
}

/** Over the wire and back, as JSON goes between brokers. */
async function told(broker: LeadingBroker, question: Uint8Array): Promise<Uint8Array> {
  const asked: unknown = JSON.parse(new TextDecoder().decode(question));
  return new TextEncoder().encode(JSON.stringify(await answerLeaderQuestion(asked, broker)));
}

test("answerLeaderQuestion() tells of partitions led here, and refuses each of the others", async () => {
  const offline = new BrokerError("KAFKA_STORAGE_ERROR", "the disk is gone");
  const found: DescribedPartition[] = [
    { ...view, ...numbers, leader: 1 },
    { ...view, ...numbers, leader: 2 },
    offline,
  ];
  const broker = brokerWith({ describePartitions: () => found });
  const [own, other, broken] = answerIn(
    "partitions",
    await told(broker, questionOf("partitions", [])),
  );
  assert.equal(own, found[0]);
  assert.instance(other, BrokerError);
  assert.is((other as BrokerError).code, "NOT_LEADER_OR_FOLLOWER");
  assert.is((broken as BrokerError).code, offline.code);
  assert.is((broken as BrokerError).message, offline.message);
});

test("answerIn() throws what the other broker threw, and gives errors inside of answers back", async () => {
  const groups = {
    summary(groupId: string) {
      throw new BrokerError("GROUP_ID_NOT_FOUND", `there is no group '${groupId}'`);
    },
    commitOffsets: async () => [null, new BrokerError("OFFSET_METADATA_TOO_LARGE", "too long")],
    fetchOffsets: () => [
      { topic: "t", partition: 0, offset: 1, error: new BrokerError("INVALID_REQUEST", "no") },
      // What a user wrote stays what it is.
      { topic: "t", partition: 1, offset: 1, error: null, metadata: '{"brokerError":"X"}' },
    ],
  };
  const broker = brokerWith({ groups });
  const refused = await told(broker, questionOf("group", "g"));
  assert.throws(
    () => answerIn("group", refused),
    (error: unknown) => error instanceof BrokerError && error.message === "there is no group 'g'",
  );
  const commit = {} as Parameters<LeadingBroker["groups"]["commitOffsets"]>[0];
  const [good, bad] = answerIn(
    "group-commit",
    await told(broker, questionOf("group-commit", commit)),
  );
  assert.is(good, null);
  assert.is(bad?.code, "OFFSET_METADATA_TOO_LARGE");
  const request = {} as Parameters<LeadingBroker["groups"]["fetchOffsets"]>[0];
  const offsets = answerIn(
    "group-offsets",
    await told(broker, questionOf("group-offsets", request)),
  );
  assert.is(offsets[0]?.error?.code, "INVALID_REQUEST");
  assert.is(offsets[1]?.metadata, '{"brokerError":"X"}');
});

test("answerLeaderQuestion() leaves questions about something else to others", () => {
  const broker = brokerWith({});
  for (const question of [null, "groups", { about: "toString", asked: 1 }, { about: "markers" }]) {
    assert.is(answerLeaderQuestion(question, broker), undefined);
  }
});

test.run();
