// What a group of the consumer protocol is between two requests: its members, what each shall hold and holds, and
// how all that is persisted and told. `consumer-group.ts` makes it move.

import { BrokerError } from "../errors.ts";
import type { ConsumerGroupView, GroupState, MemberRequest } from "../group-coordinator.ts";
import type { Clock } from "../platform.ts";
import { type CommitTerms, illegalGeneration } from "./classic-group-state.ts";
import { unknownMember } from "./classic-members.ts";
import type { ConsumerRecord } from "./consumer-group-records.ts";
import {
  type ConsumerMember,
  type MemberDetails,
  type MemberTimers,
  memberTombstones,
  newcomer,
  restoreCurrent,
} from "./consumer-member.ts";
import { chooseAssignor } from "./consumer-settings.ts";
import { noPartitions, type PartitionSet, partitionList, partitionSet } from "./partition-set.ts";
import { memberStates } from "./reconciliation.ts";
import { type KnownTopics, Subscriptions } from "./subscriptions.ts";

export interface ConsumerGroupHost {
  readonly clock: Clock;
  /** A new object whenever the topics change. */
  topics(): KnownTopics;
  /** Of a topic that exists. */
  topicName(topicId: string): string | undefined;
  /** A fresh random id. */
  newId(): string;
  settings(): {
    readonly heartbeatIntervalMs: number;
    readonly sessionTimeoutMs: number;
    readonly membersMax: number;
    readonly assignors: readonly string[];
  };
  /** Appends now, throws if it cannot; the promise is for durability. */
  persist(records: readonly ConsumerRecord[]): Promise<unknown> | undefined;
  /** Whether the group may become a classic one when this many members of that protocol are all it has. */
  mayDowngrade(members: number): boolean;
  /** Makes it one, without the member named; this object is closed then. */
  downgrade(withoutMemberId: string | null): Promise<unknown> | undefined;
  rebalanced(): void;
  failed(error: unknown): void;
}

/** First version of OffsetCommit that knows the errors of the consumer protocol. */
export const memberEpochsSince = 9;

export class ConsumerGroupState {
  readonly type = "consumer";
  readonly protocolType = "consumer";
  readonly isConsumerGroup = true;
  readonly groupId: string;
  stateSinceMs: number;
  groupEpoch = 0;
  assignmentEpoch = 0;
  readonly members = new Map<string, ConsumerMember>();
  protected readonly timers = new Map<string, MemberTimers>();
  protected readonly host: ConsumerGroupHost;
  /** Member id by instance id. */
  protected readonly static = new Map<string, string>();
  protected readonly subscriptions: Subscriptions;
  target: ReadonlyMap<string, PartitionSet> = new Map();
  /** Who has a partition, or has not given it back: by topic id and partition. */
  readonly #holders = new Map<string, Map<number, string>>();

  constructor(host: ConsumerGroupHost, groupId: string) {
    this.host = host;
    this.groupId = groupId;
    this.stateSinceMs = host.clock.nowMs();
    this.subscriptions = new Subscriptions(() => host.topics());
  }

  get generation(): number {
    return this.groupEpoch;
  }

  get state(): GroupState {
    if (this.members.size === 0) return "Empty";
    if (this.groupEpoch > this.assignmentEpoch) return "Assigning";
    for (const { current } of this.members.values()) {
      const isThere =
        current.state === memberStates.stable && current.memberEpoch === this.assignmentEpoch;
      if (!isThere) return "Reconciling";
    }
    return "Stable";
  }

  get size(): number {
    return this.members.size;
  }

  get isVacant(): boolean {
    return this.members.size === 0;
  }

  /** Replayed tombstones only: there is no such group. */
  get isForgotten(): boolean {
    return this.groupEpoch === 0 && this.members.size === 0;
  }

  get subscribedTopics(): ReadonlySet<string> {
    return this.subscriptions.names(this.members.values());
  }

  checkCommit(
    { memberId, groupInstanceId, generation }: MemberRequest,
    { isTransactional, version }: CommitTerms,
  ): void {
    if (generation < 0 && this.members.size === 0) return;
    const isAnonymous = memberId === "" && groupInstanceId === null && generation < 0;
    if (isTransactional && isAnonymous) return;
    const member = this.members.get(memberId);
    const knowsErrors = isTransactional || version >= memberEpochsSince;
    if (member && member.details.classic === null && !knowsErrors) {
      const message = `members of the consumer protocol commit with OffsetCommit ${memberEpochsSince}`;
      throw new BrokerError("UNSUPPORTED_VERSION", message);
    }
    this.#requireMemberAt(memberId, generation);
  }

  /** Old clients and administrators give neither. */
  checkFetch(memberId: string | null, memberEpoch: number): void {
    if (memberId === null && memberEpoch < 0) return;
    this.#requireMemberAt(memberId ?? "", memberEpoch);
  }

