// Kafka's own command line tools, and with them its Java clients, against a Timberline broker: topics, configs,
// offsets, records in every codec, as their users call them. Each call is a JVM of its own, hence few of them.
// Time limit: 150 s

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { requestJson } from "../support/http-client.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { KafkaTools } from "./kafka-tools.ts";

const TOPICS = "org.apache.kafka.tools.TopicCommand";
const CONFIGS = "kafka.admin.ConfigCommand";
const OFFSETS = "org.apache.kafka.tools.GetOffsetShell";
const PRODUCER = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance";
const codecs = ["gzip", "snappy", "lz4", "zstd"] as const;
const linesPerCodec = 50;

const tools = KafkaTools.find();
let server: TestServer;

if (tools !== undefined) {
  test.before(async () => {
    server = await TestServer.start();
  });
  test.after(async () => {
    await server.kill();
  });

  test("TopicCommand creates, refuses, describes and lists a topic", async () => {
    const settings = ["--partitions", "3", "--config", "retention.ms=60000000"];
    const create = at("--create", "--topic", "made-by-java", ...settings);
    assert.match(await tools.run(TOPICS, ...create), /Created topic made-by-java\./);
    const [again, described, listed] = await Promise.all([
      tools.try(TOPICS, create),
      tools.run(TOPICS, ...at("--describe", "--topic", "made-by-java")),
      tools.run(TOPICS, ...at("--list")),
    ]);
    assert.is(again.code, 1);
    assert.match(again.stdout + again.stderr, /TopicExistsException/);
    assert.match(described, /PartitionCount: 3\tReplicationFactor: 1\tConfigs: .*retention\.ms=6/);
    assert.match(described, /Partition: 2\tLeader: 1\tReplicas: 1\tIsr: 1/);
    assert.match(listed, /^made-by-java$/m);
  });

  test("TopicCommand adds partitions and ConfigCommand changes configs", async () => {
    const entity = ["--entity-type", "topics", "--entity-name", "made-by-java"];
    const changes = ["--add-config", "max.message.bytes=2000000", "--delete-config"];
    const interval = "consumer.heartbeat.interval.ms=6000";
    const group = ["--entity-type", "groups", "--entity-name", "java-group"];
    await Promise.all([
      tools.run(CONFIGS, ...at("--alter", ...group, "--add-config", interval)),
      tools.run(TOPICS, ...at("--alter", "--topic", "made-by-java", "--partitions", "5")),
      tools.run(CONFIGS, ...at("--alter", ...entity, ...changes, "retention.ms")),
    ]);
    const [described, configs, groups, broker] = await Promise.all([
      tools.run(TOPICS, ...at("--describe", "--topic", "made-by-java")),
      tools.run(CONFIGS, ...at("--describe", ...entity)),
      // Without a name: of all groups that have some.
      tools.run(CONFIGS, ...at("--describe", "--entity-type", "groups")),
      tools.run(
        CONFIGS,
        ...at("--describe", "--all", "--entity-type", "brokers", "--entity-name", "1"),
      ),
    ]);
    assert.match(described, /PartitionCount: 5\t/);
    assert.match(
      configs,
      /max\.message\.bytes=2000000 .*DYNAMIC_TOPIC_CONFIG:max\.message\.bytes=/,
    );
    assert.not.match(configs, /retention\.ms/);
    assert.match(
      groups,
      /group java-group are:\s+consumer\.heartbeat\.interval\.ms=6000 .*DYNAMIC_GROUP/,
    );
    assert.match(broker, /log\.segment\.bytes=\d+ sensitive=false synonyms=\{DEFAULT_CONFIG/);
  });

  test("ConsoleProducer writes in every codec, and ConsoleConsumer reads all of it", async () => {
    await tools.run(TOPICS, ...at("--create", "--topic", "console", "--partitions", "1"));
    for (const codec of codecs) {
      const flags = ["--topic", "console", "--compression-codec", codec];
      const keys = ["--property", "parse.key=true", "--property", "key.separator=:"];
      const end = await tools.try(
        PRODUCER,
        at(...flags, ...keys),
        `${linesOf(codec).join("\n")}\n`,
      );
      assert.is(end.code, 0, end.stderr);
    }
    const count = codecs.length * linesPerCodec;
    const flags = ["--topic", "console", "--partition", "0", "--offset", "earliest"];
    const shown = ["--property", "print.key=true", "--property", "key.separator=:"];
    const max = ["--max-messages", String(count)];
    const read = await tools.run(CONSUMER, ...at(...flags, ...shown, ...max));
    assert.equal(read.trimEnd().split("\n"), codecs.flatMap(linesOf));
    assert.equal(await valuesByHttp("console"), codecs.flatMap(linesOf));
  });

  test("ProducerPerformance has all its records acknowledged, and GetOffsetShell counts them", async () => {
    const flags = ["--topic", "measured", "--num-records", "50000", "--record-size", "200"];
    const said = await tools.run(
      PERFORMANCE,
      ...[...flags, "--throughput", "-1", "--producer-props"],
      `bootstrap.servers=${server.bootstrap}`,
    );
    assert.match(said, /^50000 records sent, .* 99\.9th\.$/m);
    const [latest, earliest, highest] = await Promise.all(
      ["-1", "-2", "-3"].map((time) =>
        tools.run(OFFSETS, ...at("--topic", "measured|console", "--time", time)),
      ),
    );
    assert.equal(latest?.trim().split("\n").sort(), ["console:0:200", "measured:0:50000"]);
    assert.equal(earliest?.trim().split("\n").sort(), ["console:0:0", "measured:0:0"]);
    assert.match(highest ?? "", /^measured:0:\d+$/m);
  });

  test("DeleteRecordsCommand, LogDirsCommand and TopicCommand --delete take away what they name", async () => {
    const file = join(tempFolder("delete"), "offsets.json");
    const partitions = [{ topic: "measured", partition: 0, offset: 40_000 }];
    writeFileSync(file, JSON.stringify({ version: 1, partitions }));
    const deleted = await tools.run(
      "org.apache.kafka.tools.DeleteRecordsCommand",
      ...at("--offset-json-file", file),
    );
    assert.match(deleted, /partition: measured-0\tlow_watermark: 40000/);
    const [offsets, dirs] = await Promise.all([
      tools.run(OFFSETS, ...at("--topic", "measured", "--time", "-2")),
      tools.run("org.apache.kafka.tools.LogDirsCommand", ...at("--describe", "--broker-list", "1")),
      tools.run(TOPICS, ...at("--delete", "--topic", "console")),
    ]);
    assert.is(offsets.trim(), "measured:0:40000");
    assert.match(dirs, /"partition":"measured-0","size":\d{8},"offsetLag":0,"isFuture":false/);
    const { topics } = await requestJson<{ topics: { name: string }[] }>(
      `${server.http}/v1/topics`,
    );
    assert.equal(topics.map(({ name }) => name).sort(), ["made-by-java", "measured"]);
  });
}

function at(...args: string[]): string[] {
  return ["--bootstrap-server", server.bootstrap, ...args];
}

function linesOf(codec: string): string[] {
  const text = `${codec} said it again and again `.repeat(20);
  return Array.from({ length: linesPerCodec }, (_, i) => `${codec}${i}:${text}${i}`);
}

async function valuesByHttp(topic: string): Promise<string[]> {
  const url = `${server.http}/v1/topics/${topic}/partitions/0/records?offset=0&max_records=10000`;
  const { records } = await requestJson<{ records: { key: string; value: string }[] }>(url);
  return records.map(({ key, value }) => `${key}:${value}`);
}

test.run();
