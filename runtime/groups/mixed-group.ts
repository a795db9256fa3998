// Members of the classic protocol in a group of the consumer protocol, while its members change over (KIP-848). They
// join, sync and send heartbeats as ever; their generation is their member epoch, and what they are told to hold is
// the coordinator's target, never a leader's. REBALANCE_IN_PROGRESS makes them join again for their next step.

import {
  consumerProtocolType,
  readSubscription,
  type Subscription,
  type TopicPartitions,
  writeAssignment,
} from "../consumer-protocol.ts";
import { BrokerError } from "../errors.ts";
import type {
  JoinAnswer,
  JoinRequest,
  LeavingMember,
  MemberRequest,
  SyncAnswer,
  SyncRequest,
} from "../group-coordinator.ts";
import { illegalGeneration } from "./classic-group-state.ts";
import {
  failedJoin,
  fencedInstance,
  rebalanceInProgress,
  unknownMember,
} from "./classic-members.ts";
import type { StoredClassicProtocols } from "./consumer-group-records.ts";
import { type ConsumerMember, newcomer } from "./consumer-member.ts";
import { ConsumerRebalance } from "./consumer-rebalance.ts";
import { noPartitions, type PartitionSet, partitionSet, subtract } from "./partition-set.ts";
import { memberStates } from "./reconciliation.ts";

/** The newest version of what consumers exchange that we write. */
const assignmentVersionMax = 3;

interface ClassicConsumer extends ConsumerMember {
  readonly details: ConsumerMember["details"] & { readonly classic: StoredClassicProtocols };
}

export class MixedGroup extends ConsumerRebalance {
  /** JoinGroup. Resolves with an error where the member is to be told one. */
  async join(request: JoinRequest): Promise<JoinAnswer> {
    try {
      return await this.#join(request);
    } catch (error) {
      if (error instanceof BrokerError) return failedJoin(request.memberId, error);
      throw error;
    }
  }

  /** SyncGroup: the assignment is there at once. */
  sync(request: SyncRequest): SyncAnswer {
    const member = this.#require(request);
    const { protocolType, protocolName } = request;
    const isOther =
      (protocolType !== null && protocolType !== consumerProtocolType) ||
      (protocolName !== null && protocolName !== protocolNameOf(member));
    if (isOther) {
      throw new BrokerError("INCONSISTENT_GROUP_PROTOCOL", "the member joined another protocol");
    }
    const { current } = member;
    if (this.groupEpoch > current.memberEpoch && current.state !== memberStates.unrevoked) {
      this.awaitMember(member);
      throw rebalanceInProgress();
    }
    this.endAwait(member);
    this.renewSession(member);
    const assignment = this.assignmentOf(member, current.assigned);
    return { protocolType, protocolName, assignment };
  }

  /** Heartbeat. Throws REBALANCE_IN_PROGRESS when joining again brings the member further. */
  classicHeartbeat(request: MemberRequest): void {
    const member = this.#require(request);
    this.renewSession(member);
    const { memberEpoch, state } = member.current;
    // Who has to give something back is behind the group's epoch, too.
    const mayGoOn =
      memberEpoch < this.groupEpoch ||
      (state === memberStates.unreleased && !this.#waitsForOthers(member));
    if (!mayGoOn) return;
    this.awaitMember(member);
    throw rebalanceInProgress();
  }

  /** LeaveGroup. One result per member, in order, once it is as durable as promised. */
  async leave(leaving: readonly LeavingMember[]): Promise<(BrokerError | null)[]> {
    const gone = new Set<ConsumerMember>();
    const results = leaving.map((each) => {
      try {
        const member = this.#leaving(each);
        if (gone.has(member)) throw unknownMember(each.memberId);
        gone.add(member);
        return null;
      } catch (error) {
        if (error instanceof BrokerError) return error;
        throw error;
      }
    });
    await this.remove([...gone]);
    return results;
  }

  /** Partitions as a classic member is told them. */
  assignmentOf({ details }: ClassicConsumer, assigned: PartitionSet): Uint8Array {
    const topics: TopicPartitions[] = [];
    for (const [topicId, partitions] of assigned) {
      const topic = this.host.topicName(topicId);
      if (topic === undefined) continue;
      topics.push({ topic, partitions: [...partitions].sort((a, b) => a - b) });
    }
    const metadata = details.classic.protocols[0]?.metadata;
    const version = (metadata && readSubscription(metadata)?.version) ?? 0;
    return writeAssignment(Math.min(version, assignmentVersionMax), topics);
  }

  // ---- joining ----

  async #join(request: JoinRequest): Promise<JoinAnswer> {
    const { groupInstanceId, protocols } = request;
    const subscription = this.#subscriptionOf(request);
    const isNew = request.memberId === "";
    const prefix = groupInstanceId ?? request.clientId;
    const memberId = isNew ? `${prefix}-${this.host.newId()}` : request.memberId;
    const before = this.#predecessor(request);
    if (before === undefined) this.requireRoom();
    if (isNew && groupInstanceId === null && request.needsMemberId) {
      const error = new BrokerError("MEMBER_ID_REQUIRED", "join again with the member id given");
      return failedJoin(memberId, error);
    }
    const { after, durable } = this.step({
      member: joining({ memberId, request, subscription, before }),
      before,
      owned: this.#idsOf(subscription.owned),
    });
    this.renewSession(after);
    // Who does not fetch what it is given would own partitions and read nothing.
    this.endAwait(after);
    this.awaitMember(after);
    await Promise.all([durable, this.#becomeClassic()]);
    return {
      error: null,
      generation: after.current.memberEpoch,
      protocolType: consumerProtocolType,
      protocolName: protocols[0]!.name,
      leader: "",
      skipAssignment: false,
      memberId,
      members: [],
    };
  }

  /** INCONSISTENT_GROUP_PROTOCOL unless all classic members share a protocol of consumers. */
  #subscriptionOf({ protocolType, protocols, memberId }: JoinRequest): Subscription {
    const [first] = protocols;
    const subscription = first && readSubscription(first.metadata);
    const others = this.#classicMembers().filter((each) => each.memberId !== memberId);
    const speaks = (name: string) =>
      others.every(({ details }) => details.classic.protocols.some((each) => each.name === name));
    const fits =
      protocolType === consumerProtocolType && protocols.some(({ name }) => speaks(name));
    if (subscription !== undefined && fits) return subscription;
    throw new BrokerError(
      "INCONSISTENT_GROUP_PROTOCOL",
      `the members of group '${this.groupId}' share no protocol with the new one`,
    );
  }

  /** Who the member is, or takes the place of; undefined: it is new. */
  #predecessor({ memberId, groupInstanceId }: JoinRequest): ConsumerMember | undefined {
    if (groupInstanceId === null) return this.members.get(memberId);
    const id = this.static.get(groupInstanceId);
    if (memberId !== "") {
      if (id === undefined) throw unknownMember(memberId);
      if (id !== memberId) throw fencedInstance(groupInstanceId, memberId);
    }
    return id === undefined ? undefined : this.members.get(id);
  }

