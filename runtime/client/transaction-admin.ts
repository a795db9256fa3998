// Looking at transactions and ending them: what `admin().transactions` offers. Every broker coordinates its own
// ids, so lists are put together from all of them.

import type { ProducerView, TopicPartition } from "../broker.ts";
import { describeTransactions } from "../kafka/apis/describe-transactions.ts";
import { findCoordinator } from "../kafka/apis/find-coordinator.ts";
import { initProducerId } from "../kafka/apis/init-producer-id.ts";
import { listTransactions } from "../kafka/apis/list-transactions.ts";
import { writeTxnMarkers } from "../kafka/apis/write-txn-markers.ts";
import type { TransactionAdmin, TransactionInfo, TransactionSummary } from "./api.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { ClientError, errorFromCode } from "./error.ts";

const transactionKey = 1;
/** Of the identity that ends another's transaction and is never used. */
const endingTimeoutMs = 60_000;

export class ClusterTransactions implements TransactionAdmin {
  readonly #calls: ClusterCalls;

  constructor(calls: ClusterCalls) {
    this.#calls = calls;
  }

  async list(filter: { readonly states?: readonly string[] } = {}): Promise<TransactionSummary[]> {
    await this.#calls.metadata.fetch([]);
    const where = "Listing transactions";
    const message = { stateFilters: filter.states ?? [], producerIdFilters: [] };
    const ids = [...this.#calls.metadata.brokers.keys()];
    const found = await Promise.all(
      ids.map((coordinator) =>
        this.#calls.atBroker(coordinator, where, async (connection) => {
          const answer = await connection.call(listTransactions, message);
          throwCode(answer.errorCode, where);
          const [unknown] = answer.unknownStateFilters;
          if (unknown !== undefined) {
            throw new ClientError("INVALID_REQUEST", `There is no transaction state ${unknown}.`);
          }
          return answer.transactionStates.map((each) => ({
            transactionalId: each.transactionalId,
            coordinator,
            producerId: each.producerId,
            state: each.transactionState,
          }));
        }),
      ),
    );
    return found.flat();
  }

  async describe(transactionalId: string): Promise<TransactionInfo> {
    const where = `Describing transaction ${transactionalId}`;
    const coordinator = await this.#coordinator(transactionalId);
    return this.#calls.atBroker(coordinator, where, async (connection) => {
      const message = { transactionalIds: [transactionalId] };
      const { transactionStates } = await connection.call(describeTransactions, message);
      const answer = transactionStates[0];
      if (answer === undefined) throw new ClientError("UNKNOWN_SERVER_ERROR", where);
      throwCode(answer.errorCode, where);
      return {
        transactionalId,
        coordinator,
        producerId: answer.producerId,
        producerEpoch: answer.producerEpoch,
        state: answer.transactionState,
        timeoutMs: answer.transactionTimeoutMs,
        startMs: answer.transactionStartTimeMs,
        partitions: answer.topics.flatMap(({ topic, partitions }) =>
          partitions.map((partition) => ({ topic, partition })),
        ),
      };
    });
  }

  async terminate(transactionalId: string): Promise<void> {
    const where = `Ending transaction ${transactionalId}`;
    const coordinator = await this.#coordinator(transactionalId);
    await this.#calls.atBroker(coordinator, where, async (connection) => {
      const answer = await connection.call(initProducerId, {
        transactionalId,
        transactionTimeoutMs: endingTimeoutMs,
      });
      throwCode(answer.errorCode, where);
    });
  }

  async abort(place: TopicPartition, producer: ProducerView): Promise<void> {
    const { topic, partition } = place;
    const where = `Aborting the transaction of producer ${producer.producerId} on ${topic}-${partition}`;
    const marker = {
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      // A transaction that never had a coordinator's marker has epoch -1 here.
      coordinatorEpoch: Math.max(0, producer.coordinatorEpoch),
      transactionResult: false,
      topics: [{ name: topic, partitionIndexes: [partition] }],
    };
    await this.#calls.atLeader(place, where, async (connection) => {
      const { markers } = await connection.call(writeTxnMarkers, { markers: [marker] });
      throwCode(markers[0]?.topics[0]?.partitions[0]?.errorCode ?? -1, where);
    });
  }

  #coordinator(transactionalId: string): Promise<number> {
    const where = `Finding the coordinator of ${transactionalId}`;
    const message = {
      key: transactionalId,
      keyType: transactionKey,
      coordinatorKeys: [transactionalId],
    };
    return this.#calls.anywhere(where, { api: findCoordinator, message }, (answer) => {
      const found = answer.coordinators[0] ?? answer;
      throwCode(found.errorCode, where);
      return found.nodeId;
    });
  }
}

function throwCode(code: number, where: string): void {
  const error = errorFromCode(code, where);
  if (error !== null) throw error;
}
