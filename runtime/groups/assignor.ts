// Server-side assignors of the consumer protocol: who shall read what. Pure; `uniform-assignor.ts` and
// `range-assignor.ts` implement them.

import type { PartitionSet } from "./partition-set.ts";

export interface AssignedMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  /** Ids of topics that exist. */
  readonly topicIds: ReadonlySet<string>;
  /** What the last assignment gave it. */
  readonly target: PartitionSet;
}

/**
 * Gives every partition of a subscribed topic to exactly one member that reads the topic. `partitionsOf` is the
 * partition count by topic id. All members are in the answer.
 */
export type Assignor = (
  members: readonly AssignedMember[],
  partitionsOf: ReadonlyMap<string, number>,
) => ReadonlyMap<string, PartitionSet>;

/** Static members first and in the order of their instances: a restart under a new id changes nothing. */
export function inStableOrder(members: readonly AssignedMember[]): AssignedMember[] {
  return [...members].sort((a, b) => {
    if ((a.instanceId === null) !== (b.instanceId === null)) return a.instanceId === null ? 1 : -1;
    const [x, y] = [a.instanceId ?? a.memberId, b.instanceId ?? b.memberId];
    return x < y ? -1 : x > y ? 1 : 0;
  });
}
