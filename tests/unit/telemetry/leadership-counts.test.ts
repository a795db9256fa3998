// LeadershipCounts: each election and ISR change is counted once, by who leads after it, and by its kind.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { LeadershipCounts } from "../../../runtime/telemetry/leadership-counts.ts";

const record = (leader: number, isr: number[], elr: number[] = []) => ({
  leader,
  isr,
  elr,
  replicas: [1, 2, 3],
  removing: [] as number[],
});

function countsOf(before: ReturnType<typeof record>, after: ReturnType<typeof record>, own = 1) {
  const counts = new LeadershipCounts();
  counts.note(before, after, own);
  return Object.entries(counts).flatMap(([name, count]) => (count > 0 ? [name] : []));
}

test("note() counts elections by whether the winner was in sync", () => {
  assert.equal(countsOf(record(2, [1, 2]), record(1, [1])), ["electionsClean"]);
  assert.equal(countsOf(record(-1, [], [1]), record(1, [1])), ["electionsClean"]);
  assert.equal(countsOf(record(-1, [2]), record(1, [1])), ["electionsUnclean"]);
});

test("note() tells the return of the preferred leader from a failover to it", () => {
  assert.equal(countsOf(record(2, [1, 2]), record(1, [1, 2])), ["electionsPreferred"]);
  assert.equal(countsOf(record(1, [1, 3]), record(3, [1, 3]), 3), ["electionsClean"]);
});

test("note() counts changes of the in-sync replicas of what the broker goes on leading", () => {
  assert.equal(countsOf(record(1, [1, 2, 3]), record(1, [1, 2])), ["isrShrinks"]);
  assert.equal(countsOf(record(1, [1, 2]), record(1, [1, 2, 3])), ["isrExpansions"]);
  assert.equal(countsOf(record(1, [1, 2]), record(1, [1, 3])), ["isrShrinks", "isrExpansions"]);
  assert.equal(countsOf(record(2, [1, 2]), record(2, [2])), [], "another broker counts these");
});

test.run();
