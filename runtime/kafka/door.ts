// The Kafka door: accepts connections and holds what they share — registrations, limits, byte budget, buffers.
// It knows the broker's interface and nothing behind it; who listens on which port is the server's business.

import type { Broker } from "../broker.ts";
import type { HostPort } from "../config.ts";
import type { Connection, Platform, Timer } from "../platform.ts";
import type { CredentialKeeper } from "../security/credential-keeper.ts";
import type { SaslServer } from "../security/sasl.ts";
import type { AnswerPeer } from "./apis/cluster-question.ts";
import { ByteBudget } from "./byte-budget.ts";
import { KafkaConnection } from "./connection.ts";
import { defaultFetchSessionLimits, FetchSessions } from "./fetch-sessions.ts";
import type { Registration, Report } from "./handler.ts";
import { type DoorLimits, defaultDoorLimits } from "./limits.ts";
import type { Asked } from "./outbox.ts";
import { PumpBuffers } from "./pump-buffers.ts";
import { registrations } from "./registry.ts";
import type { Api } from "./schema.ts";
import { WriterPool } from "./writer-pool.ts";

export interface KafkaDoorOptions {
  readonly platform: Platform;
  readonly broker: Broker;
  /** Bugs and broken disks. */
  readonly report: Report;
  /** One sentence about a connection that was refused or closed, and why. */
  readonly notice: (message: string) => void;
  /** Name of the first listener, for logs and for connections that come by no other. */
  readonly listener?: string;
  /** What is different on listeners, by name. */
  readonly listeners?: ReadonlyMap<string, DoorListener>;
  /** Whose credentials clients may see and change. */
  readonly users?: CredentialKeeper;
  readonly limits?: Partial<DoorLimits>;
  /** Called per answered request: from its last byte read to its answer encoded. */
  readonly observe?: (api: Api, durationMs: number) => void;
  /** Of a broker that is one of several: what the others ask it. */
  readonly answerPeer?: AnswerPeer;
}

/** What connections of one listener get besides what all get. */
export interface DoorListener {
  /** Where its clients find this broker; undefined: where metadata says. */
  readonly advertised?: HostPort | undefined;
  /** Whoever does not authenticate may ask nothing; undefined: nobody is asked. */
  readonly sasl?: SaslServer | undefined;
}

export interface KafkaDoorStats {
  readonly connections: number;
  readonly connectionsAccepted: number;
  readonly connectionsRefused: number;
  readonly requests: number;
  readonly requestsInFlight: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of requests that have arrived in part or wait. */
  readonly pendingBytes: number;
  readonly pumpBuffers: number;
  readonly fetchSessions: number;
  readonly fetchSessionPartitions: number;
}

export interface KafkaDoor {
  /** `listener`: the one it came by; absent: the first. */
  accept(connection: Connection, listener?: string): void;
  stats(): KafkaDoorStats;
  /** Other limits from now on; connections that are open stay. */
  configure(limits: Partial<DoorLimits>): void;
  /** Takes no more requests, sends what is due (for `closeMsMax` at most), and closes all connections. */
  close(): Promise<void>;
}

export function createKafkaDoor(options: KafkaDoorOptions): KafkaDoor {
  return new Door(options);
}

/** How often silent connections are looked for, in parts of the shorter limit. */
const sweepsPerLimit = 4;
const sweepMsMin = 10;

export class Door implements KafkaDoor {
  readonly platform: Platform;
  readonly broker: Broker;
  readonly report: Report;
  readonly notice: (message: string) => void;
  readonly listener: string;
  limits: DoorLimits;
  readonly budget: ByteBudget;
  readonly buffers: PumpBuffers;
  readonly writers: WriterPool;
  readonly #listeners: ReadonlyMap<string, DoorListener>;
  readonly #observe: ((api: Api, durationMs: number) => void) | undefined;
  readonly #sessions: FetchSessions;
  /** Index = API key. */
  readonly #registrations: (Registration | undefined)[] = [];
  readonly #connections = new Set<KafkaConnection>();
  readonly #perAddress = new Map<string, number>();
  #sweep: Timer | undefined;
  #whenEmpty: (() => void) | undefined;
  #closing = false;
  #accepted = 0;
  #refused = 0;
  #requests = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(options: KafkaDoorOptions) {
    this.platform = options.platform;
    this.broker = options.broker;
    this.report = options.report;
    this.notice = options.notice;
    this.listener = options.listener ?? "PLAINTEXT";
    this.#listeners = options.listeners ?? new Map();
    this.limits = { ...defaultDoorLimits, ...options.limits };
    this.budget = new ByteBudget(
      Math.max(this.limits.pendingBytesMax, this.limits.requestBytesMax),
    );
    this.buffers = new PumpBuffers(this.limits.pumpBuffersMax);
    this.writers = new WriterPool(this.limits);
    this.#observe = options.observe;
    const { fetchBytesMax, fetchSessionsMax: sessionsMax } = this.limits;
    const sessionLimits = { ...defaultFetchSessionLimits, sessionsMax };
    this.#sessions = new FetchSessions(options.platform, sessionLimits);
    const { answerPeer, users } = options;
    for (const registration of registrations(this.#sessions, fetchBytesMax, answerPeer, users)) {
      this.#registrations[registration.api.key] = registration;
    }
  }

