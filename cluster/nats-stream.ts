// The metadata's stream in JetStream: made when it is not there, read from its leader, published to with the expected
// last sequence. Used by `nats-log.ts` and `nats-follower.ts` only.

import {
  type JetStreamManager,
  type NatsConnection,
  NatsError,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from "nats";
import { pause } from "./member-parts.ts";
import type { Sequence } from "./metadata-log.ts";
import { NatsRefused, type NatsSettings, openingEndMs, streamReplicas } from "./nats-connection.ts";

export const REQUEST_TIMEOUT_MS = 1_000;
const ENSURE_AGAIN_MS = 500;
const DUPLICATE_WINDOW_NS = 120e9;

/** Codes of JetStream's errors. */
const streamNotFound = 10059;
const messageNotFound = 10037;

export class NatsStream {
  readonly name: string;
  readonly subject: string;
  readonly signals: string;
  readonly hints: string;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #settings: NatsSettings;

  constructor(
    connection: NatsConnection,
    manager: JetStreamManager,
    settings: NatsSettings,
    cluster: string,
  ) {
    this.name = `timberline-${cluster}`;
    this.subject = `timberline.${cluster}.metadata`;
    this.signals = `timberline.${cluster}.signal`;
    this.hints = `timberline.${cluster}.appended`;
    this.#connection = connection;
    this.#manager = manager;
    this.#settings = settings;
  }

  /** Makes the stream unless it is there; waits while the servers elect a leader. */
  async ensure(): Promise<void> {
    const endMs = openingEndMs(this.#settings);
    for (let attempt = 0; ; attempt++) {
      try {
        if ((await this.info()) === undefined) await this.#create();
        return;
      } catch (cause) {
        if (cause instanceof NatsRefused) throw cause;
        if (this.#settings.clock.monotonicMs() > endMs) {
          const why = "JetStream does not answer: are most of the NATS servers up?";
          throw new NatsRefused(why, { cause });
        }
        if (attempt === 0) this.#settings.report("JetStream does not answer yet: waiting for it");
        await pause(this.#settings.clock, ENSURE_AGAIN_MS);
      }
    }
  }

  /** Undefined: there is no such stream. Rejects while nobody answers. */
  async info(): Promise<StreamInfo | undefined> {
    try {
      return await this.#manager.streams.info(this.name);
    } catch (error) {
      if (apiCode(error) === streamNotFound) return undefined;
      throw error;
    }
  }

  /** Undefined: not there (any more). From the stream's leader. */
  async read(sequence: Sequence): Promise<{ bytes: Uint8Array; id: string } | undefined> {
    try {
      const message = await this.#manager.streams.getMessage(this.name, { seq: sequence });
      return { bytes: message.data, id: message.header.get("Nats-Msg-Id") };
    } catch (error) {
      if (apiCode(error) === messageNotFound || apiCode(error) === streamNotFound) return undefined;
      throw error;
    }
  }

  async publish(expected: Sequence, id: string, bytes: Uint8Array): Promise<Sequence> {
    const jetStream = this.#connection.jetstream();
    const ack = await jetStream.publish(this.subject, bytes, {
      msgID: id,
      timeout: REQUEST_TIMEOUT_MS,
      expect: { lastSequence: expected, streamName: this.name },
    });
    this.#connection.publish(this.hints);
    return ack.seq;
  }

  async trim(before: Sequence): Promise<void> {
    await this.#manager.streams.purge(this.name, { seq: before });
  }

  async #create(): Promise<void> {
    const replicas = streamReplicas(this.#connection, this.#settings.replicas);
    try {
      await this.#manager.streams.add({
        name: this.name,
        subjects: [this.subject],
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        num_replicas: replicas,
        duplicate_window: DUPLICATE_WINDOW_NS,
        allow_direct: false,
        deny_delete: true,
      });
    } catch (cause) {
      const why = cause instanceof NatsError ? (cause.api_error?.description ?? "") : "";
      if (!/insufficient|no suitable peers|replicas > 1 not supported/i.test(why)) throw cause;
      throw new NatsRefused(
        `NATS cannot keep ${replicas} copies of the metadata (${why}): add servers, or set ` +
          "--nats-replicas 1",
        { cause },
      );
    }
  }
}

/** JetStream's own code of a refusal. */
export function apiCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}
