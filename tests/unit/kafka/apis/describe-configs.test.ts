// DescribeConfigs: sources, synonyms, secrets, which resources this broker speaks for.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { handleDescribeConfigs } from "../../../../runtime/kafka/apis/describe-configs.ts";
import { topicRecord } from "../fakes.ts";
import { AdminBroker, answered, configEntry, contextOf } from "./admin-broker.ts";

const topic = 2;
const ofBroker = 4;
const logger = 8;
const clientMetrics = 16;
const group = 32;

async function describe(
  broker: AdminBroker,
  resources: [number, string, string[]?][],
  given: { includeSynonyms?: boolean; includeDocumentation?: boolean } = {},
) {
  const request = {
    resources: resources.map(([resourceType, resourceName, keys]) => ({
      resourceType,
      resourceName,
      configurationKeys: keys ?? null,
    })),
    includeSynonyms: false,
    includeDocumentation: false,
    ...given,
  };
  const { results } = await answered(handleDescribeConfigs(request, contextOf(broker, 4)));
  return results;
}

test("handleDescribeConfigs() gives value, source and type of a topic's configs", async () => {
  const broker = new AdminBroker().add(topicRecord("t"));
  broker.entries = [configEntry("k", { source: "DYNAMIC_TOPIC_CONFIG", type: "LIST" })];
  const [result] = await describe(broker, [[topic, "t", ["k"]]]);
  assert.equal(result?.configs, [
    {
      name: "k",
      value: "1",
      readOnly: false,
      configSource: 1,
      isSensitive: false,
      synonyms: [],
      configType: 7,
      documentation: null,
    },
  ]);
  assert.equal(broker.calls, [["describeConfigs", { kind: "topic", name: "t" }, ["k"]]]);
});

test("handleDescribeConfigs() adds synonyms and documentation when asked to", async () => {
  const broker = new AdminBroker().add(topicRecord("t"));
  broker.entries = [configEntry("k")];
  const asked = { includeSynonyms: true, includeDocumentation: true };
  const [result] = await describe(broker, [[topic, "t"]], asked);
  assert.equal(result?.configs[0]?.synonyms, [{ name: "k", value: "1", source: 5 }]);
  assert.is(result?.configs[0]?.documentation, "what k is");
});

test("handleDescribeConfigs() never sends the value of a sensitive key", async () => {
  const broker = new AdminBroker();
  const synonyms = [{ name: "k", value: "secret", source: "STATIC_BROKER_CONFIG" as const }];
  broker.entries = [configEntry("k", { value: "secret", sensitive: true, synonyms })];
  const results = await describe(broker, [[ofBroker, "1"]], { includeSynonyms: true });
  assert.not.match(JSON.stringify(results), "secret");
  assert.is(results[0]?.configs.length, 1);
});

test("handleDescribeConfigs() takes no keys as all keys", async () => {
  const broker = new AdminBroker().add(topicRecord("t"));
  await describe(broker, [[topic, "t", []]]);
  assert.is(broker.calls[0]?.[2], null);
});

test("handleDescribeConfigs() lists of the defaults of all brokers only what was set", async () => {
  const broker = new AdminBroker();
  broker.entries = [
    configEntry("k"),
    configEntry("set", { source: "DYNAMIC_DEFAULT_BROKER_CONFIG" }),
  ];
  const [result] = await describe(broker, [[ofBroker, ""]]);
  assert.equal(
    result?.configs.map(({ name }) => name),
    ["set"],
  );
  assert.equal(broker.calls[0]?.[1], { kind: "broker", broker: null });
});

test("handleDescribeConfigs() speaks for this broker only", async () => {
  const broker = new AdminBroker();
  const results = await describe(broker, [
    [ofBroker, "1"],
    [ofBroker, "7"],
    [ofBroker, "x"],
    [logger, "1"],
    [logger, "7"],
    [logger, ""],
  ]);
  assert.equal(
    results.map(({ errorCode }) => errorCode),
    [0, 42, 42, 0, 42, 42],
  );
  assert.is(
    results[1]?.errorMessage,
    "Unexpected broker id, expected 1 or empty string, but received 7",
  );
});

test("handleDescribeConfigs() fails each resource alone, and answers repeated ones", async () => {
  const broker = new AdminBroker().add(topicRecord("t"));
  const results = await describe(broker, [
    [topic, "x"],
    [topic, "."],
    [topic, "t"],
    [topic, "t"],
    [group, "g"],
    [group, ""],
    [clientMetrics, "m"],
    [clientMetrics, ""],
    [99, "y"],
  ]);
  assert.equal(
    results.map(({ errorCode }) => errorCode),
    [3, 17, 0, 0, 0, 42, 0, 42, 42],
  );
});

test("handleDescribeConfigs() bounds its answer when one resource is asked for over and over", async () => {
  const broker = new AdminBroker().add(topicRecord("t"));
  broker.entries = Array.from({ length: 100 }, (_, i) => configEntry(`k${i}`));
  const results = await describe(
    broker,
    Array.from({ length: 5_010 }, () => [topic, "t"]),
  );
  const codes = results.map(({ errorCode }) => errorCode);
  assert.is(codes.lastIndexOf(0), 4_999);
  assert.is(codes.indexOf(42), 5_000);
});

test.run();
