// `group …` against a server in this process: a reset shows its plan and does nothing until it is told to, and the
// coordinator behind it keeps what it was told over a restart.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CommitRequest } from "../../runtime/group-coordinator.ts";
import { Coordinator } from "../../runtime/groups/coordinator.ts";
import { createClient, createPlatform, type Server, startServer } from "../../runtime/mod.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { callInProcess } from "./command-line.ts";

const dataDir = tempFolder("groups");
let server: Server;

async function start(): Promise<void> {
  server = await startServer({ dataDir, kafkaPort: 0, httpPort: false, flush: "os" });
  const { groups } = server.broker;
  assert.instance(groups, Coordinator);
  await (groups as Coordinator).loaded();
}

test.before(async () => {
  await start();
  await server.broker.createTopic({
    name: "t",
    partitions: 2,
    replicationFactor: 1,
    configs: new Map(),
  });
});
test.after(async () => {
  await server.close();
});

function call(...args: string[]) {
  const { host, port } = server.kafka;
  return callInProcess(["-b", `${host}:${port}`, ...args]);
}

async function rows(...args: string[]): Promise<Record<string, unknown>[]> {
  const { stdout } = await call(...args, "-o", "ndjson");
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function commit(groupId: string, offset: number, more: Partial<CommitRequest> = {}) {
  const { groups } = server.broker;
  await groups.find(groupId);
  const nobody = { memberId: "", groupInstanceId: null, generation: -1 };
  const offsets = [{ topic: "t", partition: 0, offset, leaderEpoch: -1, metadata: "" }];
  const terms = { retentionMs: -1, version: 9, offsets };
  const results = await groups.commitOffsets({ groupId, ...nobody, ...terms, ...more });
  return results.map((error) => error?.code ?? null);
}

test("group alter sets a group's configs within the broker's bounds, group config shows them", async () => {
  const session = "consumer.session.timeout.ms";
  const altered = await call("group", "alter", "tuned", "-c", `${session}=50s`);
  assert.equal([altered.code, altered.stderr], [0, "tuned altered"]);
  const shown = await rows("group", "config", "tuned");
  assert.equal(
    shown.map(({ name, value, source }) => [name, value, source]),
    [[session, "50000", "DYNAMIC_GROUP_CONFIG"]],
  );
  assert.is((await rows("group", "config", "tuned", "--all")).length, 2);
  const refused = await call("group", "alter", "tuned", "-c", `${session}=1s`);
  assert.is(refused.code, 1);
  assert.match(refused.stderr, /greater than or equal to group.consumer.min.session.timeout.ms/);
  assert.is((await call("group", "alter", "tuned", "--delete", session)).code, 0);
  assert.is(server.broker.cluster().groupConfigs.size, 0);
});

test("group describe of a group that never was is GROUP_ID_NOT_FOUND", async () => {
  const { code, stderr } = await call("group", "describe", "nobody");
  assert.is(code, 1);
  assert.match(stderr, /GROUP_ID_NOT_FOUND/);
});

test("group lag counts from what was committed", async () => {
  await call("produce", "t", "-p", "0", "--value", "v", "--count", "10");
  assert.equal(await commit("g", 4), [null]);
  const [lag] = await rows("group", "lag", "g");
  assert.equal([lag?.committed, lag?.end, lag?.lag, lag?.member], [4, 10, 6, null]);
  assert.is((await call("group", "lag", "g", "--max", "5")).code, 10);
  assert.is((await call("group", "lag", "g", "--max", "6")).code, 0);
});

test("group reset-offsets does nothing without --execute, and stays inside the partition", async () => {
  const reset = ["group", "reset-offsets", "g"];
  const [plan] = await rows(...reset, "--to", "earliest");
  assert.equal([plan?.before, plan?.after], [4, 0]);
  assert.is((await rows("group", "lag", "g"))[0]?.committed, 4);
  assert.is((await rows(...reset, "--shift=-100"))[0]?.after, 0);
  assert.is((await rows(...reset, "--to", "99"))[0]?.after, 10);
  assert.is((await rows(...reset, "--to", "@2001-01-01"))[0]?.after, 0);
  await rows(...reset, "--shift", "3", "--execute");
  assert.is((await rows("group", "lag", "g"))[0]?.committed, 7);
  assert.is((await rows(...reset, "--topic", "t", "--to", "latest")).length, 2);
  assert.is((await call(...reset)).code, 2);
  assert.match((await call(...reset, "--to", "1", "--shift", "1")).stderr, /only one/);
});

test("group reset-offsets of a group with members tells so first and refuses then", async () => {
  const { host, port } = server.kafka;
  const client = createClient({ platform: createPlatform(), bootstrap: [`${host}:${port}`] });
  const consumer = client.groupConsumer({
    groupId: "busy",
    topics: ["t"],
    offsetReset: "earliest",
  });
  const records = consumer[Symbol.asyncIterator]();
  await records.next();
  const reset = ["group", "reset-offsets", "busy", "--topic", "t", "--to", "latest"];
  const plan = await call(...reset);
  assert.equal([plan.code, /1 member\) have stopped/.test(plan.stderr)], [0, true]);
  const { code, stderr } = await call(...reset, "--execute");
  assert.equal([code, /busy has members/.test(stderr)], [1, true]);
  const gone = await call("group", "delete", "busy", "--yes");
  assert.equal([gone.code, /NON_EMPTY_GROUP. Stop its members/.test(gone.stderr)], [1, true]);
  await client.close();
  assert.is((await call("group", "delete", "busy", "--yes")).code, 0);
});

