// What compaction left of a partition, batch by batch as it lies in the log, and how to see on the disk that it has
// come to its end: of Timberline and of Kafka alike, for the formats are the same.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { decodeAll } from "../support/log-fixture.ts";

const cleanMsMax = 60_000;
const lookMs = 20;
const lengthAt = 8;
const lengthCountsFrom = 12;
const attributesAt = 21;
const lastOffsetDeltaAt = 23;
const producerIdAt = 43;
const producerEpochAt = 51;
const baseSequenceAt = 53;
const controlBit = 0x20;

/** Without what two brokers draw for themselves: producer ids are numbered as they come, markers have no time. */
export interface LeftBatch {
  readonly offsets: readonly [first: number, last: number];
  readonly attributes: number;
  readonly producer: readonly [number: number, epoch: number, baseSequence: number];
  /** Offset, key, digest of the value and time, as text. */
  readonly records: readonly string[];
}

/** All batches below the active segment. */
export function leftBatches(folder: string): LeftBatch[] {
  const producers = new Map<bigint, number>();
  return logsOf(folder)
    .slice(0, -1)
    .flatMap((name) => [...batchesOf(readFileSync(join(folder, name)), producers)]);
}

/** Where the active segment begins. */
export function activeOffset(folder: string): number {
  return Number.parseInt(logsOf(folder).at(-1) ?? "", 10);
}

export function partitionFolder(dataDir: string, topic: string): string {
  return join(dataDir, `${topic}-0`);
}

/** Whether the log directory's checkpoint says that all below the active segment is clean. */
export function isCleanedWhole(dataDir: string, topic: string): boolean {
  const wanted = `${topic} 0 ${activeOffset(partitionFolder(dataDir, topic))}`;
  return checkpointOf(dataDir).split("\n").includes(wanted);
}

/** Resolves when that is so. */
export async function cleanedWhole(
  dataDir: string,
  { topic, limitMs = cleanMsMax }: { topic: string; limitMs?: number },
): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!isCleanedWhole(dataDir, topic)) {
    if (performance.now() > endMs) throw new Error(`${topic} is never clean`);
    await pause(lookMs);
  }
}

function checkpointOf(dataDir: string): string {
  try {
    return readFileSync(join(dataDir, "cleaner-offset-checkpoint"), "utf8");
  } catch {
    return "";
  }
}

function logsOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".log"))
    .sort();
}

function* batchesOf(bytes: Uint8Array, producers: Map<bigint, number>): Generator<LeftBatch> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; ) {
    const length = lengthCountsFrom + view.getInt32(at + lengthAt);
    const first = Number(view.getBigInt64(at));
    const attributes = view.getInt16(at + attributesAt);
    const id = view.getBigInt64(at + producerIdAt);
    if (!producers.has(id)) producers.set(id, producers.size);
    const records = decodeAll(bytes.subarray(at, at + length)).map((record) =>
      [
        record.offset,
        record.key && Buffer.from(record.key).toString("latin1"),
        record.value && createHash("sha1").update(record.value).digest("hex").slice(0, 12),
        (attributes & controlBit) === 0 ? record.timestampMs : "",
      ].join(" "),
    );
    yield {
      offsets: [first, first + view.getInt32(at + lastOffsetDeltaAt)],
      attributes,
      producer: [
        producers.get(id)!,
        view.getInt16(at + producerEpochAt),
        view.getInt32(at + baseSequenceAt),
      ],
      records,
    };
    at += length;
  }
}
