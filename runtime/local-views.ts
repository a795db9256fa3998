// What this process's partitions and folder look like from outside: the answers of LocalBroker to those who look.

import type { PartitionRecord } from "../cluster/control-plane.ts";
import type { LogDirView, PartitionView, TopicPartition } from "./broker.ts";
import { BrokerError } from "./errors.ts";
import type { LogFolder } from "./log/log-folder.ts";
import type { Partition } from "./log/partition.ts";
import type { DescribedPartition } from "./routable-broker.ts";

/** What there is to say of a partition whose files come with the next slice: who asks for all must not wait. */
const notOpenYet = {
  highWatermark: 0,
  log: { startOffset: 0, endOffset: 0, bytes: 0, segments: [] },
};

export function partitionView(
  place: TopicPartition,
  record: PartitionRecord,
  open: Partition | undefined,
): PartitionView {
  const { log, highWatermark } = open ?? notOpenYet;
  const { leader, leaderEpoch, replicas, isr } = record;
  return {
    topic: place.topic,
    partition: place.partition,
    leader,
    leaderEpoch,
    replicas,
    isr,
    logStartOffset: log.startOffset,
    highWatermark,
    logEndOffset: log.endOffset,
    sizeBytes: log.bytes,
    segments: log.segments.length,
  };
}

/** One that cannot be seen keeps nobody from seeing the others. */
export function describeEach(
  places: readonly TopicPartition[],
  describe: (place: TopicPartition) => PartitionView,
): readonly DescribedPartition[] {
  return places.map((place) => {
    try {
      return describe(place);
    } catch (error) {
      if (error instanceof BrokerError) return error;
      throw error;
    }
  });
}

export function logDirView({ storage, fault }: LogFolder, all: Iterable<Partition>): LogDirView {
  const { totalBytes, freeBytes } = storage.space();
  const partitions = [...all].map(({ topic, partition, log }) => ({
    topic,
    partition,
    sizeBytes: log.bytes,
  }));
  const error = fault ?? null;
  return { path: storage.root, error, totalBytes, usableBytes: freeBytes, partitions };
}
