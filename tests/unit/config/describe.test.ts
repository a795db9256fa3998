// Expected values were read from a Kafka 4.1.1 broker that was set up the same way.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ConfigEntry } from "../../../runtime/broker.ts";
import {
  describeBrokerConfigs,
  describeClusterDefaults,
  describeTopicConfigs,
  loadConfig,
} from "../../../runtime/config.ts";

/** As the Kafka broker compared with: a properties file, one dynamic key, one dynamic default. */
async function compared() {
  const text = [
    "node.id=1",
    "listeners=PLAINTEXT://127.0.0.1:19792",
    "advertised.listeners=PLAINTEXT://127.0.0.1:19792",
    "num.partitions=1",
    "log.retention.hours=100",
    "log.segment.bytes=2000000",
    "log.roll.ms=700000",
  ].join("\n");
  const { config } = await loadConfig({ file: { path: "server.properties", text } });
  return config.withDynamic({
    cluster: new Map([["log.segment.bytes", "4000000"]]),
    broker: new Map([["log.segment.bytes", "3000000"]]),
  });
}

function one(entries: readonly ConfigEntry[], name: string): ConfigEntry {
  const entry = entries.find((each) => each.name === name);
  assert.ok(entry, `${name} is missing`);
  return entry;
}

const line = ({ value, source, synonyms }: ConfigEntry) => [
  value,
  source,
  synonyms.map((each) => `${each.name}=${each.value}:${each.source}`),
];

test("describeTopicConfigs() gives values, sources and synonyms as Kafka", async () => {
  const own = new Map([
    ["retention.ms", "5000"],
    ["cleanup.policy", "compact"],
  ]);
  const entries = describeTopicConfigs(own, await compared());
  assert.equal(line(one(entries, "segment.bytes")), [
    "3000000",
    "DYNAMIC_BROKER_CONFIG",
    [
      "log.segment.bytes=3000000:DYNAMIC_BROKER_CONFIG",
      "log.segment.bytes=4000000:DYNAMIC_DEFAULT_BROKER_CONFIG",
      "log.segment.bytes=2000000:STATIC_BROKER_CONFIG",
      "log.segment.bytes=1073741824:DEFAULT_CONFIG",
    ],
  ]);
  assert.equal(line(one(entries, "segment.ms")), [
    "700000",
    "STATIC_BROKER_CONFIG",
    ["log.roll.ms=700000:STATIC_BROKER_CONFIG", "log.roll.hours=168:DEFAULT_CONFIG"],
  ]);
  assert.equal(line(one(entries, "cleanup.policy")), [
    "compact",
    "DYNAMIC_TOPIC_CONFIG",
    ["cleanup.policy=compact:DYNAMIC_TOPIC_CONFIG", "log.cleanup.policy=delete:DEFAULT_CONFIG"],
  ]);
  assert.equal(line(one(entries, "max.message.bytes")), [
    "1048588",
    "DEFAULT_CONFIG",
    ["message.max.bytes=1048588:DEFAULT_CONFIG"],
  ]);
  assert.equal(line(one(entries, "leader.replication.throttled.replicas")), [
    "",
    "DEFAULT_CONFIG",
    [],
  ]);
  assert.ok(entries.every(({ readOnly, sensitive }) => !readOnly && !sensitive));
  assert.ok(entries.every(({ documentation }) => documentation.length > 20));
});

test("describeTopicConfigs() tells the source of retention in hours, which Kafka forgets", async () => {
  const entries = describeTopicConfigs(new Map(), await compared());
  assert.equal(line(one(entries, "retention.ms")), [
    "360000000",
    "STATIC_BROKER_CONFIG",
    ["log.retention.hours=100:STATIC_BROKER_CONFIG", "log.retention.hours=168:DEFAULT_CONFIG"],
  ]);
});

test("describeTopicConfigs() lists every topic config of Kafka 4.1", async () => {
  const names = describeTopicConfigs(new Map(), await compared()).map(({ name }) => name);
  const kafka =
    "cleanup.policy compression.gzip.level compression.lz4.level compression.type " +
    "compression.zstd.level delete.retention.ms file.delete.delay.ms flush.messages flush.ms " +
    "follower.replication.throttled.replicas index.interval.bytes " +
    "leader.replication.throttled.replicas local.retention.bytes local.retention.ms " +
    "max.compaction.lag.ms max.message.bytes message.timestamp.after.max.ms " +
    "message.timestamp.before.max.ms message.timestamp.type min.cleanable.dirty.ratio " +
    "min.compaction.lag.ms min.insync.replicas preallocate remote.log.copy.disable " +
    "remote.log.delete.on.disable remote.storage.enable retention.bytes retention.ms " +
    "segment.bytes segment.index.bytes segment.jitter.ms segment.ms " +
    "unclean.leader.election.enable";
  assert.equal(
    names.filter((name) => !name.startsWith("timberline.")),
    kafka.split(" "),
  );
});

test("describeBrokerConfigs() marks what cannot change and shows both names of the id", async () => {
  const entries = describeBrokerConfigs(await compared());
  const listeners = one(entries, "advertised.listeners");
  assert.equal(line(listeners), [
    "PLAINTEXT://127.0.0.1:19792",
    "STATIC_BROKER_CONFIG",
    ["advertised.listeners=PLAINTEXT://127.0.0.1:19792:STATIC_BROKER_CONFIG"],
  ]);
  assert.is(listeners.readOnly, true);
  assert.is(one(entries, "log.segment.bytes").readOnly, false);
  assert.is(one(entries, "auto.create.topics.enable").readOnly, true);
  for (const name of ["node.id", "broker.id"]) {
    assert.is(one(entries, name).value, "1");
    assert.is(one(entries, name).source, "STATIC_BROKER_CONFIG");
  }
  assert.equal(line(one(entries, "log.retention.ms")), [null, "DEFAULT_CONFIG", []]);
  assert.equal(line(one(entries, "log.roll.ms")), [
    "700000",
    "STATIC_BROKER_CONFIG",
    ["log.roll.ms=700000:STATIC_BROKER_CONFIG", "log.roll.hours=168:DEFAULT_CONFIG"],
  ]);
  assert.equal(line(one(entries, "broker.rack")), [null, "DEFAULT_CONFIG", []]);
});

test("describe functions take names, and leave out unknown ones", async () => {
  const config = await compared();
  const names = ["segment.ms", "nope", "log.segment.bytes"];
  assert.equal(
    describeTopicConfigs(new Map(), config, names).map(({ name }) => name),
    ["segment.ms"],
  );
  assert.equal(
    describeBrokerConfigs(config, names).map(({ name }) => name),
    ["log.segment.bytes"],
  );
});

test("describeClusterDefaults() shows only what was set for all brokers", async () => {
  const entries = describeClusterDefaults(await compared());
  assert.equal(
    entries.map(({ name, value, source }) => [name, value, source]),
    [["log.segment.bytes", "4000000", "DYNAMIC_DEFAULT_BROKER_CONFIG"]],
  );
});

test.run();
