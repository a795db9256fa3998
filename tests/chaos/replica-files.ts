// The files of stopped brokers: whether every replica of every partition is the same bytes below the high watermark,
// which is read from each broker's own checkpoint.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TopicInfo } from "../../runtime/mod.ts";
import type { Violation } from "../sim/history.ts";
import { type StoredBatch, storedBatches } from "../support/stored-batches.ts";

interface Copy {
  readonly broker: number;
  readonly highWatermark: number;
  readonly batches: readonly StoredBatch[];
}

export interface ReplicaFigures {
  readonly violations: Violation[];
  readonly partitions: number;
  readonly batches: number;
}

export function compareReplicas(
  topics: readonly TopicInfo[],
  dataDirs: ReadonlyMap<number, string>,
): ReplicaFigures {
  const marks = new Map([...dataDirs].map(([broker, folder]) => [broker, highWatermarks(folder)]));
  const violations: Violation[] = [];
  let count = 0;
  let batches = 0;
  for (const { name, partitions } of topics) {
    for (const { partition, replicas } of partitions) {
      const folder = `${name}-${partition}`;
      const copies = replicas.map((broker) => ({
        broker,
        highWatermark: marks.get(broker)?.get(`${name} ${partition}`) ?? 0,
        batches: batchesIn(join(dataDirs.get(broker)!, folder)),
      }));
      count++;
      batches += copies[0]?.batches.length ?? 0;
      const what = difference(copies);
      if (what) violations.push({ rule: "replicas-differ", what: `${folder}: ${what}` });
    }
  }
  return { violations, partitions: count, batches };
}

function difference(copies: readonly Copy[]): string | undefined {
  const end = Math.min(...copies.map(({ highWatermark }) => highWatermark));
  const [first, ...others] = copies.map(({ broker, batches }) => ({
    broker,
    batches: batches.filter(({ lastOffset }) => lastOffset < end),
  }));
  for (const { broker, batches } of others) {
    const length = Math.max(batches.length, first!.batches.length);
    for (let index = 0; index < length; index++) {
      const [a, b] = [first!.batches[index], batches[index]];
      if (a && b && Buffer.compare(a.bytes, b.bytes) === 0) continue;
      const where = a?.lastOffset ?? b?.lastOffset;
      return `brokers ${first!.broker} and ${broker} differ in the batch that ends at ${where}`;
    }
  }
  return undefined;
}

function highWatermarks(folder: string): Map<string, number> {
  const path = join(folder, "replication-offset-checkpoint");
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(2) : [];
  const found = new Map<string, number>();
  for (const line of lines) {
    const at = line.lastIndexOf(" ");
    if (at > 0) found.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return found;
}

function batchesIn(folder: string): StoredBatch[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith(".log"));
  return files.sort().flatMap((name) => storedBatches(readFileSync(join(folder, name))));
}
