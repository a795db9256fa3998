// DescribeLogDirs (35): the folders this broker keeps logs in, with the size of each partition (KIP-113).
// Null topics mean all; partitions that are not here are left out. v2 is flexible, v3 adds an error for the
// whole answer, v4 the size of the disk and what is left of it (KIP-827), -1 where the system does not tell.

import type { LogDirView } from "../../broker.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import type { RequestOf } from "../schema.ts";
import { array, boolean, defineApi, int16, int32, int64, string, struct } from "../schema.ts";

export const describeLogDirs = defineApi({
  key: 35,
  name: "DescribeLogDirs",
  versions: { min: 1, max: 4 },
  flexibleSince: 2,
  request: struct({
    topics: array(struct({ topic: string(), partitions: array(int32()) }), { nullable: true }),
  }),
  response: struct({
    throttleTimeMs: int32(),
    errorCode: int16({ since: 3 }),
    results: array(
      struct({
        errorCode: int16(),
        logDir: string(),
        topics: array(
          struct({
            name: string(),
            partitions: array(
              struct({
                partitionIndex: int32(),
                partitionSize: int64(),
                offsetLag: int64(),
                isFutureKey: boolean(),
              }),
            ),
          }),
        ),
        totalBytes: int64({ since: 4, default: -1 }),
        usableBytes: int64({ since: 4, default: -1 }),
      }),
    ),
  }),
});

type Topics = RequestOf<typeof describeLogDirs>["topics"];
type IsWanted = (topic: string, partition: number) => boolean;

const unknownBytes = -1;

export const handleDescribeLogDirs: Handler<typeof describeLogDirs> = (request, { broker }) => {
  const isWanted = selection(request.topics);
  const results = broker.describeLogDirs().map((view) => ({
    errorCode: view.error ? errorCodes[view.error.code] : errorCodes.NONE,
    logDir: view.path,
    topics: byTopic(view, isWanted),
    totalBytes: knownBytes(view.totalBytes),
    usableBytes: knownBytes(view.usableBytes),
  }));
  return { throttleTimeMs: 0, errorCode: 0, results };
};

function selection(topics: Topics): IsWanted {
  if (topics === null) return () => true;
  const wanted = new Map<string, Set<number>>();
  for (const { topic, partitions } of topics) {
    const numbers = wanted.get(topic) ?? new Set();
    for (const partition of partitions) numbers.add(partition);
    wanted.set(topic, numbers);
  }
  return (topic, partition) => wanted.get(topic)?.has(partition) ?? false;
}

function byTopic(view: LogDirView, isWanted: IsWanted) {
  const topics = new Map<string, ReturnType<typeof described>[]>();
  for (const log of view.partitions) {
    if (!isWanted(log.topic, log.partition)) continue;
    const partitions = topics.get(log.topic);
    if (partitions) partitions.push(described(log));
    else topics.set(log.topic, [described(log)]);
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }));
}

/** A log in service is neither behind nor a future replica. */
function described({ partition, sizeBytes }: LogDirView["partitions"][number]) {
  return {
    partitionIndex: partition,
    partitionSize: sizeBytes,
    offsetLag: 0,
    isFutureKey: false,
  };
}

function knownBytes(size: number): number {
  return Number.isFinite(size) ? size : unknownBytes;
}