  /** A static member changed over and was the last of the consumer protocol. */
  #becomeClassic(): Promise<unknown> | undefined {
    const isAll = this.#classicMembers().length === this.members.size;
    return isAll && this.host.mayDowngrade(this.members.size)
      ? this.host.downgrade(null)
      : undefined;
  }

  #idsOf(topics: readonly TopicPartitions[]): PartitionSet {
    return partitionSet(
      topics.flatMap(({ topic, partitions }) => {
        const topicId = this.host.topics().get(topic)?.id;
        return topicId === undefined ? [] : [{ topicId, partitions }];
      }),
    );
  }

  // ---- members ----

  /** UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION. */
  #require(request: MemberRequest): ClassicConsumer {
    const { memberId, groupInstanceId, generation } = request;
    const member = this.#member({ memberId, groupInstanceId });
    if (member.current.memberEpoch === generation) return member;
    throw illegalGeneration(generation, member.current.memberEpoch);
  }

  #leaving({ memberId, groupInstanceId }: LeavingMember): ClassicConsumer {
    // An administrator names the instance alone.
    const named = groupInstanceId === null ? undefined : this.static.get(groupInstanceId);
    return this.#member({ memberId: memberId === "" ? (named ?? "") : memberId, groupInstanceId });
  }

  #member({ memberId, groupInstanceId }: LeavingMember): ClassicConsumer {
    if (groupInstanceId !== null) {
      const id = this.static.get(groupInstanceId);
      if (id === undefined) throw unknownMember(memberId);
      if (id !== memberId) throw fencedInstance(groupInstanceId, memberId);
    }
    const member = this.members.get(memberId);
    if (member === undefined || !isClassic(member)) throw unknownMember(memberId);
    return member;
  }

  #classicMembers(): ClassicConsumer[] {
    return [...this.members.values()].filter(isClassic);
  }

  #waitsForOthers({ memberId, current }: ConsumerMember): boolean {
    const missing = subtract(this.target.get(memberId) ?? noPartitions, current.assigned);
    for (const [topicId, partitions] of missing) {
      for (const partition of partitions) {
        if (this.isHeldByOthers(topicId, partition, memberId)) return true;
      }
    }
    return false;
  }
}

export function isClassic(member: ConsumerMember): member is ClassicConsumer {
  return member.details.classic !== null;
}

function protocolNameOf({ details }: ClassicConsumer): string | undefined {
  return details.classic.protocols[0]?.name;
}

/** The member as its JoinGroup makes it. Who takes the place of a static member holds what that one held. */
function joining({
  memberId,
  request,
  subscription,
  before,
}: {
  memberId: string;
  request: JoinRequest;
  subscription: Subscription;
  before: ConsumerMember | undefined;
}): ConsumerMember {
  const { sessionTimeoutMs, protocols } = request;
  const current = before?.current ?? newcomer;
  const isReplaced = before !== undefined && before.memberId !== memberId;
  return {
    memberId,
    details: {
      instanceId: request.groupInstanceId,
      rackId: subscription.rack ?? before?.details.rackId ?? null,
      clientId: request.clientId,
      clientHost: request.clientHost,
      topicNames: subscription.topics,
      topicRegex: null,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      serverAssignor: null,
      classic: { sessionTimeoutMs, protocols },
    },
    current: isReplaced ? { ...current, memberEpoch: 0, previousMemberEpoch: 0 } : current,
  };
}
