// Elections, ISR and ELR of one partition, rule by rule, and a random walk over whole clusters that never breaks them.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  applyChanges,
  type ClusterImage,
  emptyImage,
  type ImageChange,
} from "../../../cluster/cluster-image.ts";
import type { PartitionRecord } from "../../../cluster/control-plane.ts";
import {
  decideDrain,
  decideFencing,
  decideRegistration,
  decideUnfencing,
} from "../../../cluster/decisions/brokers.ts";
import { decideElections } from "../../../cluster/decisions/elections.ts";
import { decideIsrChanges } from "../../../cluster/decisions/isr-changes.ts";
import { nextPartition, type PartitionWish } from "../../../cluster/decisions/partition-state.ts";
import { decideReassignments } from "../../../cluster/decisions/reassignment.ts";
import { decideTopic, decideTopicConfigs } from "../../../cluster/decisions/topics.ts";
import { newPartition } from "../../../cluster/partition-record.ts";
import { seededRandom } from "../../support/member-cluster.ts";

interface Given {
  readonly now?: Partial<PartitionRecord>;
  readonly up?: readonly number[];
  readonly draining?: readonly number[];
  readonly minInsync?: number;
  readonly isUncleanAllowed?: boolean;
}

/** A partition on 1, 2 and 3, led by 1 in epoch 5. */
function next(given: Given, wish: PartitionWish = {}): PartitionRecord {
  const now = {
    ...newPartition(0, [1, 2, 3], { leaderEpoch: 5 }),
    partitionEpoch: 7,
    ...given.now,
  };
  const { up = [1, 2, 3], draining = [], minInsync = 1, isUncleanAllowed = false } = given;
  return nextPartition(now, wish, {
    isUp: (id) => up.includes(id),
    isStaying: (id) => up.includes(id) && !draining.includes(id),
    minInsync,
    isUncleanAllowed,
  });
}

/** What counts of a record, in one line. */
function line({ leader, leaderEpoch, isr, elr, lastKnownLeader: last }: PartitionRecord): string {
  return `leader ${leader} epoch ${leaderEpoch} isr ${isr} elr ${elr} last ${last}`;
}

test("nextPartition() hands the same record back if nothing changes", () => {
  const now = newPartition(0, [1, 2, 3]);
  const context = { isUp: () => true, isStaying: () => true, minInsync: 2, isUncleanAllowed: true };
  assert.is(nextPartition(now, {}, context), now);
  assert.is(nextPartition(now, { election: "unclean" }, context), now);
  assert.is(nextPartition(now, { election: "preferred" }, context), now);
  assert.is(nextPartition(now, { isr: [1, 2, 3] }, context), now);
});

test("nextPartition() keeps a valid leader and its epoch when only the ISR changes", () => {
  const record = next({}, { isr: [1, 3] });
  assert.is(line(record), "leader 1 epoch 5 isr 1,3 elr  last -1");
  assert.is(record.partitionEpoch, 8);
  assert.is(line(next({ draining: [1] })), "leader 1 epoch 5 isr 1,2,3 elr  last -1");
});

test("nextPartition() elects the first replica that is in sync and stays", () => {
  assert.is(line(next({ up: [2, 3] }, { isr: [2, 3] })), "leader 2 epoch 6 isr 2,3 elr  last -1");
  assert.is(line(next({ up: [3] }, { isr: [2, 3] })), "leader 3 epoch 6 isr 2,3 elr  last -1");
  const left = next({ up: [2, 3], draining: [2] }, { isr: [2, 3] });
  assert.is(line(left), "leader 3 epoch 6 isr 2,3 elr  last -1");
});

test("nextPartition() keeps whoever leaves below min.insync.replicas eligible", () => {
  const two = next({ minInsync: 2 }, { isr: [1, 2] });
  assert.is(line(two), "leader 1 epoch 5 isr 1,2 elr  last -1");
  const one = next({ minInsync: 2, now: { isr: [1, 2] } }, { isr: [1] });
  assert.is(line(one), "leader 1 epoch 5 isr 1 elr 2 last -1");
  const none = next({ minInsync: 2, up: [], now: { isr: [1], elr: [2] } }, { isr: [] });
  assert.is(line(none), "leader -1 epoch 6 isr  elr 1,2 last 1");
  const back = next({ minInsync: 2, now: { isr: [1], elr: [2] } }, { isr: [1, 3] });
  assert.is(line(back), "leader 1 epoch 5 isr 1,3 elr  last -1");
});

