// Topics of the HTTP door itself: how many replicas they get, and what somebody else's being first means.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CreateTopicRequest } from "../../../runtime/broker.ts";
import { BrokerError, type ErrorName } from "../../../runtime/errors.ts";
import { ensureInternalTopic } from "../../../runtime/http/internal-topic.ts";
import type { RoutableBroker } from "../../../runtime/routable-broker.ts";

const topic = { name: "__remembered", partitions: 2, configs: { "cleanup.policy": "compact" } };

function cluster(options: {
  fenced: readonly boolean[];
  topics?: readonly string[];
  refusal?: ErrorName;
}) {
  const asked: CreateTopicRequest[] = [];
  const broker = {
    cluster: () => ({
      brokers: new Map(options.fenced.map((fenced, id) => [id, { id, fenced }])),
      topics: new Map((options.topics ?? []).map((name) => [name, {}])),
    }),
    createTopic: async (request: CreateTopicRequest) => {
      asked.push(request);
      if (options.refusal) throw new BrokerError(options.refusal, "no");
    },
  };
  return { asked, broker: broker as unknown as RoutableBroker };
}

test("ensureInternalTopic() makes three replicas, or as many as there are living brokers", async () => {
  for (const [fenced, replicas] of [
    [[false], 1],
    [[false, false, true], 2],
    [[false, false, false, false], 3],
  ] as const) {
    const { asked, broker } = cluster({ fenced });
    await ensureInternalTopic(broker, topic);
    assert.is(asked[0]?.replicationFactor, replicas);
    assert.is(asked[0]?.configs.get("cleanup.policy"), "compact");
  }
});

test("ensureInternalTopic() is content with a topic that is there, and with nothing else", async () => {
  const there = cluster({ fenced: [false], topics: [topic.name] });
  await ensureInternalTopic(there.broker, topic);
  assert.is(there.asked.length, 0);
  await ensureInternalTopic(
    cluster({ fenced: [false], refusal: "TOPIC_ALREADY_EXISTS" }).broker,
    topic,
  );
  const { broker } = cluster({ fenced: [false], refusal: "POLICY_VIOLATION" });
  const refused = await ensureInternalTopic(broker, topic).catch((error: unknown) => error);
  assert.is((refused as BrokerError).code, "POLICY_VIOLATION");
});

test.run();
