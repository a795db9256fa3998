// ListConfigResources: types and versions.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { handleListConfigResources } from "../../../../runtime/kafka/apis/list-config-resources.ts";
import { topicRecord } from "../fakes.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

async function list(resourceTypes: number[], version = 1) {
  const broker = new AdminBroker().add(topicRecord("a")).add(topicRecord("b"));
  broker.groupConfigs.set("g", new Map([["consumer.heartbeat.interval.ms", "6000"]]));
  const answer = handleListConfigResources({ resourceTypes }, contextOf(broker, version));
  const { errorCode, configResources } = await answered(answer);
  const named = configResources.map(({ resourceName, resourceType }) => [
    resourceName,
    resourceType,
  ]);
  return { errorCode, named };
}

test("handleListConfigResources() lists what has configs, by type", async () => {
  assert.equal((await list([2])).named, [
    ["a", 2],
    ["b", 2],
  ]);
  assert.equal((await list([4, 8, 16, 32])).named, [
    ["1", 4],
    ["1", 8],
    ["g", 32],
  ]);
  assert.is((await list([])).named.length, 5, "no types: all of them");
});

test("handleListConfigResources() refuses types it does not know", async () => {
  assert.equal(await list([2, 9]), { errorCode: 35, named: [] });
});

test("handleListConfigResources() lists client metrics only in v0", async () => {
  assert.equal(await list([], 0), { errorCode: 0, named: [] });
});

test.run();
