// Partition counts: how the partitions of a broker stand, as a scrape shows them and an operator is alarmed by them.

import {
  type ClusterState,
  minInsyncReplicasOf,
  type PartitionRecord,
  type TopicRecord,
} from "../cluster/control-plane.ts";

/** `isOpen`: whether this broker's copy can be read and written. */
export function countPartitions(
  state: ClusterState,
  brokerId: number,
  isOpen: (topic: string, partition: number) => boolean,
): {
  total: number;
  leaders: number;
  offline: number;
  underReplicated: number;
  underMinIsr: number;
  atMinIsr: number;
} {
  const counts = { total: 0, leaders: 0, offline: 0 };
  const led = { underReplicated: 0, underMinIsr: 0, atMinIsr: 0 };
  for (const topic of state.topics.values()) {
    for (const record of topic.partitions) {
      if (!record.replicas.includes(brokerId)) continue;
      counts.total++;
      if (record.leader < 0 || !isOpen(topic.name, record.partition)) counts.offline++;
      if (record.leader !== brokerId) continue;
      counts.leaders++;
      const inSync = record.isr.length;
      const minInsync = minInsyncOf(state, topic, record);
      if (isUnderReplicated(record)) led.underReplicated++;
      if (inSync < minInsync) led.underMinIsr++;
      else if (inSync === minInsync && record.replicas.length > 1) led.atMinIsr++;
    }
  }
  return { ...counts, ...led };
}

/** Replicas that a reassignment adds are not missed yet. */
function isUnderReplicated({ replicas, adding, isr }: PartitionRecord): boolean {
  return replicas.some((id) => !adding.includes(id) && !isr.includes(id));
}

function minInsyncOf(state: ClusterState, topic: TopicRecord, record: PartitionRecord): number {
  return Math.min(minInsyncReplicasOf(state, topic), record.replicas.length);
}
