// ListOffsets and OffsetForLeaderEpoch: what is asked of the broker and how it is said.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../../runtime/errors.ts";
import { handleListOffsets } from "../../../../runtime/kafka/apis/list-offsets.ts";
import {
  handleOffsetForLeaderEpoch,
  offsetForLeaderEpoch,
} from "../../../../runtime/kafka/apis/offset-for-leader-epoch.ts";
import { Writer } from "../../../../runtime/kafka/writer.ts";
import { hex, joined } from "../bytes.ts";
import { setUp } from "./handler-context.ts";

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

test.run();
