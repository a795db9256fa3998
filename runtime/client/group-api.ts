// Consumer groups as users of the client library see them: looking into groups and moving their offsets, and a
// consumer that shares partitions with others.

import type { TopicPartition } from "../broker.ts";
import type { GroupListing, GroupState, GroupType } from "../group-coordinator.ts";
import type { ConsumedBatch, ConsumedRecord, ConsumerOptions } from "./api.ts";
import type { ClientError } from "./error.ts";
import type { GroupMember } from "./transaction-api.ts";

export type { GroupListing, GroupState, GroupType };

export interface GroupMemberInfo {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly partitions: readonly TopicPartition[];
}

export interface GroupInfo extends GroupListing {
  /** The id of the broker that coordinates the group. */
  readonly coordinator: number;
  /** How partitions are shared: "range", "cooperative-sticky", "uniform", …; empty if nobody is there. */
  readonly assignor: string;
  readonly members: readonly GroupMemberInfo[];
}

export interface GroupOffset extends TopicPartition {
  readonly offset: number;
  readonly metadata: string;
}

export interface GroupLag extends TopicPartition {
  /** -1: nothing was committed. */
  readonly committed: number;
  readonly endOffset: number;
  /** Records not yet read; without a committed offset all that are there. */
  readonly lag: number;
  /** Who reads it now. */
  readonly member: GroupMemberInfo | null;
}

export interface Groups {
  /** Of all brokers. */
  list(): Promise<readonly GroupListing[]>;
  /** GROUP_ID_NOT_FOUND. */
  describe(groupId: string): Promise<GroupInfo>;
  /** What the group has committed. */
  offsets(groupId: string): Promise<readonly GroupOffset[]>;
  /** All partitions the group has committed offsets of or reads. */
  lag(groupId: string): Promise<readonly GroupLag[]>;
  /** Moves committed offsets. UNKNOWN_MEMBER_ID while the group has members. One error per offset, in order. */
  commit(
    groupId: string,
    offsets: readonly (TopicPartition & { readonly offset: number; readonly metadata?: string })[],
  ): Promise<readonly (ClientError | null)[]>;
  /** GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP. */
  delete(groupId: string): Promise<void>;
}

/** Assignors of the classic protocol; Kafka's names. */
export type AssignorName = "range" | "roundrobin" | "sticky" | "cooperative-sticky";

export interface GroupConsumerOptions extends ConsumerOptions {
  readonly groupId: string;
  /** What to read: either these … */
  readonly topics?: readonly string[];
  /**
   * … or all topics whose whole name matches, also those that are created later. In RE2's syntax; of a RegExp
   * the flag `i` counts. Internal topics never match.
   */
  readonly pattern?: RegExp | string;
  /** "classic" (default) or "consumer" (KIP-848, Kafka ≥ 4.0). */
  readonly protocol?: "classic" | "consumer";
  /**
   * By preference, ["range"]; classic protocol only. All members of a group need one in common. With nothing but
   * "cooperative-sticky", members go on reading while others come and go; what moves is given back first.
   */
  readonly assignors?: readonly AssignorName[];
  /** "uniform" or "range"; the broker's choice if absent. Consumer protocol only. */
  readonly serverAssignor?: string;
  /** A name that outlives restarts: no rebalance when this member comes back in time (KIP-345). */
  readonly groupInstanceId?: string;
  /** Silent for this long: the group goes on without this member. 45 s; classic protocol only. */
  readonly sessionTimeoutMs?: number;
  /** 3 s; classic protocol only. */
  readonly heartbeatIntervalMs?: number;
  /** How long `revoked` may take, 5 min. */
  readonly rebalanceTimeoutMs?: number;
  /** Positions are committed this often, 5 s, and when partitions go; 0: only by `commit`. */
  readonly autoCommitMs?: number;
  /** Where to begin without a committed offset: "latest" (default), "earliest" or "error". */
  readonly offsetReset?: "earliest" | "latest" | "error";
  /** Partitions came; reading begins when the promise resolves. */
  readonly assigned?: (partitions: readonly TopicPartition[]) => void | Promise<void>;
  /**
   * Partitions go to others when the promise resolves. Until then `commit` includes them; with `autoCommitMs` what
   * was read is committed after it.
   */
  readonly revoked?: (partitions: readonly TopicPartition[]) => void | Promise<void>;
  /** Partitions went to others already, because the group has given this member up: nothing can be committed. */
  readonly lost?: (partitions: readonly TopicPartition[]) => void | Promise<void>;
}

/** The records of one record batch, and who read them: for `Transaction.sendOffsets`. */
export interface GroupBatch extends ConsumedBatch {
  readonly member: GroupMember;
}

/** Iterate once: records (the consumer itself) or `batches()`. What was handed out counts as read when more is asked for. */
export interface GroupConsumer extends AsyncIterable<ConsumedRecord> {
  batches(): AsyncIterableIterator<GroupBatch>;
  /** Empty until the first assignment. */
  readonly partitions: readonly TopicPartition[];
  readonly groupId: string;
  readonly memberId: string;
  /** Generation or member epoch; -1 before the first assignment. */
  readonly generation: number;
  /** Commits what was read so far. */
  commit(): Promise<void>;
  /** Goes back to what is committed, in all partitions: after a transaction that was aborted. */
  rewind(): Promise<void>;
  /** Commits, leaves the group and ends the iteration. */
  stop(): Promise<void>;
}
