// ListOffsets on a local partition: its ends, and the record at or after a time, as far as the reader may see. Also
// the conditions of an append. Used by `local-broker.ts` only.

import type { AppendRequest, FetchRequest, ListedOffset, OffsetSpec } from "./broker.ts";
import { BrokerError } from "./errors.ts";
import { checkFence } from "./log/fence.ts";
import { firstAtOrAfter, withMaxTimestamp } from "./log/offset-lookup.ts";
import type { Partition } from "./log/partition.ts";
import type { Platform } from "./platform.ts";

type Reader = Pick<Platform, "core" | "codecs">;

export function lookUp(
  reader: Reader,
  partition: Partition,
  { spec, isolation }: { spec: OffsetSpec; isolation: FetchRequest["isolation"] },
): Omit<ListedOffset, "error"> {
  const { log, highWatermark, lastStableOffset, epochs } = partition;
  const end = isolation === "read_committed" ? lastStableOffset : highWatermark;
  const at = (offset: number, timestampMs = -1) => ({
    offset,
    timestampMs,
    leaderEpoch: offset < 0 ? -1 : Math.max(epochs.epochAt(offset), 0),
  });
  if (spec === "earliest" || spec === "earliest-local") return at(log.startOffset);
  if (!partition.isSettled) {
    const what = `the new leader of ${partition.topic}-${partition.partition} waits for its replicas`;
    throw new BrokerError("OFFSET_NOT_AVAILABLE", `${what}: ask again`);
  }
  if (spec === "latest") return at(end);
  const found =
    spec === "max-timestamp"
      ? withMaxTimestamp(reader, partition)
      : firstAtOrAfter(reader, partition, spec.timestampMs);
  if (found === undefined || found.offset >= end) return at(-1);
  return at(found.offset, found.timestampMs);
}

/** Nothing comes between this and the append: the partition takes it in the same turn. */
export function checkConditions(request: AppendRequest, partition: Partition): void {
  const { expectedOffset, fence } = request;
  if (fence !== undefined) checkFence(partition, fence);
  const { endOffset } = partition.log;
  if (expectedOffset === undefined || expectedOffset === endOffset) return;
  const what = `${partition.topic}-${partition.partition} ends at ${endOffset}, not at ${expectedOffset}`;
  throw new BrokerError("OPERATION_NOT_ATTEMPTED", what);
}
