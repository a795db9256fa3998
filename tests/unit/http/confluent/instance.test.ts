// What becomes of an instance's positions, and who of the instances nobody uses is kept.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Held,
  holding,
  type Instance,
  takenBack,
} from "../../../../runtime/http/confluent/instance.ts";
import type { InstanceTable } from "../../../../runtime/http/confluent/instance-table.ts";
import { Keeper } from "../../../../runtime/http/confluent/keeper.ts";
import type { Membership } from "../../../../runtime/http/confluent/membership.ts";
import type { Door } from "../../../../runtime/http/route.ts";

const nowMs = 1_000_000_000;

function held(partition: number, offset: number | null, topicId = "id"): Held {
  return { topic: "t", topicId, partition, offset, committed: null };
}

function instance(more: Partial<Instance>): Instance {
  return {
    ...{ group: "g", name: "i", memberId: "m", format: "json", reset: "latest", epoch: 3 },
    ...{ autoCommit: false, bytesMin: 1, waitMs: 1000, topics: ["t"], pattern: null },
    ...{ isManual: false, held: [], handed: null, usedMs: nowMs },
    ...more,
  };
}

test("holding() goes on where it was, but not in a later topic of the same name", () => {
  const before = instance({ held: [held(0, 5), held(1, 6), held(2, 7, "old")] });
  const places = [1, 2, 3].map((partition) => ({ topic: "t", topicId: "id", partition }));
  const offsets = holding(before, places).map(({ partition, offset }) => [partition, offset]);
  assert.equal(offsets, [
    [1, 6],
    [2, null],
    [3, null],
  ]);
});

test("takenBack() returns to where the answer began, except where somebody moved meanwhile", () => {
  const spans = [0, 1, 2].map((partition) => ({ topic: "t", partition, from: 1, to: 5 }));
  const before = instance({ held: [held(0, 5), held(1, 9)], handed: { id: "x", spans } });
  const after = takenBack(before);
  assert.is(after.handed, null);
  assert.equal(
    after.held.map(({ offset }) => offset),
    [1, 9],
  );
});

interface Sweep {
  readonly kept: string[];
  readonly removed: string[];
  readonly left: string[];
  readonly reported: unknown[];
}

async function sweep(
  instances: readonly Instance[],
  { usedMeanwhile = false, failing = "" } = {},
): Promise<Sweep> {
  const told: Sweep = { kept: [], removed: [], left: [], reported: [] };
  const door = {
    platform: { clock: { nowMs: () => nowMs } },
    report: (error: unknown) => told.reported.push(error),
  } as unknown as Door;
  const table = {
    own: async () => instances,
    async removeIdle({ name }: Instance) {
      if (!usedMeanwhile) told.removed.push(name);
      return !usedMeanwhile;
    },
  } as unknown as InstanceTable;
  const membership = {
    async keep({ name }: Instance) {
      if (name === failing) throw new Error("a bug");
      told.kept.push(name);
    },
    leave: async ({ name }: Instance) => void told.left.push(name),
  } as unknown as Membership;
  await new Keeper(door, table, membership).sweep();
  return told;
}

test("Keeper speaks for those in use, and removes those that nobody used for five minutes", async () => {
  const minutes = (count: number) => ({ name: `${count}`, usedMs: nowMs - count * 60_000 });
  const all = [0, 5, 6].map((count) => instance(minutes(count)));
  const told = await sweep(all);
  assert.equal(told.kept.sort(), ["0", "5"]);
  assert.equal([told.removed, told.left], [["6"], ["6"]]);
  const again = await sweep(all, { usedMeanwhile: true });
  assert.equal(again.left, []);
});

test("Keeper goes on after one that fails, and tells of it", async () => {
  const all = ["a", "b", "c"].map((name) => instance({ name }));
  const told = await sweep(all, { failing: "b" });
  assert.equal(told.kept.sort(), ["a", "c"]);
  assert.is(told.reported.length, 1);
});

test.run();
