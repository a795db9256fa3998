// TransactionalProducer: begins and ends transactions one at a time, and spoils them when a part fails. The states
// are `transaction-state.ts`'s, the way of the records is that of every producer.

import type { TopicPartition } from "../broker.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { asClientError, ClientError } from "./error.ts";
import { OpenTransaction } from "./open-transaction.ts";
import { TopicProducer } from "./producer.ts";
import type {
  OffsetsInTransaction,
  Transaction,
  TransactionalProducer,
  TransactionalProducerOptions,
} from "./transaction-api.ts";
import { TransactionCalls } from "./transaction-calls.ts";
import { TransactionScope } from "./transaction-scope.ts";
import {
  consequence,
  fencedError,
  move,
  type TransactionEvent,
  type TransactionState,
  unsettles,
} from "./transaction-state.ts";

const transactionTimeoutMsDefault = 60_000;

interface Announcement {
  readonly places: TopicPartition[];
  readonly done: Promise<void>;
}

export class ExclusiveProducer implements TransactionalProducer {
  readonly producer: TopicProducer;
  readonly #id: string;
  readonly #timeoutMs: number;
  readonly #pool: ConnectionPool;
  readonly #calls: TransactionCalls;
  readonly #scope: TransactionScope;
  #state: TransactionState = "new";
  #open: OpenTransaction | null = null;
  /** Why the open transaction is spoiled, or the producer closed. */
  #failure: ClientError | null = null;
  /** Partitions that go into the next request. */
  #announcement: Announcement | null = null;
  #isBeginning = false;

  constructor(calls: ClusterCalls, options: TransactionalProducerOptions) {
    const { transactionalId, transactionTimeoutMs, ...settings } = options;
    if (transactionalId === "") {
      throw new ClientError(
        "INVALID_REQUEST",
        "transactionalId is empty: give the producer a name.",
      );
    }
    this.#id = transactionalId;
    this.#timeoutMs = transactionTimeoutMs ?? transactionTimeoutMsDefault;
    this.#pool = new ConnectionPool(calls.context);
    this.#calls = new TransactionCalls(transactionalId, calls, this.#pool);
    this.#scope = new TransactionScope(transactionalId, (place) => this.#announce(place));
    this.producer = new TopicProducer(calls.context, calls.metadata, settings, this.#scope);
  }

  async transaction<T>(run: (transaction: Transaction) => T | Promise<T>): Promise<T> {
    const transaction = await this.begin();
    try {
      const result = await run(transaction);
      await transaction.commit();
      return result;
    } catch (error) {
      await this.#abortAfter(transaction, error);
      throw error;
    }
  }

  async begin(): Promise<Transaction> {
    this.#assertOpen();
    if (this.#isBeginning || (this.#state !== "new" && this.#state !== "ready")) {
      move(this.#isBeginning ? "open" : this.#state, "begin");
    }
    this.#isBeginning = true;
    try {
      if (this.#state === "new" || this.#scope.needsNewEpoch) await this.#initialize();
      this.#scope.begin(await this.#told(() => this.#calls.isSecondProtocol()));
      this.#move("begin");
    } finally {
      this.#isBeginning = false;
    }
    this.#failure = null;
    this.#open = new OpenTransaction(this);
    return this.#open;
  }

  async close(): Promise<void> {
    if (this.#state === "closed" && this.#failure === null) return;
    await this.#open?.abort().catch(() => {});
    this.#move("close");
    this.#open = null;
    await this.producer.close();
    this.#pool.close();
  }

  // ---- what the open transaction asks for ----

  /** Undefined while everything goes well. */
  get failure(): ClientError | null {
    return this.#failure;
  }

  spoil(error: ClientError): void {
    if (this.#state !== "open" && this.#state !== "committing") return;
    this.#scope.needsNewEpoch ||= unsettles(error.code);
    this.#failure = error;
    this.#move("spoil");
    // Nobody shall wait for records that cannot be committed any more.
    this.#scope.isRetrying = false;
    void this.producer.cancel(error);
  }

  async sendOffsets(offsets: OffsetsInTransaction): Promise<void> {
    const { groupId } = offsets.member;
    const { identity, isSecondProtocol, groups } = this.#scope;
    if (offsets.offsets.length === 0) return;
    this.#scope.isStarted = true;
    await this.#told(async () => {
      if (!isSecondProtocol && !groups.has(groupId)) await this.#calls.addGroup(identity, groupId);
      groups.add(groupId);
      await this.#calls.commitOffsets(identity, offsets, { addsGroup: isSecondProtocol });
    });
  }

  /** All parts have ended, one way or the other. */
  async commit(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    this.#move("commit");
    await this.#end(true);
    this.#move("end");
    this.#open = null;
  }

  async abort(): Promise<void> {
    this.#move("abort");
    this.#scope.isRetrying = false;
    const what = `A transaction of ${this.#id} was aborted before this was acknowledged.`;
    await this.producer.cancel(new ClientError("TRANSACTION_ABORTABLE", what));
    await this.#end(false);
    this.#move("end");
    this.#open = null;
  }

  // ---- the coordinator ----

  async #initialize(): Promise<void> {
    const isNew = this.#state === "new";
    const own = isNew ? null : this.#scope.identity;
    this.#scope.take(await this.#told(() => this.#calls.init(this.#timeoutMs, own)));
    if (isNew) this.#move("initialize");
  }

  async #end(isCommit: boolean): Promise<void> {
    const { isStarted, identity, isSecondProtocol } = this.#scope;
    if (!isStarted) return;
    try {
      const next = await this.#calls.end(identity, { isCommit, isSecondProtocol });
      if (next !== null) this.#scope.take(next);
    } catch (thrown) {
      const error = asClientError(thrown, `Ending a transaction of ${this.#id}`);
      const { code } = error;
      const isForgotten = code === "INVALID_TXN_STATE" || code === "INVALID_PRODUCER_ID_MAPPING";
      if (!isCommit && isForgotten) this.#scope.needsNewEpoch = true;
      else
        throw error.retriable ? this.#close(unknownOutcome(error, isCommit)) : this.#judge(error);
    }
  }

  /** Partitions of one turn go into one request. */
  #announce(place: TopicPartition): Promise<void> {
    if (this.#announcement === null) {
      const places: TopicPartition[] = [];
      const done = Promise.resolve().then(() => {
        this.#announcement = null;
        return this.#told(() => this.#calls.addPartitions(this.#scope.identity, places));
      });
      this.#announcement = { places, done };
    }
    const { places, done } = this.#announcement;
    places.push(place);
    return done;
  }

