// Living groups that change their protocol, both ways, also across a restart.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { codeOf } from "../../support/refusal.ts";
import {
  ClassicClient,
  ConsumerClient,
  heldBy,
  MigrationScene,
  rebalanceMs,
  sessionMs,
  subscription,
} from "./migration-scene.ts";

const all = [0, 1, 2, 3, 4, 5];
const policy = "group.consumer.migration.policy";

/** Lets everybody live for some rounds; in each of them no partition has two owners. */
async function settle(clients: readonly (ClassicClient | ConsumerClient)[]): Promise<void> {
  for (let round = 0; round < 8; round++) {
    for (const client of clients) {
      await client.live();
      const held = heldBy(clients);
      assert.is(new Set(held).size, held.length, `round ${round}: ${held}`);
    }
  }
}

for (const isCooperative of [false, true]) {
  const kind = isCooperative ? "cooperative" : "eager";

  test(`a member of the consumer protocol joins ${kind} classic ones: all share the partitions`, async () => {
    const scene = new MigrationScene();
    const old = await scene.classicGroup(2, isCooperative);
    assert.equal(heldBy(old), all);
    const fresh = new ConsumerClient(scene, "new");
    await fresh.live();
    assert.is(scene.group.type, "consumer");
    assert.equal(fresh.held, [], "what others hold is not given away");
    await settle([...old, fresh]);
    assert.equal(
      [...old, fresh].map(({ held }) => held.length),
      [2, 2, 2],
    );
    assert.is(scene.group.state, "Stable");
  });
}

test("the upgrade is one write: the classic group's end, its members, and the new one", async () => {
  const scene = new MigrationScene();
  const [only] = await scene.classicGroup(1);
  await scene.beatJoin("new");
  assert.equal(scene.kinds.slice(0, 6), [
    "no classic-group",
    "consumer-member",
    "consumer-group",
    "consumer-target-member",
    "consumer-target",
    "consumer-current",
  ]);
  const stored = scene.writes.at(-1)![1]!;
  assert.ok(stored.kind === "consumer-member" && stored.memberId === only!.memberId);
  assert.is(stored.value?.classic?.sessionTimeoutMs, sessionMs);
  assert.equal(stored.value?.classic?.protocols[0]?.name, "range");
  assert.equal(stored.value?.topicNames, ["t"]);
});

test("an upgrade that fails leaves the classic group as it was", async () => {
  const scene = new MigrationScene();
  const [only] = await scene.classicGroup(1);
  const bad = { topicNames: null, topicRegex: "(" };
  assert.is(await codeOf(scene.beatJoin("new", bad)), "INVALID_REGULAR_EXPRESSION");
  assert.is(await codeOf(scene.beatJoin("new", { serverAssignor: "x" })), "UNSUPPORTED_ASSIGNOR");
  scene.failure = new Error("no disk");
  assert.is(await scene.beatJoin("new").catch((error) => error), scene.failure);
  assert.is(scene.group.type, "classic");
  assert.is(only!.beat(), "NONE");
  await scene.clock.advance(sessionMs - 1);
  assert.is(only!.beat(), "NONE", "its session was its own");
});

test("who waits for a classic rebalance is told to join again", async () => {
  const scene = new MigrationScene();
  const [first] = await scene.classicGroup(1);
  const joining = new ClassicClient(scene).join();
  const code = codeOf(joining);
  assert.is(scene.group.state, "PreparingRebalance");
  const fresh = new ConsumerClient(scene, "new");
  await fresh.live();
  assert.is(await code, "REBALANCE_IN_PROGRESS");
  assert.is(first!.beat(), "REBALANCE_IN_PROGRESS");
});

test("the migration policy forbids an upgrade, and other kinds of groups have none", async () => {
  for (const value of ["disabled", "DOWNGRADE"]) {
    const scene = new MigrationScene({ [policy]: value });
    await scene.classicGroup(1);
    assert.is(await codeOf(scene.beatJoin("new")), "GROUP_ID_NOT_FOUND", value);
  }
  const full = new MigrationScene({ "group.consumer.max.size": "1" });
  await full.classicGroup(2);
  assert.is(await codeOf(full.beatJoin("new")), "GROUP_ID_NOT_FOUND");
  const connect = new MigrationScene();
  void new ClassicClient(connect).join({ protocolType: "connect" });
  await connect.clock.advance(6000);
  assert.is(await codeOf(connect.beatJoin("new")), "GROUP_ID_NOT_FOUND");
});

