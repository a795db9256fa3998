// Where reading begins: offsets by number, by name, from the end, or by time, turned into one number.

import type { FetchRequest, OffsetSpec } from "../broker.ts";
import { invalid } from "./error.ts";
import { noPartition } from "./producer.ts";
import type { Door } from "./route.ts";
import { parseTime } from "./time.ts";

export interface Start {
  /** earliest, latest, N, or -N for the last N records. */
  readonly offset?: string | undefined;
  readonly timestamp?: string | undefined;
  /** An offset that is not there becomes the nearest end of the log. */
  readonly clamp?: boolean | undefined;
}

export interface StartRequest {
  readonly topic: string;
  readonly partition: number;
  readonly start: Start;
  /** Where to begin when the start names nothing. */
  readonly fallback: "earliest" | "latest";
  readonly isolation: FetchRequest["isolation"];
}

/** Throws UNKNOWN_TOPIC_OR_PARTITION unless the partition exists; then its count is returned. */
export function checkPartitionExists(door: Door, topic: string, partition: number): number {
  const count = door.broker.cluster().topics.get(topic)?.partitions.length ?? 0;
  if (partition >= count) throw noPartition(topic, partition, count);
  return count;
}

/** The offset at which `start` begins in one partition. */
export async function resolveStart(door: Door, request: StartRequest): Promise<number> {
  const { offset, timestamp } = request.start;
  if (offset !== undefined && timestamp !== undefined) {
    throw invalid("query: offset and timestamp exclude each other");
  }
  if (timestamp !== undefined) return startAtTime(door, request, timestamp);
  const text = offset ?? request.fallback;
  if (text === "earliest" || text === "latest") return listed(door, request, text);
  if (/^\d{1,15}$/.test(text)) {
    return request.start.clamp ? clamped(door, request, Number(text)) : Number(text);
  }
  if (!/^-\d{1,15}$/.test(text)) {
    throw invalid(`query: offset: ${JSON.stringify(text)} is not earliest, latest, N or -N`);
  }
  const end = await listed(door, request, "latest");
  return Math.max(await listed(door, request, "earliest"), end + Number(text));
}

/** The offset, or the end of the log that is nearest to it. */
export async function clamped(
  door: Door,
  request: Pick<StartRequest, "topic" | "partition" | "isolation">,
  offset: number,
): Promise<number> {
  const earliest = await listed(door, request, "earliest");
  return Math.max(earliest, Math.min(offset, await listed(door, request, "latest")));
}

/** The first record at or after a time; the end where there is none yet. */
async function startAtTime(door: Door, request: StartRequest, text: string): Promise<number> {
  const timestampMs = parseTime(text);
  if (timestampMs === null) {
    throw invalid("query: timestamp: neither ms since 1970 nor an ISO 8601 time");
  }
  const found = await listed(door, request, { timestampMs });
  return found >= 0 ? found : listed(door, request, "latest");
}

async function listed(
  door: Door,
  request: Pick<StartRequest, "topic" | "partition" | "isolation">,
  spec: OffsetSpec,
): Promise<number> {
  const { topic, partition, isolation } = request;
  const result = await door.broker.listOffsets({
    topic,
    partition,
    spec,
    currentLeaderEpoch: -1,
    isolation,
  });
  if (result.error !== null) throw result.error;
  return result.offset;
}
