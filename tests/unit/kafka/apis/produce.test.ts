// Produce: what it appends, what it refuses, how it answers.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../../runtime/errors.ts";
import { handleProduce, produce } from "../../../../runtime/kafka/apis/produce.ts";
import { Reader } from "../../../../runtime/kafka/reader.ts";
import type { RequestInput } from "../../../../runtime/kafka/schema.ts";
import { Writer } from "../../../../runtime/kafka/writer.ts";
import { hex, joined, unhex } from "../bytes.ts";
import { appended, batchOf, idOf } from "../fakes.ts";
import { setUp } from "./handler-context.ts";

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

test("handleProduce() hands on where another broker expects the log's end, and no client's silence", async () => {
  const { broker, context } = setUp(9);
  const expected: unknown[] = [];
  broker.onAppend = ({ expectedOffset }) => {
    expected.push(expectedOffset);
    return appended(7);
  };
  const topic = (partition: object) => ({ name: "t", partitionData: [partition as never] });
  for (const more of [{ expectedOffset: 7 }, {}]) {
    const topicData = [topic({ index: 0, records: batchOf(70), ...more })];
    await handleProduce(produceRequest(9, { acks: -1, timeoutMs: 5, topicData }), context);
  }
  assert.equal(expected, [7, undefined]);
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

test.run();