test("the last member of the consumer protocol leaves: a classic group that rebalances", async () => {
  const scene = new MigrationScene();
  const old = await scene.classicGroup(2);
  const fresh = new ConsumerClient(scene, "new");
  await fresh.live();
  await settle([...old, fresh]);
  const epoch = old[0]!.generation;
  await fresh.leave();
  assert.is(scene.group.type, "classic");
  assert.is(scene.group.state, "PreparingRebalance");
  assert.is(scene.kinds.at(-1), "classic-group");
  assert.equal([...new Set(scene.kinds.slice(0, -1).map((kind) => kind.slice(0, 3)))], ["no "]);
  assert.equal(
    old.map((each) => each.beat()),
    Array(2).fill("REBALANCE_IN_PROGRESS"),
  );
  await Promise.all(old.map((each) => each.join()));
  assert.ok(old[0]!.generation > epoch);
  const leader = old.find(({ memberId, leader }) => memberId === leader)!;
  const syncing = old.filter((each) => each !== leader).map((each) => each.sync());
  await leader.sync(old);
  await Promise.all(syncing);
  assert.equal(heldBy(old), all);
});

test("a consumer member that falls silent takes the group back to the classic protocol", async () => {
  const scene = new MigrationScene();
  const old = await scene.classicGroup(1);
  const fresh = new ConsumerClient(scene, "new");
  await fresh.live();
  await settle([...old, fresh]);
  for (let ms = 0; ms < 50_000 && scene.group.type === "consumer"; ms += 5000) {
    await old[0]!.live();
    await scene.clock.advance(5000);
  }
  assert.is(scene.group.type, "classic");
  assert.is(scene.group.size, 1);
});

test("without leave to downgrade the classic members stay in the consumer group", async () => {
  const scene = new MigrationScene({ [policy]: "upgrade" });
  const old = await scene.classicGroup(2);
  const fresh = new ConsumerClient(scene, "new");
  await fresh.live();
  await settle([...old, fresh]);
  await fresh.leave();
  assert.is(scene.group.type, "consumer");
  await settle(old);
  assert.equal(
    old.map(({ held }) => held.length),
    [3, 3],
  );
});

test("all change over, one by one: nothing is read twice, and classic members are gone", async () => {
  const scene = new MigrationScene();
  const old = await scene.classicGroup(3);
  const fresh: ConsumerClient[] = [];
  while (old.length > 0) {
    fresh.push(new ConsumerClient(scene, `new${fresh.length}`));
    await settle([...old, ...fresh]);
    const { memberId } = old.shift()!;
    const group = scene.memberships.joined({ groupId: "g", memberId });
    assert.equal(await group.leave([{ memberId, groupInstanceId: null }]), [null]);
    await settle([...old, ...fresh]);
    assert.equal(heldBy([...old, ...fresh]), all);
  }
  assert.is(scene.group.type, "consumer");
  assert.is(scene.group.state, "Stable");
});

test("a classic member joins a group of the consumer protocol", async () => {
  const scene = new MigrationScene();
  const fresh = new ConsumerClient(scene, "new");
  await fresh.live();
  const old = new ClassicClient(scene);
  const given = codeOf(old.join({ needsMemberId: true }));
  assert.is(await given, "MEMBER_ID_REQUIRED");
  await old.join();
  await old.sync();
  await settle([old, fresh]);
  assert.equal([old.held.length, fresh.held.length], [3, 3]);
});

