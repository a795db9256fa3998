// Offset ranges against what a partition has: begin, end, tails, times, deleted and future offsets.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { resolveRanges } from "../../../runtime/cli/consume-range.ts";
import { parseOffsetRange } from "../../../runtime/cli/offset-spec.ts";
import type { Shell } from "../../../runtime/cli/shell.ts";
import type { Admin, OffsetSpec } from "../../../runtime/client/mod.ts";

/** Two partitions: 100 to 200 with one record per ms from time 0 on, and an empty one. */
const EARLIEST = [100, 0];
const LATEST = [200, 0];

function offsetOf(partition: number, spec: OffsetSpec): number {
  if (spec === "earliest") return EARLIEST[partition] as number;
  if (spec === "latest") return LATEST[partition] as number;
  if (typeof spec !== "object" || partition === 1) return -1;
  return spec.timestampMs >= 100 ? -1 : 100 + Math.max(0, spec.timestampMs);
}

const admin = {
  async listOffsets(asked: readonly { topic: string; partition: number; spec: OffsetSpec }[]) {
    return asked.map(({ topic, partition, spec }) => {
      const offset = offsetOf(partition, spec);
      return { topic, partition, offset, error: null, timestampMs: -1, leaderEpoch: 0 };
    });
  },
} as unknown as Admin;

async function ranges(typed: string, isExit = false) {
  const warnings: string[] = [];
  const { start, stop } = parseOffsetRange(typed, 50);
  const resolved = await resolveRanges({
    admin,
    shell: { warn: (line: string) => warnings.push(line) } as unknown as Shell,
    topic: "t",
    partitions: [0, 1],
    isolation: "read_committed",
    start,
    stop: stop ?? (isExit ? { kind: "end" } : null),
  });
  return { ranges: resolved.map((range) => [range.start, range.stop]), warnings };
}

test("resolveRanges() begins and ends where it was asked", async () => {
  assert.equal((await ranges("begin")).ranges, [
    [100, null],
    [0, null],
  ]);
  assert.equal((await ranges("end")).ranges, [
    [200, null],
    [0, null],
  ]);
  assert.equal((await ranges("begin", true)).ranges, [
    [100, 200],
    [0, 0],
  ]);
  assert.equal((await ranges("-30:end")).ranges, [
    [170, 200],
    [0, 0],
  ]);
  assert.equal((await ranges("-3000")).ranges, [
    [100, null],
    [0, null],
  ]);
});

test("resolveRanges() finds times, and the end where there is none", async () => {
  assert.equal((await ranges("@-40ms:@now")).ranges, [
    [110, 150],
    [0, 0],
  ]);
  assert.equal((await ranges("@2001-01-01:@2002-01-01")).ranges, [
    [200, 200],
    [0, 0],
  ]);
});

test("resolveRanges() passes over deleted records with a warning and refuses what is not written yet", async () => {
  const old = await ranges("5:150").catch((error: Error) => error);
  assert.instance(old, Error);
  assert.match((old as Error).message, /t-1: offset 5 is above the end, which is 0/);
  const zero = await ranges("0:150");
  assert.equal(zero.ranges, [
    [100, 150],
    [0, 150],
  ]);
  assert.equal(zero.warnings, ["t-0: offset 0 is no longer there, reading from 100"]);
});

test.run();
