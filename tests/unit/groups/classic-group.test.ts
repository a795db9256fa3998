// The classic protocol, with a clock in the test's hand: no timeout is waited for.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import type { JoinAnswer } from "../../../runtime/group-coordinator.ts";
import { newMemberJoinMsMax } from "../../../runtime/groups/classic-rebalance.ts";
import {
  bytes,
  codeOf,
  delayMs,
  protocol,
  rebalanceMs,
  rejection,
  Scene,
  sessionMs,
  text,
} from "./classic-scene.ts";

test("join() of an empty group waits the initial delay, and longer while members come", async () => {
  const scene = new Scene();
  let isJoined = false;
  void scene.join().then(() => {
    isJoined = true;
  });
  await scene.clock.advance(delayMs - 1);
  const second = scene.join();
  await scene.clock.advance(delayMs);
  assert.is(isJoined, false);
  await scene.clock.advance(1);
  assert.is(isJoined, true);
  assert.is((await second).generation, 1);
});

test("join() gives a new member its id first where the client can take it", async () => {
  const scene = new Scene();
  const first = await scene.join({ needsMemberId: true });
  assert.is(first.error?.code, "MEMBER_ID_REQUIRED");
  assert.is(first.memberId, "c-id1");
  const again = scene.join({ memberId: first.memberId, needsMemberId: true });
  await scene.clock.advance(delayMs);
  assert.is((await again).error, null);
});

test("join() with an id that was never given, or not used in time, is UNKNOWN_MEMBER_ID", async () => {
  const scene = new Scene();
  assert.is((await scene.join({ memberId: "who" })).error?.code, "UNKNOWN_MEMBER_ID");
  const { memberId } = await scene.join({ needsMemberId: true });
  await scene.clock.advance(sessionMs);
  assert.is((await scene.join({ memberId })).error?.code, "UNKNOWN_MEMBER_ID");
});

test("join() tells only the leader who the members are", async () => {
  const scene = new Scene();
  const [first, second] = await scene.stablePair();
  assert.is(first.leader, first.memberId);
  assert.equal(
    first.members.map(({ memberId }) => memberId),
    [first.memberId, second.memberId],
  );
  assert.is(second.leader, first.memberId);
  assert.equal(second.members, []);
});

test("join() refuses other protocols, and members above the limit", async () => {
  const scene = new Scene();
  await scene.stablePair();
  const other = [{ name: "sticky", metadata: bytes("") }];
  const refused = await scene.join({ protocols: other });
  assert.is(refused.error?.code, "INCONSISTENT_GROUP_PROTOCOL");
  const wrongType = await scene.join({ protocolType: "connect" });
  assert.is(wrongType.error?.code, "INCONSISTENT_GROUP_PROTOCOL");
  scene.membersMax = 2;
  assert.is((await scene.join()).error?.code, "GROUP_MAX_SIZE_REACHED");
});

test("join() chooses the protocol that all know and most prefer", async () => {
  const scene = new Scene();
  const named = (...names: string[]) => ({
    protocols: names.map((name) => ({ name, metadata: bytes(name) })),
  });
  const joining = [
    scene.join(named("range", "sticky")),
    scene.join(named("sticky", "range")),
    scene.join(named("fancy", "sticky", "range")),
  ];
  await scene.clock.advance(2 * delayMs);
  const [first] = await Promise.all(joining);
  assert.is(first?.protocolName, "sticky");
  assert.is(text(first!.members[1]!.metadata), "sticky");
});

test("sync() before the leader's waits for it; in the next rebalance it is told so", async () => {
  const scene = new Scene();
  const joining = [scene.join(), scene.join()];
  await scene.clock.advance(2 * delayMs);
  const [, second] = (await Promise.all(joining)) as [JoinAnswer, JoinAnswer];
  const synced = rejection(scene.sync(second));
  void scene.join();
  assert.is(await synced, "REBALANCE_IN_PROGRESS");
});

test("sync() persists the assignments before anybody hears of them", async () => {
  const scene = new Scene();
  let stored = () => {};
  const joining = scene.join();
  await scene.clock.advance(delayMs);
  const joined = await joining;
  scene.persist = () =>
    new Promise((resolve) => {
      stored = resolve;
    });
  let isSynced = false;
  const synced = scene.sync(joined, { [joined.memberId]: "all" }).then((answer) => {
    isSynced = true;
    return answer;
  });
  await scene.clock.turn();
  assert.is(isSynced, false);
  assert.is(text(scene.stored.at(-1)!.members[0]!.assignment), "all");
  stored();
  assert.is(text((await synced).assignment), "all");
});

