// countPartitions(): which partitions of a broker are led, missing replicas, or offline.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PartitionRecord, TopicRecord } from "../../cluster/control-plane.ts";
import { newPartition } from "../../cluster/partition-record.ts";
import { countPartitions } from "../../runtime/partition-counts.ts";

function stateOf(minInsync: number, records: readonly Partial<PartitionRecord>[]) {
  const partitions = records.map((record, partition) => ({
    ...newPartition(partition, [1, 2, 3]),
    ...record,
  }));
  const configs = new Map([["min.insync.replicas", String(minInsync)]]);
  const topic: TopicRecord = { name: "t", id: "i", partitions, configs };
  return {
    clusterId: "c",
    controllerId: 1,
    brokers: new Map(),
    topics: new Map([["t", topic]]),
    topicsById: new Map([["i", topic]]),
    brokerConfigs: new Map(),
    groupConfigs: new Map(),
  };
}

const count = (minInsync: number, ...records: Partial<PartitionRecord>[]) =>
  countPartitions(stateOf(minInsync, records), 1, (_topic, partition) => partition !== 9);

test("countPartitions() counts what is led, missing replicas, and offline", () => {
  const counts = count(
    2,
    {},
    { isr: [1, 2] },
    { isr: [1] },
    { leader: 2, isr: [2] },
    { leader: -1, isr: [] },
    { replicas: [2, 3], isr: [2], leader: 2 },
  );
  assert.equal(counts, {
    total: 5,
    leaders: 3,
    offline: 1,
    underReplicated: 2,
    underMinIsr: 1,
    atMinIsr: 1,
  });
});

test("countPartitions() misses no replica that a reassignment still adds", () => {
  const moving = { replicas: [1, 2, 3, 4], isr: [1, 2, 3], adding: [4] };
  assert.is(count(1, moving).underReplicated, 0);
});

test("countPartitions() asks for no more in-sync replicas than there are replicas", () => {
  const alone = { replicas: [1], isr: [1] };
  const { underMinIsr, atMinIsr } = count(3, alone);
  assert.equal([underMinIsr, atMinIsr], [0, 0]);
});

test.run();
