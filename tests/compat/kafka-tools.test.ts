// Kafka's own tools for groups, transactions, offsets, configs and features say of this broker what they say of
// Kafka: each expectation was compared with Kafka 4.1's answer to the same call. All calls share one JVM.
// Time limit: 120 s

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Consumer, Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findTool } from "../support/missing-tool.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { KafkaTools } from "./kafka-tools.ts";
import { ToolServer } from "./tool-server.ts";

const GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const ALL_GROUPS = "org.apache.kafka.tools.GroupsCommand";
const TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand";
const OFFSETS = "org.apache.kafka.tools.GetOffsetShell";
const CONFIGS = "kafka.admin.ConfigCommand";
const FEATURES = "org.apache.kafka.tools.FeatureCommand";

const kafkaTools = KafkaTools.find();
const javac = findTool("javac");
let server: TestServer;
let tools: ToolServer;
let kafka: Kafka;
let consumer: Consumer;
const producers: Producer[] = [];

if (kafkaTools !== undefined && javac !== undefined) {
  test.before(async () => {
    [server, tools] = await Promise.all([
      TestServer.start({ args: ["--set", "group.initial.rebalance.delay.ms=0"] }),
      ToolServer.start(kafkaTools),
    ]);
    kafka = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING });
    await fill();
  });
  test.after(async () => {
    await consumer?.disconnect();
    for (const producer of producers) await producer.disconnect();
    tools?.close();
    await server?.kill();
  });

  test("ConsumerGroupCommand lists and describes groups, members and states", async () => {
    const list = await run(GROUPS, "--list --state");
    assert.match(list, /^billing +Empty *$/m);
    assert.match(list, /^live +Stable *$/m);
    const offsets = await run(GROUPS, "--describe --group billing");
    assert.match(offsets, /^billing +orders +0 +1 +3 +2 +- +- +-/m);
    assert.match(offsets, /Consumer group 'billing' has no active members/);
    const members = await run(GROUPS, "--describe --group live --members --verbose");
    assert.match(members, /^live +\S+ +\/127\.0\.0\.1 +\S+ +1 +- +other:0 /m);
    const state = await run(GROUPS, "--describe --group live --state");
    assert.match(state, /^live +127\.0\.0\.1:\d+ +\(1\) +RoundRobinAssigner +Stable +1/m);
    assert.match(await run(ALL_GROUPS, "--list"), /^live +Classic +consumer *$/m);
    assert.match(
      (await attempt(GROUPS, "--describe --group nobody")).text,
      /GroupIdNotFoundException/,
    );
  });

  for (const [to, first, second] of [
    ["--to-earliest", 0, 0],
    ["--to-latest", 3, 7],
    ["--shift-by -1", 2, 6],
    ["--to-offset 1", 1, 1],
    ["--to-datetime 2001-09-09T01:46:41.000Z", 1, 1],
    ["--to-current", 1, 1],
    ["--to-offset 99", 3, 7],
  ] as const) {
    test(`ConsumerGroupCommand --reset-offsets ${to} moves a group`, async () => {
      const words = `--reset-offsets --group billing --topic orders:0,1 ${to}`;
      const lines = [/^billing +orders +0 +(\d+)/m, /^billing +orders +1 +(\d+)/m];
      const found = (text: string) => lines.map((line) => Number(line.exec(text)?.[1]));
      assert.equal(found(await run(GROUPS, `${words} --dry-run`)), [first, second]);
      assert.equal(found(await run(GROUPS, `${words} --execute`)), [first, second]);
      assert.equal(found(await run(GROUPS, "--describe --group billing")), [first, second]);
    });
  }

  test("ConsumerGroupCommand leaves alone what is in use, and deletes offsets and groups", async () => {
    const reset = await attempt(GROUPS, "--reset-offsets --group live --topic other --to-earliest");
    assert.match(reset.text, /only be reset if the group 'live' is inactive/);
    const offsets = await attempt(GROUPS, "--delete-offsets --group live --topic other");
    assert.match(offsets.text, /GroupSubscribedToTopicException/);
    const group = await attempt(GROUPS, "--delete --group live");
    assert.match(group.text, /GroupNotEmptyException/);
    const deleted = await run(GROUPS, "--delete-offsets --group shipping --topic orders");
    assert.match(deleted, /^orders +0 +Successful/m);
    assert.not.match(await run(GROUPS, "--describe --group shipping"), /orders/);
    assert.match(await run(GROUPS, "--delete --group shipping"), /was successful/);
    assert.not.match(await run(GROUPS, "--list"), /shipping/);
  });

  test("TransactionsCommand lists, describes and ends transactions", async () => {
    const list = await run(TRANSACTIONS, "list");
    assert.match(list, /^done +\t1 +\t\d+ +\tCompleteCommit/m);
    assert.match(list, /^dropped +\t1 +\t\d+ +\tCompleteAbort/m);
    assert.match(list, /^open +\t1 +\t\d+ +\tOngoing/m);
    assert.not.match(await run(TRANSACTIONS, "list --transactional-id-pattern d.*"), /open/);
    const described = await run(TRANSACTIONS, "describe --transactional-id open");
    assert.match(described, /^1 +\topen +\t\d+ +\t0 +\tOngoing +\t600000 .*\torders-2/m);
    const producing = "describe-producers --topic orders --partition 2";
    assert.match(await run(TRANSACTIONS, producing), /^\d+ +\t0 +\t-1 +\t0 +\t\d+\t3 /m);
    const hanging = await run(TRANSACTIONS, "find-hanging --broker-id 1");
    assert.is(hanging.trim().split("\n").length, 1, "a coordinator knows of it");
    await run(TRANSACTIONS, "abort --topic orders --partition 2 --start-offset 3");
    assert.match(await run(TRANSACTIONS, producing), /^\d+ +\t0 +\t0 +\t0 +\t\d+\tNone/m);
    await run(TRANSACTIONS, "forceTerminateTransaction --transactionalId open");
    assert.match(await run(TRANSACTIONS, "list"), /^open +\t1 +\t\d+ +\tEmpty/m);
    const unknown = await attempt(TRANSACTIONS, "describe --transactional-id nobody");
    assert.match(unknown.text, /ID could not be found/);
  });

  test("GetOffsetShell tells ends, the newest record and offsets by time", async () => {
    const settings = join(tempFolder("settings"), "client.properties");
    writeFileSync(settings, "isolation.level=read_committed\n");
    const shell = async (words: string) =>
      (await run(OFFSETS, `--topic orders ${words}`)).trim().replaceAll("orders:", "").split("\n");
    assert.equal((await shell("--time latest")).slice(0, 2), ["0:3", "1:7"]);
    assert.equal((await shell("--time earliest")).slice(0, 2), ["0:0", "1:0"]);
    assert.equal((await shell("--time 1000000001000")).slice(0, 2), ["0:1", "1:1"]);
    assert.equal((await shell(`--command-config ${settings}`)).slice(0, 2), ["0:3", "1:7"]);
    assert.match((await attempt(OFFSETS, "--topic nosuch")).text, /Could not match any/);
  });

  test("ConfigCommand changes topics, groups and brokers, and FeatureCommand names versions", async () => {
    const topic = "--entity-type topics --entity-name orders";
    await run(CONFIGS, `--alter ${topic} --add-config cleanup.policy=[compact,delete]`);
    assert.match(
      await run(CONFIGS, `--describe ${topic}`),
      /^ {2}cleanup\.policy=compact,delete /m,
    );
    const group = "--entity-type groups --entity-name billing";
    await run(CONFIGS, `--alter ${group} --add-config consumer.session.timeout.ms=50000`);
    assert.match(
      await run(CONFIGS, `--describe ${group}`),
      /consumer\.session\.timeout\.ms=50000 .*DYNAMIC_GROUP_CONFIG/,
    );
    const brokers = "--entity-type brokers --entity-default";
    await run(CONFIGS, `--alter ${brokers} --add-config log.retention.ms=900000000`);
    assert.match(
      await run(CONFIGS, `--describe ${brokers}`),
      /log\.retention\.ms=900000000 .*DYNAMIC_DEFAULT_BROKER_CONFIG/,
    );
    const wrong = await attempt(CONFIGS, `--alter ${topic} --add-config nosuch.config=1`);
    assert.match(wrong.text, /InvalidConfigurationException: Unknown topic config name/);
    const features = await run(FEATURES, "describe");
    assert.match(features, /transaction\.version\t.*FinalizedVersionLevel: 2/);
    assert.match(features, /group\.version\t.*FinalizedVersionLevel: 1/);
  });
}