test("groups that are not there do not hide the others", async () => {
  const { code, stdout, stderr } = await call("group", "lag", "nobody", "g", "--json");
  assert.equal([code, (JSON.parse(stdout) as { group: string }[])[0]?.group], [1, "g"]);
  assert.match(stderr, /nobody: GROUP_ID_NOT_FOUND. Check its name/);
  const none = await call("group", "describe", "nobody", "--json");
  assert.equal([none.code, none.stdout], [1, ""]);
});

test("group list --state takes Kafka's names only", async () => {
  assert.is((await rows("group", "list", "--state", "empty"))[0]?.group, "g");
  const { code, stderr } = await call("group", "list", "--state", "idle");
  assert.is(code, 2);
  assert.match(stderr, /"idle" is not one of Empty, /);
});

test("commitOffsets() refuses what cannot be, item by item, and of strangers as a whole", async () => {
  const one = { topic: "t", partition: 0, offset: 1, leaderEpoch: -1, metadata: "" };
  const offsets = [
    { ...one, topic: "no" },
    { ...one, partition: 2 },
    { ...one, metadata: "x".repeat(4097) },
    { ...one, partition: 1, metadata: "x".repeat(4096) },
  ];
  assert.equal(await commit("odd", 0, { offsets }), [
    "UNKNOWN_TOPIC_OR_PARTITION",
    "UNKNOWN_TOPIC_OR_PARTITION",
    "OFFSET_METADATA_TOO_LARGE",
    null,
  ]);
  const stranger = (version: number) =>
    commit("new", 1, { generation: 1, memberId: "m", version }).catch((error) => error.code);
  assert.is(await stranger(8), "ILLEGAL_GENERATION");
  assert.is(await stranger(9), "GROUP_ID_NOT_FOUND");
});

test("append() to the topic of the groups is refused", async () => {
  const { code, stderr } = await call("produce", "__consumer_offsets", "--value", "v");
  assert.is(code, 1);
  assert.match(stderr, /INVALID_TOPIC_EXCEPTION/);
});

test("offsets survive a restart; those of a deleted topic and a deleted group do not", async () => {
  await commit("gone", 1);
  await call("group", "delete", "gone", "--yes");
  await server.broker.createTopic({
    name: "short",
    partitions: 1,
    replicationFactor: 1,
    configs: new Map(),
  });
  const offsets = [{ topic: "short", partition: 0, offset: 1, leaderEpoch: -1, metadata: "" }];
  await commit("g", 0, { offsets });
  await server.broker.deleteTopic("short");
  await server.close();
  await start();
  const lag = await rows("group", "lag", "g");
  assert.equal(
    lag.map(({ topic, committed }) => [topic, committed]),
    [["t", 7]],
  );
  const listed = await rows("group", "list");
  assert.equal(
    listed.map(({ group }) => group),
    ["g", "odd"],
  );
});

test.run();
