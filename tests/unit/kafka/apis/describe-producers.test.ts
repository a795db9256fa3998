// DescribeProducers: producers and errors per partition.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { handleDescribeProducers } from "../../../../runtime/kafka/apis/describe-producers.ts";
import { topicRecord } from "../fakes.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

test("handleDescribeProducers() lists a partition's producers; unknown partitions fail alone", async () => {
  const broker = new AdminBroker().add(topicRecord("t"));
  broker.producers = [
    {
      producerId: 7,
      producerEpoch: 1,
      lastSequence: 9,
      lastTimestampMs: 1234,
      coordinatorEpoch: -1,
      transactionStartOffset: -1,
    },
  ];
  const request = {
    topics: [
      { name: "t", partitionIndexes: [0, 1, 0] },
      { name: "x", partitionIndexes: [0] },
      { name: "a b", partitionIndexes: [0] },
      { name: "t", partitionIndexes: [0] },
    ],
  };
  const { topics } = await answered(handleDescribeProducers(request, contextOf(broker, 0)));
  const partitions = topics.flatMap((topic) => topic.partitions);
  assert.equal(
    partitions.map(({ errorCode }) => errorCode),
    [0, 3, 3, 17],
  );
  assert.equal(partitions[0]?.activeProducers, [
    {
      producerId: 7,
      producerEpoch: 1,
      lastSequence: 9,
      lastTimestamp: 1234,
      coordinatorEpoch: -1,
      currentTxnStartOffset: -1,
    },
  ]);
});

test.run();
