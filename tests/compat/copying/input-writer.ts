// Writes the input of the copiers with kafkajs, a transaction at a time, some of them aborted; goes on over every
// death of the broker. What it committed is what a reader of committed records finds: it does not know itself.

import { Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import type { SeededRandom } from "../../support/random.ts";
import type { TestServer } from "../../support/server.ts";

export interface InputOptions {
  readonly server: TestServer;
  readonly topic: string;
  readonly partitions: number;
  readonly random: SeededRandom;
}

const recordsPerTransaction = 10;
/** One in so many transactions is aborted. */
const transactionsPerAbort = 5;
const transactionTimeout = 5_000;
const retry = { retries: 6, initialRetryTime: 50, maxRetryTime: 500 };

export class InputWriter {
  readonly #options: InputOptions;
  readonly #kafka: Kafka;
  #producer: Producer | undefined;
  #records = 0;

  constructor(options: InputOptions) {
    this.#options = options;
    const brokers = [options.server.bootstrap];
    this.#kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry });
  }

  /** One transaction; whatever becomes of it, its values are never used again. */
  async write(): Promise<void> {
    const { topic, partitions, random } = this.#options;
    const partition = random.below(partitions);
    const isAborted = random.oneIn(transactionsPerAbort);
    const messages = Array.from({ length: recordsPerTransaction }, () => ({
      ...{ partition, value: String(this.#records++) },
    }));
    try {
      const transaction = await (await this.#open()).transaction();
      await transaction.send({ topic, messages });
      await (isAborted ? transaction.abort() : transaction.commit());
    } catch {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.#producer?.disconnect().catch(() => {});
    this.#producer = undefined;
  }

  async #open(): Promise<Producer> {
    if (this.#producer !== undefined) return this.#producer;
    const createPartitioner = Partitioners.DefaultPartitioner;
    const transactionalId = `writer-of-${this.#options.topic}`;
    const limits = { transactionTimeout, maxInFlightRequests: 1 };
    const options = { transactionalId, idempotent: true, ...limits, createPartitioner };
    const producer = this.#kafka.producer(options);
    await producer.connect();
    this.#producer = producer;
    return producer;
  }
}
