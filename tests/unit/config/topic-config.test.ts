// Topic configs: typed values after all defaults, and the refusals a Kafka 4.1.1 broker was seen to give.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BrokerConfig,
  loadConfig,
  resolveTopicConfig,
  validateTopicConfigs,
} from "../../../runtime/config.ts";
import { BrokerError } from "../../../runtime/errors.ts";

const defaults = new BrokerConfig();

test("resolveTopicConfig() takes the topic's value, then the broker's, then the default", async () => {
  const { config } = await loadConfig({
    sets: ["log.retention.ms=5000", "log.segment.bytes=2MiB", "timberline.flush=os"],
  });
  const own = new Map([
    ["segment.bytes", "3145728"],
    ["cleanup.policy", "compact,delete"],
    ["timberline.flush", "interval:20"],
  ]);
  const topic = resolveTopicConfig(own, config);
  assert.is(topic.segmentBytes, 3_145_728);
  assert.is(topic.retentionMs, 5000);
  assert.is(topic.maxMessageBytes, 1_048_588);
  assert.equal(topic.cleanupPolicy, { compact: true, delete: true });
  assert.equal(topic.flush, { mode: "interval", ms: 20 });
  assert.equal(resolveTopicConfig(new Map(), config).flush, { mode: "os" });
});

test("resolveTopicConfig() reads Kafka's largest LONG as Infinity and keeps -1", () => {
  const topic = resolveTopicConfig(new Map([["retention.ms", "-1"]]), defaults);
  assert.is(topic.flushMessages, Number.POSITIVE_INFINITY);
  assert.is(topic.flushMs, Number.POSITIVE_INFINITY);
  assert.is(topic.messageTimestampBeforeMaxMs, Number.POSITIVE_INFINITY);
  assert.is(topic.retentionMs, -1);
  assert.is(topic.retentionBytes, -1);
});

test("resolveTopicConfig() shares one object among topics that set nothing", () => {
  const one = resolveTopicConfig(new Map(), defaults);
  assert.is(resolveTopicConfig(new Map(), defaults), one);
  assert.throws(() => {
    (one as { retentionMs: number }).retentionMs = 1;
  }, /read only/);
});

test("resolveTopicConfig() passes over what a newer version may have written", () => {
  const newer = new Map([
    ["segment.bytes", "lots"],
    ["tomorrow.key", "1"],
  ]);
  assert.is(resolveTopicConfig(newer, defaults).segmentBytes, 2 ** 30);
});

test("retention in hours, minutes and milliseconds: the finer name wins, -1 keeps all", async () => {
  const retention = async (...sets: string[]) =>
    resolveTopicConfig(new Map(), (await loadConfig({ sets })).config).retentionMs;
  assert.is(await retention(), 604_800_000);
  assert.is(await retention("log.retention.hours=2"), 7_200_000);
  assert.is(await retention("log.retention.hours=2", "log.retention.minutes=3"), 180_000);
  assert.is(await retention("log.retention.minutes=3", "log.retention.ms=4"), 4);
  assert.is(await retention("log.retention.hours=-1"), -1);
});

test("a stronger layer's coarse name beats a weaker layer's fine one", async () => {
  const { config } = await loadConfig({
    env: { TIMBERLINE_LOG_RETENTION_MS: "4" },
    sets: ["log.retention.hours=1"],
  });
  assert.is(config.number("log.retention.ms"), 3_600_000);
});

test("validateTopicConfigs() refuses what Kafka refuses", () => {
  const cases: [name: string, value: string, message: RegExp][] = [
    ["segment.bytes", "1048575", /Value must be at least 1048576/],
    ["segment.bytes", "99999999999", /Not a number of type INT/],
    ["retention.ms", "abc", /Not a number of type LONG/],
    ["retention.ms", "7d", /Not a number of type LONG/],
    ["retention.ms", "", /Not a number of type LONG/],
    ["retention.ms", "-2", /Value must be at least -1/],
    ["retention.ms", "9223372036854775808", /Not a number of type LONG/],
    ["cleanup.policy", "foo", /String must be one of: compact, delete/],
    ["min.insync.replicas", "0", /Value must be at least 1/],
    ["preallocate", "yes", /Expected value to be either true or false/],
    ["compression.type", "lzma", /String must be one of: uncompressed, zstd/],
    ["compression.gzip.level", "0", /between 1 and 9 or equal to -1/],
    ["min.cleanable.dirty.ratio", "2", /Value must be no more than 1/],
    ["min.cleanable.dirty.ratio", "x", /Not a number of type DOUBLE/],
    ["leader.replication.throttled.replicas", "x", /PARTITION:BROKER/],
    ["timberline.flush", "interval:0", /group, os or interval/],
    ["remote.storage.enable", "TRUE", /tiered storage/],
    ["retenton.ms", "1", /Unknown topic config name: retenton.ms \(nearest known: retention.ms\)/],
    ["log.retention.ms", "1", /Unknown topic config name/],
  ];
  for (const [name, value, message] of cases) {
    try {
      validateTopicConfigs(new Map([[name, value]]));
      assert.unreachable(`${name}=${value} was taken`);
    } catch (error) {
      assert.instance(error, BrokerError);
      assert.is((error as BrokerError).code, "INVALID_CONFIG");
      assert.match((error as BrokerError).message, message);
    }
  }
});

test("validateTopicConfigs() returns canonical values", () => {
  const written = new Map([
    ["preallocate", " TRUE "],
    ["retention.ms", "+007"],
    ["cleanup.policy", "compact, delete,compact"],
    ["flush.messages", "9223372036854775807"],
    ["min.cleanable.dirty.ratio", "5e-1"],
  ]);
  assert.equal(Object.fromEntries(validateTopicConfigs(written)), {
    preallocate: "true",
    "retention.ms": "7",
    "cleanup.policy": "compact,delete",
    "flush.messages": "9223372036854775807",
    "min.cleanable.dirty.ratio": "0.5",
  });
});

test("validateTopicConfigs() refuses values that contradict each other", () => {
  const both = new Map([
    ["min.compaction.lag.ms", "10"],
    ["max.compaction.lag.ms", "5"],
  ]);
  assert.throws(() => validateTopicConfigs(both), /must not be above/);
});

test.run();
