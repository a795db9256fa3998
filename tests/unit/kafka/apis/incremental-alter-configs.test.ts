// IncrementalAlterConfigs: the four operations, duplicates, errors per resource.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { handleIncrementalAlterConfigs } from "../../../../runtime/kafka/apis/incremental-alter-configs.ts";
import { topicRecord } from "../fakes.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

type Change = [string, number, string | null];

async function alter(broker: AdminBroker, resources: [number, string, ...Change[]][]) {
  const request = {
    resources: resources.map(([resourceType, resourceName, ...changes]) => ({
      resourceType,
      resourceName,
      configs: changes.map(([name, configOperation, value]) => ({ name, configOperation, value })),
    })),
    validateOnly: false,
  };
  const context = contextOf(broker, 1);
  const { responses } = await answered(handleIncrementalAlterConfigs(request, context));
  return responses.map(({ errorCode }) => errorCode);
}

const broker = () => new AdminBroker().add(topicRecord("a")).add(topicRecord("b"));

test("handleIncrementalAlterConfigs() knows set, delete, append and subtract", async () => {
  const admin = broker();
  const changes: Change[] = [
    ["k", 0, "1"],
    ["l", 1, "ignored"],
    ["m", 2, "x"],
    ["n", 3, "y"],
    ["o", 1, null],
  ];
  assert.equal(await alter(admin, [[2, "a", ...changes]]), [0]);
  assert.equal(admin.calls[0]?.[2], [
    { name: "k", op: "set", value: "1" },
    { name: "l", op: "delete" },
    { name: "m", op: "append", value: "x" },
    { name: "n", op: "subtract", value: "y" },
    { name: "o", op: "delete" },
  ]);
});

test("handleIncrementalAlterConfigs() fails each resource alone, before the broker is asked", async () => {
  const admin = broker();
  const codes = await alter(admin, [
    [2, "a", ["k", 0, null]],
    [2, "b", ["k", 4, "1"]],
    [2, "x", ["k", 0, "1"]],
    [2, "", ["k", 0, "1"]],
    [4, "7", ["k", 0, "1"]],
    [8, "1", ["root", 0, "INFO"]],
    [16, "", ["k", 0, "1"]],
    [32, "", ["k", 0, "1"]],
    [99, "q", ["k", 0, "1"]],
  ]);
  assert.equal(codes, [42, 42, 3, 42, 42, 40, 42, 42, 42]);
  assert.is(admin.calls.length, 0);
});

test("handleIncrementalAlterConfigs() alters a group, whether or not there is one", async () => {
  const admin = broker();
  assert.equal(await alter(admin, [[32, "g", ["k", 0, "1"]]]), [0]);
  assert.equal(admin.calls[0]?.[1], { kind: "group", groupId: "g" });
});

test("handleIncrementalAlterConfigs() refuses a key that is changed twice", async () => {
  const admin = broker();
  const codes = await alter(admin, [
    [2, "a", ["k", 0, "1"], ["k", 1, null]],
    [2, "b", ["k", 0, "1"]],
  ]);
  assert.equal(codes, [42, 0]);
  assert.is(admin.calls.length, 1);
});

test.run();
