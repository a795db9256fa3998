// Decisions on a whole cluster: who may join an ISR, reassignments, elections, brokers that come and go, restores.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  applyChanges,
  type ClusterImage,
  emptyImage,
  type ImageChange,
} from "../../../cluster/cluster-image.ts";
import type { IsrChange, PartitionOutcome } from "../../../cluster/control-plane.ts";
import {
  decideDrain,
  decideFencing,
  decideRegistration,
  decideRemoval,
  decideUnfencing,
} from "../../../cluster/decisions/brokers.ts";
import { decideElections } from "../../../cluster/decisions/elections.ts";
import { decideIsrChanges } from "../../../cluster/decisions/isr-changes.ts";
import { decideReassignments } from "../../../cluster/decisions/reassignment.ts";
import { decideRestore } from "../../../cluster/decisions/restore.ts";
import { decideBrokerConfigs, decideTopic } from "../../../cluster/decisions/topics.ts";
import { type ChangeRequest, decideRequest } from "../../../cluster/requests.ts";
import { seededRandom } from "../../support/member-cluster.ts";

/** A cluster with one topic `t`, changed step by step. */
class Cluster {
  image: ClusterImage = emptyImage("c");

  constructor(ids: readonly number[], assignments: number[][], configs: [string, string][] = []) {
    for (const id of ids) this.register(id);
    this.apply(decideUnfencing(this.image, new Set(ids)));
    const request = { name: "t", id: "t", layout: { assignments }, configs: new Map(configs) };
    this.apply(decideTopic(this.image, request, seededRandom(1)).changes);
  }

  register(id: number, more: { cleanEpoch?: number; epochMin?: number; directory?: string } = {}) {
    const incarnation = `${id}.${this.image.version}`;
    const address = { id, host: `m${id}`, port: 1, rack: null, incarnation };
    const { broker, changes } = decideRegistration(this.image, { ...address, ...more });
    this.apply(changes);
    return broker;
  }

  apply(changes: readonly ImageChange[]): this {
    this.image = { ...applyChanges(this.image, changes), version: this.image.version + 1 };
    return this;
  }

  fence(...ids: number[]): this {
    return this.apply(decideFencing(this.image, new Set(ids)));
  }

  unfence(...ids: number[]): this {
    return this.apply(decideUnfencing(this.image, new Set(ids)));
  }

  partition(partition = 0) {
    return this.image.topics.get("t")!.partitions[partition]!;
  }

  epoch(id: number): number {
    return this.image.brokers.get(id)!.epoch;
  }

  /** The leader's wish for this ISR, with whatever is wrong with it. */
  isr(ids: readonly number[], wrong: Partial<IsrChange> = {}, asker = this.partition().leader) {
    const { leaderEpoch, partitionEpoch } = this.partition();
    const isr = ids.map((id) => ({ id, epoch: this.image.brokers.get(id)?.epoch ?? 0 }));
    const wish = { topicId: "t", partition: 0, leaderEpoch, partitionEpoch, isr, ...wrong };
    const { changes, outcomes } = decideIsrChanges(this.image, asker, [wish]);
    this.apply(changes);
    return outcomes[0]!.fault;
  }

  reassign(replicas: readonly number[] | null) {
    const request = { topic: "t", partition: 0, replicas };
    const { changes, outcomes } = decideReassignments(this.image, [request]);
    this.apply(changes);
    return outcomes[0]!.fault;
  }

  get layout() {
    const { replicas, adding, removing } = this.partition();
    return `${replicas} +${adding} -${removing}`;
  }
}

const faults = (outcomes: readonly PartitionOutcome[]) => outcomes.map(({ fault }) => fault);

test("decideIsrChanges() takes nobody who is fenced, draining, reborn or no replica", () => {
  const cluster = new Cluster([1, 2, 3, 4], [[1, 2, 3]]);
  assert.is(cluster.isr([1]), null);
  assert.is(cluster.isr([1, 4]), "ineligible-replica");
  assert.is(cluster.isr([2]), "ineligible-replica");
  cluster.fence(2);
  assert.is(cluster.isr([1, 2]), "ineligible-replica");
  cluster.unfence(2).apply(decideDrain(cluster.image, 3));
  assert.is(cluster.isr([1, 3]), "ineligible-replica");
  const fetchedAs = cluster.epoch(2);
  cluster.register(2, { cleanEpoch: fetchedAs });
  cluster.unfence(2);
  const old = [1, 2].map((id) => ({ id, epoch: id === 2 ? fetchedAs : cluster.epoch(id) }));
  assert.is(cluster.isr([], { isr: old }), "ineligible-replica");
  assert.is(cluster.isr([1, 2]), null);
  assert.equal(cluster.partition().isr, [1, 2]);
});

