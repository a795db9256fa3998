// The consumer protocol (KIP-848), with a clock in the test's hand.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { TopicRecord } from "../../../cluster/control-plane.ts";
import { newPartition } from "../../../cluster/partition-record.ts";
import type {
  ConsumerHeartbeat,
  ConsumerHeartbeatAnswer,
  TopicIdPartitions,
} from "../../../runtime/group-coordinator.ts";
import { ConsumerGroup } from "../../../runtime/groups/consumer-group.ts";
import type { ConsumerRecord } from "../../../runtime/groups/consumer-group-records.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { codeOf } from "../../support/refusal.ts";
import { heartbeatOf } from "./heartbeat-request.ts";

const sessionMs = 45_000;
const rebalanceMs = 60_000;

class Scene {
  readonly clock: ManualClock;
  readonly records: ConsumerRecord[] = [];
  topics = new Map<string, TopicRecord>();
  readonly group: ConsumerGroup;
  membersMax = 100;
  failure: Error | undefined;

  constructor(clock = new ManualClock()) {
    this.clock = clock;
    this.topic("t", 4);
    this.group = new ConsumerGroup(
      {
        clock: this.clock,
        topics: () => this.topics,
        topicName: (topicId) => topicId.slice("id-".length),
        newId: () => "id",
        settings: () => ({
          heartbeatIntervalMs: 5000,
          sessionTimeoutMs: sessionMs,
          membersMax: this.membersMax,
          assignors: ["uniform", "range"],
        }),
        persist: (records) => {
          if (this.failure) throw this.failure;
          this.records.push(...records);
          return undefined;
        },
        mayDowngrade: () => false,
        downgrade: () => undefined,
        rebalanced() {},
        failed() {},
      },
      "g",
    );
  }

  topic(name: string, partitions: number): void {
    this.topics = new Map(this.topics).set(name, {
      name,
      id: `id-${name}`,
      partitions: Array.from({ length: partitions }, (_, each) => newPartition(each, [1])),
      configs: new Map(),
    });
    this.group?.topicsChanged();
  }

  beat(memberId: string, memberEpoch: number, more: Partial<ConsumerHeartbeat> = {}) {
    return this.group.heartbeat(heartbeatOf({ memberId, memberEpoch, ...more }));
  }

  join(memberId: string, more: Partial<ConsumerHeartbeat> = {}): Promise<ConsumerHeartbeatAnswer> {
    const rebalanceTimeoutMs = rebalanceMs;
    return this.beat(memberId, 0, { rebalanceTimeoutMs, topicNames: ["t"], owned: [], ...more });
  }
}

function held(partitions: readonly number[], topicId = "id-t"): TopicIdPartitions[] {
  return [{ topicId, partitions }];
}

test("heartbeat() gives the first member everything at once", async () => {
  const scene = new Scene();
  const answer = await scene.join("a");
  assert.is(answer.memberEpoch, 1);
  assert.equal(answer.assignment, held([0, 1, 2, 3]));
  assert.is(scene.group.state, "Stable");
  assert.is((await scene.beat("a", 1)).assignment, null);
});

test("heartbeat() moves only what must move, and gives it on when it was given back", async () => {
  const scene = new Scene();
  await scene.join("a");
  const second = await scene.join("b");
  assert.equal(second, { ...second, memberEpoch: 2, assignment: [] });
  const revoking = await scene.beat("a", 1);
  assert.is(revoking.memberEpoch, 1);
  assert.equal(revoking.assignment, held([0, 1]));
  assert.is(scene.group.state, "Reconciling");
  // Still held by a: not b's yet.
  assert.is((await scene.beat("b", 2)).assignment, null);
  const revoked = await scene.beat("a", 1, { owned: held([0, 1]) });
  assert.is(revoked.memberEpoch, 2);
  assert.equal((await scene.beat("b", 2)).assignment, held([2, 3]));
  assert.is(scene.group.state, "Stable");
});

test("a member that does not give back in time is put out", async () => {
  const scene = new Scene();
  await scene.join("a");
  await scene.join("b");
  await scene.beat("a", 1);
  for (let ms = 0; ms < rebalanceMs; ms += 10_000) {
    await scene.beat("a", 1).catch(() => {});
    await scene.beat("b", 2).catch(() => {});
    await scene.clock.advance(10_000);
  }
  assert.is(await codeOf(scene.beat("a", 1)), "UNKNOWN_MEMBER_ID");
  assert.equal((await scene.beat("b", 2)).assignment, held([0, 1, 2, 3]));
});

