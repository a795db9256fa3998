// ProducerId: the identity of an idempotent producer, fetched when first needed and again when the broker no
// longer goes along with its sequences. Only `sender.ts` uses it.

import { initProducerId } from "../kafka/apis/init-producer-id.ts";
import type { Context } from "./context.ts";
import { asClientError, ClientError, errorFromCode } from "./error.ts";
import type { Metadata } from "./metadata.ts";

/** Only transactions have one; the protocol wants a number. */
const noTransactionTimeoutMs = 2 ** 31 - 1;

export class ProducerId {
  id = -1;
  epoch = -1;
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

  forget(): void {
    this.id = -1;
  }

  /** Asks for a new one unless that is already happening; then calls one of the two. */
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
    const answer = await this.#metadata.callAny(initProducerId, {
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
