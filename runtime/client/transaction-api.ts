// Transactions as users of the client library see them: records to any partitions, and the offsets of what they
// were made from, which become visible together or not at all.

import type { TopicPartition } from "../broker.ts";
import type { OutgoingRecord, ProducerOptions, Sent, SentRange } from "./api.ts";
import type { GroupBatch, GroupConsumer } from "./group-api.ts";

export interface TransactionalProducerOptions extends Omit<ProducerOptions, "acks" | "idempotent"> {
  /** Names this producer over restarts: who begins under the same name later shuts this one out. */
  readonly transactionalId: string;
  /** A transaction open for longer is aborted by the broker, 60 s; its `transaction.max.timeout.ms` limits it. */
  readonly transactionTimeoutMs?: number;
}

/** Who read what a transaction processes: a batch's `member`, or just a group's name. */
export interface GroupMember {
  readonly groupId: string;
  readonly memberId?: string;
  /** Generation or member epoch. */
  readonly generation?: number;
  readonly groupInstanceId?: string | null;
}

export interface OffsetsInTransaction {
  /** A member that is no longer in its group is refused (ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, …). */
  readonly member: GroupMember;
  /** Where the group goes on: one above what was processed. */
  readonly offsets: readonly (TopicPartition & {
    readonly offset: number;
    readonly metadata?: string;
  })[];
}

export interface Transaction {
  /**
   * As the producer's. A failed record spoils the transaction: `commit` rejects with the same error. It is
   * therefore enough to await the commit.
   */
  send(record: OutgoingRecord): Promise<Sent>;
  sendBatch(records: readonly OutgoingRecord[]): Promise<readonly SentRange[]>;
  /** `undefined` if there is room for more now, else a promise of it: `await transaction.ready()`. */
  ready(): Promise<void> | undefined;
  /** The group's offsets count when the transaction commits. A refusal spoils the transaction. */
  sendOffsets(offsets: OffsetsInTransaction): Promise<void>;
  /**
   * Waits for all that was sent. Rejects if anything failed: then nothing but `abort` is left. OUTCOME_UNKNOWN is
   * final, as PRODUCER_FENCED is.
   */
  commit(): Promise<void>;
  /** Nothing of it will be seen. */
  abort(): Promise<void>;
}

/** One transaction at a time. PRODUCER_FENCED is final: another producer has taken the id over. */
export interface TransactionalProducer {
  /** Begins, runs, commits; if `run` or the commit fails, aborts and rejects with the reason. */
  transaction<T>(run: (transaction: Transaction) => T | Promise<T>): Promise<T>;
  /** The first one registers the id, and ends what an earlier producer of that name left open. */
  begin(): Promise<Transaction>;
  /** Aborts what is open. */
  close(): Promise<void>;
}

export interface ExactlyOnceOptions {
  /** With `autoCommitMs: 0`, and `isolation: "read_committed"` if what it reads is written in transactions. */
  readonly consumer: GroupConsumer;
  /** Each instance of the program with a `transactionalId` of its own. */
  readonly producer: TransactionalProducer;
  /**
   * Sends what is to be written through `transaction`, and does nothing else that must not be repeated: a batch
   * comes again if its transaction was aborted.
   */
  readonly process: (batch: GroupBatch, transaction: Transaction) => void | Promise<void>;
}
