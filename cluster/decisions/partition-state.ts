// What becomes of one partition: who leads, who is in sync, who may lead when nobody is (KIP-966), and when a
// reassignment is done. Pure; every other decision ends here, so the rules of epochs are in one place.

import type { PartitionRecord } from "../control-plane.ts";
import { isReassigning, sameIds, targetReplicas } from "../partition-record.ts";

/** What a decision must know of the rest of the cluster. */
export interface PartitionContext {
  /** Registered and heard of: may go on leading. */
  readonly isUp: (id: number) => boolean;
  /** Up, and not about to stop: may become leader. */
  readonly isStaying: (id: number) => boolean;
  readonly minInsync: number;
  readonly isUncleanAllowed: boolean;
}

export interface PartitionWish {
  /** In sync from now on; absent: as before. */
  readonly isr?: readonly number[];
  /** A new or ended reassignment. */
  readonly layout?: Pick<PartitionRecord, "replicas" | "adding" | "removing">;
  /** This replica may have lost records that it had: it is neither in sync nor eligible. */
  readonly lost?: number;
  /** This replica's disk is a new one: it has nothing, so nobody waits for it as the last leader either. */
  readonly emptied?: number;
  /** Absent: a leader that may stay stays. */
  readonly election?: "preferred" | "unclean";
}

/** The record that follows `now`, or `now` itself if nothing changes. */
export function nextPartition(
  now: PartitionRecord,
  wish: PartitionWish,
  context: PartitionContext,
): PartitionRecord {
  const wished = { ...now, ...wish.layout, isr: wish.isr ?? now.isr };
  const settled = completed(withoutStrangers(wished, wish.lost), context);
  const led = withLeader(withEligible(settled, now, { ...context, lost: wish.lost }), now, {
    context,
    election: wish.election,
    emptied: wish.emptied,
  });
  return stamped(led, now);
}

/** Replicas of a finished reassignment: all that come are in sync, and enough of those that stay. */
function completed(record: PartitionRecord, { minInsync }: PartitionContext): PartitionRecord {
  if (!isReassigning(record)) return record;
  const replicas = targetReplicas(record);
  const isr = record.isr.filter((id) => replicas.includes(id));
  const isCaughtUp = record.adding.every((id) => isr.includes(id));
  if (!isCaughtUp || isr.length < Math.min(minInsync, replicas.length)) return record;
  const elr = record.elr.filter((id) => replicas.includes(id));
  return { ...record, replicas, isr, elr, adding: [], removing: [] };
}

function withoutStrangers(record: PartitionRecord, lost: number | undefined): PartitionRecord {
  const mayStay = (id: number) => id !== lost && record.replicas.includes(id);
  return { ...record, isr: record.isr.filter(mayStay), elr: record.elr.filter(mayStay) };
}

/**
 * Below min.insync.replicas the high watermark stands still, so whoever leaves then has all that was acknowledged.
 * From min.insync.replicas on it moves, and nobody outside the ISR is sure to have everything.
 */
function withEligible(
  record: PartitionRecord,
  now: PartitionRecord,
  { minInsync, lost }: { readonly minInsync: number; readonly lost: number | undefined },
): PartitionRecord {
  const { isr, replicas } = record;
  if (isr.length >= Math.min(minInsync, replicas.length)) return { ...record, elr: [] };
  const before = new Set([...now.isr, ...now.elr]);
  const mayLead = (id: number) => before.has(id) && !isr.includes(id) && id !== lost;
  return { ...record, elr: replicas.filter(mayLead) };
}

function withLeader(
  record: PartitionRecord,
  now: PartitionRecord,
  election: Election,
): PartitionRecord {
  const leader = electedInSync(record, now.leader, election);
  if (leader >= 0) return { ...record, leader, lastKnownLeader: -1 };
  const rescuer = rescuing(record, now, election);
  if (rescuer < 0) {
    const last = now.leader >= 0 ? now.leader : now.lastKnownLeader;
    return { ...record, leader: -1, lastKnownLeader: last === election.emptied ? -1 : last };
  }
  // Alone in sync now. Others that were eligible stay so only beside one that was too.
  const wasEligible = record.elr.includes(rescuer);
  const isEnough = Math.min(election.context.minInsync, record.replicas.length) <= 1;
  const elr = wasEligible && !isEnough ? record.elr.filter((id) => id !== rescuer) : [];
  return { ...record, leader: rescuer, lastKnownLeader: -1, isr: [rescuer], elr };
}

interface Election {
  readonly context: PartitionContext;
  readonly election: PartitionWish["election"];
  readonly emptied: PartitionWish["emptied"];
}

/** -1: nobody in sync can lead. */
function electedInSync(record: PartitionRecord, leader: number, { context, election }: Election) {
  const { isr } = record;
  const replicas = targetReplicas(record);
  const canLead = (id: number) => isr.includes(id) && context.isStaying(id);
  const preferred = replicas[0]!;
  if (election === "preferred" && canLead(preferred)) return preferred;
  if (isr.includes(leader) && context.isUp(leader)) return leader;
  return replicas.find(canLead) ?? record.removing.find(canLead) ?? -1;
}

/** Who leads though nobody in sync can, -1: nobody may. */
function rescuing(record: PartitionRecord, now: PartitionRecord, { context, election }: Election) {
  const { isr, elr, replicas } = record;
  const { isStaying } = context;
  if (isr.length === 0) {
    const eligible = replicas.find((id) => elr.includes(id) && isStaying(id));
    if (eligible !== undefined) return eligible;
    const last = now.leader >= 0 ? now.leader : now.lastKnownLeader;
    if (elr.length === 0 && replicas.includes(last) && isStaying(last)) return last;
  }
  if (!context.isUncleanAllowed && election !== "unclean") return -1;
  return replicas.find(isStaying) ?? -1;
}

/** Epochs grow with what they number: nobody may mistake the new state for the old one. */
function stamped(next: PartitionRecord, now: PartitionRecord): PartitionRecord {
  if (isSame(next, now)) return now;
  const hasLost = now.replicas.some((id) => !next.replicas.includes(id));
  const isNewTerm = next.leader !== now.leader || hasLost;
  return {
    ...next,
    leaderEpoch: now.leaderEpoch + (isNewTerm ? 1 : 0),
    partitionEpoch: now.partitionEpoch + 1,
  };
}

function isSame(a: PartitionRecord, b: PartitionRecord): boolean {
  return (
    a.leader === b.leader &&
    a.lastKnownLeader === b.lastKnownLeader &&
    sameIds(a.isr, b.isr) &&
    sameIds(a.elr, b.elr) &&
    sameIds(a.replicas, b.replicas) &&
    sameIds(a.adding, b.adding) &&
    sameIds(a.removing, b.removing)
  );
}
