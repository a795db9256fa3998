// A compacted partition, records of few keys for it, one pass of cleaning, and a plain model of what must be left.

import { planCompaction } from "../../runtime/log/compaction-plan.ts";
import { writeCleaningOffsets } from "../../runtime/log/folder-identity.ts";
import { compactLog } from "../../runtime/log/log-compaction.ts";
import type { Partition } from "../../runtime/log/partition.ts";
import type { RecordInput } from "../../storage-wasm/core.ts";
import { type LogFixture, platform, readAll } from "./log-fixture.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const codecs = [null, "gzip", "snappy", "lz4", "zstd"] as const;

export function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export interface Row {
  readonly offset: number;
  readonly key: string;
  /** Null: a tombstone. */
  readonly value: string | null;
}

/** The partition with segments so small that they roll all the time; the door would refuse such a config. */
export function open(log: LogFixture, segmentBytes = 600): Partition {
  const partition = log.partition({ "cleanup.policy": "compact", "delete.retention.ms": "1000" });
  partition.config = { ...partition.config, segmentBytes, indexIntervalBytes: 200 };
  return partition;
}

export function append(
  log: LogFixture,
  partition: Partition,
  rows: Omit<Row, "offset">[],
  codec = 0,
) {
  const name = codecs[codec];
  const compression = name
    ? { id: codec, compress: (bytes: Uint8Array) => platform.codecs[name].compress(bytes) }
    : null;
  const records: RecordInput[] = rows.map(({ key, value }) => ({
    key: encoder.encode(key),
    value: value === null ? null : encoder.encode(value),
    timestampMs: log.clock.nowMs(),
  }));
  const batch = platform.core.encode(records, { compression });
  const appended = partition.append(batch, { waits: true });
  if (appended instanceof Promise) throw new Error("flush=os answers at once");
  return rows.map((row, i): Row => ({ ...row, offset: appended.baseOffset + i }));
}

export async function rowsOf(partition: Partition): Promise<Row[]> {
  const records = await readAll(partition, partition.log.startOffset);
  return records.map(({ offset, key, value }) => ({
    offset,
    key: decoder.decode(key!),
    value: value === null ? null : decoder.decode(value),
  }));
}

export async function clean(log: LogFixture, partition: Partition, mapBytesMax = 1 << 20) {
  const rules = {
    cleanedOffset: -1,
    stableOffset: partition.lastStableOffset,
    minLagMs: 0,
    maxLagMs: Infinity,
    dirtyRatioMin: 0,
  };
  const plan = planCompaction(partition.log.segments, rules, log.clock.nowMs());
  if (plan === undefined) return undefined;
  const { core, codecs: all, random } = platform;
  const rest = async () => {};
  const { topic, partition: number } = partition;
  const holesUpTo = (offset: number) =>
    writeCleaningOffsets(log.storage, [{ topic, partition: number, offset }]);
  const parts = { core, codecs: all, clock: log.clock, random, mapBytesMax, holesUpTo, rest };
  return compactLog(parts, partition, plan);
}

/** Below the active segment: the newest record of each key. From there on: everything. */
export function expected(rows: readonly Row[], endOffset: number): Row[] {
  const newest = new Map<string, number>();
  for (const { key, offset } of rows) if (offset < endOffset) newest.set(key, offset);
  return rows.filter(({ key, offset }) => offset >= endOffset || newest.get(key) === offset);
}

export function randomRows(draw: (below: number) => number, keys: number): Omit<Row, "offset">[] {
  return Array.from({ length: 1 + draw(5) }, () => ({
    key: `key-${draw(keys)}`,
    value: draw(10) === 0 ? null : `value-${draw(1_000_000)}`,
  }));
}
