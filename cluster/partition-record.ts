// PartitionRecord's first value, and the small questions that are asked of one everywhere. Pure.

import type { PartitionRecord } from "./control-plane.ts";

const NONE: readonly number[] = [];

/** A partition as it begins: led by the first replica that takes part. `isr`: those, all if absent. */
export function newPartition(
  partition: number,
  replicas: readonly number[],
  { leaderEpoch = 0, isr = replicas }: { leaderEpoch?: number; isr?: readonly number[] } = {},
): PartitionRecord {
  return {
    partition,
    leader: isr[0] ?? -1,
    leaderEpoch,
    partitionEpoch: 0,
    replicas,
    isr,
    elr: NONE,
    lastKnownLeader: -1,
    adding: NONE,
    removing: NONE,
  };
}

/** The replicas that stay when a reassignment under way is done. */
export function targetReplicas({ replicas, removing }: PartitionRecord): readonly number[] {
  return removing.length === 0 ? replicas : replicas.filter((id) => !removing.includes(id));
}

/** The replicas as they were before the reassignment under way. */
export function originalReplicas({ replicas, adding }: PartitionRecord): readonly number[] {
  return adding.length === 0 ? replicas : replicas.filter((id) => !adding.includes(id));
}

export function isReassigning({ adding, removing }: PartitionRecord): boolean {
  return adding.length > 0 || removing.length > 0;
}

export function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((id, index) => id === b[index]));
}
