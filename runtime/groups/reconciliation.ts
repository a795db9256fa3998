// One step of a member from what it holds to what it shall hold (KIP-848): first it gives back what goes to others,
// then it moves to the target's epoch and gets what is free. A partition that another member still holds comes
// later. Pure.

import {
  intersect,
  isSubset,
  keep,
  noPartitions,
  overlaps,
  type PartitionSet,
  subtract,
  unite,
} from "./partition-set.ts";

/** Persisted: never renumber. */
export const memberStates = { stable: 1, unrevoked: 2, unreleased: 3 } as const;
export type MemberState = (typeof memberStates)[keyof typeof memberStates];

export interface CurrentAssignment {
  readonly memberEpoch: number;
  readonly previousMemberEpoch: number;
  readonly state: MemberState;
  readonly assigned: PartitionSet;
  /** Given to others once the member says it no longer has them. */
  readonly pendingRevocation: PartitionSet;
}

export interface ReconciliationTerms {
  readonly targetEpoch: number;
  readonly target: PartitionSet;
  /** What the member says it holds; null: it did not say. */
  readonly owned: PartitionSet | null;
  /** Whether some member has the partition, or has not given it back yet. */
  isHeld(topicId: string, partition: number): boolean;
}

/** The same object if there is nothing to do. */
export function reconcile(
  current: CurrentAssignment,
  terms: ReconciliationTerms,
): CurrentAssignment {
  const { memberEpoch, state, pendingRevocation } = current;
  if (state === memberStates.stable) {
    return memberEpoch === terms.targetEpoch ? current : next(current, memberEpoch, terms);
  }
  if (state === memberStates.unreleased) return next(current, memberEpoch, terms);
  if (terms.owned === null || overlaps(terms.owned, pendingRevocation)) return current;
  return next(current, memberEpoch + 1, terms);
}

function next(
  current: CurrentAssignment,
  memberEpoch: number,
  terms: ReconciliationTerms,
): CurrentAssignment {
  const { target, owned, targetEpoch } = terms;
  const kept = intersect(current.assigned, target);
  const revoked = subtract(current.assigned, target);
  const holdsRevoked = owned === null || overlaps(owned, revoked);
  if (revoked.size > 0 && holdsRevoked) {
    return {
      ...atEpoch(current, memberEpoch),
      state: memberStates.unrevoked,
      assigned: kept,
      pendingRevocation: revoked,
    };
  }
  const missing = subtract(target, kept);
  // What it gave back in this very request is free, though it is still noted as its own.
  const free = keep(missing, (topicId, partition) => !terms.isHeld(topicId, partition));
  const isComplete = isSubset(missing, free);
  return {
    ...atEpoch(current, targetEpoch),
    state: isComplete ? memberStates.stable : memberStates.unreleased,
    assigned: free.size === 0 ? kept : unite(kept, free),
    pendingRevocation: noPartitions,
  };
}

function atEpoch(current: CurrentAssignment, memberEpoch: number) {
  return memberEpoch === current.memberEpoch
    ? { memberEpoch, previousMemberEpoch: current.previousMemberEpoch }
    : { memberEpoch, previousMemberEpoch: current.memberEpoch };
}