test("decideIsrChanges() listens to the leader of this epoch and this state only", () => {
  const cluster = new Cluster([1, 2, 3], [[1, 2, 3]]);
  assert.is(cluster.isr([1, 2], {}, 2), "fenced-leader-epoch");
  assert.is(cluster.isr([1, 2], { leaderEpoch: -1 }), "fenced-leader-epoch");
  assert.is(cluster.isr([1, 2], { partitionEpoch: -1 }), "stale-partition-epoch");
  assert.is(cluster.isr([1, 2], { partition: 9 }), "partition-unknown");
  assert.is(cluster.isr([1, 2], { topicId: "x" }), "partition-unknown");
  assert.equal(cluster.partition().isr, [1, 2, 3]);
});

test("decideIsrChanges() judges each of several wishes on what the ones before left", () => {
  const cluster = new Cluster([1, 2], [[1, 2]]);
  const { leaderEpoch, partitionEpoch } = cluster.partition();
  const isr = [{ id: 1, epoch: cluster.epoch(1) }];
  const wish = { topicId: "t", partition: 0, leaderEpoch, partitionEpoch, isr };
  const { outcomes, changes } = decideIsrChanges(cluster.image, 1, [wish, wish]);
  assert.equal(faults(outcomes), [null, "stale-partition-epoch"]);
  assert.is(changes.length, 1);
});

test("decideReassignments() begins, ends with the ISR, and goes back", () => {
  const cluster = new Cluster([1, 2, 3, 4], [[1, 2]]);
  assert.is(cluster.reassign([3, 4]), null);
  assert.is(cluster.layout, "3,4,1,2 +3,4 -1,2");
  assert.is(cluster.reassign([3, 4]), null, "asked for again it goes on");
  assert.is(cluster.isr([1, 2, 3]), null);
  assert.is(cluster.layout, "3,4,1,2 +3,4 -1,2");
  assert.is(cluster.reassign(null), null);
  assert.is(cluster.layout, "1,2 + -");
  assert.equal(cluster.partition().isr, [1, 2]);
  cluster.reassign([3, 4]);
  assert.is(cluster.isr([1, 2, 3, 4]), null);
  assert.is(cluster.layout, "3,4 + -");
  assert.is(cluster.partition().leader, 3);
});

test("decideReassignments() to another target drops what the first one added", () => {
  const cluster = new Cluster([1, 2, 3, 4], [[1, 2]]);
  cluster.reassign([1, 3]);
  cluster.reassign([1, 4]);
  assert.is(cluster.layout, "1,4,2 +4 -2");
  assert.is(cluster.isr([1, 2, 4]), null);
  assert.is(cluster.layout, "1,4 + -");
});

test("decideReassignments() never leaves a partition without anyone in sync", () => {
  const cluster = new Cluster([1, 2, 3], [[1]]);
  cluster.reassign([2]);
  cluster.reassign([3, 2]);
  assert.is(cluster.isr([1, 2]), null);
  cluster.fence(1);
  assert.equal(cluster.partition().isr, [2]);
  assert.is(cluster.reassign([3]), "invalid-assignment");
  assert.is(cluster.reassign(null), "invalid-assignment");
  assert.is(cluster.partition().leader, 2);
});

test("decideReassignments() to fewer or in another order is done at once", () => {
  const cluster = new Cluster([1, 2, 3], [[1, 2, 3]]);
  cluster.reassign([3, 1]);
  assert.is(cluster.layout, "3,1 + -");
  assert.equal([cluster.partition().leader, cluster.partition().isr], [1, [1, 3]]);
});

test("decideElections() brings preferred leaders back, where they can lead", () => {
  const cluster = new Cluster(
    [1, 2, 3],
    [
      [1, 2],
      [2, 3],
      [3, 1],
    ],
  );
  cluster.fence(1).unfence(1).fence(2).unfence(2);
  assert.equal(
    [0, 1, 2].map((index) => cluster.partition(index).leader),
    [2, 3, 3],
  );
  const all = { kind: "preferred", partitions: null } as const;
  assert.equal(faults(decideElections(cluster.image, all).outcomes), [
    "preferred-leader-not-available",
    "preferred-leader-not-available",
  ]);
  assert.is(cluster.isr([1, 2]), null);
  const { outcomes, changes } = decideElections(cluster.image, all);
  assert.equal(faults(outcomes), [null, "preferred-leader-not-available"]);
  const before = cluster.partition().leaderEpoch;
  cluster.apply(changes);
  assert.equal([cluster.partition().leader, cluster.partition().leaderEpoch], [1, before + 1]);
});

