// Identity: what a sender numbers its batches under. ProducerId is that of an idempotent producer, fetched when first
// needed and again when the broker no longer goes along with its sequences; `transaction-scope.ts` has the other.

import { initProducerId } from "../kafka/apis/init-producer-id.ts";
import { produce } from "../kafka/apis/produce.ts";
import type { Context } from "./context.ts";
import { asClientError, ClientError, errorFromCode } from "./error.ts";
import type { Metadata } from "./metadata.ts";

/** Only transactions have one; the protocol wants a number. */
const noTransactionTimeoutMs = 2 ** 31 - 1;

export interface Identity {
  readonly id: number;
  readonly epoch: number;
  readonly isKnown: boolean;
  /** Null without transactions. */
  readonly transactionalId: string | null;
  readonly produceVersionMax: number;
  /** Whether what has failed is worth another attempt. */
  readonly isRetrying: boolean;
  /** Makes it known, then calls one of the two; batches are numbered from 0 again. */
  load(loaded: () => void, failed: (error: ClientError) => void): void;
  /** The broker's sequences differ from ours. False: there is no going on under another identity. */
  forget(): boolean;
  /** Whether records may go to this partition; if not now, `wake` is called when that may have changed. */
  admits(topic: string, partition: number, wake: () => void): boolean;
}

export class ProducerId implements Identity {
  id = -1;
  epoch = -1;
  readonly transactionalId = null;
  readonly produceVersionMax = produce.versions.max;
  readonly isRetrying = true;
  readonly #context: Context;
  readonly #metadata: Metadata;
  #loading = false;

  constructor(context: Context, metadata: Metadata) {
    this.#context = context;
    this.#metadata = metadata;
  }

  get isKnown(): boolean {
    return this.id >= 0;
  }

  forget(): boolean {
    this.id = -1;
    return true;
  }

  admits(): boolean {
    return true;
  }

  /** Asks for a new one unless that is already happening. */
  load(loaded: () => void, failed: (error: ClientError) => void): void {
    if (this.#loading) return;
    this.#loading = true;
    const where = "Asking for a producer id";
    const timeoutMs = this.#context.settings.operationTimeoutMs;
    this.#context
      .retry({ where, timeoutMs }, () => this.#ask(where))
      .then(
        () => {
          this.#loading = false;
          loaded();
        },
        (error: unknown) => {
          this.#loading = false;
          failed(explain(asClientError(error, where)));
        },
      );
  }

  async #ask(where: string): Promise<void> {
    const answer = await this.#metadata.callQuickest(initProducerId, {
      transactionalId: null,
      transactionTimeoutMs: noTransactionTimeoutMs,
    });
    const error = errorFromCode(answer.errorCode, where);
    if (error !== null) throw error;
    this.id = answer.producerId;
    this.epoch = answer.producerEpoch;
  }
}

function explain(error: ClientError): ClientError {
  if (error.retriable) return error;
  const what = `${error.message} Or produce with idempotent: false.`;
  return new ClientError(error.code, what, { cause: error });
}