test("nextPartition() counts min.insync.replicas above the replicas as all of them", () => {
  const now = { replicas: [1, 2], isr: [1, 2] };
  const record = next({ minInsync: 5, now }, { isr: [1] });
  assert.is(line(record), "leader 1 epoch 5 isr 1 elr 2 last -1");
  assert.is(
    line(next({ minInsync: 5, now: { ...now, isr: [1], elr: [2] } }, { isr: [1, 2] })),
    "leader 1 epoch 5 isr 1,2 elr  last -1",
  );
});

test("nextPartition() elects from the ELR when nobody is in sync, alone in sync", () => {
  const now = { leader: -1, isr: [], elr: [2, 3], lastKnownLeader: 1 };
  assert.is(line(next({ minInsync: 2, up: [1, 3], now })), "leader 3 epoch 6 isr 3 elr 2 last -1");
  assert.is(line(next({ minInsync: 1, up: [1, 3], now })), "leader 3 epoch 6 isr 3 elr  last -1");
});

test("nextPartition() waits for the eligible ones, also for the last leader's sake", () => {
  const now = { leader: -1, isr: [], elr: [2], lastKnownLeader: 1 };
  const record = next({ minInsync: 2, up: [1, 3], now });
  assert.is(record.leader, -1);
});

test("nextPartition() elects the last known leader when ISR and ELR are empty", () => {
  const now = { leader: -1, isr: [], elr: [], lastKnownLeader: 3 };
  assert.is(line(next({ up: [1, 2], now })), "leader -1 epoch 5 isr  elr  last 3");
  assert.is(line(next({ now })), "leader 3 epoch 6 isr 3 elr  last -1");
});

test("nextPartition() elects any live replica only where that is allowed or asked for", () => {
  const now = { leader: -1, isr: [], elr: [3], lastKnownLeader: 3 };
  const given = { minInsync: 2, up: [2], now };
  assert.is(next(given).leader, -1);
  const expected = "leader 2 epoch 6 isr 2 elr  last -1";
  assert.is(line(next({ ...given, isUncleanAllowed: true })), expected);
  assert.is(line(next(given, { election: "unclean" })), expected);
  assert.is(next({ ...given, up: [] }, { election: "unclean" }).leader, -1);
});

test("nextPartition() of a lost replica: neither in sync nor eligible", () => {
  const wish = { isr: [1, 3], lost: 2 };
  const record = next({ minInsync: 3, up: [1, 3] }, wish);
  assert.is(line(record), "leader 1 epoch 5 isr 1,3 elr  last -1");
  const eligible = next({ minInsync: 3, now: { isr: [1], elr: [2, 3] } }, { lost: 2 });
  assert.is(line(eligible), "leader 1 epoch 5 isr 1 elr 3 last -1");
  const last = next({ now: { isr: [1] }, up: [2, 3] }, { isr: [], lost: 1 });
  assert.is(line(last), "leader -1 epoch 6 isr  elr  last 1");
});

test("nextPartition() ends a reassignment when all that come are in sync", () => {
  const now = { replicas: [3, 4, 1, 2], isr: [1, 2], adding: [3, 4], removing: [1, 2] };
  const up = [1, 2, 3, 4];
  const half = next({ up, now }, { isr: [1, 2, 3] });
  assert.equal(half.replicas, [3, 4, 1, 2]);
  const done = next({ up, now }, { isr: [1, 2, 3, 4] });
  assert.equal([done.replicas, done.adding, done.removing], [[3, 4], [], []]);
  assert.is(line(done), "leader 3 epoch 6 isr 3,4 elr  last -1");
});

test("nextPartition() ends no reassignment with too few in sync", () => {
  const now = { replicas: [1, 2, 3], isr: [1, 3], adding: [], removing: [3] };
  assert.equal(next({ minInsync: 2, now }).removing, [3]);
  const done = next({ minInsync: 2, now }, { isr: [1, 2, 3] });
  assert.equal(
    [done.replicas, done.isr],
    [
      [1, 2],
      [1, 2],
    ],
  );
  assert.is(done.leaderEpoch, 6, "whoever was removed must not be counted any more");
});