test("a silent member is out after its session", async () => {
  const scene = new Scene();
  await scene.join("a");
  await scene.clock.advance(sessionMs - 1);
  assert.is(scene.group.members.size, 1);
  await scene.clock.advance(1);
  assert.is(scene.group.state, "Empty");
  assert.is(await codeOf(scene.beat("a", 1)), "UNKNOWN_MEMBER_ID");
});

test("a member that leaves frees its partitions", async () => {
  const scene = new Scene();
  await scene.join("a");
  await scene.join("b");
  await scene.beat("a", 1);
  await scene.beat("a", 1, { owned: held([0, 1]) });
  await scene.beat("b", -1);
  assert.equal((await scene.beat("a", 2)).assignment, held([0, 1, 2, 3]));
});

test("heartbeat() fences other epochs, except one whose answer was lost", async () => {
  const scene = new Scene();
  await scene.join("a");
  assert.is(await codeOf(scene.beat("a", 2)), "FENCED_MEMBER_EPOCH");
  await scene.join("b", { topicNames: ["u"] });
  assert.is((await scene.beat("a", 1)).memberEpoch, 2);
  assert.is(await codeOf(scene.beat("a", 1)), "FENCED_MEMBER_EPOCH");
  assert.is((await scene.beat("a", 1, { owned: held([0]) })).memberEpoch, 2);
});

test("heartbeat() refuses what is not a heartbeat", async () => {
  const scene = new Scene();
  assert.is(await codeOf(scene.join("")), "INVALID_REQUEST");
  assert.is(await codeOf(scene.join("a", { topicNames: null })), "INVALID_REQUEST");
  assert.is(await codeOf(scene.join("a", { owned: held([1]) })), "INVALID_REQUEST");
  assert.is(await codeOf(scene.join("a", { rebalanceTimeoutMs: -1 })), "INVALID_REQUEST");
  assert.is(await codeOf(scene.beat("a", -3)), "INVALID_REQUEST");
  assert.is(await codeOf(scene.beat("a", -2)), "INVALID_REQUEST");
  assert.is(await codeOf(scene.join("a", { serverAssignor: "x" })), "UNSUPPORTED_ASSIGNOR");
  const regex = { topicNames: null, topicRegex: "(" };
  assert.is(await codeOf(scene.join("a", regex)), "INVALID_REGULAR_EXPRESSION");
  scene.membersMax = 1;
  await scene.join("a");
  assert.is(await codeOf(scene.join("b")), "GROUP_MAX_SIZE_REACHED");
});

test("what cannot be stored does not happen", async () => {
  const scene = new Scene();
  scene.failure = new Error("no disk");
  assert.is(await scene.join("a").catch((error) => error), scene.failure);
  assert.is(scene.group.members.size, 0);
  assert.is(scene.group.groupEpoch, 0);
});

test("new partitions and topics reach those who read them, also by expression", async () => {
  const scene = new Scene();
  await scene.join("a", { topicNames: null, topicRegex: "t.*" });
  scene.topic("t", 5);
  assert.equal((await scene.beat("a", 1)).assignment, held([0, 1, 2, 3, 4]));
  scene.topic("other", 1);
  assert.is((await scene.beat("a", 2)).memberEpoch, 2);
  scene.topic("t2", 1);
  const answer = await scene.beat("a", 2);
  assert.equal(answer.assignment, [...held([0, 1, 2, 3, 4]), ...held([0], "id-t2")]);
});

test("what an expression matches is stored when it changes, and forgotten with its last reader", async () => {
  const scene = new Scene();
  await scene.join("a", { topicNames: null, topicRegex: "t.*" });
  const regexes = () => {
    const found = scene.records.filter((each) => each.kind === "consumer-regex");
    return found.map(({ regex, value }) => [regex, value?.topics ?? null, value?.version ?? null]);
  };
  assert.equal(regexes(), [["t.*", ["t"], 1]]);
  scene.topic("other", 1);
  await scene.beat("a", 1);
  assert.is(regexes().length, 1);
  scene.topic("t2", 1);
  await scene.beat("a", 1);
  assert.equal(regexes().at(-1), ["t.*", ["t", "t2"], 2]);

  const reborn = new Scene(scene.clock);
  for (const record of scene.records) reborn.group.replay(record);
  assert.equal([...reborn.group.subscribedTopics], ["t", "t2"]);
  assert.ok(reborn.group.tombstones().some(({ kind }) => kind === "consumer-regex"));

  await scene.beat("a", 2, { topicNames: ["t"], topicRegex: "" });
  assert.equal(regexes().at(-1), ["t.*", null, null]);
});