test("decideElections() elects uncleanly only what has no leader, and says who cannot", () => {
  const cluster = new Cluster([1, 2], [[1, 2]]);
  assert.is(cluster.isr([1]), null);
  cluster.fence(1);
  assert.is(cluster.partition().leader, -1);
  const request = { kind: "unclean", partitions: [{ topic: "t", partition: 0 }] } as const;
  const { changes, outcomes } = decideElections(cluster.image, request);
  assert.equal(faults(outcomes), [null]);
  cluster.apply(changes);
  assert.equal([cluster.partition().leader, cluster.partition().isr], [2, [2]]);
  assert.equal(faults(decideElections(cluster.image, request).outcomes), ["election-not-needed"]);
  cluster.fence(2);
  assert.equal(faults(decideElections(cluster.image, request).outcomes), [
    "eligible-leaders-not-available",
  ]);
});

test("decideBrokerConfigs() for all: allowing unclean elections elects at once", () => {
  const cluster = new Cluster([1, 2], [[1, 2]]);
  cluster.isr([1]);
  cluster.fence(1);
  const changes = new Map([["unclean.leader.election.enable", "true"]]);
  cluster.apply(decideBrokerConfigs(cluster.image, 2, changes));
  assert.is(cluster.partition().leader, -1, "one broker's own config decides nothing");
  cluster.apply(decideBrokerConfigs(cluster.image, null, changes));
  assert.is(cluster.partition().leader, 2);
});

test("decideFencing() of many brokers is one change per broker and topic", () => {
  const assignments = Array.from({ length: 1_000 }, (_, index) => [1 + (index % 3), 4]);
  const cluster = new Cluster([1, 2, 3, 4], assignments);
  const changes = decideFencing(cluster.image, new Set([1, 2, 3]));
  assert.is(changes.length, 4);
  cluster.apply(changes);
  const { partitions } = cluster.image.topics.get("t")!;
  assert.ok(partitions.every(({ leader, isr }) => leader === 4 && isr.length === 1));
  assert.equal(decideFencing(cluster.image, new Set([1, 9])), []);
});

test("decideRegistration() gives epochs that nobody ever had", () => {
  const cluster = new Cluster([1, 2], [[1]]);
  const first = cluster.epoch(2);
  cluster.fence(2).apply(decideRemoval(cluster.image, 2));
  assert.not.ok(cluster.image.brokers.has(2));
  assert.ok(cluster.register(2).epoch > first);
  assert.is(cluster.register(2, { epochMin: 10_000 }).epoch, 10_000);
});

test("decideRegistration() of a process that lives on moves what it led away first", () => {
  const cluster = new Cluster([1, 2], [[1, 2]]);
  const { leaderEpoch } = cluster.partition();
  cluster.register(1, { cleanEpoch: cluster.epoch(1) });
  assert.is(cluster.image.brokers.get(1)!.fenced, true);
  assert.equal([cluster.partition().leader, cluster.partition().isr], [2, [2]]);
  assert.is(cluster.partition().leaderEpoch, leaderEpoch + 1);
});

