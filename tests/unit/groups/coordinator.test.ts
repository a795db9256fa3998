// The coordinator on a real log in memory: what is refused, what it costs, and what a restart finds.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { openMemoryControlPlane } from "../../../cluster/memory.ts";
import { BrokerConfig } from "../../../runtime/config.ts";
import type { BrokerError } from "../../../runtime/errors.ts";
import type {
  CommitRequest,
  ConsumerHeartbeat,
  JoinRequest,
} from "../../../runtime/group-coordinator.ts";
import { LocalBroker } from "../../../runtime/local-broker.ts";
import { MemoryStorage } from "../../../runtime/storage/memory.ts";
import { LogFixture, platform } from "../../support/log-fixture.ts";
import { codeOf } from "../../support/refusal.ts";
import { subscription } from "./migration-scene.ts";

const topicPartitions = 2000;

async function open(settings: Record<string, string> = {}) {
  const log = new LogFixture(new MemoryStorage(Infinity));
  const controlPlane = openMemoryControlPlane({ random: platform.random });
  await controlPlane.register({ id: 1, host: "127.0.0.1", port: 1, rack: null });
  const all = { "timberline.flush": "os", "offsets.topic.num.partitions": "1", ...settings };
  const broker = new LocalBroker({
    platform: { ...platform, clock: log.clock },
    controlPlane,
    folder: log.folder,
    brokerId: 1,
    config: new BrokerConfig({
      set: new Map(Object.entries(all).map(([name, text]) => [name, { text, place: "test" }])),
    }),
    metrics: log.metrics,
  });
  await broker.open({ adopt: false, found: [] });
  await controlPlane.createTopic({
    name: "t",
    layout: { partitions: topicPartitions, replicationFactor: 1 },
    configs: new Map(),
  });
  await broker.groups.find("g");
  return { broker, groups: broker.groups, log };
}

function commitOf(partitions: number, more: Partial<CommitRequest> = {}, metadata = "") {
  const offsets = Array.from({ length: partitions }, (_, partition) => ({
    ...{ topic: "t", partition, offset: 1, leaderEpoch: -1, metadata },
  }));
  const nobody = { memberId: "", groupInstanceId: null, generation: -1 };
  return { groupId: "g", ...nobody, retentionMs: -1, version: 9, offsets, ...more };
}

function joinOf(more: Partial<JoinRequest> = {}): JoinRequest {
  return {
    groupId: "g",
    memberId: "",
    groupInstanceId: null,
    clientId: "c",
    clientHost: "/127.0.0.1",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: subscription(["t"], []) }],
    needsMemberId: false,
    canSkipAssignment: false,
    ...more,
  };
}

function heartbeatOf(more: Partial<ConsumerHeartbeat> = {}): ConsumerHeartbeat {
  return {
    groupId: "g",
    memberId: "m",
    memberEpoch: 0,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: 10_000,
    topicNames: ["t"],
    topicRegex: null,
    serverAssignor: null,
    owned: [],
    clientId: "c",
    clientHost: "/127.0.0.1",
    ...more,
  };
}

test("commitOffsets() refuses single offsets: unknown topics, too much metadata", async () => {
  const { groups } = await open({ "offset.metadata.max.bytes": "4" });
  const [, first, second] = commitOf(3, {}, "four").offsets;
  const offsets = [
    { ...first!, topic: "none" },
    { ...first!, partition: topicPartitions },
    { ...first!, metadata: "fifth" },
    second!,
  ];
  const results = await groups.commitOffsets({ ...commitOf(0), offsets });
  assert.equal(
    results.map((error) => error?.code ?? null),
    ["UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_TOPIC_OR_PARTITION", "OFFSET_METADATA_TOO_LARGE", null],
  );
  const kept = groups.fetchOffsets({
    ...{ groupId: "g", memberId: null, memberEpoch: -1, partitions: null, requireStable: false },
  });
  assert.equal(
    kept.map(({ partition, metadata }) => [partition, metadata]),
    [[2, "four"]],
  );
});

test("commitOffsets() writes all offsets of a request in one batch, or none", async () => {
  const { broker, groups } = await open();
  const records = () => broker.describePartition({ topic: "__consumer_offsets", partition: 0 });
  await groups.commitOffsets(commitOf(topicPartitions));
  assert.is(records().logEndOffset, topicPartitions);
  const before = records();
  // Two thousand times four thousand bytes are more than a batch of the topic may be.
  const large = commitOf(topicPartitions, {}, "x".repeat(4000));
  assert.is(await codeOf(() => groups.commitOffsets(large)), "INVALID_COMMIT_OFFSET_SIZE");
  assert.equal(records(), before);
});

test("delete() of a group needs no batch that holds all its offsets", async () => {
  const { broker, groups } = await open();
  const groupId = "g".repeat(1000);
  const { offsets } = commitOf(topicPartitions);
  for (let first = 0; first < topicPartitions; first += 500) {
    const some = offsets.slice(first, first + 500);
    await groups.commitOffsets({ ...commitOf(0), groupId, offsets: some });
  }
  const end = () =>
    broker.describePartition({ topic: "__consumer_offsets", partition: 0 }).logEndOffset;
  const before = end();
  await groups.delete(groupId);
  assert.is(end() - before, topicPartitions);
});