for (const [cause, code] of [
  [new Error("no disk"), "COORDINATOR_NOT_AVAILABLE"],
  [new BrokerError("UNKNOWN_SERVER_ERROR", "too large"), "UNKNOWN_SERVER_ERROR"],
] as const) {
  test(`sync() of an assignment that cannot be stored is ${code}, and the group rebalances`, async () => {
    const scene = new Scene();
    const joining = scene.join();
    await scene.clock.advance(delayMs);
    const joined = await joining;
    scene.persist = () => Promise.reject(cause);
    assert.is(await rejection(scene.sync(joined)), code);
    assert.is(scene.group.state, "PreparingRebalance");
  });
}

test("heartbeat() tells members of a rebalance, and strangers that they are", async () => {
  const scene = new Scene();
  const [first] = await scene.stablePair();
  assert.is(scene.beat(first), "NONE");
  assert.is(scene.beat({ ...first, generation: 0 }), "ILLEGAL_GENERATION");
  assert.is(scene.beat({ ...first, memberId: "who" }), "UNKNOWN_MEMBER_ID");
  void scene.join();
  assert.is(scene.beat(first), "REBALANCE_IN_PROGRESS");
});

test("a silent member is out after its session, and the others rebalance", async () => {
  const scene = new Scene();
  const [first, second] = await scene.stablePair();
  await scene.clock.advance(sessionMs - 1);
  assert.is(scene.beat(first), "NONE");
  await scene.clock.advance(1);
  assert.is(scene.group.state, "PreparingRebalance");
  assert.is(scene.beat(second), "UNKNOWN_MEMBER_ID");
  const again = await scene.join({ memberId: first.memberId });
  assert.is(again.generation, 2);
  assert.is(again.members.length, 1);
});

test("a rebalance ends without those who do not come in time", async () => {
  const scene = new Scene();
  const [first, second] = await scene.stablePair();
  const again = scene.join({ memberId: first.memberId });
  // It still sends heartbeats, but does not come.
  const late = { ...second };
  for (let ms = 0; ms < rebalanceMs; ms += sessionMs / 2) {
    scene.beat(late);
    await scene.clock.advance(sessionMs / 2);
  }
  const joined = await again;
  assert.is(joined.generation, 2);
  assert.is(joined.members.length, 1);
  assert.is(scene.beat(second), "UNKNOWN_MEMBER_ID");
});

test("a member that joined and never syncs is put out", async () => {
  const scene = new Scene();
  const joining = [scene.join(), scene.join()];
  await scene.clock.advance(2 * delayMs);
  const [first, second] = (await Promise.all(joining)) as [JoinAnswer, JoinAnswer];
  await scene.sync(first, {});
  for (let ms = 0; ms < rebalanceMs; ms += sessionMs / 2) {
    scene.beat(first);
    scene.beat(second);
    await scene.clock.advance(sessionMs / 2);
  }
  assert.is(scene.beat(second), "UNKNOWN_MEMBER_ID");
  assert.is(scene.beat(first), "REBALANCE_IN_PROGRESS");
});

test("a new member that went away while it waited is found", async () => {
  const scene = new Scene();
  const [first] = await scene.stablePair();
  const newcomer = scene.join({ rebalanceTimeoutMs: 2 * newMemberJoinMsMax });
  for (let ms = 0; ms < newMemberJoinMsMax; ms += sessionMs / 2) {
    scene.beat(first);
    await scene.clock.advance(sessionMs / 2);
  }
  assert.is((await newcomer).error?.code, "UNKNOWN_MEMBER_ID");
});

test("leave() frees a member's partitions at once", async () => {
  const scene = new Scene();
  const [first, second] = await scene.stablePair();
  const results = scene.group.leave([
    { memberId: second.memberId, groupInstanceId: null },
    { memberId: "who", groupInstanceId: null },
  ]);
  assert.equal(
    results.map((error) => error?.code),
    [undefined, "UNKNOWN_MEMBER_ID"],
  );
  assert.is(scene.beat(first), "REBALANCE_IN_PROGRESS");
  assert.is((await scene.join({ memberId: first.memberId })).members.length, 1);
});

test("leave() of the last member makes the group empty, and that is stored", async () => {
  const scene = new Scene();
  const [first, second] = await scene.stablePair();
  scene.group.leave([first, second].map(({ memberId }) => ({ memberId, groupInstanceId: null })));
  assert.is(scene.group.state, "Empty");
  assert.equal(scene.stored.at(-1)!.members, []);
  assert.is(scene.stored.at(-1)!.generation, 2);
});

