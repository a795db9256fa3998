// OpenTransaction: one transaction as its user holds it, from `begin` to its end. What is sent through it after that
// is refused.

import type { OutgoingRecord, Sent, SentRange } from "./api.ts";
import { asClientError, ClientError } from "./error.ts";
import type { OffsetsInTransaction, Transaction } from "./transaction-api.ts";
import type { ExclusiveProducer } from "./transactional-producer.ts";

export class OpenTransaction implements Transaction {
  readonly #owner: ExclusiveProducer;
  /** Offsets on their way. */
  readonly #offsets = new Set<Promise<void>>();
  #takesMore = true;
  #isOver = false;

  constructor(owner: ExclusiveProducer) {
    this.#owner = owner;
  }

  send(record: OutgoingRecord): Promise<Sent> {
    return this.#part(() => this.#owner.producer.send(record));
  }

  sendBatch(records: readonly OutgoingRecord[]): Promise<readonly SentRange[]> {
    return this.#part(() => this.#owner.producer.sendBatch(records));
  }

  ready(): Promise<void> | undefined {
    return this.#owner.producer.ready();
  }

  sendOffsets(offsets: OffsetsInTransaction): Promise<void> {
    const sent = this.#part(() => this.#owner.sendOffsets(offsets));
    const settled = sent.catch(() => {}).finally(() => this.#offsets.delete(settled));
    this.#offsets.add(settled);
    return sent;
  }

  async commit(): Promise<void> {
    this.#assertOpen();
    this.#takesMore = false;
    await this.#owner.producer.flush();
    await Promise.all(this.#offsets);
    this.#assertOpen();
    await this.#owner.commit();
    this.#isOver = true;
  }

  async abort(): Promise<void> {
    this.#assertOpen();
    this.#takesMore = false;
    this.#isOver = true;
    await Promise.all(this.#offsets);
    await this.#owner.abort();
  }

  /** A part that fails spoils the whole, also if nobody waits for it. */
  #part<T>(run: () => Promise<T>): Promise<T> {
    if (!this.#takesMore) return Promise.reject(over());
    const { failure } = this.#owner;
    if (failure !== null) return Promise.reject(failure);
    const part = run();
    part.catch((error: unknown) => this.#owner.spoil(asClientError(error, "In a transaction")));
    return part;
  }

  #assertOpen(): void {
    if (this.#isOver) throw over();
  }
}

function over(): ClientError {
  return new ClientError("INVALID_TXN_STATE", "This transaction has ended: begin another.");
}