test("decideRemoval() refuses the living and those who have replicas", () => {
  const cluster = new Cluster([1, 2, 3], [[1, 2]]);
  const refusal = (id: number) => {
    try {
      decideRemoval(cluster.image, id);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.is(refusal(3), "Broker 3 is alive: stop it first.");
  cluster.fence(2, 3);
  assert.is(refusal(2), "Broker 2 still has replicas: reassign them first.");
  assert.is(refusal(9), "Broker 9 is not registered.");
  assert.is(refusal(3), "");
});

test("decideTopic() places on living brokers, and names the rest in its ISR later", () => {
  const cluster = new Cluster([1, 2, 3], [[1]]);
  cluster.fence(3);
  const create = (layout: Parameters<typeof decideTopic>[1]["layout"]) => {
    const request = { name: "n", id: "n", layout, configs: new Map() };
    return decideTopic(cluster.image, request, seededRandom(1)).topic.partitions;
  };
  const placed = create({ partitions: 4, replicationFactor: 2 });
  assert.ok(placed.every(({ replicas }) => !replicas.includes(3)));
  const [named] = create({ assignments: [[3, 1]] });
  assert.equal([named!.leader, named!.replicas, named!.isr], [1, [3, 1], [1]]);
  assert.throws(() => create({ assignments: [[3]] }), /none of \[3\] is alive/);
  assert.throws(() => create({ partitions: 1, replicationFactor: 3 }), /2 broker\(s\)/);
});

test("decideRequest() finds done what was asked for before", () => {
  const cluster = new Cluster([1, 2], [[1]]);
  const ask = (request: ChangeRequest, isRepeat = true) => {
    const asker = { id: 1, epoch: cluster.epoch(1), isRepeat };
    const decision = decideRequest(cluster.image, request, { asker, random: seededRandom(1) });
    cluster.apply(decision.changes);
    return decision;
  };
  const requests: ChangeRequest[] = [
    { do: "create-topic", name: "n", id: "n", layout: { assignments: [[1]] }, configs: [] },
    { do: "create-partitions", name: "n", partitions: 3 },
    { do: "delete-topic", name: "n", id: "n" },
    {
      do: "register",
      broker: { id: 3, host: "m3", port: 1, rack: null, incarnation: "three" },
    },
    { do: "unregister", id: 3 },
  ];
  for (const request of requests) {
    const first = ask(request, false);
    assert.ok(first.changes.length > 0, request.do);
    const again = ask(request);
    assert.equal([again.changes, again.result], [[], first.result], request.do);
  }
  assert.throws(() => ask({ do: "delete-topic", name: "n", id: null }, false), /does not exist/);
});

test("decideRequest() takes ISR changes and drains of the registered process only", () => {
  const { image } = new Cluster([1, 2], [[1]]);
  const asker = { id: 1, epoch: 999, isRepeat: false };
  for (const request of [{ do: "drain" }, { do: "alter-isr", changes: [] }] as const) {
    assert.throws(
      () => decideRequest(image, request, { asker, random: seededRandom(1) }),
      /Broker 1 is registered with epoch \d+, not 999/,
    );
  }
});

test("decideRestore() takes the newer record of a partition, and who is alive as known now", () => {
  const cluster = new Cluster([1, 2, 3], [[1, 2, 3]]);
  const old = cluster.image;
  cluster.isr([1, 2]);
  cluster.fence(1);
  const restored = decideRestore(cluster.image, old);
  const [partition] = restored.topics.get("t")!.partitions;
  assert.equal([partition!.leader, partition!.isr], [2, [2]], "3 is not in sync any more");
  assert.ok(partition!.leaderEpoch > cluster.partition().leaderEpoch);
  assert.ok(partition!.partitionEpoch > cluster.partition().partitionEpoch);
  assert.is(restored.brokers.get(1)!.fenced, true);
  assert.is(restored.brokers.get(2)!.fenced, false);
  const empty = decideRestore(emptyImage("c"), cluster.image);
  assert.ok([...empty.brokers.values()].every(({ fenced }) => fenced));
  assert.is(empty.topics.get("t")!.partitions[0]!.leader, -1, "nobody is known to live");
});

test("a broker with another data folder has nothing: nobody elects it or waits for it", () => {
  const cluster = new Cluster([1, 2], [[1, 2]]);
  cluster.register(1, { directory: "old" });
  cluster.unfence(1);
  cluster.isr([1, 2]);
  cluster.fence(2);
  assert.equal(cluster.partition().isr, [1]);
  const { epoch } = cluster.image.brokers.get(1)!;
  cluster.register(1, { directory: "new", cleanEpoch: epoch });
  cluster.unfence(1);
  const { leader, isr, elr, lastKnownLeader } = cluster.partition();
  assert.equal([leader, lastKnownLeader, isr, elr], [-1, -1, [], []]);
  const { changes } = decideElections(cluster.image, { kind: "unclean", partitions: null });
  cluster.apply(changes);
  assert.is(cluster.partition(0).leader, 1, "only when somebody says so");
});

test("a last leader that is down, and comes back with another data folder, is not waited for", () => {
  const cluster = new Cluster([1], [[1]]);
  cluster.register(1, { directory: "old" });
  cluster.unfence(1).fence(1);
  cluster.register(1, { directory: "old" });
  cluster.unfence(1);
  assert.is(cluster.partition().leader, 1, "the same folder: the last leader leads again");
  cluster.fence(1);
  cluster.register(1, { directory: "new" });
  cluster.unfence(1);
  assert.is(cluster.partition().leader, -1);
});

test.run();