test("join() refuses members that could not be understood", async () => {
  const scene = new MigrationScene({ "group.consumer.max.size": "2" });
  await new ConsumerClient(scene, "new").live();
  const refused = (more: Parameters<ClassicClient["join"]>[0]) =>
    codeOf(new ClassicClient(scene).join(more));
  assert.is(await refused({ protocolType: "connect" }), "INCONSISTENT_GROUP_PROTOCOL");
  assert.is(await refused({ protocols: [] }), "INCONSISTENT_GROUP_PROTOCOL");
  const garbage = [{ name: "range", metadata: new Uint8Array([0, 1, 255]) }];
  assert.is(await refused({ protocols: garbage }), "INCONSISTENT_GROUP_PROTOCOL");
  await new ClassicClient(scene).join();
  const other = [{ name: "sticky", metadata: subscription(["t"], []) }];
  assert.is(await refused({ protocols: other }), "INCONSISTENT_GROUP_PROTOCOL");
  assert.is(await refused({}), "GROUP_MAX_SIZE_REACHED");
});

test("a classic member is out after its session, or when it does not join or sync in time", async () => {
  const scene = new MigrationScene();
  const fresh = new ConsumerClient(scene, "new");
  await fresh.live();
  const [silent, unsynced, stubborn] = [1, 2, 3].map(() => new ClassicClient(scene));
  for (const each of [silent!, unsynced!, stubborn!]) await each.join();
  await silent!.live();
  await stubborn!.live();
  for (let ms = 0; ms <= rebalanceMs + sessionMs; ms += 5000) {
    await fresh.live();
    unsynced!.beat();
    stubborn!.beat();
    await scene.clock.advance(5000);
    const isThere = scene.group.members.has(silent!.memberId);
    assert.is(isThere, ms + 5000 < sessionMs, `${ms}`);
  }
  assert.is(scene.group.members.has(unsynced!.memberId), false);
  assert.is(scene.group.members.has(stubborn!.memberId), false);
  assert.is(fresh.held.length, 6);
});

test("requests of a classic member carry its member epoch and its instance", async () => {
  const scene = new MigrationScene();
  const old = new ClassicClient(scene, false, "one");
  await new ConsumerClient(scene, "new").live();
  await old.join();
  await old.sync();
  const before = { memberId: old.memberId };
  old.generation--;
  assert.is(old.beat(), "ILLEGAL_GENERATION");
  old.generation++;
  old.memberId = "nobody";
  assert.is(old.beat(), "FENCED_INSTANCE_ID");
  const commit = (memberId: string, generation: number) =>
    codeOf(
      Promise.resolve().then(() =>
        scene.group.checkCommit(
          { groupId: "g", memberId, groupInstanceId: null, generation },
          { isTransactional: false, version: 8 },
        ),
      ),
    );
  assert.is(await commit(before.memberId, old.generation), "NONE");
  assert.is(await commit(before.memberId, old.generation + 1), "ILLEGAL_GENERATION");
  assert.is(await commit("new", 1), "UNSUPPORTED_VERSION");
});

test("a static member changes over in both directions", async () => {
  const scene = new MigrationScene();
  const old = new ClassicClient(scene, false, "one");
  const joining = old.join();
  await scene.clock.advance(6000);
  await joining;
  await old.sync([old]);
  const other = new ConsumerClient(scene, "other");
  await other.live();
  await settle([old, other]);
  const replaced = await scene.beatJoin("fresh", { instanceId: "one" });
  assert.is(scene.group.size, 2);
  assert.is(replaced.assignment?.[0]?.partitions.length, 3, "it holds what it held");
  assert.is(old.beat(), "FENCED_INSTANCE_ID");
  await other.leave();
  assert.is(scene.group.type, "consumer");
  const back = new ClassicClient(scene, false, "one");
  await back.join();
  assert.is(scene.group.type, "classic", "the last one of the consumer protocol changed over");
  assert.is(scene.group.size, 1);
});

test("a restart amid a migration finds the same group", async () => {
  const scene = new MigrationScene();
  const old = await scene.classicGroup(2);
  const fresh = new ConsumerClient(scene, "new");
  await fresh.live();
  await old[0]!.live();
  const reborn = scene.reborn();
  assert.ok(reborn.group.type === "consumer" && scene.group.type === "consumer");
  assert.equal(reborn.group.view(), scene.group.view());
  const again = reborn.memberships.joined({ groupId: "g", memberId: old[0]!.memberId });
  assert.is(again.size, 3);
  await scene.beat("new", -1);
  const classic = scene.reborn();
  assert.is(classic.group.type, "classic");
  assert.is(classic.group.size, 2);
});

test.run();
