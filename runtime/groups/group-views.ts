// What is told of a group to those who look: listings, descriptions of either protocol, and one summary of both
// for people. Pure.

import type { ClusterState } from "../../cluster/control-plane.ts";
import type { TopicPartition } from "../broker.ts";
import { readAssignment } from "../consumer-protocol.ts";
import { BrokerError } from "../errors.ts";
import type {
  ClassicGroupView,
  GroupListing,
  GroupMemberSummary,
  GroupSummary,
} from "../group-coordinator.ts";
import type { ClassicGroup } from "./classic-group.ts";
import { metadataOf } from "./classic-members.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { GroupEntry } from "./group-table.ts";

export function listing({ groupId, group }: GroupEntry): GroupListing {
  return {
    groupId,
    protocolType: group?.protocolType ?? "",
    state: group?.state ?? "Empty",
    type: group?.type ?? "classic",
  };
}

/** GROUP_ID_NOT_FOUND for a group of the other protocol. */
export function classicView({ groupId, group }: GroupEntry): ClassicGroupView {
  if (group === undefined) {
    return { groupId, state: "Empty", protocolType: "", protocolName: "", members: [] };
  }
  if (group.type !== "classic") {
    throw new BrokerError("GROUP_ID_NOT_FOUND", `group '${groupId}' is not a classic group`);
  }
  const { state, protocolType, protocolName } = group;
  const isStable = state === "Stable";
  return {
    groupId,
    state,
    protocolType: protocolType ?? "",
    protocolName: isStable ? (protocolName ?? "") : "",
    members: Array.from(group.members.all(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      // While the group rebalances, what was agreed on no longer holds.
      metadata: isStable ? metadataOf(member, protocolName ?? "") : new Uint8Array(0),
      assignment: isStable ? member.assignment : new Uint8Array(0),
    })),
  };
}

export function summaryOf(entry: GroupEntry, cluster: ClusterState): GroupSummary {
  const { group } = entry;
  const epoch = group?.generation ?? 0;
  if (group === undefined) return { ...listing(entry), epoch, members: [] };
  const members =
    group.type === "classic" ? classicMembers(group) : consumerMembers(group, cluster);
  return { ...listing(entry), epoch, members };
}

function classicMembers(group: ClassicGroup): GroupMemberSummary[] {
  return Array.from(group.members.all(), (member) => ({
    memberId: member.memberId,
    instanceId: member.groupInstanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    partitions: placesOf(readAssignment(member.assignment) ?? []),
  }));
}

function consumerMembers(group: ConsumerGroup, cluster: ClusterState): GroupMemberSummary[] {
  return group.view().members.map(({ memberId, instanceId, clientId, clientHost, assigned }) => ({
    memberId,
    instanceId,
    clientId,
    clientHost,
    partitions: placesOf(
      assigned.flatMap(({ topicId, partitions }) => {
        const topic = cluster.topicsById.get(topicId)?.name;
        return topic === undefined ? [] : [{ topic, partitions }];
      }),
    ),
  }));
}

function placesOf(
  topics: readonly { topic: string; partitions: readonly number[] }[],
): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}
