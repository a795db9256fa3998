// The server's Kafka door, with what it counts and reports. Its APIs are a third of a broker's code: where the code
// costs more to load than to wait for, they are loaded by the first connection. Used by `server.ts` only.

import type { ControlPlane } from "../cluster/control-plane.ts";
import type { BrokerConfig, HostPort } from "./config.ts";
import type { AnswerPeer } from "./kafka/apis/cluster-question.ts";
import type { KafkaDoor } from "./kafka/door.ts";
import type { DoorLimits } from "./kafka/limits.ts";
import type { LocalBroker } from "./local-broker.ts";
import type { Connection, Platform } from "./platform.ts";
import { kafkaCode } from "./server-code.ts";
import { asError } from "./server-reports.ts";
import { createUsers, doorListeners } from "./server-security.ts";
import { connectionLimits } from "./server-settings.ts";
import type { Logger } from "./telemetry/logger.ts";
import type { ApiMetrics, Metrics } from "./telemetry/metrics.ts";

export interface ServerKafkaOptions {
  readonly platform: Platform;
  readonly config: BrokerConfig;
  readonly broker: LocalBroker;
  readonly controlPlane: ControlPlane;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Where clients of listeners other than the first are told to connect. */
  readonly listeners: ReadonlyMap<string, HostPort>;
  readonly answerPeer?: AnswerPeer;
}

/** Takes connections at once; the door behind it is there after `open`, or soon after the first of them. */
export class LateKafkaDoor implements Pick<KafkaDoor, "accept" | "configure" | "close"> {
  readonly #options: ServerKafkaOptions;
  #limits: Partial<DoorLimits> = {};
  #door: KafkaDoor | undefined;
  #opening: Promise<KafkaDoor> | undefined;

  constructor(options: ServerKafkaOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    this.#opening ??= this.#load();
    await this.#opening;
  }

  accept(connection: Connection, listener?: string): void {
    if (this.#door) this.#door.accept(connection, listener);
    else void this.#acceptLate(connection, listener);
  }

  configure(limits: Partial<DoorLimits>): void {
    this.#limits = limits;
    this.#door?.configure(limits);
  }

  async close(): Promise<void> {
    const door = await this.#opening;
    await door?.close();
  }

  async #acceptLate(connection: Connection, listener: string | undefined): Promise<void> {
    try {
      await this.open();
      this.#door!.accept(connection, listener);
    } catch (error) {
      this.#options.logger.error("kafka-door", "the Kafka door cannot be opened", {
        error: asError(error),
      });
      connection.destroy();
    }
  }

  async #load(): Promise<KafkaDoor> {
    const { platform, config, broker, controlPlane, metrics, logger } = this.#options;
    const { listeners, answerPeer } = this.#options;
    const { createKafkaDoor } = await kafkaCode();
    const users = createUsers(platform, config, controlPlane);
    const log = logger.child("kafka");
    this.#door = createKafkaDoor({
      platform,
      broker,
      listener: config.kafkaListeners[0]!.name,
      listeners: doorListeners(config, users, listeners),
      users,
      ...(answerPeer && { answerPeer }),
      report: (error, context) => log.error("request-failed", context, { error: asError(error) }),
      notice: (message) => log.warn("connection", message),
      observe: observing(metrics),
      limits: { ...doorLimits(config), ...connectionLimits(broker.config), ...this.#limits },
    });
    return this.#door;
  }
}

function observing(metrics: Metrics): (api: { readonly name: string }, durationMs: number) => void {
  const ofApis = new Map<string, ApiMetrics>();
  return (api, durationMs) => {
    let found = ofApis.get(api.name);
    if (found === undefined) {
      found = metrics.api(api.name, "kafka");
      ofApis.set(api.name, found);
    }
    found.done(durationMs);
  };
}

function doorLimits(config: BrokerConfig): Partial<DoorLimits> {
  return {
    requestBytesMax: config.number("socket.request.max.bytes"),
    pendingBytesMax: config.number("queued.max.request.bytes"),
    idleMsMax: config.number("connections.max.idle.ms"),
    fetchBytesMax: config.number("fetch.max.bytes"),
    fetchSessionsMax: config.number("max.incremental.fetch.session.cache.slots"),
  };
}
