// What a leader may conclude from its followers' fetches: each rule with the accident it prevents.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { type FollowerFetch, LeaderState } from "../../../runtime/replication/leader-state.ts";

const everybody = () => true;
const epochOf = (id: number) => 10 + id;

/** Broker 1 leads epoch 5 of a partition with replicas 1, 2 and 3; its log ends at 10, 4 of it known to be on all. */
function lead(given: { isr?: number[]; startOffset?: number; highWatermark?: number } = {}) {
  const state = new LeaderState({
    self: 1,
    leaderEpoch: 5,
    partitionEpoch: 7,
    replicas: [1, 2, 3],
    isr: [1, 2, 3],
    startOffset: 10,
    highWatermark: 4,
    nowMs: 0,
    ...given,
  });
  state.ownEndMoved(10);
  const fetch = (replicaId: number, offset: number, more: Partial<FollowerFetch> = {}) =>
    state.fetched({
      replicaId,
      brokerEpoch: epochOf(replicaId),
      leaderEpoch: 5,
      offset,
      nowMs: 0,
      leaderEnd: 10,
      ...more,
    });
  const isr = (...ids: number[]) => {
    const partitionEpoch = state.partitionEpoch + 1;
    state.commit({ partitionEpoch, replicas: [1, 2, 3], isr: ids }, 0);
  };
  return { state, fetch, isr };
}

test("advance() goes to the least that all in-sync replicas have", () => {
  const { state, fetch } = lead();
  assert.not(state.advance(1), "nobody has been heard of in this leadership");
  fetch(2, 9);
  assert.not(state.advance(1));
  fetch(3, 6);
  assert.ok(state.advance(1));
  assert.is(state.highWatermark, 6);
  fetch(3, 10);
  state.advance(1);
  assert.is(state.highWatermark, 9);
});

test("advance() counts the leader's own log only as far as it is durable", () => {
  const { state, fetch } = lead();
  fetch(2, 12, { leaderEnd: 12 });
  fetch(3, 12, { leaderEnd: 12 });
  state.advance(1);
  assert.is(state.highWatermark, 10, "12 is written here, but not synced");
});

test("advance() never goes back, also when a follower does", () => {
  const { state, fetch } = lead();
  fetch(2, 8);
  fetch(3, 8);
  state.advance(1);
  fetch(3, 2);
  assert.not(state.advance(1));
  assert.is(state.highWatermark, 8);
});

test("a follower that is about to join counts at once: the change may have been carried out unheard", () => {
  const { state, fetch } = lead({ isr: [1, 2] });
  fetch(2, 10);
  fetch(3, 10);
  const wish = state.joining(3, everybody)!;
  state.asked(wish);
  state.ownEndMoved(20);
  fetch(2, 20, { leaderEnd: 20 });
  state.advance(1);
  assert.is(state.highWatermark, 10, "20 is not on replica 3, which may be in sync by now");
  state.refused(wish);
  state.advance(1);
  assert.is(state.highWatermark, 20);
});

test("a follower that is about to leave still counts: the change may never be carried out", () => {
  const { state, fetch, isr } = lead();
  fetch(2, 10);
  fetch(3, 5);
  const wish = state.lagging(60_000, 10_000);
  assert.equal(
    wish?.isr.map(({ id }) => id),
    [1, 2],
  );
  state.asked(wish!);
  state.advance(1);
  assert.is(state.highWatermark, 5);
  isr(1, 2);
  state.advance(1);
  assert.is(state.highWatermark, 10);
});

test("advance() stands still below min.insync.replicas: whoever left then has all that is committed", () => {
  const { state, fetch, isr } = lead();
  isr(1);
  fetch(2, 10);
  assert.not(state.advance(2));
  assert.is(state.highWatermark, 4);
  isr(1, 2);
  assert.ok(state.advance(2));
  assert.is(state.highWatermark, 10);
});

test("fetched() takes no notice of another leader epoch: such a follower may have another log", () => {
  const { state, fetch } = lead();
  for (const leaderEpoch of [4, 6]) assert.not(fetch(2, 10, { leaderEpoch }));
  fetch(3, 10);
  assert.not(state.advance(1), "replica 2 has said nothing about this log");
});

