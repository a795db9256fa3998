// TransactionCalls: what a transactional producer says to the coordinator of its id, and, for offsets, to that of the
// group. Protocol V2 (KIP-890) leaves out the announcements and gets a new epoch with every end.

import type { TopicPartition } from "../broker.ts";
import { addOffsetsToTxn } from "../kafka/apis/add-offsets-to-txn.ts";
import { addPartitionsToTxn } from "../kafka/apis/add-partitions-to-txn.ts";
import { endTxn } from "../kafka/apis/end-txn.ts";
import { initProducerId } from "../kafka/apis/init-producer-id.ts";
import { txnOffsetCommit } from "../kafka/apis/txn-offset-commit.ts";
import { errorCodes } from "../kafka/error-codes.ts";
import type { BrokerConnection } from "./broker-connection.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { Coordinators } from "./coordinators.ts";
import { errorFromCode } from "./error.ts";
import { byTopic, GroupCalls } from "./group-calls.ts";
import type { OffsetsInTransaction } from "./transaction-api.ts";

export interface TransactionIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** The feature whose level says which protocol the cluster speaks, and the level of V2. */
const transactionFeature = "transaction.version";
const secondProtocolLevel = 2;
/** The first versions of protocol V2. */
const endsWithNewEpochSince = 5;
const addsGroupSince = 5;

export class TransactionCalls {
  readonly #id: string;
  readonly #coordinators: Coordinators;
  readonly #groups: GroupCalls;

  constructor(transactionalId: string, calls: ClusterCalls, pool: ConnectionPool) {
    this.#id = transactionalId;
    this.#coordinators = new Coordinators(calls, pool, "transaction");
    this.#groups = new GroupCalls(calls, pool);
  }

  /** Ends what was left open under the id and shuts its producer out. With `own`: only raises its epoch. */
  init(
    transactionTimeoutMs: number,
    own: TransactionIdentity | null,
  ): Promise<TransactionIdentity> {
    const where = `Registering producer ${this.#id}`;
    return this.#at(where, async (connection) => {
      const message = { transactionalId: this.#id, transactionTimeoutMs, ...own };
      const answer = await connection.call(initProducerId, message);
      throwCode(answer.errorCode, where);
      return answer;
    });
  }

  /** Whether the cluster speaks protocol V2 now. */
  isSecondProtocol(): Promise<boolean> {
    return this.#at(`Beginning a transaction of ${this.#id}`, async (connection) => {
      const level = connection.featureLevel(transactionFeature);
      return level >= secondProtocolLevel && connection.version(endTxn) >= endsWithNewEpochSince;
    });
  }

  addPartitions(own: TransactionIdentity, places: readonly TopicPartition[]): Promise<void> {
    const where = `Adding partitions to a transaction of ${this.#id}`;
    const topics = byTopic(places, ({ partition }) => partition);
    return this.#at(where, async (connection) => {
      const message = { transactionalId: this.#id, ...own, topics };
      const answer = await connection.call(addPartitionsToTxn, message);
      const refused = answer.results.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex, errorCode }) => ({ name, partitionIndex, errorCode })),
      );
      // Those that are fine are not added either if one is not: the reason stands with that one.
      const isReason = ({ errorCode }: { errorCode: number }) =>
        errorCode !== errorCodes.NONE && errorCode !== errorCodes.OPERATION_NOT_ATTEMPTED;
      const first = refused.find(isReason) ?? refused.find(({ errorCode }) => errorCode !== 0);
      if (first) throwCode(first.errorCode, `${where}, ${first.name}-${first.partitionIndex}`);
    });
  }

  addGroup(own: TransactionIdentity, groupId: string): Promise<void> {
    const where = `Adding group ${groupId} to a transaction of ${this.#id}`;
    return this.#at(where, async (connection) => {
      const message = { transactionalId: this.#id, ...own, groupId };
      throwCode((await connection.call(addOffsetsToTxn, message)).errorCode, where);
    });
  }

  commitOffsets(
    own: TransactionIdentity,
    { member, offsets }: OffsetsInTransaction,
    options: { addsGroup: boolean },
  ): Promise<void> {
    const { groupId } = member;
    const where = `Committing offsets of group ${groupId} in a transaction of ${this.#id}`;
    const topics = byTopic(offsets, ({ partition, offset, metadata = "" }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedMetadata: metadata,
    }));
    const message = {
      transactionalId: this.#id,
      groupId,
      ...own,
      generationId: member.generation ?? -1,
      memberId: member.memberId ?? "",
      groupInstanceId: member.groupInstanceId ?? null,
      topics,
    };
    const versionMax = options.addsGroup ? txnOffsetCommit.versions.max : addsGroupSince - 1;
    return this.#groups.at(groupId, where, async (connection) => {
      const answer = await connection.call(txnOffsetCommit, message, { versionMax });
      for (const { name, partitions } of answer.topics) {
        for (const { partitionIndex, errorCode } of partitions) {
          throwCode(errorCode, `${where}, ${name}-${partitionIndex}`);
        }
      }
    });
  }

  /** The identity to go on with, or null: the same. */
  end(
    own: TransactionIdentity,
    options: { isCommit: boolean; isSecondProtocol: boolean },
  ): Promise<TransactionIdentity | null> {
    const { isCommit, isSecondProtocol } = options;
    const where = `${isCommit ? "Committing" : "Aborting"} a transaction of ${this.#id}`;
    const versionMax = isSecondProtocol ? endTxn.versions.max : endsWithNewEpochSince - 1;
    return this.#at(where, async (connection) => {
      const message = { transactionalId: this.#id, ...own, committed: isCommit };
      const answer = await connection.call(endTxn, message, { versionMax });
      throwCode(answer.errorCode, where);
      return answer.producerId < 0 ? null : answer;
    });
  }

  #at<T>(where: string, run: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    return this.#coordinators.at(this.#id, where, run);
  }
}

function throwCode(code: number, where: string): void {
  const error = errorFromCode(code, where);
  if (error !== null) throw error;
}
