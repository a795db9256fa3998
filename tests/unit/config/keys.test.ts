// The table of keys against itself, look-ups by name and variable, units, and `config explain`.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  allKeys,
  checkWritten,
  explain,
  explainDifferences,
  findBrokerKey,
  findTopicKey,
  loadConfig,
  nearestKey,
  parseHostPort,
  variableOf,
} from "../../../runtime/config.ts";

test("every default is a value its own key accepts", () => {
  for (const key of [...allKeys("broker"), ...allKeys("topic"), ...allKeys("group")]) {
    if (key.default === null) continue;
    assert.equal(checkWritten(key, key.default), { text: key.default }, key.name);
  }
});

test("a key of a topic or a group and the broker key behind it agree on type and default", async () => {
  const { config } = await loadConfig({});
  for (const key of [...allKeys("topic"), ...allKeys("group")]) {
    if (key.brokerKey === null) continue;
    const broker = findBrokerKey(key.brokerKey);
    assert.ok(broker, `${key.name} names ${key.brokerKey}`);
    assert.is(broker.type, key.type, key.name);
    assert.is(config.effective(key.brokerKey)?.text, key.default, key.name);
  }
});

test("related metrics and keys of a key exist", async () => {
  const { METRICS, METRIC_PREFIX } = await import("../../../runtime/telemetry/metric-table.ts");
  for (const key of [...allKeys("broker"), ...allKeys("topic"), ...allKeys("group")]) {
    for (const name of key.related) {
      const metric = name.slice(METRIC_PREFIX.length);
      const known = name.startsWith(METRIC_PREFIX)
        ? metric in METRICS
        : findBrokerKey(name) || findTopicKey(name);
      assert.ok(known, `${key.name} relates to ${name}`);
    }
  }
});

test("every key has its own environment variable", () => {
  const variables = allKeys("broker").map(({ name }) => variableOf(name));
  assert.is(new Set(variables).size, variables.length);
  assert.is(variableOf("timberline.http.port"), "TIMBERLINE_HTTP_PORT");
  assert.is(variableOf("log.retention.ms"), "TIMBERLINE_LOG_RETENTION_MS");
});

test("nearestKey() finds what was meant and does not guess wildly", () => {
  assert.is(nearestKey("num.partition", "broker"), "num.partitions");
  assert.is(nearestKey("NUM_PARTITIONS", "broker"), "num.partitions");
  assert.is(nearestKey("log.rentention.ms", "broker"), "log.retention.ms");
  assert.is(nearestKey("flush", "broker"), "timberline.flush");
  assert.is(nearestKey("cleanup-policy", "topic"), "cleanup.policy");
  assert.is(nearestKey("completely.different", "broker"), undefined);
  assert.is(nearestKey("x".repeat(100_000), "broker"), undefined);
});

test("checkWritten() takes only units that fit", () => {
  const check = (name: string, text: string) => checkWritten(findBrokerKey(name)!, text);
  assert.equal(check("log.retention.ms", "1.5 h"), { text: "5400000" });
  assert.equal(check("log.retention.hours", "7d"), { text: "168" });
  assert.match(JSON.stringify(check("log.retention.hours", "90m")), /not a whole number of hours/);
  assert.match(JSON.stringify(check("log.retention.ms", "5MB")), /not one of its units/);
  assert.match(JSON.stringify(check("log.segment.bytes", "5d")), /not one of its units/);
  assert.match(JSON.stringify(check("num.partitions", "5k")), /plain number, without 'k'/);
  assert.match(JSON.stringify(check("log.retention.ms", "5constructor")), /not one of its units/);
});

test("parseHostPort() reads names, addresses and bracketed IPv6", () => {
  assert.equal(parseHostPort("a.example:1"), { host: "a.example", port: 1 });
  assert.equal(parseHostPort("[::1]:9092"), { host: "::1", port: 9092 });
  for (const wrong of ["", "a", ":1", "a:", "a:70000", "::1:9092", "a b:1"]) {
    assert.is(parseHostPort(wrong), undefined, wrong);
  }
});

test("explain() shows every layer, the winner first", async () => {
  const { config } = await loadConfig({
    file: { path: "timberline.toml", text: "[log.retention]\nhours = 5\n" },
    env: { TIMBERLINE_LOG_RETENTION_MINUTES: "7" },
  });
  const explained = explain("log.retention.ms", config)!;
  assert.is(explained.value, "420000");
  assert.equal(
    explained.layers.map(({ layer, place, name, value }) => [layer, place, name, value]),
    [
      ["environment", "TIMBERLINE_LOG_RETENTION_MINUTES", "log.retention.minutes", "7"],
      ["file", "timberline.toml:2", "log.retention.hours", "5"],
      ["default", "default", "log.retention.hours", "168"],
    ],
  );
  assert.equal(explained.topicKeys, ["retention.ms"]);
  assert.is(explained.variable, "TIMBERLINE_LOG_RETENTION_MS");
  const topic = explain("retention.ms", config)!;
  assert.is(topic.scope, "topic");
  assert.is(topic.value, "420000");
  assert.is(explain("no.such.key", config), undefined);
});

test("explainDifferences() lists what is not default", async () => {
  const { config } = await loadConfig({ sets: ["num.partitions=3"], flags: { flush: "os" } });
  const names = explainDifferences(config).map(({ name }) => name);
  assert.equal(names, ["num.partitions", "timberline.flush"]);
});

test.run();
