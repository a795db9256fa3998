// GroupCoordinator: what both doors ask about consumer groups. `groups/coordinator.ts` implements it on this
// broker's part of __consumer_offsets. Methods throw or reject with `BrokerError`; COORDINATOR_LOAD_IN_PROGRESS
// while the group's part is being read, COORDINATOR_NOT_AVAILABLE while there is none.

import type { TopicPartition } from "./broker.ts";
import type { BrokerError } from "./errors.ts";

// ---- membership, classic protocol ----

export interface GroupProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

export interface JoinRequest {
  readonly groupId: string;
  /** Empty: new. */
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  /** In the member's order of preference. The bytes must be the callee's own. */
  readonly protocols: readonly GroupProtocol[];
  /** A new member gets its id first and joins with it (KIP-394, v4). */
  readonly needsMemberId: boolean;
  /** A returning static leader can be told to assign nothing (KIP-814, v9). */
  readonly canSkipAssignment: boolean;
}

export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Uint8Array;
}

export interface JoinAnswer {
  readonly error: BrokerError | null;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly memberId: string;
  /** Only for the leader. */
  readonly members: readonly JoinedMember[];
}

/** Who speaks for a group, and of which generation. */
export interface MemberRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generation: number;
}

export interface SyncRequest extends MemberRequest {
  /** Null where the client's version does not tell. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** From the leader. The bytes must be the callee's own. */
  readonly assignments: readonly { memberId: string; assignment: Uint8Array }[];
}

export interface SyncAnswer {
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Uint8Array;
}

export interface LeavingMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

// ---- membership, consumer protocol (KIP-848) ----

export interface TopicIdPartitions {
  readonly topicId: string;
  readonly partitions: readonly number[];
}

export interface ConsumerHeartbeat {
  readonly groupId: string;
  readonly memberId: string;
  /** 0: join; -1: leave; -2: a static member leaves for a while. */
  readonly memberEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  /** -1: as before. */
  readonly rebalanceTimeoutMs: number;
  /** Null: as before. */
  readonly topicNames: readonly string[] | null;
  readonly topicRegex: string | null;
  readonly serverAssignor: string | null;
  /** What the member holds; null: as before. */
  readonly owned: readonly TopicIdPartitions[] | null;
  readonly clientId: string;
  readonly clientHost: string;
}

export interface ConsumerHeartbeatAnswer {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** Null: as before. */
  readonly assignment: readonly TopicIdPartitions[] | null;
}

// ---- offsets ----

export interface OffsetToCommit extends TopicPartition {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface CommitRequest extends MemberRequest {
  /** -1: the broker's rule. */
  readonly retentionMs: number;
  /** OffsetCommit's version: old ones know fewer errors. */
  readonly version: number;
  readonly offsets: readonly OffsetToCommit[];
}

export interface FetchedOffset extends TopicPartition {
  readonly error: BrokerError | null;
  /** -1: none. */
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface FetchOffsetsRequest {
  readonly groupId: string;
  /** Of the consumer protocol; null and -1 otherwise. */
  readonly memberId: string | null;
  readonly memberEpoch: number;
  /** Null: everything the group has. */
  readonly partitions: readonly TopicPartition[] | null;
  /** Offsets of open transactions are UNSTABLE_OFFSET_COMMIT. */
  readonly requireStable: boolean;
}

// ---- looking inside ----

export type GroupType = "classic" | "consumer";

export type GroupState =
  | "Empty"
  | "PreparingRebalance"
  | "CompletingRebalance"
  | "Assigning"
  | "Reconciling"
  | "Stable"
  | "Dead";

export interface GroupListing {
  readonly groupId: string;
  readonly protocolType: string;
  readonly state: GroupState;
  readonly type: GroupType;
}

export interface ClassicMemberView {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly metadata: Uint8Array;
  readonly assignment: Uint8Array;
}

export interface ClassicGroupView {
  readonly groupId: string;
  readonly state: GroupState;
  readonly protocolType: string;
  readonly protocolName: string;
  readonly members: readonly ClassicMemberView[];
}

export interface ConsumerMemberView {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly memberEpoch: number;
  readonly clientId: string;
  readonly clientHost: string;
  readonly topicNames: readonly string[];
  readonly topicRegex: string | null;
  readonly assigned: readonly TopicIdPartitions[];
  readonly target: readonly TopicIdPartitions[];
  readonly isClassic: boolean;
}

export interface ConsumerGroupView {
  readonly groupId: string;
  readonly state: GroupState;
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly assignor: string;
  readonly members: readonly ConsumerMemberView[];
}

/** A member as people see it, whatever protocol it speaks. */
export interface GroupMemberSummary {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly partitions: readonly TopicPartition[];
}

export interface GroupSummary extends GroupListing {
  /** Generation or group epoch. */
  readonly epoch: number;
  readonly members: readonly GroupMemberSummary[];
}

export interface GroupCoordinator {
  /** The id of the broker that coordinates the group; creates the offsets topic on first use. */
  find(groupId: string): Promise<number>;

  /** Resolves when the group's rebalance lets the member in, or with an `error`. */
  join(request: JoinRequest): Promise<JoinAnswer>;
  sync(request: SyncRequest): Promise<SyncAnswer>;
  heartbeat(request: MemberRequest): void;
  /** One result per member, in order. */
  leave(
    groupId: string,
    members: readonly LeavingMember[],
  ): Promise<readonly (BrokerError | null)[]>;
  consumerHeartbeat(request: ConsumerHeartbeat): Promise<ConsumerHeartbeatAnswer>;

  /** One result per offset, in order. */
  commitOffsets(request: CommitRequest): Promise<readonly (BrokerError | null)[]>;
  fetchOffsets(request: FetchOffsetsRequest): readonly FetchedOffset[];
  /** One result per partition, in order. */
  deleteOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<readonly (BrokerError | null)[]>;

  list(): readonly GroupListing[];
  /** Of the classic protocol. GROUP_ID_NOT_FOUND. */
  describeClassic(groupId: string): ClassicGroupView;
  /** Of the consumer protocol. GROUP_ID_NOT_FOUND. */
  describeConsumer(groupId: string): ConsumerGroupView;
  /** Of either. GROUP_ID_NOT_FOUND. */
  summary(groupId: string): GroupSummary;
  /** GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP. */
  delete(groupId: string): Promise<void>;
}
