// DescribeLogDirs: selection, sizes, what the system does not tell.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../../runtime/errors.ts";
import { handleDescribeLogDirs } from "../../../../runtime/kafka/apis/describe-log-dirs.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

function broker(): AdminBroker {
  const admin = new AdminBroker();
  const partitions = [
    { topic: "a", partition: 0, sizeBytes: 10 },
    { topic: "b", partition: 0, sizeBytes: 20 },
    { topic: "a", partition: 1, sizeBytes: 30 },
  ];
  const space = { totalBytes: 1000, usableBytes: 400 };
  admin.logDirs = [{ path: "/d", error: null, ...space, partitions }];
  return admin;
}

async function describe(
  admin: AdminBroker,
  topics: { topic: string; partitions: number[] }[] | null,
) {
  const { results } = await answered(handleDescribeLogDirs({ topics }, contextOf(admin, 4)));
  return results[0];
}

test("handleDescribeLogDirs() lists all partitions by topic, and the disk's size", async () => {
  const result = await describe(broker(), null);
  assert.equal(
    result?.topics.map(({ name, partitions }) => [
      name,
      ...partitions.map(({ partitionSize }) => partitionSize),
    ]),
    [
      ["a", 10, 30],
      ["b", 20],
    ],
  );
  assert.equal([result?.totalBytes, result?.usableBytes], [1000, 400]);
});

test("handleDescribeLogDirs() leaves out what is not asked for and what is not here", async () => {
  const result = await describe(broker(), [
    { topic: "a", partitions: [1, 9] },
    { topic: "x", partitions: [0] },
  ]);
  assert.equal(result?.topics, [
    {
      name: "a",
      partitions: [{ partitionIndex: 1, partitionSize: 30, offsetLag: 0, isFutureKey: false }],
    },
  ]);
  assert.equal((await describe(broker(), []))?.topics, []);
});

test("handleDescribeLogDirs() says -1 for what the system does not tell, and a folder's error", async () => {
  const admin = broker();
  const error = new BrokerError("KAFKA_STORAGE_ERROR", "gone");
  const unknown = { totalBytes: Number.POSITIVE_INFINITY, usableBytes: Number.POSITIVE_INFINITY };
  admin.logDirs = [{ path: "/d", error, ...unknown, partitions: [] }];
  const result = await describe(admin, null);
  assert.equal([result?.errorCode, result?.totalBytes, result?.usableBytes], [56, -1, -1]);
});

test.run();
