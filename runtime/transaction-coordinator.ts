// TransactionCoordinator: what both doors ask about transactions. `transactions/coordinator.ts` implements it on
// this broker's part of __transaction_state. Methods throw or reject with `BrokerError`;
// COORDINATOR_LOAD_IN_PROGRESS while that part is being read.

import type { TopicPartition } from "./broker.ts";
import type { BrokerError } from "./errors.ts";

export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** A producer that says which transaction it speaks of. */
export interface TransactionMember extends ProducerIdentity {
  readonly transactionalId: string;
}

export interface TransactionalOffset extends TopicPartition {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** TxnOffsetCommit: offsets of a group that count when the transaction commits. */
export interface TransactionalCommit extends TransactionMember {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generation: number;
  readonly offsets: readonly TransactionalOffset[];
}

/** What transactions ask of consumer groups; the group coordinator implements it. */
export interface TransactionalOffsets {
  /** The partition of __consumer_offsets that holds the group; creates the topic on first use. */
  partitionOf(groupId: string): Promise<number>;
  /**
   * Writes the offsets as part of the producer's transaction, not yet to be seen. One result per offset, in
   * order; throws for all.
   */
  commitInTransaction(request: TransactionalCommit): Promise<readonly (BrokerError | null)[]>;
  /** The marker stands in that partition of __consumer_offsets: pending offsets count or are dropped. */
  endTransaction(partition: number, producerId: number, isCommit: boolean): void;
}

/** In the order of Kafka's numbers for them, which are persisted: never reorder. */
export const transactionPhases = [
  "Empty",
  "Ongoing",
  "PrepareCommit",
  "PrepareAbort",
  "CompleteCommit",
  "CompleteAbort",
  "Dead",
  "PrepareEpochFence",
] as const;
export type TransactionPhase = (typeof transactionPhases)[number];

export interface TransactionListing {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly phase: TransactionPhase;
}

export interface TransactionView extends TransactionListing {
  readonly producerEpoch: number;
  readonly timeoutMs: number;
  /** -1: none is open. */
  readonly startMs: number;
  readonly coordinatorId: number;
  readonly partitions: readonly TopicPartition[];
}

export interface TransactionFilter {
  /** Empty: all. */
  readonly phases: readonly string[];
  /** Empty: all. */
  readonly producerIds: readonly number[];
  /** Only those that have been open for longer; negative: all. */
  readonly openForMs: number;
  /** Regular expression for the whole id; null: all. */
  readonly idPattern: string | null;
}

export interface TransactionCoordinator {
  /** The id of the broker that coordinates it; creates the topic on first use. */
  find(transactionalId: string): Promise<number>;
  /** A new epoch; aborts what an earlier instance left open. PRODUCER_FENCED, INVALID_TRANSACTION_TIMEOUT, … */
  initProducer(
    request: TransactionMember & { readonly transactionTimeoutMs: number },
  ): Promise<ProducerIdentity>;
  addPartitions(
    member: TransactionMember,
    partitions: readonly TopicPartition[],
  ): void | Promise<void>;
  addGroup(member: TransactionMember, groupId: string): Promise<void>;
  /** `addsGroup`: the client leaves adding the group to the broker (KIP-890). */
  commitOffsets(
    request: TransactionalCommit,
    options: { addsGroup: boolean },
  ): Promise<readonly (BrokerError | null)[]>;
  /** `bumpsEpoch`: transaction protocol V2, the answer is the identity of the next transaction. */
  end(
    member: TransactionMember,
    options: { isCommit: boolean; bumpsEpoch: boolean },
  ): Promise<ProducerIdentity>;
  /**
   * Lets a producer's batch into a partition, or throws. `mayAdd`: the partition joins the transaction if it is
   * not part of it (KIP-890). Undefined: at once. The id says which broker coordinates it, where that may be another.
   */
  admit(
    producer: ProducerIdentity & { readonly transactionalId?: string | undefined },
    place: TopicPartition,
    options: { mayAdd: boolean },
  ): undefined | Promise<void>;
  /** WriteTxnMarkers: an operator ends what hangs in one partition. Resolves when it is durable. */
  writeMarker(
    place: TopicPartition,
    marker: ProducerIdentity & { coordinatorEpoch: number; isCommit: boolean },
  ): undefined | Promise<void>;
  describe(transactionalId: string): TransactionView;
  list(filter: TransactionFilter): readonly TransactionListing[];
}
