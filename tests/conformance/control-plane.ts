// The conformance suite of ControlPlane: what every implementation must do. An implementation's test file calls
// `controlPlaneSuite` with a way to open a fresh cluster.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ClusterChange, ControlPlane } from "../../cluster/control-plane.ts";
import { type ControlPlaneHarness, faultOf, one, type Rule } from "./control-plane-harness.ts";
import { careRules, partitionRules } from "./control-plane-partitions.ts";

const NO_CONFIGS = new Map<string, string>();

export function controlPlaneSuite(
  name: string,
  open: () => ControlPlaneHarness | Promise<ControlPlaneHarness>,
): void {
  const rule: Rule = (title, run) =>
    test(`${name}: ${title}`, async () => {
      const harness = await open();
      try {
        await harness.plane.register({ id: 1, host: "m1", port: 9092, rack: null });
        await run(harness.plane, harness);
      } finally {
        await harness.close();
      }
    });

  topicRules(rule);
  faultRules(rule);
  viewRules(rule);
  configRules(rule);
  groupConfigRules(rule);
  brokerRules(rule);
  partitionRules(rule);
  careRules(rule);
}

function topicRules(rule: Rule): void {
  rule("createTopic() makes a topic with an id, leaders and replicas", async (plane) => {
    const configs = new Map([["retention.ms", "5"]]);
    const layout = { assignments: [[1], [1], [1]] };
    const topic = await plane.createTopic({ name: "a", layout, configs });
    assert.match(topic.id, /^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
    assert.is(plane.state().topics.get("a"), topic);
    assert.is(plane.state().topicsById.get(topic.id), topic);
    assert.equal([...topic.configs], [["retention.ms", "5"]]);
    assert.equal(
      topic.partitions.map(({ partition, leader, replicas, isr }) => ({
        partition,
        leader,
        replicas,
        isr,
      })),
      [0, 1, 2].map((partition) => ({ partition, leader: 1, replicas: [1], isr: [1] })),
    );
  });

  rule("createTopic() keeps given assignments", async (plane) => {
    const layout = { assignments: [[1], [1]] };
    const topic = await plane.createTopic({ name: "a", layout, configs: NO_CONFIGS });
    assert.equal(
      topic.partitions.map(({ replicas }) => replicas),
      [[1], [1]],
    );
  });

  rule("deleteTopic() and createTopic() of the same name give a new id", async (plane) => {
    const first = await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
    await plane.deleteTopic("a");
    assert.is(plane.state().topics.size, 0);
    assert.not.ok(plane.state().topicsById.has(first.id));
    const second = await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
    assert.is.not(second.id, first.id);
  });

  rule("createPartitions() grows and keeps id, configs and old partitions", async (plane) => {
    const before = await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
    const after = await plane.createPartitions({ name: "a", partitions: 4 });
    assert.is(after.id, before.id);
    assert.equal(after.partitions[0], before.partitions[0]);
    assert.equal(
      after.partitions.map(({ partition }) => partition),
      [0, 1, 2, 3],
    );
    assert.is(before.partitions.length, 1);
  });
}

function faultRules(rule: Rule): void {
  rule("a second topic of the same name is topic-exists, also at the same time", async (plane) => {
    const create = () => plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
    const results = await Promise.all([faultOf(create()), faultOf(create())]);
    assert.equal(results, [undefined, "topic-exists"]);
  });

  rule("impossible layouts are refused by name and change nothing", async (plane) => {
    const create = (layout: Parameters<ControlPlane["createTopic"]>[0]["layout"]) =>
      faultOf(plane.createTopic({ name: "a", layout, configs: NO_CONFIGS }));
    assert.is(await create({ partitions: 0, replicationFactor: 1 }), "invalid-partitions");
    assert.is(await create({ partitions: 1e9, replicationFactor: 1 }), "invalid-partitions");
    const tooMany = plane.state().brokers.size + 1;
    assert.is(
      await create({ partitions: 1, replicationFactor: tooMany }),
      "invalid-replication-factor",
    );
    assert.is(await create({ partitions: 1, replicationFactor: 0 }), "invalid-replication-factor");
    assert.is(await create({ assignments: [] }), "invalid-partitions");
    assert.is(await create({ assignments: [[7]] }), "invalid-assignment");
    assert.is(await create({ assignments: [[1, 1]] }), "invalid-assignment");
    assert.is(await create({ assignments: [[1], []] }), "invalid-assignment");
    assert.is(plane.state().topics.size, 0);
  });

  rule("an unknown topic is topic-unknown", async (plane) => {
    assert.is(await faultOf(plane.deleteTopic("x")), "topic-unknown");
    assert.is(await faultOf(plane.createPartitions({ name: "x", partitions: 2 })), "topic-unknown");
    assert.is(await faultOf(plane.alterTopicConfigs("x", new Map())), "topic-unknown");
  });

  rule("createPartitions() refuses a total that is not above the present one", async (plane) => {
    await plane.createTopic({
      name: "a",
      layout: { partitions: 2, replicationFactor: 1 },
      configs: NO_CONFIGS,
    });
    const grow = (partitions: number, assignments?: number[][]) =>
      faultOf(
        plane.createPartitions({ name: "a", partitions, ...(assignments ? { assignments } : {}) }),
      );
    assert.is(await grow(2), "invalid-partitions");
    assert.is(await grow(1), "invalid-partitions");
    assert.is(await grow(4, [[1]]), "invalid-assignment");
    assert.is(await grow(4, [[1], [1]]), undefined);
  });
}

function viewRules(rule: Rule): void {
  rule("state() stays as it was for those who hold it", async (plane) => {
    await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
    const held = plane.state();
    await plane.createTopic({ name: "b", layout: one, configs: NO_CONFIGS });
    await plane.deleteTopic("a");
    await plane.alterBrokerConfigs(null, new Map([["log.segment.bytes", "2000000"]]));
    assert.equal([...held.topics.keys()], ["a"]);
    assert.is(held.brokerConfigs.size, 0);
    assert.equal([...plane.state().topics.keys()], ["b"]);
  });

  rule(
    "watch() tells every change once, in order, with the new truth in state()",
    async (plane) => {
      const heard: string[] = [];
      const end = plane.watch((change) => heard.push(summary(change, plane)));
      const names = Array.from({ length: 100 }, (_, index) => `t${index}`);
      await Promise.all(
        names.map((name) => plane.createTopic({ name, layout: one, configs: NO_CONFIGS })),
      );
      await plane.createPartitions({ name: "t0", partitions: 2 });
      await plane.deleteTopic("t0");
      end();
      await plane.deleteTopic("t1");
      assert.equal(heard, [
        ...names.map((name) => `topic-created ${name}, in the state`),
        "topic-changed t0, in the state",
        "topic-deleted t0, not in the state",
      ]);
    },
  );

  rule("a watcher that changes something does not disturb the order of others", async (plane) => {
    const heard: string[] = [];
    const made: Promise<unknown>[] = [];
    plane.watch((change) => {
      if (change.kind !== "topic-created" || change.topic.name !== "a") return;
      made.push(plane.createTopic({ name: "b", layout: one, configs: NO_CONFIGS }));
      made.push(plane.deleteTopic("a"));
    });
    plane.watch((change) => heard.push(`${change.kind} ${"topic" in change && change.topic.name}`));
    await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
    await Promise.all(made);
    assert.equal(heard, ["topic-created a", "topic-created b", "topic-deleted a"]);
  });
}

function summary(change: ClusterChange, plane: ControlPlane): string {
  const name = "topic" in change ? change.topic.name : "-";
  return `${change.kind} ${name}, ${plane.state().topics.has(name) ? "" : "not "}in the state`;
}

function configRules(rule: Rule): void {
  rule("alterTopicConfigs() sets and removes single keys", async (plane) => {
    const configs = new Map([
      ["retention.ms", "5"],
      ["segment.ms", "6"],
    ]);
    await plane.createTopic({ name: "a", layout: one, configs });
    const changes = new Map([
      ["retention.ms", null],
      ["cleanup.policy", "compact"],
    ]);
    const topic = await plane.alterTopicConfigs("a", changes);
    assert.equal(Object.fromEntries(topic.configs), {
      "segment.ms": "6",
      "cleanup.policy": "compact",
    });
    assert.is(plane.state().topics.get("a"), topic);
  });

  rule("alterBrokerConfigs() keeps one broker's apart from all brokers'", async (plane) => {
    await plane.alterBrokerConfigs(null, new Map([["max.connections", "5"]]));
    await plane.alterBrokerConfigs(1, new Map([["max.connections", "6"]]));
    await plane.alterBrokerConfigs(1, new Map([["log.segment.bytes", "2000000"]]));
    const { brokerConfigs } = plane.state();
    assert.equal([...brokerConfigs.get(null)!], [["max.connections", "5"]]);
    assert.equal(
      [...brokerConfigs.get(1)!],
      [
        ["max.connections", "6"],
        ["log.segment.bytes", "2000000"],
      ],
    );
  });
}

function groupConfigRules(rule: Rule): void {
  rule("alterGroupConfigs() sets and removes single keys, and tells watchers", async (plane) => {
    const told: string[] = [];
    plane.watch((change) => {
      if (change.kind === "group-configs-changed") told.push(change.groupId);
    });
    await plane.alterGroupConfigs("g", new Map([["a", "1"]]));
    await plane.alterGroupConfigs("g", new Map([["b", "2"]]));
    await plane.alterGroupConfigs("h", new Map([["a", "3"]]));
    assert.equal(Object.fromEntries(plane.state().groupConfigs.get("g")!), { a: "1", b: "2" });
    await plane.alterGroupConfigs("h", new Map([["a", null]]));
    assert.equal([...plane.state().groupConfigs.keys()], ["g"]);
    assert.equal(told, ["g", "g", "h", "h"]);
  });
}

function brokerRules(rule: Rule): void {
  rule("register() again gives a higher epoch and the new address", async (plane) => {
    const first = plane.state().brokers.get(1)!;
    const again = await plane.register({ id: 1, host: "m1", port: 9, rack: "r" });
    assert.ok(again.epoch > first.epoch);
    assert.equal(plane.state().brokers.get(1), again);
  });

  rule(
    "register() again raises the leader epochs of its partitions, and only those",
    async (plane, h) => {
      await h.join(2);
      const assignments = [[1], [2]];
      await plane.createTopic({ name: "t", layout: { assignments }, configs: NO_CONFIGS });
      const partitions = () => plane.state().topics.get("t")!.partitions;
      const before = partitions().map((each) => each.leaderEpoch);
      assert.equal(before, [0, 0]);
      const { epoch } = await plane.register({
        id: 1,
        host: "m1",
        port: 9,
        rack: null,
        epochMin: 1_000_007,
      });
      assert.is(epoch, 1_000_007);
      const [first, second] = partitions();
      assert.ok(first!.leaderEpoch > 0);
      assert.equal([first!.leader, second!.leader, second!.leaderEpoch], [1, 2, 0]);
      const { id } = plane.state().topics.get("t")!;
      assert.equal(plane.state().topicsById.get(id), plane.state().topics.get("t"));
    },
  );

  rule("replicas are spread over registered brokers", async (plane, { join }) => {
    await join(2);
    await join(3);
    const ids = [...plane.state().brokers.keys()].sort((a, b) => a - b);
    const layout = { partitions: 2 * ids.length, replicationFactor: 2 };
    const topic = await plane.createTopic({ name: "a", layout, configs: NO_CONFIGS });
    const leaders = topic.partitions.map(({ leader }) => leader).sort((a, b) => a - b);
    assert.equal(
      leaders,
      ids.flatMap((id) => [id, id]),
    );
  });

  rule("allocateProducerIds() never gives an id twice", async (plane) => {
    const taken = new Set<number>();
    const counts = [1, 1, 1000, 2500, 1, 3];
    const firsts = await Promise.all(counts.map((count) => plane.allocateProducerIds(count)));
    for (const [index, first] of firsts.entries()) {
      for (let id = first; id < first + counts[index]!; id++) taken.add(id);
    }
    assert.is(
      taken.size,
      counts.reduce((sum, count) => sum + count, 0),
    );
  });
}
