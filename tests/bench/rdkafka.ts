// rdkafka_performance, the load generator that comes with librdkafka's sources: found by RDKAFKA_PERFORMANCE or in
// $PEERS. Where it is absent, the throughput cases use the generator in `load/` for both sides instead.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "../support/processes.ts";
import { peersFolder } from "./kafka.ts";

const runMsMax = 90_000;
const bufferedMessagesMax = 1_000_000;
const lingerMs = 5;
const fetchBytesMax = 10 * 1024 * 1024;
const reportEveryMs = "100000";
/** Columns of its machine-readable report, after the first bar. */
const producedColumns = { messages: 4, perSecond: 5, megabytesPerSecond: 6, failed: 7 };
const consumedColumns = { messages: 1, perSecond: 4, megabytesPerSecond: 5 };

export interface RdkafkaLoad {
  readonly bootstrap: string;
  readonly topic: string;
  readonly recordBytes: number;
  readonly records: number;
  /** Default: 0; "any": all of the topic, as its own partitioner likes. */
  readonly partition?: number | "any";
}

export function findRdkafka(): string | undefined {
  const places = [process.env.RDKAFKA_PERFORMANCE, join(peersFolder(), "rdkafka_performance")];
  return places.find((place) => place !== undefined && existsSync(place));
}

/** One producer, acks=all. Returns MB/s. */
export async function rdkafkaProduce(program: string, load: RdkafkaLoad): Promise<number> {
  const settings = {
    "linger.ms": lingerMs,
    "queue.buffering.max.messages": bufferedMessagesMax,
    "queue.buffering.max.kbytes": bufferedMessagesMax,
  };
  const flags = ["-P", "-s", String(load.recordBytes), "-a", "-1"];
  const columns = await run(program, load, flags, settings);
  if (columns[producedColumns.failed] !== 0) throw new Error("rdkafka_performance lost messages");
  return columns[producedColumns.megabytesPerSecond]!;
}

/** One consumer, from the beginning. Returns MB/s. */
export async function rdkafkaConsume(program: string, load: RdkafkaLoad): Promise<number> {
  const flags = ["-C", "-o", "beginning"];
  const columns = await run(program, load, flags, { "fetch.message.max.bytes": fetchBytesMax });
  return columns[consumedColumns.megabytesPerSecond]!;
}

async function run(
  program: string,
  { bootstrap, topic, records, partition = 0 }: RdkafkaLoad,
  flags: readonly string[],
  settings: Readonly<Record<string, number>>,
): Promise<number[]> {
  const places = ["-t", topic, "-c", String(records), "-b", bootstrap];
  if (partition !== "any") places.push("-p", String(partition));
  const extra = Object.entries(settings).flatMap(([key, value]) => ["-X", `${key}=${value}`]);
  const report = ["-u", "-i", reportEveryMs];
  const command = [program, ...flags, ...places, ...extra, ...report];
  const end = await runProcess(command, { limitMs: runMsMax });
  const line = end.stdout
    .split("\n")
    .filter((text) => text.startsWith("|"))
    .at(-1);
  const columns = (line ?? "").split("|").slice(1).map(Number);
  if (end.code === 0 && columns.length > consumedColumns.megabytesPerSecond) return columns;
  throw new Error(`${command.join(" ")}: exit ${end.code}\n${end.stdout}${end.stderr}`);
}
