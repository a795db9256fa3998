// Where logs that differ are cut until they agree: by epochs and their ends, step by step.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { LeaderEpochs } from "../../../runtime/log/leader-epochs.ts";
import { divergence, truncationPoint } from "../../../runtime/replication/truncation.ts";

/** A log as the epochs of its records: "0011" has two records of epoch 0 and two of epoch 1. */
class Log {
  records: number[];

  constructor(text: string) {
    this.records = [...text].map(Number);
  }

  get endOffset(): number {
    return this.records.length;
  }

  get epochs(): LeaderEpochs {
    const epochs = new LeaderEpochs();
    for (const [offset, epoch] of this.records.entries()) {
      if (epoch > epochs.latest()) epochs.assign(epoch, offset);
    }
    return epochs;
  }

  get text(): string {
    return this.records.join("");
  }
}

/** Cuts `follower` as its fetches from `leader` tell it to; returns how often. */
function reconcile(leader: Log, follower: Log): number {
  for (let cuts = 0; cuts < 20; cuts++) {
    const fetchOffset = follower.endOffset;
    const found = divergence(leader, {
      lastFetchedEpoch: follower.epochs.epochAt(fetchOffset - 1),
      fetchOffset,
    });
    if (found === undefined) return cuts;
    const point = truncationPoint(follower, found);
    assert.ok(point < fetchOffset, "each step cuts something");
    follower.records.length = Math.max(0, point);
  }
  throw new Error("they never agree");
}

const cases: readonly (readonly [string, string, string, string])[] = [
  ["a follower that is behind cuts nothing", "0011", "001", "001"],
  ["a tail of the same epoch that the leader lacks goes (KIP-101)", "0011", "00111", "0011"],
  ["a tail of an epoch the leader never had goes", "0022", "0011", "00"],
  [
    "fast elections: the second look finds what the first could not (KIP-279)",
    "002244",
    "001133",
    "00",
  ],
  ["an epoch in which the leader wrote less", "0011333", "001112", "0011"],
  ["everything differs", "22", "011", ""],
  ["an empty follower", "0011", "", ""],
  ["an empty leader", "", "0011", ""],
];

for (const [what, leader, follower, expected] of cases) {
  test(`truncationPoint(): ${what}`, () => {
    const log = new Log(follower);
    reconcile(new Log(leader), log);
    assert.is(log.text, expected);
  });
}

test("truncationPoint(): what is left is a prefix of the leader's log, and never more than need be goes", () => {
  // All pairs of logs of up to four records whose epochs do not fall.
  const logs = [""];
  for (const log of logs) {
    if (log.length === 4) continue;
    for (let epoch = Number(log.at(-1) ?? 0); epoch < 4; epoch++) logs.push(`${log}${epoch}`);
  }
  for (const leader of logs) {
    for (const start of logs) {
      // Two brokers never write in one epoch: where both have it at one offset, they agree before it.
      if (!couldBe(leader, start)) continue;
      const follower = new Log(start);
      reconcile(new Log(leader), follower);
      assert.ok(
        leader.startsWith(follower.text),
        `${start} became ${follower.text}, not of ${leader}`,
      );
      const common = [...leader].findIndex((epoch, i) => epoch !== start[i]);
      const agreed = common < 0 ? Math.min(leader.length, start.length) : common;
      assert.ok(
        follower.endOffset >= Math.min(agreed, start.length),
        `${start} lost what ${leader} has`,
      );
    }
  }
});

/** One writer per epoch, who continued one log: equal (offset, epoch) means equal history. */
function couldBe(one: string, other: string): boolean {
  for (let i = 0; i < Math.min(one.length, other.length); i++) {
    if (one[i] === other[i] && one.slice(0, i) !== other.slice(0, i)) return false;
  }
  const startOf = (log: string, epoch: string) => log.indexOf(epoch);
  return [...new Set(one)].every(
    (epoch) => startOf(other, epoch) < 0 || startOf(other, epoch) === startOf(one, epoch),
  );
}

test("divergence(): a follower that never had a record differs in nothing", () => {
  const leader = new Log("0011");
  assert.is(divergence(leader, { lastFetchedEpoch: -1, fetchOffset: 0 }), undefined);
});

test("divergence(): an epoch the leader has not heard of began after all that it has", () => {
  const leader = new Log("0011");
  const found = divergence(leader, { lastFetchedEpoch: 7, fetchOffset: 2 });
  assert.equal(found, { epoch: 1, endOffset: 4 });
});

test.run();