  accept(connection: Connection, listener = this.listener): void {
    const full = this.#fullness(connection.remoteAddress);
    if (full !== undefined) {
      this.#refused++;
      this.notice(`refused a connection from ${connection.remoteAddress}: ${full}`);
      connection.destroy();
      return;
    }
    const address = connection.remoteAddress;
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    this.#connections.add(new KafkaConnection(this, connection, ++this.#accepted, listener));
    this.#sweep ??= this.#scheduleSweep();
  }

  configure(limits: Partial<DoorLimits>): void {
    this.limits = { ...this.limits, ...limits };
  }

  stats(): KafkaDoorStats {
    let requestsInFlight = 0;
    for (const connection of this.#connections) requestsInFlight += connection.inFlight;
    const sessions = this.#sessions.stats;
    return {
      connections: this.#connections.size,
      connectionsAccepted: this.#accepted,
      connectionsRefused: this.#refused,
      requests: this.#requests,
      requestsInFlight,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      pendingBytes: this.budget.used + this.budget.kept,
      pumpBuffers: this.buffers.out,
      fetchSessions: sessions.sessions,
      fetchSessionPartitions: sessions.partitions,
    };
  }

  close(): Promise<void> {
    this.#closing = true;
    return new Promise((resolve) => {
      const deadline = this.platform.clock.after(this.limits.closeMsMax, () => this.#destroyAll());
      this.#whenEmpty = () => {
        deadline.cancel();
        this.#sweep?.cancel();
        resolve();
      };
      for (const connection of this.#connections) connection.end();
      if (this.#connections.size === 0) this.#whenEmpty();
    });
  }

  // ---- for connections ----

  /** Whether requests need to be timed. */
  get observes(): boolean {
    return this.#observe !== undefined;
  }

  /** Absent: nothing is different there. */
  listenerOf(name: string): DoorListener | undefined {
    return this.#listeners.get(name);
  }

  registration(apiKey: number): Registration | undefined {
    return this.#registrations[apiKey];
  }

  received(bytes: number): void {
    this.#bytesIn += bytes;
  }

  answered({ api, startedMs }: Asked, bytes: number): void {
    this.#requests++;
    this.#bytesOut += bytes;
    this.#observe?.(api, this.platform.clock.monotonicMs() - startedMs);
  }

  closed(connection: KafkaConnection): void {
    if (!this.#connections.delete(connection)) return;
    const { remoteAddress } = connection;
    const left = (this.#perAddress.get(remoteAddress) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(remoteAddress, left);
    else this.#perAddress.delete(remoteAddress);
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }

  /** Why no more connections are taken, if so. */
  #fullness(address: string): string | undefined {
    const { connectionsMax, connectionsPerAddressMax } = this.limits;
    if (this.#closing) return "the broker is shutting down";
    if (this.#connections.size >= connectionsMax)
      return `max.connections=${connectionsMax} reached`;
    const fromAddress = this.#perAddress.get(address) ?? 0;
    if (fromAddress < connectionsPerAddressMax) return undefined;
    return `max.connections.per.ip=${connectionsPerAddressMax} reached`;
  }

  #scheduleSweep(): Timer {
    const { idleMsMax, stallMsMax } = this.limits;
    const everyMs = Math.max(sweepMsMin, Math.min(idleMsMax, stallMsMax) / sweepsPerLimit);
    return this.platform.clock.after(everyMs, () => {
      const nowMs = this.platform.clock.monotonicMs();
      for (const connection of this.#connections) connection.checkSilence(nowMs);
      const goOn = this.#connections.size > 0 && !this.#closing;
      this.#sweep = goOn ? this.#scheduleSweep() : undefined;
    });
  }

  #destroyAll(): void {
    for (const connection of this.#connections) connection.destroy();
  }
}
