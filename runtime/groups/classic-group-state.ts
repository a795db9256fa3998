// What a classic group is between two requests: its state, its members, its generation, and how all that is
// persisted and told. `classic-group.ts` makes it move.

import { consumerProtocolType, readSubscription } from "../consumer-protocol.ts";
import { BrokerError } from "../errors.ts";
import type { GroupState, JoinAnswer, MemberRequest, SyncAnswer } from "../group-coordinator.ts";
import type { Clock } from "../platform.ts";
import { type ClassicMember, ClassicMembers, metadataOf } from "./classic-members.ts";
import type { GroupRecord, StoredClassicGroup } from "./group-records.ts";

export const noBytes = new Uint8Array(0);

/** What else a commit is judged by. */
export interface CommitTerms {
  readonly isTransactional: boolean;
  /** OffsetCommit's. */
  readonly version: number;
}

export class ClassicGroupState {
  readonly type = "classic";
  readonly isForgotten = false;
  readonly groupId: string;
  readonly members = new ClassicMembers();
  state: GroupState = "Empty";
  stateSinceMs: number;
  generation = 0;
  protocolType: string | null = null;
  protocolName: string | null = null;
  /** What its members read, if they are consumers; undefined: nobody knows. */
  subscribedTopics: ReadonlySet<string> | undefined;
  readonly #clock: Clock;

  constructor(clock: Clock, groupId: string) {
    this.#clock = clock;
    this.groupId = groupId;
    this.stateSinceMs = clock.nowMs();
  }

  get size(): number {
    return this.members.size;
  }

  /** Its members are consumers, whose subscriptions can be read. */
  get isConsumerGroup(): boolean {
    return this.protocolType === consumerProtocolType;
  }

  restore(stored: StoredClassicGroup): void {
    this.generation = stored.generation;
    this.protocolType = stored.protocolType === "" ? null : stored.protocolType;
    this.protocolName = stored.protocol;
    for (const member of stored.members) {
      this.members.add({
        ...member,
        protocols: [{ name: stored.protocol ?? "", metadata: member.subscription }],
        awaitingJoin: null,
        awaitingSync: null,
        isNew: false,
        session: null,
      });
    }
    this.members.leaderId = stored.leader ?? this.members.leaderId;
    this.state = stored.members.length > 0 ? "Stable" : "Empty";
    this.stateSinceMs = stored.currentStateTimestampMs;
    this.noteSubscriptions();
  }

  /** A group of the classic protocol lets everyone read its offsets. */
  checkFetch(_memberId: string, _memberEpoch: number): void {}

  tombstones(): GroupRecord[] {
    return [{ kind: "classic-group", groupId: this.groupId, value: null }];
  }

  /** What is persisted: the group with the assignments that are, or will be, in force. */
  stored(assignments?: ReadonlyMap<string, Uint8Array>): StoredClassicGroup {
    return {
      protocolType: this.protocolType ?? "",
      generation: this.generation,
      protocol: this.protocolName,
      leader: this.members.size === 0 ? null : this.members.leaderId,
      currentStateTimestampMs: this.stateSinceMs,
      members: Array.from(this.members.all(), (member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        sessionTimeoutMs: member.sessionTimeoutMs,
        subscription: metadataOf(member, this.protocolName ?? ""),
        assignment: assignments ? (assignments.get(member.memberId) ?? noBytes) : member.assignment,
      })),
    };
  }

  // ---- for the group itself ----

  protected joined(member: ClassicMember): JoinAnswer {
    const isLeader = this.members.leaderId === member.memberId;
    return {
      error: null,
      generation: this.generation,
      protocolType: this.protocolType,
      protocolName: this.protocolName,
      leader: this.members.leaderId ?? "",
      skipAssignment: false,
      memberId: member.memberId,
      members: isLeader ? this.members.joined(this.protocolName ?? "") : [],
    };
  }

  protected synced(member: ClassicMember): SyncAnswer {
    const { protocolType, protocolName } = this;
    return { protocolType, protocolName, assignment: member.assignment };
  }

  protected failSyncs(error: BrokerError): void {
    for (const member of this.members.all()) {
      member.assignment = noBytes;
      member.awaitingSync?.reject(error);
      member.awaitingSync = null;
    }
  }

  protected noteSubscriptions(): void {
    this.subscribedTopics = undefined;
    if (this.protocolType !== consumerProtocolType) return;
    if (this.members.size === 0) {
      this.subscribedTopics = new Set();
      return;
    }
    if (this.protocolName === null) return;
    const topics = new Set<string>();
    for (const member of this.members.all()) {
      const read = readSubscription(metadataOf(member, this.protocolName));
      if (read === undefined) return;
      for (const topic of read.topics) topics.add(topic);
    }
    this.subscribedTopics = topics;
  }

  protected requireAlive(): void {
    if (this.state !== "Dead") return;
    throw new BrokerError("COORDINATOR_NOT_AVAILABLE", "the group was just deleted: try again");
  }

  protected requireCurrent(request: MemberRequest): ClassicMember {
    this.requireAlive();
    const member = this.members.require(request.memberId, request.groupInstanceId);
    if (request.generation !== this.generation) {
      throw illegalGeneration(request.generation, this.generation);
    }
    return member;
  }

  protected moveTo(state: GroupState): void {
    this.state = state;
    this.stateSinceMs = this.#clock.nowMs();
  }
}

export function illegalGeneration(given: number, current: number): BrokerError {
  return new BrokerError(
    "ILLEGAL_GENERATION",
    `the request is of generation ${given}, the group in ${current}`,
  );
}
