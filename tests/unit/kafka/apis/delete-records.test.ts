// DeleteRecords: low watermarks and errors per partition.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { handleDeleteRecords } from "../../../../runtime/kafka/apis/delete-records.ts";
import { topicRecord } from "../fakes.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

async function deleteRecords(
  broker: AdminBroker,
  name: string,
  partitions: { partitionIndex: number; offset: number }[],
) {
  const request = { topics: [{ name, partitions }], timeoutMs: 1000 };
  const { topics } = await answered(handleDeleteRecords(request, contextOf(broker, 2)));
  return topics[0]?.partitions;
}

test("handleDeleteRecords() answers the new log start of each partition", async () => {
  const broker = new AdminBroker().add(topicRecord("t", 2));
  broker.lowWatermark = 12;
  const answer = await deleteRecords(broker, "t", [
    { partitionIndex: 1, offset: -1 },
    { partitionIndex: 2, offset: 5 },
    { partitionIndex: -1, offset: 5 },
  ]);
  assert.equal(answer, [
    { partitionIndex: 1, lowWatermark: 12, errorCode: 0 },
    { partitionIndex: 2, lowWatermark: -1, errorCode: 3 },
    { partitionIndex: -1, lowWatermark: -1, errorCode: 3 },
  ]);
  assert.equal(broker.calls, [["deleteRecords", { topic: "t", partition: 1, offset: -1 }]]);
});

test("handleDeleteRecords() answers refusals and unknown topics per partition", async () => {
  const broker = new AdminBroker().add(topicRecord("t")).refuse("t", "OFFSET_OUT_OF_RANGE");
  const partitions = [{ partitionIndex: 0, offset: 99 }];
  assert.is((await deleteRecords(broker, "t", partitions))?.[0]?.errorCode, 1);
  assert.is((await deleteRecords(broker, "x", partitions))?.[0]?.errorCode, 3);
});

test("handleDeleteRecords() takes the last offset of a partition that is named again", async () => {
  const broker = new AdminBroker().add(topicRecord("t"));
  const offsets = [5, 7].map((offset) => ({ partitionIndex: 0, offset }));
  assert.is((await deleteRecords(broker, "t", offsets))?.length, 1);
  assert.equal(broker.calls, [["deleteRecords", { topic: "t", partition: 0, offset: 7 }]]);
});

test.run();
