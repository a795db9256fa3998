// A member of a group of the consumer protocol, and how it is persisted. Pure.

import type { TopicIdPartitions } from "../group-coordinator.ts";
import type { Timer } from "../platform.ts";
import type {
  ConsumerRecord,
  StoredClassicProtocols,
  StoredConsumerMember,
  StoredCurrentAssignment,
} from "./consumer-group-records.ts";
import {
  noPartitions,
  type PartitionSet,
  partitionList,
  partitionSet,
  sameSet,
} from "./partition-set.ts";
import { type CurrentAssignment, type MemberState, memberStates } from "./reconciliation.ts";

/** What a member says of itself. */
export interface MemberDetails extends StoredConsumerMember {
  readonly classic: StoredClassicProtocols | null;
}

export interface ConsumerMember {
  readonly memberId: string;
  readonly details: MemberDetails;
  readonly current: CurrentAssignment;
}

/** The timers of a member, apart from what is persisted. */
export interface MemberTimers {
  session: Timer | null;
  rebalance: Timer | null;
}

/** A static member that went away for a while. */
export const awayEpoch = -2;

export const newcomer: CurrentAssignment = {
  memberEpoch: 0,
  previousMemberEpoch: 0,
  state: memberStates.stable,
  assigned: noPartitions,
  pendingRevocation: noPartitions,
};

export function memberRecord(groupId: string, member: ConsumerMember): ConsumerRecord {
  const { memberId, details } = member;
  return { kind: "consumer-member", groupId, memberId, value: details };
}

export function currentRecord(groupId: string, member: ConsumerMember): ConsumerRecord {
  const { memberId, current } = member;
  const { assigned, pendingRevocation, ...epochs } = current;
  const value: StoredCurrentAssignment = {
    ...epochs,
    assigned: partitionList(assigned),
    pendingRevocation: partitionList(pendingRevocation),
  };
  return { kind: "consumer-current", groupId, memberId, value };
}

export function targetRecord(
  groupId: string,
  memberId: string,
  target: PartitionSet,
): ConsumerRecord {
  const partitions: TopicIdPartitions[] = partitionList(target);
  return { kind: "consumer-target-member", groupId, memberId, value: { partitions } };
}

/** In the order in which Kafka forgets a member. */
export function memberTombstones(groupId: string, memberId: string): ConsumerRecord[] {
  const of = { groupId, memberId, value: null };
  return [
    { kind: "consumer-current", ...of },
    { kind: "consumer-target-member", ...of },
    { kind: "consumer-member", ...of },
  ];
}

export function restoreCurrent(stored: StoredCurrentAssignment): CurrentAssignment {
  const isKnown = Object.values(memberStates).includes(stored.state as MemberState);
  return {
    memberEpoch: stored.memberEpoch,
    previousMemberEpoch: stored.previousMemberEpoch,
    state: isKnown ? (stored.state as MemberState) : memberStates.stable,
    assigned: partitionSet(stored.assigned),
    pendingRevocation: partitionSet(stored.pendingRevocation),
  };
}

export function sameDetails(a: MemberDetails, b: MemberDetails): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function sameSubscription(a: MemberDetails, b: MemberDetails): boolean {
  const names = new Set(a.topicNames);
  return (
    a.topicRegex === b.topicRegex &&
    names.size === new Set(b.topicNames).size &&
    b.topicNames.every((name) => names.has(name))
  );
}

export function sameCurrent(a: CurrentAssignment, b: CurrentAssignment): boolean {
  return (
    a.memberEpoch === b.memberEpoch &&
    a.previousMemberEpoch === b.previousMemberEpoch &&
    a.state === b.state &&
    sameSet(a.assigned, b.assigned) &&
    sameSet(a.pendingRevocation, b.pendingRevocation)
  );
}
