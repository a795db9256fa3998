// kafkajs's admin client against a server in this process: what it sends for each admin API, and what it makes of
// the answers.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Admin, type ConfigResourceTypes, Kafka, logLevel, type Producer } from "kafkajs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Server, startServer } from "../../runtime/mod.ts";

/** The numbers of the protocol: kafkajs does not export its own where Node looks for names. */
const topicResource: ConfigResourceTypes = 2;
const brokerResource: ConfigResourceTypes = 4;

interface Context {
  folder: string;
  server: Server;
  admin: Admin;
  producer: Producer;
}

const test = suite<Context>("kafkajs admin");

test.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), "timberline-kafkajs-admin-"));
  context.server = await startServer({
    dataDir: context.folder,
    kafkaPort: 0,
    httpPort: false,
  });
  const { host, port } = context.server.kafka;
  const kafka = new Kafka({
    clientId: "admin-test",
    brokers: [`${host}:${port}`],
    logLevel: logLevel.NOTHING,
    retry: { retries: 1 },
  });
  context.admin = kafka.admin();
  context.producer = kafka.producer({ idempotent: true, allowAutoTopicCreation: false });
  await context.admin.connect();
  await context.producer.connect();
});

test.after(async ({ admin, producer, server, folder }) => {
  await producer?.disconnect();
  await admin?.disconnect();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("createTopics() creates with partitions and configs, and tells a topic that exists", async ({
  admin,
}) => {
  const topics = [
    {
      topic: "made",
      numPartitions: 3,
      configEntries: [{ name: "retention.ms", value: "123456" }],
    },
    { topic: "assigned", replicaAssignment: [{ partition: 0, replicas: [1] }] },
  ];
  assert.is(await admin.createTopics({ topics: [topics[0]!] }), true);
  assert.is(await admin.createTopics({ topics: [topics[0]!] }), false);
  const assigned = { ...topics[1]!, numPartitions: -1, replicationFactor: -1 };
  assert.is(await admin.createTopics({ topics: [assigned] }), true);
  const { topics: found } = await admin.fetchTopicMetadata({ topics: ["made", "assigned"] });
  const counts = new Map(found.map(({ name, partitions }) => [name, partitions.length]));
  assert.equal([counts.get("made"), counts.get("assigned")], [3, 1]);
  assert.is(await configOf(admin, "made", "retention.ms"), "123456");
});

test("createTopics() fails with Kafka's errors and creates nothing that was only validated", async ({
  admin,
}) => {
  const failure = async (topic: { topic: string; numPartitions?: number }) => {
    try {
      await admin.createTopics({ topics: [topic] });
    } catch (error) {
      const [first] = (error as { errors?: { type: string }[] }).errors ?? [];
      return first?.type;
    }
    return undefined;
  };
  assert.is(await failure({ topic: "none", numPartitions: 0 }), "INVALID_PARTITIONS");
  assert.is(await failure({ topic: "bad name" }), "INVALID_TOPIC_EXCEPTION");
  await admin.createTopics({
    validateOnly: true,
    waitForLeaders: false,
    topics: [{ topic: "validated" }],
  });
  assert.not((await admin.listTopics()).includes("validated"));
});

test("createPartitions() grows a topic", async ({ admin }) => {
  await admin.createTopics({ topics: [{ topic: "grown", numPartitions: 1 }] });
  await admin.createPartitions({ topicPartitions: [{ topic: "grown", count: 4 }] });
  const { topics } = await admin.fetchTopicMetadata({ topics: ["grown"] });
  assert.is(topics[0]?.partitions.length, 4);
});

test("deleteTopicRecords() moves the low watermark of a partition", async ({ admin, producer }) => {
  await admin.createTopics({ topics: [{ topic: "cut" }] });
  const messages = Array.from({ length: 5 }, (_, i) => ({ value: `v${i}` }));
  await producer.send({ topic: "cut", messages });
  const offsets = async () =>
    (await admin.fetchTopicOffsets("cut")).map(({ low, high }) => [low, high]);
  // kafkajs deletes only in topics it has looked up before.
  assert.equal(await offsets(), [["0", "5"]]);
  await admin.deleteTopicRecords({ topic: "cut", partitions: [{ partition: 0, offset: "3" }] });
  assert.equal(await offsets(), [["3", "5"]]);
  await admin.deleteTopicRecords({ topic: "cut", partitions: [{ partition: 0, offset: "-1" }] });
  assert.equal(await offsets(), [["5", "5"]]);
});

test("describeConfigs() gives values, sources and synonyms of topics and brokers", async ({
  admin,
}) => {
  const name = "described";
  const configEntries = [{ name: "segment.ms", value: "60000" }];
  await admin.createTopics({ topics: [{ topic: name, configEntries }] });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: true,
    resources: [
      { type: topicResource, name },
      { type: brokerResource, name: "1" },
    ],
  });
  const entries = resources[0]?.configEntries ?? [];
  const set = entries.find((entry) => entry.configName === "segment.ms");
  assert.is(set?.configValue, "60000");
  assert.is(Number(set?.configSource), 1);
  const preset = entries.find((entry) => entry.configName === "segment.bytes");
  assert.is(Number(preset?.configSource), 5);
  assert.is(preset?.configSynonyms[0]?.configName, "log.segment.bytes");
  const brokerEntries = resources[1]?.configEntries ?? [];
  assert.ok(brokerEntries.some((entry) => entry.configName === "log.retention.ms"));
});

