// Where a follower cuts its log when the leader's has something else there (KIP-101, KIP-279, KIP-595). Pure.

import type { LeaderEpochs } from "../log/leader-epochs.ts";

/** The largest epoch of the leader that is not above the one the follower named, and where it ended there. */
export interface EpochEnd {
  readonly epoch: number;
  readonly endOffset: number;
}

/**
 * The offset to cut at. The two may disagree about earlier epochs as well: the next fetch then names an older epoch
 * and diverges again, until both have the same last epoch up to the same end.
 */
export function truncationPoint(
  local: { readonly epochs: LeaderEpochs; readonly endOffset: number },
  leader: EpochEnd,
): number {
  const own = local.epochs.endOffset(leader.epoch, local.endOffset);
  return Math.min(own?.endOffset ?? leader.endOffset, leader.endOffset, local.endOffset);
}

/**
 * What a leader tells a follower whose last record at `fetchOffset` − 1 is of `lastFetchedEpoch`; undefined when
 * their logs agree up to there. −1: the follower has no record, so nothing can differ.
 */
export function divergence(
  leader: { readonly epochs: LeaderEpochs; readonly endOffset: number },
  follower: { readonly lastFetchedEpoch: number; readonly fetchOffset: number },
): EpochEnd | undefined {
  const { lastFetchedEpoch, fetchOffset } = follower;
  if (lastFetchedEpoch < 0) return undefined;
  const end = leader.epochs.endOffset(lastFetchedEpoch, leader.endOffset);
  // The leader has never heard of that epoch: what it knows ends with its own log.
  if (end === undefined) return { epoch: leader.epochs.latest(), endOffset: leader.endOffset };
  const agrees = end.epoch === lastFetchedEpoch && end.endOffset >= fetchOffset;
  return agrees ? undefined : end;
}