test("a static member that went away for a while finds its partitions again", async () => {
  const scene = new Scene();
  await scene.join("a", { instanceId: "i" });
  assert.is(await codeOf(scene.join("b", { instanceId: "i" })), "UNRELEASED_INSTANCE_ID");
  await scene.beat("a", -2, { instanceId: "i" });
  const back = await scene.join("b", { instanceId: "i" });
  assert.is(back.memberEpoch, 1);
  assert.equal(back.assignment, held([0, 1, 2, 3]));
  assert.is(await codeOf(scene.beat("a", 1, { instanceId: "i" })), "FENCED_INSTANCE_ID");
});

test("a static member that does not come back is out after its session", async () => {
  const scene = new Scene();
  await scene.join("a", { instanceId: "i" });
  await scene.beat("a", -2, { instanceId: "i" });
  await scene.clock.advance(sessionMs);
  assert.is(scene.group.state, "Empty");
});

test("checkCommit() takes a member's own epoch only", async () => {
  const scene = new Scene();
  const check = (memberId: string, generation: number) =>
    codeOf(
      Promise.resolve().then(() =>
        scene.group.checkCommit(
          { groupId: "g", memberId, groupInstanceId: null, generation },
          { isTransactional: false, version: 9 },
        ),
      ),
    );
  assert.is(await check("", -1), "NONE");
  await scene.join("a");
  assert.is(await check("a", 1), "NONE");
  assert.is(await check("a", 0), "STALE_MEMBER_EPOCH");
  assert.is(await check("b", 1), "UNKNOWN_MEMBER_ID");
  assert.is(await check("", -1), "UNKNOWN_MEMBER_ID");
});

test("replay() of what was stored gives the same group", async () => {
  const scene = new Scene();
  await scene.join("a", { instanceId: "i" });
  await scene.join("b");
  await scene.beat("a", 1, { instanceId: "i" });
  await scene.join("c");
  await scene.beat("c", -1);
  const reborn = new Scene(scene.clock);
  for (const record of scene.records) reborn.group.replay(record);
  reborn.group.resume();
  assert.equal(reborn.group.view(), scene.group.view());
  const owned = { owned: held([0, 1]), instanceId: "i" };
  assert.equal(await reborn.beat("a", 1, owned), await scene.beat("a", 1, owned));
  await reborn.clock.advance(sessionMs);
  assert.is(reborn.group.members.size, 0);
});

test("replay() of tombstones forgets the group", async () => {
  const scene = new Scene();
  await scene.join("a");
  const reborn = new Scene();
  for (const record of [...scene.records, ...scene.group.tombstones()]) reborn.group.replay(record);
  assert.is(reborn.group.isForgotten, true);
});

test("no partition has two owners, whatever members do", async () => {
  const scene = new Scene();
  scene.topic("t", 12);
  const known = new Map<string, { epoch: number; owned: number[] }>();
  let seed = 7;
  const below = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % n;
  };
  for (let step = 0; step < 2000; step++) {
    const id = `m${below(6)}`;
    const member = known.get(id);
    if (member === undefined) {
      const answer = await scene.join(id);
      const owned = [...(answer.assignment?.[0]?.partitions ?? [])];
      known.set(id, { epoch: answer.memberEpoch, owned });
    } else if (below(20) === 0) {
      await scene.beat(id, -1);
      known.delete(id);
    } else {
      const owned = member.owned.length > 0 ? held(member.owned) : [];
      const answer = await scene.beat(id, member.epoch, { owned });
      member.epoch = answer.memberEpoch;
      if (answer.assignment) member.owned = [...(answer.assignment[0]?.partitions ?? [])];
    }
    const all = [...known.values()].flatMap(({ owned }) => owned);
    assert.is(new Set(all).size, all.length, `step ${step}`);
  }
  for (let round = 0; round < 10; round++) {
    for (const [id, member] of known) {
      const owned = member.owned.length > 0 ? held(member.owned) : [];
      const answer = await scene.beat(id, member.epoch, { owned });
      member.epoch = answer.memberEpoch;
      if (answer.assignment) member.owned = [...(answer.assignment[0]?.partitions ?? [])];
    }
  }
  assert.is(scene.group.state, "Stable");
  assert.is([...known.values()].flatMap(({ owned }) => owned).length, 12);
});

test.run();
