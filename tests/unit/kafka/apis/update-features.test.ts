// UpdateFeatures: which levels may be set, how, and what ApiVersions says afterwards.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ConfigOperation } from "../../../../runtime/broker.ts";
import { answerApiVersions } from "../../../../runtime/kafka/apis/api-versions.ts";
import { handleUpdateFeatures } from "../../../../runtime/kafka/apis/update-features.ts";
import { errorCodes } from "../../../../runtime/kafka/error-codes.ts";
import type { HandlerContext } from "../../../../runtime/kafka/handler.ts";
import { setUp as setUpContext } from "./handler-context.ts";

function setUp(apiVersion = 1) {
  const { context } = setUpContext(apiVersion);
  const configs = new Map<string, string>();
  const brokerConfigs = new Map([[null, configs]]);
  const cluster = { ...context.broker.cluster(), brokerConfigs };
  const alterConfigs = async (_: unknown, operations: readonly ConfigOperation[]) => {
    for (const each of operations) if (each.op === "set") configs.set(each.name, each.value);
  };
  const broker = { ...context.broker, cluster: () => cluster, alterConfigs };
  const own: HandlerContext = { ...context, broker };
  const versions = answerApiVersions(() => []);
  return {
    configs,
    async update(...updates: readonly (readonly [string, number, number?])[]) {
      const featureUpdates = updates.map(([feature, maxVersionLevel, upgradeType = 1]) => {
        return { feature, maxVersionLevel, upgradeType, allowDowngrade: upgradeType > 1 };
      });
      const request = { timeoutMs: 1, featureUpdates, validateOnly: false };
      return (await handleUpdateFeatures(request, own))!;
    },
    async finalized() {
      const request = { clientSoftwareName: "a", clientSoftwareVersion: "1" };
      const answer = (await versions(request, { ...own, apiVersion: 4 }))!;
      const levels = (answer.finalizedFeatures ?? []).map((each) => {
        return [each.name, each.maxVersionLevel] as const;
      });
      return { epoch: answer.finalizedFeaturesEpoch, levels: Object.fromEntries(levels) };
    },
  };
}

test("a level goes down when that is allowed, and up again; the epoch grows with each change", async () => {
  const { update, finalized } = setUp();
  const all = { "metadata.version": 27, "group.version": 1, "transaction.version": 2 };
  assert.equal(await finalized(), { epoch: 0, levels: all });
  const refused = await update(["transaction.version", 1]);
  assert.is(refused.results?.[0]?.errorCode, errorCodes.INVALID_UPDATE_VERSION);
  assert.equal(await finalized(), { epoch: 0, levels: all });
  assert.is((await update(["transaction.version", 1, 2])).results?.[0]?.errorCode, 0);
  assert.equal(await finalized(), { epoch: 1, levels: { ...all, "transaction.version": 1 } });
  await update(["transaction.version", 1]);
  assert.is((await finalized()).epoch, 1, "as it was: nothing is written");
  await update(["transaction.version", 2], ["group.version", 0, 2]);
  const { "group.version": _, ...rest } = all;
  assert.equal(await finalized(), { epoch: 2, levels: rest }, "level 0 is not used");
});

test("nothing is changed where one level cannot be, and all are told", async () => {
  const { update, configs } = setUp();
  for (const wrong of [
    ["nosuch.feature", 1],
    ["transaction.version", 3],
    ["transaction.version", -1, 3],
    ["metadata.version", 20, 2],
  ] as const) {
    const { errorCode, results } = await update(["group.version", 0, 2], wrong);
    assert.is(errorCode, 0);
    for (const result of results ?? []) {
      assert.is(result.errorCode, errorCodes.INVALID_UPDATE_VERSION, `${wrong}`);
    }
  }
  assert.is(configs.size, 0);
});

test("v2 has one error for all, and a feature that is named twice is refused", async () => {
  const { update } = setUp(2);
  const { errorCode, results } = await update(["group.version", 0, 2], ["group.version", 1]);
  assert.is(errorCode, errorCodes.INVALID_REQUEST);
  assert.is(results, undefined);
});

test.run();