test("decideTopicConfigs(): a lower min.insync.replicas ends eligibility in the same step", () => {
  let image = cluster([1, 2]);
  const configs = new Map([["min.insync.replicas", "2"]]);
  image = apply(
    image,
    decideTopic(image, { ...topicOn([[1, 2]]), configs }, seededRandom(1)).changes,
  );
  image = apply(image, decideFencing(image, new Set([2])));
  assert.equal(image.topics.get("t")!.partitions[0]!.elr, [2]);
  const changes = new Map([["min.insync.replicas", "1"]]);
  image = apply(image, decideTopicConfigs(image, "t", changes).changes);
  const [partition] = image.topics.get("t")!.partitions;
  assert.equal([partition!.isr, partition!.elr], [[1], []]);
});

function topicOn(assignments: number[][]) {
  return { name: "t", id: "t", layout: { assignments }, configs: new Map<string, string>() };
}

function apply(image: ClusterImage, changes: readonly ImageChange[]): ClusterImage {
  const after = applyChanges(image, changes);
  return { ...after, version: image.version + 1 };
}

function cluster(ids: readonly number[]): ClusterImage {
  let image = emptyImage("c");
  for (const id of ids) {
    const address = { id, host: `m${id}`, port: 1, rack: null, incarnation: `${id}.0` };
    image = apply(image, decideRegistration(image, address).changes);
  }
  return apply(image, decideUnfencing(image, new Set(ids)));
}

/**
 * A random walk of a cluster of five with a model of what every replica has: an acknowledged record is in every member
 * of the ISR. Whoever is elected cleanly must have all that was ever acknowledged.
 */