test("a static member comes back without a rebalance, and its old self is fenced", async () => {
  const scene = new Scene();
  const joining = [scene.join({ groupInstanceId: "i1" }), scene.join()];
  await scene.clock.advance(2 * delayMs);
  const [first, second] = (await Promise.all(joining)) as [JoinAnswer, JoinAnswer];
  await scene.sync(first, { [first.memberId]: "one", [second.memberId]: "two" });
  await scene.sync(second);
  const back = await scene.join({ groupInstanceId: "i1" });
  assert.is(back.generation, 1);
  assert.is(back.skipAssignment, true);
  assert.is.not(back.memberId, first.memberId);
  assert.is(text((await scene.sync(back)).assignment), "one");
  const { memberId, generation } = first;
  const old = { groupId: "g", memberId, groupInstanceId: "i1", generation };
  assert.is(
    codeOf(() => scene.group.heartbeat(old)),
    "FENCED_INSTANCE_ID",
  );
});

test("a static member keeps its place over a rebalance that it misses", async () => {
  const scene = new Scene();
  const joining = [scene.join({ groupInstanceId: "i1" }), scene.join()];
  await scene.clock.advance(2 * delayMs);
  const [first, second] = (await Promise.all(joining)) as [JoinAnswer, JoinAnswer];
  const again = scene.join({ memberId: second.memberId, protocols: [protocol("other")] });
  for (let ms = 0; ms < rebalanceMs; ms += sessionMs / 2) {
    scene.beat(first);
    await scene.clock.advance(sessionMs / 2);
  }
  const joined = await again;
  assert.is(joined.generation, 2);
  assert.is(joined.leader, second.memberId);
  assert.is(joined.members.length, 2);
});

test("checkCommit() takes commits of the generation, and of nobody when the group is empty", async () => {
  const scene = new Scene();
  const commit = (memberId: string, generation: number) =>
    codeOf(() =>
      scene.group.checkCommit(
        { groupId: "g", memberId, groupInstanceId: null, generation },
        { isTransactional: false, version: 9 },
      ),
    );
  assert.is(commit("", -1), "NONE");
  const [first] = await scene.stablePair();
  assert.is(commit(first.memberId, 1), "NONE");
  assert.is(commit(first.memberId, 0), "ILLEGAL_GENERATION");
  assert.is(commit("", -1), "UNKNOWN_MEMBER_ID");
  const again = scene.join({ memberId: first.memberId });
  assert.is(scene.group.state, "PreparingRebalance");
  // Consumers commit before they give their partitions back.
  assert.is(commit(first.memberId, 1), "NONE");
  void again;
});

test("checkCommit() in a transaction needs no member, but one that is named must be current", async () => {
  const scene = new Scene();
  const [first] = await scene.stablePair();
  const commit = (memberId: string, generation: number, groupInstanceId: string | null = null) =>
    codeOf(() =>
      scene.group.checkCommit(
        { groupId: "g", memberId, groupInstanceId, generation },
        { isTransactional: true, version: 8 },
      ),
    );
  assert.is(commit("", -1), "NONE");
  assert.is(commit(first.memberId, first.generation), "NONE");
  assert.is(commit(first.memberId, first.generation + 1), "ILLEGAL_GENERATION");
  assert.is(commit("nobody", first.generation), "UNKNOWN_MEMBER_ID");
  assert.is(commit("", -1, "nobody"), "UNKNOWN_MEMBER_ID");
});

test("checkCommit() while assignments are awaited is REBALANCE_IN_PROGRESS", async () => {
  const scene = new Scene();
  const joining = scene.join();
  await scene.clock.advance(delayMs);
  const { memberId, generation } = await joining;
  const request = { groupId: "g", memberId, groupInstanceId: null, generation };
  assert.is(
    codeOf(() => scene.group.checkCommit(request, { isTransactional: false, version: 9 })),
    "REBALANCE_IN_PROGRESS",
  );
});

test("restore() brings members back with their assignments, and a session to speak up", async () => {
  const scene = new Scene();
  const [first] = await scene.stablePair();
  const reborn = new Scene();
  reborn.group.restore(scene.stored.at(-1)!);
  reborn.group.resume();
  assert.is(reborn.group.state, "Stable");
  assert.is(reborn.beat(first), "NONE");
  assert.is(text((await reborn.sync(first)).assignment), "one");
  await reborn.clock.advance(sessionMs);
  assert.is(reborn.group.state, "Empty");
});

test.run();