/** Records from 2001 on, a second apart; offsets of two groups; a third that reads; transactions of three kinds. */
async function fill(): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  const configEntries = [{ name: "retention.ms", value: "-1" }];
  await admin.createTopics({
    topics: [
      { topic: "orders", numPartitions: 3, configEntries },
      { topic: "other", numPartitions: 1 },
    ],
  });
  const plain = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await plain.connect();
  producers.push(plain);
  const messages = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => ({
    ...{ partition: i % 3, value: `${i}` },
    timestamp: String(1_000_000_000_000 + Math.floor(i / 3) * 1000),
  }));
  await plain.send({ topic: "orders", messages: messages.filter(({ value }) => value !== "9") });
  const partitions = [{ partition: 0, offset: "1" }];
  for (const groupId of ["billing", "shipping"]) {
    await admin.setOffsets({ groupId, topic: "orders", partitions });
  }
  await transact("done", 1, "commit");
  await transact("dropped", 1, "abort");
  await transact("open", 2);
  await admin.disconnect();
  consumer = kafka.consumer({ groupId: "live" });
  await consumer.connect();
  await consumer.subscribe({ topic: "other" });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({ eachMessage: async () => {} });
  await joined;
}

async function transact(transactionalId: string, partition: number, end?: "commit" | "abort") {
  const producer = kafka.producer({
    ...{ transactionalId, idempotent: true, maxInFlightRequests: 1, transactionTimeout: 600_000 },
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  producers.push(producer);
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic: "orders", messages: [{ value: "in one", partition }] });
  if (end !== undefined) await transaction[end]();
}

function run(mainClass: string, words: string): Promise<string> {
  return tools.run(mainClass, `--bootstrap-server ${server.bootstrap} ${words}`);
}

function attempt(mainClass: string, words: string) {
  return tools.try(mainClass, `--bootstrap-server ${server.bootstrap} ${words}`);
}

test.run();
