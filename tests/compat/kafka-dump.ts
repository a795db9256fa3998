// Kafka's DumpLogSegments over partition folders: runs it on every file of them and reads its report. Anything
// that Kafka's own code would find wrong with a segment, index or snapshot becomes a complaint.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { KafkaTools } from "./kafka-tools.ts";

const DUMP = "kafka.tools.DumpLogSegments";
const DUMPED = /\.(log|index|timeindex|txnindex|snapshot)$/;
const COMPLAINT =
  /mismatch|isvalid: false|out of order|non-consecutive|corrupt|exception|error|invalid|fail/i;

export interface DumpedBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly count: number;
  readonly codec: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

export interface Dump {
  /** In the order of the files given. */
  readonly batches: readonly DumpedBatch[];
  /** What `--deep-iteration` saw inside the batches. */
  readonly offsets: readonly number[];
  readonly indexEntries: number;
  readonly timeIndexEntries: number;
  readonly snapshotProducers: number;
  readonly complaints: readonly string[];
  readonly text: string;
}

/** All segments, indexes and snapshots of these partition folders, in order. */
export function filesOf(...folders: readonly string[]): string[] {
  return folders.flatMap((folder) => {
    const names = readdirSync(folder).filter((name) => DUMPED.test(name));
    return names.sort().map((name) => join(folder, name));
  });
}

/** Every record of every segment, every index entry against its segment, every snapshot. */
export async function dump(tools: KafkaTools, files: readonly string[]): Promise<Dump> {
  const end = await tools.listen(DUMP, ["--deep-iteration", "--files", files.join(",")]);
  const lines = end.stdout.split("\n");
  const complaints = [...lines, ...end.stderr.split("\n")].filter((line) => COMPLAINT.test(line));
  if (end.code !== 0) complaints.push(`exit code ${end.code}: ${end.stderr}`);
  return {
    batches: lines.flatMap(batchOf),
    offsets: lines.flatMap((line) => numbersIn(line, /^\| offset: (\d+) /)),
    indexEntries: lines.filter((line) => /^offset: \d+ position: \d+/.test(line)).length,
    timeIndexEntries: lines.filter((line) => /^timestamp: -?\d+ offset: \d+/.test(line)).length,
    snapshotProducers: lines.filter((line) => /^producerId: \d+ producerEpoch/.test(line)).length,
    complaints,
    text: end.stdout + end.stderr,
  };
}

/** The check a Kafka broker makes when it starts: the complaints, empty if every index passed. */
export async function sanityComplaints(
  tools: KafkaTools,
  files: readonly string[],
): Promise<string[]> {
  // Of aborted transactions' indexes the tool says nothing.
  const indexes = files.filter((file) => /\.(time)?index$/.test(file));
  const end = await tools.listen(DUMP, ["--index-sanity-check", "--files", indexes.join(",")]);
  const missing = indexes.filter(
    (file) =>
      !["passed sanity check.", "is empty."].some((says) => end.stdout.includes(`${file} ${says}`)),
  );
  return end.code === 0 ? missing : [...missing, end.stderr];
}

function batchOf(line: string): DumpedBatch[] {
  const found =
    /^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) baseSequence: (-?\d+) .*producerId: (-?\d+) producerEpoch: (-?\d+) .*compresscodec: (\w+) .*isvalid: true/.exec(
      line,
    );
  if (found === null) return [];
  const [baseOffset, lastOffset, count, baseSequence, producerId, producerEpoch] = found
    .slice(1, 7)
    .map(Number) as [number, number, number, number, number, number];
  const codec = found[7]!.toLowerCase();
  return [{ baseOffset, lastOffset, count, baseSequence, producerId, producerEpoch, codec }];
}

function numbersIn(line: string, pattern: RegExp): number[] {
  const found = pattern.exec(line)?.[1];
  return found === undefined ? [] : [Number(found)];
}
