// What a heartbeat of the consumer protocol must be, before the group is touched. Pure.

import { BrokerError } from "../errors.ts";
import type { ConsumerHeartbeat } from "../group-coordinator.ts";
import { awayEpoch, type ConsumerMember } from "./consumer-member.ts";
import { isSubset, partitionSet } from "./partition-set.ts";
import type { CurrentAssignment } from "./reconciliation.ts";

/** INVALID_REQUEST, UNSUPPORTED_ASSIGNOR. */
export function checkHeartbeat(request: ConsumerHeartbeat, assignors: readonly string[]): void {
  const { memberEpoch, memberId, instanceId, rackId, serverAssignor } = request;
  if (memberId === "") throw invalid("MemberId can't be empty.");
  if (instanceId === "") throw invalid("InstanceId can't be empty.");
  if (rackId === "") throw invalid("RackId can't be empty.");
  if (memberEpoch < awayEpoch) throw invalid(`MemberEpoch ${memberEpoch} is invalid.`);
  if (memberEpoch === awayEpoch && instanceId === null) throw invalid("InstanceId can't be null.");
  if (memberEpoch === 0) checkJoin(request);
  if (serverAssignor === null || assignors.includes(serverAssignor)) return;
  const message = `ServerAssignor ${serverAssignor} is not supported. Supported: ${assignors.join(", ")}.`;
  throw new BrokerError("UNSUPPORTED_ASSIGNOR", message);
}

/**
 * FENCED_MEMBER_EPOCH unless the member is where we know it, or one step behind because it missed our last answer.
 */
export function requireEpoch(current: CurrentAssignment, request: ConsumerHeartbeat): void {
  const { memberEpoch, owned } = request;
  if (memberEpoch === current.memberEpoch) return;
  const missedAnswer =
    memberEpoch === current.previousMemberEpoch &&
    owned !== null &&
    isSubset(partitionSet(owned), current.assigned);
  if (missedAnswer) return;
  throw new BrokerError(
    "FENCED_MEMBER_EPOCH",
    `the member says epoch ${memberEpoch}, the group knows it at ${current.memberEpoch}: join again`,
  );
}

/** A static member's place is free when it said that it goes, or for itself, or to change over from the classic protocol. */
export function requireReleased(member: ConsumerMember, memberId: string): void {
  const isReleased = member.current.memberEpoch === awayEpoch || member.details.classic !== null;
  if (isReleased || member.memberId === memberId) return;
  throw new BrokerError(
    "UNRELEASED_INSTANCE_ID",
    `instance '${member.details.instanceId}' is still used by member '${member.memberId}'`,
  );
}

function checkJoin({ rebalanceTimeoutMs, owned, topicNames, topicRegex }: ConsumerHeartbeat): void {
  if (rebalanceTimeoutMs < 0)
    throw invalid("RebalanceTimeoutMs must be provided in first request.");
  if (owned === null || owned.length > 0) {
    throw invalid("TopicPartitions must be empty when (re-)joining.");
  }
  if (topicNames !== null || topicRegex !== null) return;
  throw invalid(
    "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
  );
}

function invalid(message: string): BrokerError {
  return new BrokerError("INVALID_REQUEST", message);
}
