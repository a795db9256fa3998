// What a scrape asks of a running server: sizes, offsets, memory, disk. Nothing here runs before somebody scrapes.

import type { LocalBroker } from "./local-broker.ts";
import { partitionFolder } from "./log/log-files.ts";
import type { LogFolder } from "./log/log-folder.ts";
import type { Partition } from "./log/partition.ts";
import { countPartitions } from "./partition-counts.ts";
import type { Platform } from "./platform.ts";
import type { Storage } from "./storage/storage.ts";
import type {
  GroupGauges,
  MetricSources,
  PartitionGauges,
  TopicGauges,
} from "./telemetry/metrics.ts";
import { version } from "./version.ts";

export function metricSources(parts: {
  platform: Platform;
  broker: LocalBroker;
  folder: LogFolder;
  storage: Storage;
}): MetricSources {
  const { platform, broker, folder, storage } = parts;
  const { rack } = broker.self();
  return {
    broker: {
      id: broker.brokerId,
      rack,
      runtime: platform.runtime,
      runtimeVersion: platform.runtimeVersion,
      version,
    },
    memory: () => ({ ...platform.memory(), wasm: platform.core.memoryBytes }),
    disks: () => [{ dir: storage.root, ...storage.space() }],
    partitions: () => countPartitions(broker.cluster(), broker.brokerId, isOpenIn(folder)),
    controlPlane() {
      const { controllerId, ...status } = broker.care.status();
      return { ...status, isController: controllerId === broker.brokerId };
    },
    replicaLags: () => broker.replicaLags(),
    groups: () => groupGauges(broker, folder),
    transactions: () => broker.transactions.open(),
    topics: () => topicGauges(folder.partitions.values()),
    partitionsOf(topic) {
      if (!broker.cluster().topics.has(topic)) return undefined;
      const own = [...folder.partitions.values()].filter((each) => each.topic === topic);
      return own.map(partitionGauges);
    },
  };
}

function isOpenIn(folder: LogFolder): (topic: string, partition: number) => boolean {
  return (topic, partition) => {
    const found = folder.partitions.get(partitionFolder(topic, partition));
    return found !== undefined && !found.fault;
  };
}

/** Lag against what readers may see; partitions that are gone count nothing. */
function* groupGauges(broker: LocalBroker, folder: LogFolder): Generator<GroupGauges> {
  for (const { groupId, group, offsets } of broker.groups.entries()) {
    const lags = new Map<string, number>();
    for (const { topic, partition, value } of offsets.entries()) {
      const end = folder.partitions.get(partitionFolder(topic, partition))?.highWatermark ?? 0;
      lags.set(topic, (lags.get(topic) ?? 0) + Math.max(0, end - value.offset));
    }
    yield { group: groupId, members: group?.size ?? 0, lags };
  }
}

function topicGauges(partitions: Iterable<Partition>): TopicGauges[] {
  const sums = new Map<string, { -readonly [field in keyof TopicGauges]: TopicGauges[field] }>();
  for (const { topic, log } of partitions) {
    const sum = sums.get(topic) ?? {
      topic,
      sizeBytes: 0,
      segments: 0,
      startOffset: 0,
      endOffset: 0,
    };
    sum.sizeBytes += log.bytes;
    sum.segments += log.segments.length;
    sum.startOffset += log.startOffset;
    sum.endOffset += log.endOffset;
    sums.set(topic, sum);
  }
  return [...sums.values()];
}

function partitionGauges({ partition, log, highWatermark }: Partition): PartitionGauges {
  return {
    partition,
    sizeBytes: log.bytes,
    segments: log.segments.length,
    startOffset: log.startOffset,
    endOffset: log.endOffset,
    highWatermark,
  };
}
