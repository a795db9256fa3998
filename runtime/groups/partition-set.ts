// Sets of partitions by topic id, never changed once made: what members of the consumer protocol hold, shall hold,
// or give back. Pure.

import type { TopicIdPartitions } from "../group-coordinator.ts";

export type PartitionSet = ReadonlyMap<string, ReadonlySet<number>>;

export const noPartitions: PartitionSet = new Map();

export function partitionSet(topics: readonly TopicIdPartitions[]): PartitionSet {
  const set = new Map<string, Set<number>>();
  for (const { topicId, partitions } of topics) {
    const known = set.get(topicId) ?? new Set<number>();
    for (const partition of partitions) known.add(partition);
    if (known.size > 0) set.set(topicId, known);
  }
  return set;
}

export function partitionList(set: PartitionSet): TopicIdPartitions[] {
  return Array.from(set, ([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions].sort((a, b) => a - b),
  }));
}

export function keep(
  set: PartitionSet,
  isKept: (topicId: string, partition: number) => boolean,
): PartitionSet {
  const kept = new Map<string, ReadonlySet<number>>();
  for (const [topicId, partitions] of set) {
    const some = new Set<number>();
    for (const partition of partitions) if (isKept(topicId, partition)) some.add(partition);
    if (some.size > 0) kept.set(topicId, some);
  }
  return kept;
}

export function holds(set: PartitionSet, topicId: string, partition: number): boolean {
  return set.get(topicId)?.has(partition) === true;
}

export function intersect(a: PartitionSet, b: PartitionSet): PartitionSet {
  return keep(a, (topicId, partition) => holds(b, topicId, partition));
}

export function subtract(a: PartitionSet, b: PartitionSet): PartitionSet {
  return keep(a, (topicId, partition) => !holds(b, topicId, partition));
}

export function unite(a: PartitionSet, b: PartitionSet): PartitionSet {
  return partitionSet([...partitionList(a), ...partitionList(b)]);
}

export function isSubset(a: PartitionSet, b: PartitionSet): boolean {
  for (const [topicId, partitions] of a) {
    for (const partition of partitions) if (!holds(b, topicId, partition)) return false;
  }
  return true;
}

export function overlaps(a: PartitionSet, b: PartitionSet): boolean {
  for (const [topicId, partitions] of a) {
    for (const partition of partitions) if (holds(b, topicId, partition)) return true;
  }
  return false;
}

export function sameSet(a: PartitionSet, b: PartitionSet): boolean {
  if (a.size !== b.size) return false;
  for (const [topicId, partitions] of a) {
    if (b.get(topicId)?.size !== partitions.size) return false;
  }
  return isSubset(a, b);
}