test("fetched() takes no notice of strangers and of earlier incarnations", () => {
  const { fetch } = lead();
  assert.not(fetch(4, 10));
  assert.ok(fetch(2, 10));
  assert.not(fetch(2, 10, { brokerEpoch: 11 }));
  assert.ok(fetch(2, 10, { brokerEpoch: 13 }));
});

test("joining() needs all that is committed", () => {
  const { state, fetch } = lead({ isr: [1, 2], startOffset: 0, highWatermark: 8 });
  fetch(3, 7);
  assert.is(state.joining(3, everybody), null);
  fetch(3, 8);
  assert.equal(state.joining(3, everybody)?.isr, [
    { id: 1, epoch: -1 },
    { id: 2, epoch: -1 },
    { id: 3, epoch: 13 },
  ]);
});

test("joining() needs what was here when the leadership began: the high watermark may be behind", () => {
  const { state, fetch } = lead({ isr: [1, 2], startOffset: 10, highWatermark: 4 });
  fetch(3, 9);
  assert.is(state.joining(3, everybody), null, "what the last leader acknowledged may end at 10");
  fetch(3, 10);
  assert.is.not(state.joining(3, everybody), null);
});

test("joining() is for this very incarnation: a rebooted, empty broker is not the one that caught up", () => {
  const { state, fetch } = lead({ isr: [1, 2] });
  fetch(3, 10);
  assert.is(
    state.joining(3, (id, epoch) => !(id === 3 && epoch === 13)),
    null,
  );
  fetch(3, 0, { brokerEpoch: 14 });
  assert.is(state.joining(3, everybody), null);
});

test("joining() asks for one change at a time, and for nobody who is in sync or unknown", () => {
  const { state, fetch } = lead({ isr: [1] });
  fetch(2, 10);
  fetch(3, 10);
  assert.is(state.joining(1, everybody), null);
  assert.is(state.joining(4, everybody), null);
  state.asked(state.joining(2, everybody)!);
  assert.is(state.joining(3, everybody), null);
});

test("commit() answers what was asked, and takes no notice of older records", () => {
  const { state, fetch, isr } = lead({ isr: [1, 2] });
  fetch(3, 10);
  state.asked(state.joining(3, everybody)!);
  state.commit({ partitionEpoch: 7, replicas: [1, 2, 3], isr: [1] }, 0);
  assert.is(state.inSyncCount, 2);
  assert.is.not(state.pending, null);
  isr(1, 2, 3);
  assert.is(state.pending, null);
  assert.ok(state.isInSync(3));
});

test("commit() forgets replicas that left and learns of new ones", () => {
  const { state, fetch } = lead();
  state.commit({ partitionEpoch: 8, replicas: [1, 2, 4], isr: [1, 2] }, 0);
  assert.not(fetch(3, 10));
  assert.ok(fetch(4, 10));
  assert.equal(
    state.joining(4, everybody)?.isr.map(({ id }) => id),
    [1, 2, 4],
  );
});

test("lagging() gives a follower the time since it last had everything", () => {
  const { state, fetch } = lead();
  fetch(2, 10, { nowMs: 1_000 });
  fetch(3, 10, { nowMs: 1_000 });
  state.ownEndMoved(20);
  fetch(2, 10, { nowMs: 5_000, leaderEnd: 20 });
  fetch(2, 20, { nowMs: 9_000, leaderEnd: 30 });
  const left = (nowMs: number) => state.lagging(nowMs, 10_000)?.isr.map(({ id }) => id);
  assert.is(left(11_000), undefined);
  assert.equal(left(12_000), [1, 2], "3 had everything at 1000, and 2 at 5000");
});

test("lagging() keeps followers of an idle partition: whoever died is fenced by the control plane", () => {
  const { state, fetch } = lead();
  fetch(2, 10);
  fetch(3, 10);
  assert.is(state.lagging(1_000_000, 10_000), null);
});

test("isSettled: latest offsets are unknown until all have what was here when the leadership began", () => {
  const { state, fetch } = lead();
  assert.not(state.isSettled);
  fetch(2, 9);
  fetch(3, 10);
  state.advance(1);
  assert.not(state.isSettled, "readers may have seen 9 before");
  fetch(2, 10);
  state.advance(1);
  assert.ok(state.isSettled);
});

test.run();
