// Committed offsets of one group: transactions, expiry, and what is left.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { GroupOffsets } from "../../../runtime/groups/offsets.ts";

const place = { topic: "t", partition: 0 };

function committed(offset: number, commitTimestampMs = 0, expireTimestampMs = -1) {
  return { offset, leaderEpoch: -1, metadata: "", commitTimestampMs, expireTimestampMs };
}

test("endTransaction() lets offsets count when committed, and drops them when not", () => {
  const offsets = new GroupOffsets();
  offsets.addPending(7, place, committed(5), 10);
  assert.is(offsets.get(place), undefined);
  assert.is(offsets.isPending(place), true);
  offsets.endTransaction(7, "abort");
  assert.is(offsets.isPending(place), false);
  assert.is(offsets.get(place), undefined);
  offsets.addPending(7, place, committed(6), 11);
  offsets.endTransaction(7, "commit");
  assert.is(offsets.get(place)?.offset, 6);
  assert.is(offsets.size, 1);
});

test("endTransaction() does not go back behind a later commit", () => {
  const offsets = new GroupOffsets();
  offsets.addPending(7, place, committed(5), 10);
  offsets.set("t", 0, committed(8), 12);
  offsets.endTransaction(7, "commit");
  assert.is(offsets.get(place)?.offset, 8);
});

test("expired() counts from the commit, or from when the group lost its last member", () => {
  const offsets = new GroupOffsets();
  offsets.set("t", 0, committed(1, 1000));
  offsets.set("u", 0, committed(1, 5000));
  offsets.set("v", 0, committed(1, 1000, 1500));
  const rules = { retentionMs: 2000, idleSinceMs: undefined, subscribed: undefined };
  const topics = (more: object) =>
    offsets.expired({ nowMs: 3000, ...rules, ...more }).map(({ topic }) => topic);
  assert.equal(topics({}), ["t", "v"]);
  assert.equal(topics({ nowMs: 2999 }), ["v"]);
  assert.equal(topics({ idleSinceMs: 2500 }), ["v"]);
  assert.equal(topics({ subscribed: new Set(["t"]) }), ["v"]);
  offsets.addPending(7, place, committed(2));
  assert.equal(topics({}), ["v"]);
});

test("delete() forgets the last partition's topic too", () => {
  const offsets = new GroupOffsets();
  offsets.set("t", 0, committed(1));
  assert.is(offsets.delete(place), true);
  assert.is(offsets.delete(place), false);
  assert.equal([...offsets.topics()], []);
  assert.is(offsets.size, 0);
});

test.run();