test("alterConfigs() sets what is named and resets the rest", async ({ admin }) => {
  const name = "altered";
  const configEntries = [{ name: "segment.ms", value: "60000" }];
  await admin.createTopics({ topics: [{ topic: name, configEntries }] });
  const type = topicResource;
  const alter = (value: string, validateOnly: boolean) =>
    admin.alterConfigs({
      validateOnly,
      resources: [{ type, name, configEntries: [{ name: "retention.ms", value }] }],
    });
  await alter("1000", true);
  assert.is(await configOf(admin, name, "retention.ms"), "604800000");
  await alter("2000", false);
  assert.is(await configOf(admin, name, "retention.ms"), "2000");
  assert.is(await configOf(admin, name, "segment.ms"), "604800000");
  await rejects(alter("soon", false), "INVALID_CONFIG");
  assert.is(await configOf(admin, name, "retention.ms"), "2000");
});

test("describeCluster() names this broker", async ({ admin, server }) => {
  const { brokers, controller, clusterId } = await admin.describeCluster();
  assert.is(clusterId, server.clusterId);
  assert.is(controller, server.brokerId);
  const { host, port } = server.kafka;
  assert.equal(brokers, [{ nodeId: server.brokerId, host, port }]);
});

test("deleteTopics() deletes, and tells what does not exist", async ({ admin, producer }) => {
  await admin.createTopics({ topics: [{ topic: "gone" }] });
  await producer.send({ topic: "gone", messages: [{ value: "v" }] });
  await admin.deleteTopics({ topics: ["gone"] });
  assert.not((await admin.listTopics()).includes("gone"));
  await rejects(admin.deleteTopics({ topics: ["gone"] }), "UNKNOWN_TOPIC_OR_PARTITION");
  await admin.createTopics({ topics: [{ topic: "gone" }] });
  const offsets = await admin.fetchTopicOffsets("gone");
  assert.equal([offsets[0]?.low, offsets[0]?.high], ["0", "0"], "made again, it is empty");
});

test.run();

async function configOf(admin: Admin, topic: string, key: string): Promise<string | undefined> {
  const type = topicResource;
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type, name: topic, configNames: [key] }],
  });
  return resources[0]?.configEntries[0]?.configValue;
}

async function rejects(promise: Promise<unknown>, type: string): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (failure: { type?: string; cause?: { type?: string } }) => failure,
  );
  // What is tried again comes as the cause of having given up.
  assert.is(error?.type ?? error?.cause?.type, type);
}
