// Producers that write transactions as fast as they are answered, in transaction protocol V2 (KIP-890): one batch,
// then its end, each when the one before is acknowledged. Every producer has a connection and a partition of its own.

import { setTimeout as pause } from "node:timers/promises";
import { endTxn } from "../../../runtime/kafka/apis/end-txn.ts";
import { findCoordinator } from "../../../runtime/kafka/apis/find-coordinator.ts";
import { initProducerId } from "../../../runtime/kafka/apis/init-producer-id.ts";
import { produce } from "../../../runtime/kafka/apis/produce.ts";
import { errorCodes, errorName } from "../../../runtime/kafka/error-codes.ts";
import type { ProducerIdentity } from "../../../runtime/transaction-coordinator.ts";
import { type Address, AskingConnection } from "./connection.ts";
import { answerOf, encode, type RecordList, recordList, transactionalBatch } from "./requests.ts";

const versions = { findCoordinator: 3, initProducerId: 4, produce: 12, endTxn: 5 };
const transactionKey = 1;
const timeoutMs = 60_000;
const setUpMsMax = 30_000;
const retryMs = 1;

export interface TransactionLoad {
  readonly topic: string;
  /** Each in a partition of its own. */
  readonly producers: number;
  /** Of all producers together. */
  readonly transactions: number;
  readonly recordsPerTransaction: number;
  readonly recordBytes: number;
  /** One in so many is aborted; 0: none. */
  readonly transactionsPerAbort: number;
}

export interface TransactionsDone {
  readonly transactions: number;
  readonly records: number;
  readonly seconds: number;
}

export async function transactionLoad(
  address: Address,
  load: TransactionLoad,
): Promise<TransactionsDone> {
  const { recordsPerTransaction: count, recordBytes } = load;
  const records = recordList({ count, recordBytes });
  const lanes = await Promise.all(
    Array.from({ length: load.producers }, (_, i) => TransactionLane.open(address, load, i)),
  );
  const each = Math.ceil(load.transactions / load.producers);
  const startedMs = performance.now();
  await Promise.all(lanes.map((lane) => lane.run(records, each)));
  const seconds = (performance.now() - startedMs) / 1000;
  for (const lane of lanes) lane.close();
  const transactions = each * load.producers;
  return { transactions, records: transactions * count, seconds };
}

class TransactionLane {
  readonly #connection: AskingConnection;
  readonly #load: TransactionLoad;
  readonly #transactionalId: string;
  readonly #partition: number;
  #identity: ProducerIdentity = { producerId: -1, producerEpoch: -1 };

  private constructor(connection: AskingConnection, load: TransactionLoad, partition: number) {
    this.#connection = connection;
    this.#load = load;
    this.#partition = partition;
    this.#transactionalId = `${load.topic}-${partition}`;
  }

  static async open(
    address: Address,
    load: TransactionLoad,
    partition: number,
  ): Promise<TransactionLane> {
    const lane = new TransactionLane(await AskingConnection.open(address), load, partition);
    const deadline = performance.now() + setUpMsMax;
    for (let code = await lane.#setUp(); code !== 0; code = await lane.#setUp()) {
      if (performance.now() > deadline) throw new Error(`no producer id: ${errorName(code)}`);
      await pause(retryMs);
    }
    return lane;
  }

  async run(records: RecordList, transactions: number): Promise<void> {
    const { transactionsPerAbort } = this.#load;
    for (let done = 1; done <= transactions; done++) {
      await this.#send(records);
      const isAborted = transactionsPerAbort > 0 && done % transactionsPerAbort === 0;
      await this.#end(!isAborted);
    }
  }

  close(): void {
    this.#connection.close();
  }

  /** The coordinator may not be there at the first questions. Returns the error of whoever refused. */
  async #setUp(): Promise<number> {
    const asked = { key: this.#transactionalId, keyType: transactionKey };
    const question = encode(findCoordinator, versions.findCoordinator, asked);
    const frame = await this.#connection.ask(question);
    const coordinator = answerOf(findCoordinator, versions.findCoordinator, frame);
    if (coordinator.errorCode !== 0) return coordinator.errorCode;
    const transactionalId = this.#transactionalId;
    const wanted = { transactionalId, transactionTimeoutMs: timeoutMs };
    const init = encode(initProducerId, versions.initProducerId, wanted);
    const answer = answerOf(
      initProducerId,
      versions.initProducerId,
      await this.#connection.ask(init),
    );
    this.#identity = { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
    return answer.errorCode;
  }

  async #send(records: RecordList): Promise<void> {
    const batch = transactionalBatch(records, this.#identity);
    const partitionData = [{ index: this.#partition, records: batch }];
    const request = {
      transactionalId: this.#transactionalId,
      acks: -1,
      timeoutMs,
      topicData: [{ name: this.#load.topic, partitionData }],
    };
    const chunks = encode(produce, versions.produce, request);
    for (;;) {
      const answer = answerOf(produce, versions.produce, await this.#connection.ask(chunks));
      const code = answer.responses[0]?.partitionResponses[0]?.errorCode ?? 0;
      if (code === 0) return;
      // Kafka: the markers of the transaction before are not all written yet.
      if (code !== errorCodes.CONCURRENT_TRANSACTIONS) {
        throw new Error(`the broker refused a batch: ${errorName(code)}`);
      }
      await pause(retryMs);
    }
  }

  async #end(committed: boolean): Promise<void> {
    const request = { transactionalId: this.#transactionalId, ...this.#identity, committed };
    const frame = await this.#connection.ask(encode(endTxn, versions.endTxn, request));
    const answer = answerOf(endTxn, versions.endTxn, frame);
    if (answer.errorCode !== 0) {
      throw new Error(`the broker ended no transaction: ${errorName(answer.errorCode)}`);
    }
    this.#identity = { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
  }
}