class Walk {
  readonly #random: ReturnType<typeof seededRandom>;
  image = cluster([1, 2, 3, 4, 5]);
  /** Log end of each replica of partition 0; what is acknowledged is the high watermark. */
  #ends = new Map([1, 2, 3, 4, 5].map((id) => [id, 0]));
  #highWatermark = 0;
  readonly #minInsync: number;
  elections = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#minInsync = 1 + this.#random.integer(3);
    const configs = new Map([["min.insync.replicas", `${this.#minInsync}`]]);
    const layout = { assignments: [[1, 2, 3]] };
    const request = { name: "t", id: "t", layout, configs };
    this.image = apply(this.image, decideTopic(this.image, request, this.#random).changes);
  }

  get partition(): PartitionRecord {
    return this.image.topics.get("t")!.partitions[0]!;
  }

  step(): void {
    const before = this.image;
    const draw = this.#random.integer(14);
    if (draw < 3) this.#produce();
    else if (draw < 5) this.#changeIsr();
    else this.#happen(draw);
    this.#check(before);
  }

  /** The leader appends, some followers fetch; the high watermark follows the ISR, not below min.insync. */
  #produce(): void {
    const { leader, isr, replicas } = this.partition;
    if (!this.#isUp(leader)) return;
    const end = this.#ends.get(leader)! + 1;
    this.#ends.set(leader, end);
    for (const id of replicas) {
      if (id !== leader && this.#isUp(id) && this.#random.integer(3) > 0) this.#ends.set(id, end);
    }
    if (isr.length < Math.min(this.#minInsync, replicas.length)) return;
    const least = Math.min(...isr.map((id) => this.#ends.get(id)!));
    this.#highWatermark = Math.max(this.#highWatermark, least);
  }

  #changeIsr(): void {
    const { leader, replicas, leaderEpoch, partitionEpoch } = this.partition;
    const leaderEnd = this.#ends.get(leader);
    if (leaderEnd === undefined || !this.#isUp(leader)) return;
    const isCaughtUp = (id: number) => this.#ends.get(id)! >= this.#highWatermark;
    const wished = replicas.filter(
      (id) => id === leader || (this.#isUp(id) && isCaughtUp(id) && this.#random.integer(4) > 0),
    );
    const isr = wished.map((id) => ({ id, epoch: this.image.brokers.get(id)!.epoch }));
    const wish = { topicId: "t", partition: 0, leaderEpoch, partitionEpoch, isr };
    this.image = apply(this.image, decideIsrChanges(this.image, leader, [wish]).changes);
  }

  #happen(draw: number): void {
    const { image } = this;
    const id = 1 + this.#random.integer(5);
    const ids = new Set([id]);
    if (draw === 5) this.image = apply(image, decideFencing(image, ids));
    else if (draw === 6) this.#ask(id);
    else if (draw === 7) this.#restart(id);
    else if (draw === 8 && this.#random.integer(4) === 0) {
      this.image = apply(image, decideDrain(image, id));
    } else this.image = apply(image, decideUnfencing(image, this.#some()));
  }

  #some(): ReadonlySet<number> {
    return new Set([1, 2, 3, 4, 5].filter(() => this.#random.integer(2) === 0));
  }

  /** An unclean one may have lost its newest records. */
  #restart(id: number): void {
    const { epoch } = this.image.brokers.get(id)!;
    const isClean = this.#random.integer(2) === 0;
    const { leader, isr, elr } = this.partition;
    const isLast = [leader, ...isr, ...elr].every((other) => other === id || other < 0);
    if (!isClean && !isLast) {
      this.#ends.set(id, this.#random.integer(this.#ends.get(id)! + 1));
    }
    const address = { id, host: `m${id}`, port: 1, rack: null, incarnation: `${id}.${epoch}` };
    const request = isClean ? { ...address, cleanEpoch: epoch } : address;
    this.image = apply(this.image, decideRegistration(this.image, request).changes);
  }

  #ask(id: number): void {
    const { image } = this;
    const place = { topic: "t", partition: 0 };
    const kind = this.#random.integer(4);
    if (kind === 0) {
      const request = { kind: "preferred", partitions: null } as const;
      this.image = apply(image, decideElections(image, request).changes);
    } else {
      const target = [id, 1 + (id % 5), 1 + ((id + 1) % 5)].slice(0, kind);
      const replicas = this.#random.integer(3) === 0 ? null : target;
      this.image = apply(image, decideReassignments(image, [{ ...place, replicas }]).changes);
    }
  }

  #isUp(id: number): boolean {
    return this.image.brokers.get(id)?.fenced === false;
  }

  #check(before: ClusterImage): void {
    const was = before.topics.get("t")!.partitions[0]!;
    const now = this.partition;
    assert.ok(now.leaderEpoch >= was.leaderEpoch);
    assert.is(
      now.partitionEpoch > was.partitionEpoch,
      now !== was && now.partitionEpoch !== was.partitionEpoch,
    );
    if (now.leader !== was.leader) assert.ok(now.leaderEpoch > was.leaderEpoch);
    assert.ok([...now.isr, ...now.elr].every((id) => now.replicas.includes(id)));
    assert.ok(now.isr.every((id) => !now.elr.includes(id)));
    assert.is(new Set(now.replicas).size, now.replicas.length);
    assert.ok(now.leader < 0 || now.isr.includes(now.leader), line(now));
    assert.ok(
      now.isr.every((id) => this.#isUp(id)),
      `fenced in sync: ${line(now)}`,
    );
    assert.ok(now.leader < 0 || this.#isUp(now.leader), line(now));
    assert.ok([...now.adding, ...now.removing].every((id) => now.replicas.includes(id)));
    for (const [id, broker] of before.brokers) {
      assert.ok(this.image.brokers.get(id)!.epoch >= broker.epoch);
    }
    if (now.leader !== was.leader && now.leader >= 0) this.#elected(now, was);
  }

  /** The new leader truncates nobody below the high watermark; the others follow its log. */
  #elected(now: PartitionRecord, was: PartitionRecord): void {
    this.elections += 1;
    const end = this.#ends.get(now.leader)!;
    const isLast = was.isr.length + was.elr.length === 0 && was.lastKnownLeader === now.leader;
    if (isLast) this.#highWatermark = Math.min(this.#highWatermark, end);
    assert.ok(end >= this.#highWatermark, `${now.leader} lacks acknowledged records: ${line(was)}`);
    for (const [id, other] of this.#ends) this.#ends.set(id, Math.min(other, end));
  }
}

test("no walk of decisions breaks an invariant or elects one that lacks acknowledged records", () => {
  let elections = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const walk = new Walk(seed);
    for (let step = 0; step < 150; step++) {
      try {
        walk.step();
      } catch (error) {
        throw new Error(`seed ${seed}, step ${step}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
    elections += walk.elections;
  }
  assert.ok(elections > 250, `${elections} elections`);
});

test.run();
