// Groups: lists, describes and deletes consumer groups of both protocols, and reads and moves their offsets.

import type { TopicPartition } from "../broker.ts";
import { readAssignment } from "../consumer-protocol.ts";
import { consumerGroupDescribe } from "../kafka/apis/consumer-group-describe.ts";
import { deleteGroups } from "../kafka/apis/delete-groups.ts";
import { describeGroups } from "../kafka/apis/describe-groups.ts";
import { listGroups } from "../kafka/apis/list-groups.ts";
import type { ClientError } from "./error.ts";
import { errorFromCode, ClientError as Failure } from "./error.ts";
import type {
  GroupInfo,
  GroupLag,
  GroupListing,
  GroupMemberInfo,
  GroupOffset,
  GroupState,
  Groups,
} from "./group-api.ts";
import type { GroupCalls, OffsetToCommit } from "./group-calls.ts";
import { askOffsets } from "./offsets.ts";

export class ClusterGroups implements Groups {
  readonly #groups: GroupCalls;

  constructor(groups: GroupCalls) {
    this.#groups = groups;
  }

  async list(): Promise<readonly GroupListing[]> {
    const { calls } = this.#groups;
    const where = "Listing groups";
    const { context, metadata } = calls;
    const timeoutMs = context.settings.operationTimeoutMs;
    await context.retry({ where, timeoutMs }, () => metadata.fetch([]));
    const found = await Promise.all(
      [...metadata.brokers.keys()].map((id) =>
        calls.atBroker(id, where, async (connection) => {
          const answer = await connection.call(listGroups, {});
          const error = errorFromCode(answer.errorCode, where);
          if (error !== null) throw error;
          return answer.groups;
        }),
      ),
    );
    return found.flat().map(({ groupId, protocolType, groupState, groupType }) => ({
      groupId,
      protocolType,
      state: (groupState === "" ? "Stable" : groupState) as GroupState,
      type: groupType.toLowerCase() === "consumer" ? "consumer" : "classic",
    }));
  }

  describe(groupId: string): Promise<GroupInfo> {
    const where = `Describing group ${groupId}`;
    return this.#groups.at(groupId, where, async (connection, coordinator) => {
      const classic = async () => {
        const { groups } = await connection.call(describeGroups, { groups: [groupId] });
        const group = groups[0];
        const error = errorFromCode(group?.errorCode ?? -1, where);
        if (error !== null) throw error;
        if (group?.groupState === "Dead") throw notFound(groupId);
        return classicInfo(coordinator, group!);
      };
      if (!connection.supports(consumerGroupDescribe)) return classic();
      const asked = { groupIds: [groupId], includeAuthorizedOperations: false };
      const { groups } = await connection.call(consumerGroupDescribe, asked);
      const group = groups[0]!;
      const error = errorFromCode(group.errorCode, where, group.errorMessage);
      if (error?.code === "GROUP_ID_NOT_FOUND") return classic();
      if (error !== null) throw error;
      const { groupState, assignorName, members } = group;
      return {
        groupId,
        coordinator,
        protocolType: "consumer",
        state: groupState as GroupState,
        type: "consumer" as const,
        assignor: assignorName,
        members: members.map(({ assignment, memberId, instanceId, clientId, clientHost }) => ({
          memberId,
          instanceId,
          clientId,
          clientHost,
          partitions: assignment.topicPartitions.flatMap(({ topicName, partitions }) =>
            partitions.map((partition) => ({ topic: topicName, partition })),
          ),
        })),
      };
    });
  }

  offsets(groupId: string): Promise<readonly GroupOffset[]> {
    return this.#groups.committed(groupId, null);
  }

  async lag(groupId: string): Promise<readonly GroupLag[]> {
    const [info, offsets] = await Promise.all([this.describe(groupId), this.offsets(groupId)]);
    const readers = new Map<string, GroupMemberInfo>();
    const places = new Map<string, TopicPartition>();
    for (const place of offsets) places.set(keyOf(place), place);
    for (const member of info.members) {
      for (const place of member.partitions) {
        readers.set(keyOf(place), member);
        places.set(keyOf(place), place);
      }
    }
    const wanted = [...places.values()].sort(inOrder);
    const specs = (spec: "earliest" | "latest") =>
      wanted.map(({ topic, partition }) => ({ topic, partition, spec }));
    const { calls } = this.#groups;
    const [starts, ends] = await Promise.all([
      askOffsets(calls, specs("earliest"), undefined),
      askOffsets(calls, specs("latest"), undefined),
    ]);
    const committed = new Map(offsets.map((each) => [keyOf(each), each.offset]));
    return wanted.map(({ topic, partition }, i) => {
      const key = keyOf({ topic, partition });
      const own = committed.get(key) ?? -1;
      const endOffset = ends[i]!.offset;
      const from = Math.max(own, starts[i]!.offset, 0);
      const lag = endOffset < 0 ? 0 : Math.max(0, endOffset - from);
      return { topic, partition, committed: own, endOffset, lag, member: readers.get(key) ?? null };
    });
  }

  commit(
    groupId: string,
    offsets: readonly OffsetToCommit[],
  ): Promise<readonly (ClientError | null)[]> {
    return this.#groups.commit(groupId, offsets);
  }

  delete(groupId: string): Promise<void> {
    const where = `Deleting group ${groupId}`;
    return this.#groups.at(groupId, where, async (connection) => {
      const { results } = await connection.call(deleteGroups, { groupsNames: [groupId] });
      const error = errorFromCode(results[0]?.errorCode ?? -1, where);
      if (error !== null) throw error;
    });
  }
}

interface DescribedGroup {
  readonly groupId: string;
  readonly groupState: string;
  readonly protocolType: string;
  readonly protocolData: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly clientId: string;
    readonly clientHost: string;
    readonly memberAssignment: Uint8Array;
  }[];
}

function classicInfo(coordinator: number, group: DescribedGroup): GroupInfo {
  return {
    groupId: group.groupId,
    coordinator,
    protocolType: group.protocolType,
    state: group.groupState as GroupState,
    type: "classic",
    assignor: group.protocolData,
    members: group.members.map(({ memberAssignment, groupInstanceId, ...member }) => ({
      memberId: member.memberId,
      instanceId: groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      partitions: (readAssignment(memberAssignment) ?? []).flatMap(({ topic, partitions }) =>
        partitions.map((partition) => ({ topic, partition })),
      ),
    })),
  };
}

function notFound(groupId: string): ClientError {
  return new Failure("GROUP_ID_NOT_FOUND", `There is no group ${groupId}.`);
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`;
}

function inOrder(a: TopicPartition, b: TopicPartition): number {
  return a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition;
}