test("commits of stale generations, epochs and strangers are told so", async () => {
  const { groups } = await open();
  const code = (more: Partial<CommitRequest>) =>
    codeOf(() => groups.commitOffsets(commitOf(1, more)));
  assert.is(await code({ generation: 1, memberId: "m" }), "GROUP_ID_NOT_FOUND");
  assert.is(await code({ generation: 1, memberId: "m", version: 8 }), "ILLEGAL_GENERATION");
  await groups.consumerHeartbeat(heartbeatOf());
  assert.is(await code({ generation: 1, memberId: "m" }), "NONE");
  assert.is(await code({ generation: 0, memberId: "m" }), "STALE_MEMBER_EPOCH");
  assert.is(await code({ generation: 1, memberId: "m", version: 8 }), "UNSUPPORTED_VERSION");
  assert.is(await code({ generation: 1, memberId: "n" }), "UNKNOWN_MEMBER_ID");
  assert.is(await code({}), "UNKNOWN_MEMBER_ID");
});

test("commits in transactions check a member that is named, with errors that producers know", async () => {
  const { groups } = await open();
  const producer = { producerId: 7, producerEpoch: 0 };
  const code = (more: Partial<CommitRequest>) =>
    codeOf(() => groups.commitOffsetsInTransaction(commitOf(1, { version: 8, ...more }), producer));
  assert.is(await code({ generation: 1, memberId: "m" }), "ILLEGAL_GENERATION");
  await groups.consumerHeartbeat(heartbeatOf());
  assert.is(await code({}), "NONE");
  assert.is(await code({ generation: 1, memberId: "m" }), "NONE");
  assert.is(await code({ generation: 5, memberId: "m" }), "ILLEGAL_GENERATION");
  assert.is(await code({ generation: 1, memberId: "n" }), "UNKNOWN_MEMBER_ID");
});

test("join() refuses sessions out of bounds and more protocols than a group can keep", async () => {
  const { groups, log } = await open({ "group.max.size": "1" });
  const code = async (more: Partial<JoinRequest>) => {
    try {
      return (await groups.join(joinOf(more))).error?.code ?? "NONE";
    } catch (error) {
      return (error as BrokerError).code;
    }
  };
  assert.is(await code({ sessionTimeoutMs: 5999 }), "INVALID_SESSION_TIMEOUT");
  assert.is(await code({ sessionTimeoutMs: 1_800_001 }), "INVALID_SESSION_TIMEOUT");
  const metadata = subscription(["t"], []);
  const many = Array.from({ length: 101 }, (_, i) => ({ name: `p${i}`, metadata }));
  assert.is(await code({ protocols: many }), "INCONSISTENT_GROUP_PROTOCOL");
  const large = [{ name: "range", metadata: new Uint8Array(1_000_001) }];
  assert.is(await code({ protocols: large }), "INCONSISTENT_GROUP_PROTOCOL");
  assert.is(await code({ groupId: "" }), "INVALID_GROUP_ID");
  const first = code({});
  await log.clock.advance(4000);
  assert.is(await first, "NONE");
  assert.is(await code({}), "GROUP_MAX_SIZE_REACHED");
});

test("an assignment or a member that cannot be stored ends the request, not the group", async () => {
  const { groups, log } = await open();
  const joining = groups.join(joinOf());
  await log.clock.advance(4000);
  const { memberId, generation } = await joining;
  const synced = groups.sync({
    ...{ groupId: "g", memberId, groupInstanceId: null, generation },
    ...{ protocolType: null, protocolName: null },
    assignments: [{ memberId, assignment: new Uint8Array(2_000_000) }],
  });
  assert.is(await codeOf(() => synced), "UNKNOWN_SERVER_ERROR");
  const topicNames = Array.from({ length: 5000 }, (_, i) => `${i}`.padStart(249, "t"));
  const huge = heartbeatOf({ groupId: "h", topicNames });
  assert.is(await codeOf(() => groups.consumerHeartbeat(huge)), "UNKNOWN_SERVER_ERROR");
  assert.is((await groups.consumerHeartbeat(heartbeatOf({ groupId: "h" }))).memberEpoch, 1);
});

test("a group's own configs are in force at once, for it alone", async () => {
  const { broker, groups, log } = await open();
  const set = (name: string, value: string) =>
    broker.alterConfigs({ kind: "group", groupId: "g" }, [{ name, op: "set", value }], {
      validateOnly: false,
    });
  await set("consumer.heartbeat.interval.ms", "7000");
  await set("consumer.session.timeout.ms", "60000");
  assert.is((await groups.consumerHeartbeat(heartbeatOf())).heartbeatIntervalMs, 7000);
  const other = await groups.consumerHeartbeat(heartbeatOf({ groupId: "h" }));
  assert.is(other.heartbeatIntervalMs, 5000);
  await log.clock.advance(45_000);
  assert.equal(
    groups.list().map(({ groupId, state }) => [groupId, state]),
    [
      ["g", "Stable"],
      ["h", "Empty"],
    ],
  );
  await log.clock.advance(15_000);
  assert.is(groups.summary("g").state, "Empty");
  const described = broker.describeConfigs({ kind: "group", groupId: "g" }, null);
  assert.equal(
    described.map(({ name, value, source }) => `${name}=${value} ${source}`),
    [
      "consumer.heartbeat.interval.ms=7000 DYNAMIC_GROUP_CONFIG",
      "consumer.session.timeout.ms=60000 DYNAMIC_GROUP_CONFIG",
    ],
  );
});

test.run();
