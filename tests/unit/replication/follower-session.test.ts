// The incremental fetch session of a follower: what it asks for anew, keeps, and forgets.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { FollowerSession } from "../../../runtime/replication/follower-session.ts";
import type { ReplicaFetchItem } from "../../../runtime/replication/replica-link.ts";

const item = (partition: number, fetchOffset = 0, more: Partial<ReplicaFetchItem> = {}) => ({
  topicId: "t",
  partition,
  leaderEpoch: 1,
  fetchOffset,
  lastFetchedEpoch: 1,
  logStartOffset: 0,
  highWatermark: 0,
  bytesMax: 10,
  ...more,
});

const told = (session: FollowerSession, items: ReplicaFetchItem[]) => {
  const { sessionId, sessionEpoch, named, forgotten } = session.next(items);
  const numbers = (list: readonly ReplicaFetchItem[]) => list.map(({ partition }) => partition);
  return [sessionId, sessionEpoch, numbers(named), numbers(forgotten)];
};

test("FollowerSession names everything once, then what changed and what went", () => {
  const session = new FollowerSession();
  assert.equal(told(session, [item(0), item(1), item(2)]), [0, 0, [0, 1, 2], []]);
  session.answered(7);
  assert.equal(told(session, [item(0), item(1, 5), item(2)]), [7, 1, [1], []]);
  session.answered(7);
  assert.equal(told(session, [item(1, 5), item(2), item(3)]), [7, 2, [3], [0]]);
  session.answered(7);
  assert.equal(told(session, [item(1, 5), item(2, 0, { leaderEpoch: 2 }), item(3)]), [
    7,
    3,
    [2],
    [],
  ]);
  session.answered(7);
  assert.equal(told(session, [item(1, 5), item(2, 0, { leaderEpoch: 2 })]), [7, 4, [], [3]]);
});

test("FollowerSession says again what changes back", () => {
  const session = new FollowerSession();
  session.next([item(0, 5)]);
  session.answered(7);
  session.next([item(0, 3)]);
  session.answered(7);
  assert.equal(told(session, [item(0, 5)]), [7, 2, [0], []]);
});

test("FollowerSession begins anew after a failure, in the place of the old session", () => {
  const session = new FollowerSession();
  session.next([item(0), item(1)]);
  session.answered(7);
  session.next([item(0), item(1)]);
  session.reset();
  assert.equal(told(session, [item(0), item(1)]), [7, 0, [0, 1], []]);
});

test("FollowerSession does without where the leader has no room for one", () => {
  const session = new FollowerSession();
  for (let i = 0; i < 2; i++) {
    assert.equal(told(session, [item(0)]), [0, 0, [0], []]);
    session.answered(0);
  }
});

test.run();
