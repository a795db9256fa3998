// A living group changes its protocol (KIP-848): what a classic group is as one of the consumer protocol, and back.
// Members keep their ids, their generation or epoch, and what they hold. Pure; `memberships.ts` persists it.

import { readAssignment, readSubscription } from "../consumer-protocol.ts";
import type { AdoptedMember, ClassicGroup } from "./classic-group.ts";
import { type ClassicMember, metadataOf } from "./classic-members.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerRecord } from "./consumer-group-records.ts";
import {
  type ConsumerMember,
  currentRecord,
  memberRecord,
  targetRecord,
} from "./consumer-member.ts";
import { isClassic } from "./mixed-group.ts";
import { noPartitions, type PartitionSet, partitionSet } from "./partition-set.ts";
import { memberStates } from "./reconciliation.ts";
import type { KnownTopics } from "./subscriptions.ts";

/**
 * The members of a classic group as those of the consumer protocol, each stable at the group's generation with what
 * the leader gave it last. Undefined: somebody's subscription or assignment cannot be read.
 */
export function consumerMembersOf(
  group: ClassicGroup,
  topics: KnownTopics,
): readonly ConsumerMember[] | undefined {
  const members: ConsumerMember[] = [];
  for (const member of group.members.all()) {
    const converted = consumerMemberOf(member, group, topics);
    if (converted === undefined) return undefined;
    members.push(converted);
  }
  return members;
}

/** What makes these members, and their epoch, a group in the log; in Kafka's order. */
export function recordsOf(
  groupId: string,
  { epoch, members }: { epoch: number; members: readonly ConsumerMember[] },
): ConsumerRecord[] {
  return [
    ...members.map((member) => memberRecord(groupId, member)),
    { kind: "consumer-group", groupId, value: { epoch } },
    ...members.map(({ memberId, current }) => targetRecord(groupId, memberId, current.assigned)),
    { kind: "consumer-target", groupId, value: { assignmentEpoch: epoch } },
    ...members.map((member) => currentRecord(groupId, member)),
  ];
}

/** The classic members of a group of the consumer protocol, as a classic group has them. */
export function classicMembersOf(group: ConsumerGroup, without: string | null): AdoptedMember[] {
  return [...group.members.values()].filter(isClassic).flatMap((member) => {
    const { memberId, details } = member;
    if (memberId === without) return [];
    const { classic } = details;
    const target = group.target.get(memberId) ?? noPartitions;
    return [
      {
        memberId,
        groupInstanceId: details.instanceId,
        clientId: details.clientId,
        clientHost: details.clientHost,
        rebalanceTimeoutMs: details.rebalanceTimeoutMs,
        sessionTimeoutMs: classic.sessionTimeoutMs,
        protocols: classic.protocols,
        assignment: group.assignmentOf(member, target),
      },
    ];
  });
}

function consumerMemberOf(
  member: ClassicMember,
  { generation, protocolName }: ClassicGroup,
  topics: KnownTopics,
): ConsumerMember | undefined {
  const { memberId, protocols, sessionTimeoutMs } = member;
  const name = protocolName ?? protocols[0]?.name ?? "";
  const subscription = readSubscription(metadataOf(member, name));
  const assignment = readAssignment(member.assignment);
  if (subscription === undefined || assignment === undefined) return undefined;
  return {
    memberId,
    details: {
      instanceId: member.groupInstanceId,
      rackId: subscription.rack,
      clientId: member.clientId,
      clientHost: member.clientHost,
      topicNames: subscription.topics,
      topicRegex: null,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      serverAssignor: null,
      classic: { sessionTimeoutMs, protocols },
    },
    current: {
      memberEpoch: generation,
      previousMemberEpoch: generation,
      state: memberStates.stable,
      assigned: idsOf(assignment, topics),
      pendingRevocation: noPartitions,
    },
  };
}

function idsOf(
  assignment: readonly { topic: string; partitions: readonly number[] }[],
  topics: KnownTopics,
): PartitionSet {
  return partitionSet(
    assignment.flatMap(({ topic, partitions }) => {
      const topicId = topics.get(topic)?.id;
      return topicId === undefined ? [] : [{ topicId, partitions }];
    }),
  );
}
