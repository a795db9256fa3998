// The metadata service of a simulated cluster, with what NATS does to its clients: away, cut off from one broker,
// answers that get lost after the write, entries late, signals lost, a store that went back or was wiped.

import {
  type LogEntry,
  LogUnavailable,
  type MetadataLog,
  type Sequence,
} from "../../cluster/metadata-log.ts";
import { SharedLogStore } from "../../cluster/shared-log.ts";
import type { Links } from "./links.ts";
import type { SimProcess } from "./process.ts";
import { Kind, type Owner, type Scheduler } from "./scheduler.ts";

export const serviceHost = "nats";
type Listener = Parameters<MetadataLog["follow"]>[1];
type AppendRequest = Parameters<MetadataLog["append"]>[0];

/** An append that is not answered is given up after this. */
const answerMsMax = 2_000;
/** Silence after which a client calls the connection broken. */
const pingMs = [500, 1_500] as const;
const reconnectMs = [50, 500] as const;
const signalLossChance = 0.02;

export class MetadataService {
  readonly scheduler: Scheduler;
  readonly links: Links;
  store = new SharedLogStore();
  /** How much later than usual a machine hears of what was written. */
  readonly lagMs = new Map<string, number>();
  /** As appended, to go back to. */
  #entries: LogEntry[] = [];
  #epoch = 0;

  constructor(scheduler: Scheduler, links: Links) {
    this.scheduler = scheduler;
    this.links = links;
    this.#record();
  }

  /** Number of the store: another one after it was wiped. */
  get epoch(): number {
    return this.#epoch;
  }

  get length(): number {
    return this.#entries.length;
  }

  open(process: SimProcess): MetadataLog {
    return new ServiceClient(this, process);
  }

  /** The store comes back with only its first `kept` entries; connections break. */
  async goBack(kept: number): Promise<void> {
    const entries = this.#entries.slice(0, kept);
    this.store = new SharedLogStore();
    this.#epoch++;
    this.#entries = [];
    this.#record();
    for (const [expected, { bytes }] of entries.entries()) {
      await this.store.append({ expected, id: `again-${expected}`, bytes });
    }
  }

  #record(): void {
    this.store.open().follow(0, {
      entry: (entry) => void this.#entries.push(entry),
      caughtUp: () => {},
      reset: () => {},
    });
  }
}

class ServiceClient implements MetadataLog {
  readonly entryBytesMax = 1 << 20;
  readonly #service: MetadataService;
  readonly #process: SimProcess;
  readonly #wire: Owner;
  readonly #connectionWatchers = new Set<(isConnected: boolean) => void>();
  readonly #receivers = new Set<(bytes: Uint8Array) => void>();
  readonly #ends: (() => void)[] = [];
  #log: MetadataLog;
  #isConnected = false;
  #isWatching = false;
  #storeEpoch = -1;
  /** What comes in a connection that is no more does not count. */
  #session = 0;
  #lastArrivalMs = 0;
  #followed: { listener: Listener; at: Sequence } | undefined;

