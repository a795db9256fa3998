// AlterConfigs: whole replacement, duplicates, errors per resource.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { handleAlterConfigs } from "../../../../runtime/kafka/apis/alter-configs.ts";
import { topicRecord } from "../fakes.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

type Config = [string, string | null];

async function alter(
  broker: AdminBroker,
  resources: [number, string, ...Config[]][],
  validateOnly = false,
) {
  const request = {
    resources: resources.map(([resourceType, resourceName, ...configs]) => ({
      resourceType,
      resourceName,
      configs: configs.map(([name, value]) => ({ name, value })),
    })),
    validateOnly,
  };
  const { responses } = await answered(handleAlterConfigs(request, contextOf(broker, 2)));
  return responses.map(({ resourceName, errorCode }) => [resourceName, errorCode]);
}

const broker = () => new AdminBroker().add(topicRecord("a")).add(topicRecord("b"));

test("handleAlterConfigs() replaces the configs of topics and brokers", async () => {
  const admin = broker();
  const asked: [number, string, ...Config[]][] = [
    [2, "a", ["k", "1"], ["l", "2"]],
    [4, "1"],
    [4, "", ["k", "3"]],
  ];
  assert.equal(await alter(admin, asked, true), [
    ["a", 0],
    ["1", 0],
    ["", 0],
  ]);
  const options = { validateOnly: true };
  const both = new Map(Object.entries({ k: "1", l: "2" }));
  assert.equal(admin.calls, [
    ["replaceConfigs", { kind: "topic", name: "a" }, both, options],
    ["replaceConfigs", { kind: "broker", broker: 1 }, new Map(), options],
    ["replaceConfigs", { kind: "broker", broker: null }, new Map([["k", "3"]]), options],
  ]);
});

test("handleAlterConfigs() touches nothing that is named twice", async () => {
  const admin = broker();
  const asked: [number, string, ...Config[]][] = [
    [2, "a", ["k", "1"]],
    [2, "b", ["k", "1"], ["k", "2"]],
    [2, "a", ["k", "2"]],
  ];
  assert.equal(await alter(admin, asked), [
    ["a", 42],
    ["b", 42],
  ]);
  assert.is(admin.calls.length, 0);
});

test("handleAlterConfigs() fails each resource alone", async () => {
  const admin = broker().refuse("b", "INVALID_CONFIG").refuse("g", "INVALID_CONFIG");
  const asked: [number, string, ...Config[]][] = [
    [2, "x", ["k", "1"]],
    [2, "", ["k", "1"]],
    [2, "a", ["k", null]],
    [2, "b", ["k", "1"]],
    [4, "7", ["k", "1"]],
    [8, "1", ["root", "INFO"]],
    [16, "m", ["k", "1"]],
    [32, "g", ["k", "1"]],
    [99, "q", ["k", "1"]],
  ];
  assert.equal(
    (await alter(admin, asked)).map(([, code]) => code),
    [3, 42, 42, 40, 42, 42, 42, 40, 42],
  );
});

test.run();
