// The part of ControlPlane's conformance suite that is about several brokers: a broker alone answers the same questions
// about itself.

import * as assert from "uvu/assert";
import { faultOf, one, type Rule } from "./control-plane-harness.ts";

const NO_CONFIGS = new Map<string, string>();

export function partitionRules(rule: Rule): void {
  const place = { topic: "a", partition: 0 };

  rule("alterIsr() answers in the order asked, and refuses by name", async (plane) => {
    const topic = await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
    const { leaderEpoch, partitionEpoch } = topic.partitions[0]!;
    const { epoch } = plane.state().brokers.get(1)!;
    const wish = {
      topicId: topic.id,
      partition: 0,
      leaderEpoch,
      partitionEpoch,
      isr: [{ id: 1, epoch }],
    };
    const outcomes = await plane.alterIsr([
      wish,
      { ...wish, partition: 1 },
      { ...wish, leaderEpoch: leaderEpoch + 1 },
      { ...wish, partitionEpoch: partitionEpoch + 1 },
      { ...wish, isr: [{ id: 1, epoch: epoch + 1 }] },
      { ...wish, isr: [] },
    ]);
    assert.equal(
      outcomes.map(({ fault }) => fault),
      [
        null,
        "partition-unknown",
        "fenced-leader-epoch",
        "stale-partition-epoch",
        "ineligible-replica",
        "ineligible-replica",
      ],
    );
    assert.equal(plane.state().topics.get("a"), topic);
  });

  rule("electLeaders() says where no election is needed", async (plane) => {
    await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
    for (const kind of ["preferred", "unclean"] as const) {
      const partitions = [place, { topic: "x", partition: 0 }];
      const outcomes = await plane.electLeaders({ kind, partitions });
      assert.equal(
        outcomes.map(({ fault }) => fault),
        ["election-not-needed", "partition-unknown"],
      );
      assert.equal(await plane.electLeaders({ kind, partitions: null }), []);
    }
  });

  rule(
    "reassign() to where a partition is does nothing; to strangers it is refused",
    async (plane) => {
      const topic = await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
      const faults = async (replicas: readonly number[] | null) => {
        const outcomes = await plane.reassign([{ ...place, replicas }]);
        return outcomes.map(({ fault }) => fault);
      };
      assert.equal(await faults([1]), [null]);
      assert.equal(await faults([7]), ["invalid-assignment"]);
      assert.equal(await faults([1, 1]), ["invalid-assignment"]);
      assert.equal(await faults([]), ["invalid-assignment"]);
      assert.equal(await faults(null), ["no-reassignment"]);
      assert.equal(plane.state().topics.get("a"), topic);
    },
  );
}

export function careRules(rule: Rule): void {
  rule("unregister() refuses who lives, and whom nobody knows", async (plane) => {
    assert.is(await faultOf(plane.unregister(1)), "broker-refused");
    assert.is(await faultOf(plane.unregister(9)), "broker-unknown");
  });

  rule("drain() resolves when nobody else could lead", async (plane) => {
    await plane.createTopic({ name: "a", layout: one, configs: NO_CONFIGS });
    await plane.drain();
    assert.is(plane.state().topics.get("a")!.partitions[0]!.leader, 1);
  });

  rule(
    "restore() brings back what a snapshot has, above all epochs, and removes nothing",
    async (plane) => {
      await plane.alterGroupConfigs("g", new Map([["consumer.session.timeout.ms", "50000"]]));
      const lost = await plane.createTopic({ name: "lost", layout: one, configs: NO_CONFIGS });
      const snapshot = plane.snapshot();
      await plane.deleteTopic("lost");
      await plane.alterGroupConfigs("g", new Map([["consumer.session.timeout.ms", null]]));
      const later = await plane.createTopic({ name: "later", layout: one, configs: NO_CONFIGS });
      const heard: string[] = [];
      plane.watch(
        (change) => "topic" in change && heard.push(`${change.kind} ${change.topic.name}`),
      );
      const ids = await plane.allocateProducerIds(1);
      await plane.restore(snapshot);
      const { topics, groupConfigs } = plane.state();
      assert.is(groupConfigs.get("g")!.get("consumer.session.timeout.ms"), "50000");
      assert.equal([...topics.keys()].sort(), ["later", "lost"]);
      for (const known of [lost, later]) {
        const { id, partitions } = topics.get(known.name)!;
        assert.is(id, known.id);
        assert.ok(partitions[0]!.leaderEpoch > known.partitions[0]!.leaderEpoch);
        assert.ok(partitions[0]!.partitionEpoch > known.partitions[0]!.partitionEpoch);
      }
      assert.equal(heard.sort(), ["topic-changed later", "topic-created lost"]);
      assert.ok((await plane.allocateProducerIds(1)) > ids);
      await plane.alterTopicConfigs("lost", new Map([["retention.ms", "5"]]));
      assert.is(plane.state().topics.get("lost")!.configs.get("retention.ms"), "5");
    },
  );

  rule("status() names the controller and has no alarm", async (plane) => {
    const { controllerId, isConnected, ageMs, alarm } = plane.status();
    assert.ok(plane.state().brokers.has(controllerId));
    assert.is(plane.state().controllerId, controllerId);
    assert.equal(
      { isConnected, ageMs, alarm },
      {
        isConnected: true,
        ageMs: 0,
        alarm: null,
      },
    );
  });
}