  view(): ConsumerGroupView {
    const details = Array.from(this.members.values(), ({ details }) => details);
    return {
      groupId: this.groupId,
      state: this.state,
      groupEpoch: this.groupEpoch,
      assignmentEpoch: this.assignmentEpoch,
      assignor: chooseAssignor(details, this.host.settings().assignors),
      members: Array.from(this.members.values(), ({ memberId, details, current }) => ({
        memberId,
        instanceId: details.instanceId,
        rackId: details.rackId,
        memberEpoch: current.memberEpoch,
        clientId: details.clientId,
        clientHost: details.clientHost,
        topicNames: details.topicNames,
        topicRegex: details.topicRegex,
        assigned: partitionList(current.assigned),
        target: partitionList(this.target.get(memberId) ?? noPartitions),
        isClassic: details.classic !== null,
      })),
    };
  }

  // ---- persistence ----

  replay(record: ConsumerRecord): void {
    if (record.kind === "consumer-group") this.groupEpoch = record.value?.epoch ?? 0;
    else if (record.kind === "consumer-target") {
      this.assignmentEpoch = record.value?.assignmentEpoch ?? 0;
    } else if (record.kind === "consumer-target-member") {
      const target = new Map(this.target);
      if (record.value === null) target.delete(record.memberId);
      else target.set(record.memberId, partitionSet(record.value.partitions));
      this.target = target;
    } else if (record.kind === "consumer-member") {
      if (record.value === null) this.drop(record.memberId);
      else this.put({ ...this.#orNew(record.memberId), details: record.value });
    } else if (record.kind === "consumer-regex") {
      this.subscriptions.replay(record.regex, record.value);
    } else if (record.kind === "consumer-current" && this.members.has(record.memberId)) {
      const current = record.value === null ? newcomer : restoreCurrent(record.value);
      this.put({ ...this.#orNew(record.memberId), current });
    }
  }

  tombstones(): ConsumerRecord[] {
    const { groupId } = this;
    const ofMembers = [...this.members.keys()].flatMap((id) => memberTombstones(groupId, id));
    return [
      ...ofMembers,
      ...this.subscriptions.tombstones(groupId),
      { kind: "consumer-target", groupId, value: null },
      { kind: "consumer-group", groupId, value: null },
    ];
  }

  close(_error: BrokerError): void {
    for (const memberId of [...this.members.keys()]) this.drop(memberId);
  }

  // ---- members ----

  #requireMemberAt(memberId: string, epoch: number): void {
    const member = this.members.get(memberId);
    if (member === undefined) throw unknownMember(memberId);
    if (member.current.memberEpoch === epoch) return;
    if (member.details.classic !== null) throw illegalGeneration(epoch, member.current.memberEpoch);
    throw new BrokerError(
      "STALE_MEMBER_EPOCH",
      `the request is of member epoch ${epoch}, the member's is ${member.current.memberEpoch}`,
    );
  }

  #orNew(memberId: string): ConsumerMember {
    return this.members.get(memberId) ?? { memberId, details: noDetails, current: newcomer };
  }

  protected put(member: ConsumerMember): void {
    const before = this.members.get(member.memberId);
    if (before) this.#note(before, null);
    this.members.set(member.memberId, member);
    this.#note(member, member.memberId);
    if (member.details.instanceId !== null) {
      this.static.set(member.details.instanceId, member.memberId);
    }
  }

  protected drop(memberId: string): void {
    const member = this.members.get(memberId);
    if (member === undefined) return;
    this.#note(member, null);
    this.members.delete(memberId);
    const { instanceId } = member.details;
    if (instanceId !== null && this.static.get(instanceId) === memberId) {
      this.static.delete(instanceId);
    }
    const timers = this.timers.get(memberId);
    timers?.session?.cancel();
    timers?.rebalance?.cancel();
    this.timers.delete(memberId);
  }

  /** Notes who holds the member's partitions; null: it does no more. */
  #note({ memberId, current }: ConsumerMember, holder: string | null): void {
    for (const set of [current.assigned, current.pendingRevocation]) {
      for (const [topicId, partitions] of set) {
        const holders = this.#holders.get(topicId) ?? new Map<number, string>();
        this.#holders.set(topicId, holders);
        for (const partition of partitions) {
          if (holder !== null) holders.set(partition, holder);
          else if (holders.get(partition) === memberId) holders.delete(partition);
        }
      }
    }
  }

  protected isHeldByOthers(topicId: string, partition: number, memberId: string): boolean {
    const holder = this.#holders.get(topicId)?.get(partition);
    return holder !== undefined && holder !== memberId;
  }
}

const noDetails: MemberDetails = {
  instanceId: null,
  rackId: null,
  clientId: "",
  clientHost: "",
  topicNames: [],
  topicRegex: null,
  rebalanceTimeoutMs: -1,
  serverAssignor: null,
  classic: null,
};