  /** Runs what the coordinator is asked; its refusal spoils the transaction or closes the producer. */
  async #told<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (thrown) {
      throw this.#judge(asClientError(thrown, `Producer ${this.#id}`));
    }
  }

  #judge(error: ClientError): ClientError {
    if (consequence(error.code) === "close") return this.#close(error);
    this.spoil(error);
    return error;
  }

  #close(error: ClientError): ClientError {
    const isFenced = error.code === "PRODUCER_FENCED" || error.code === "INVALID_PRODUCER_EPOCH";
    this.#failure = isFenced ? fencedError(this.#id, error) : error;
    this.#move("close");
    this.#scope.isRetrying = false;
    void this.producer.cancel(this.#failure);
    return this.#failure;
  }

  async #abortAfter(transaction: Transaction, error: unknown): Promise<void> {
    if (this.#state === "open" || this.#state === "spoiled") {
      await transaction.abort().catch(() => {});
    }
    // Whatever went wrong first, this is what the program has to know.
    if (this.#state === "closed" && this.#failure !== null && error !== this.#failure) {
      throw this.#failure;
    }
  }

  #assertOpen(): void {
    if (this.#state !== "closed") return;
    if (this.#failure !== null) throw this.#failure;
    throw new ClientError("CLOSED", `Producer ${this.#id} was closed. Make a new one.`);
  }

  #move(event: TransactionEvent): void {
    this.#state = move(this.#state, event);
  }
}

/** Nothing is open to try again: who asks later must not take over what another producer has begun since. */
function unknownOutcome(error: ClientError, isCommit: boolean): ClientError {
  const next = isCommit
    ? "Whether it was committed is not known. A new producer of this id settles it: then look what is there."
    : "Make a new producer of this id: it aborts what is open.";
  const code = isCommit ? "OUTCOME_UNKNOWN" : "CLOSED";
  return new ClientError(code, `${error.message} ${next}`, { cause: error });
}