  constructor(service: MetadataService, process: SimProcess) {
    this.#service = service;
    this.#process = process;
    this.#wire = { name: "metadata", number: 14, isAlive: true };
    this.#log = service.store.open();
    const { links } = service;
    this.#ends.push(links.onHeal(() => this.#reconnectSoon()));
    process.onEnd(() => this.#end());
    this.#look();
    this.#reconnectSoon();
  }

  follow(from: Sequence, listener: Listener): () => void {
    this.#followed = { listener, at: from };
    if (this.#isConnected) this.#beginFollowing();
    return () => {
      this.#followed = undefined;
    };
  }

  append(request: AppendRequest): Promise<Sequence> {
    if (!this.#isConnected) return Promise.reject(new LogUnavailable("not connected"));
    return new Promise((resolve, reject) => {
      const late = this.#process.clock.after(answerMsMax, () =>
        reject(new LogUnavailable("no answer")),
      );
      const answer = (settle: () => void) =>
        this.#travel("back", () => {
          late.cancel();
          settle();
        });
      this.#travel("there", () => {
        this.#log.append(request).then(
          (sequence) => answer(() => resolve(sequence)),
          (error: unknown) => answer(() => reject(error)),
        );
      });
    });
  }

  async trim(before: Sequence): Promise<void> {
    this.#travel("there", () => void this.#log.trim(before));
  }

  signal(bytes: Uint8Array): void {
    if (!this.#isConnected || this.#service.links.random.chance(signalLossChance)) return;
    this.#travel("there", () => this.#log.signal(bytes.slice()));
  }

  onSignal(receive: (bytes: Uint8Array) => void): () => void {
    this.#receivers.add(receive);
    return () => this.#receivers.delete(receive);
  }

  onConnection(changed: (isConnected: boolean) => void): () => void {
    this.#connectionWatchers.add(changed);
    changed(this.#isConnected);
    return () => this.#connectionWatchers.delete(changed);
  }

  async close(): Promise<void> {
    this.#end();
  }

  // ---- the connection ----

  get #reaches(): boolean {
    const { links, epoch } = this.#service;
    const host = this.#process.host.name;
    const isSame = this.#storeEpoch < 0 || this.#storeEpoch === epoch;
    return isSame && links.reaches(host, serviceHost) && links.reaches(serviceHost, host);
  }

  /** Pings find out that the connection is dead; that takes a while. */
  #look(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    const [from, to] = pingMs;
    const delayMs = this.#process.random.between(from, to);
    this.#process.clock.after(delayMs, () => {
      this.#isWatching = false;
      if (this.#isConnected && !this.#reaches) this.#disconnected();
      if (!this.#isConnected) this.#reconnectSoon();
      this.#look();
    });
  }

  #disconnected(): void {
    this.#isConnected = false;
    this.#session++;
    for (const changed of this.#connectionWatchers) changed(false);
  }

  #reconnectSoon(): void {
    if (!this.#process.isAlive) return;
    const [from, to] = reconnectMs;
    this.#process.clock.after(
      this.#process.random.between(from, to) * (this.#session > 0 ? 1 : 0.1),
      () => {
        const { links, epoch, store } = this.#service;
        const host = this.#process.host.name;
        if (this.#isConnected || !links.reaches(host, serviceHost)) return;
        if (!links.reaches(serviceHost, host)) return;
        if (this.#storeEpoch !== epoch) this.#open(store, epoch);
        this.#session++;
        this.#isConnected = true;
        for (const changed of this.#connectionWatchers) changed(true);
        if (this.#followed) this.#beginFollowing();
      },
    );
  }

  #open(store: SharedLogStore, epoch: number): void {
    this.#storeEpoch = epoch;
    this.#log = store.open();
    const end = this.#log.onSignal((bytes) => {
      if (!this.#isConnected || this.#service.links.random.chance(signalLossChance)) return;
      this.#travel("back", () => {
        for (const receive of this.#receivers) receive(bytes);
      });
    });
    this.#ends.push(end);
  }

  #beginFollowing(): void {
    const followed = this.#followed!;
    const session = this.#session;
    const isCurrent = () => this.#session === session && this.#followed === followed;
    const later = (run: () => void) => this.#travel("back", () => isCurrent() && run());
    const { listener } = followed;
    const end = this.#log.follow(followed.at, {
      entry: (entry) => {
        if (!isCurrent()) return end();
        later(() => {
          followed.at = entry.sequence;
          listener.entry({ sequence: entry.sequence, bytes: entry.bytes.slice() });
        });
      },
      caughtUp: (last) => later(() => listener.caughtUp(last)),
      reset: () =>
        later(() => {
          followed.at = 0;
          listener.reset();
        }),
    });
    this.#ends.push(end);
  }

  /** Lost if there is no way when it arrives; in order otherwise. */
  #travel(way: "there" | "back", run: () => void): void {
    const { scheduler, links } = this.#service;
    const host = this.#process.host.name;
    const [from, to] = way === "there" ? [host, serviceHost] : [serviceHost, host];
    const session = this.#session;
    const lagMs = way === "back" ? (this.#service.lagMs.get(host) ?? 0) : 0;
    const delayMs = links.delayMs(from, to) + lagMs;
    const atMs = Math.max(scheduler.nowMs + delayMs, this.#lastArrivalMs);
    this.#lastArrivalMs = atMs;
    const owner = way === "there" ? this.#wire : this.#process;
    scheduler.after(atMs - scheduler.nowMs, owner, Kind.metadata, () => {
      if (way === "there") {
        // Also from a process that is no more by now.
        if (links.reaches(from, to)) run();
      } else if (session === this.#session) {
        if (links.reaches(from, to)) run();
        else if (this.#isConnected) this.#disconnected();
      }
    });
  }

  #end(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#connectionWatchers.clear();
    this.#receivers.clear();
    this.#followed = undefined;
    this.#isConnected = false;
    this.#session++;
  }
}
