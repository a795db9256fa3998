// Members of a cluster in one process, with everything between them in the test's hand: who reaches whom, who reaches
// the metadata log, whose process is gone. Addresses are `m<number>`: one per process, as a host and port are.

import { type ClusterMember, type MemberOptions, openClusterMember } from "../../cluster/member.ts";
import {
  type LogEntry,
  LogUnavailable,
  type MetadataLog,
  type Sequence,
} from "../../cluster/metadata-log.ts";
import { type PeerAddress, type Peers, PeerUnreachable } from "../../cluster/peer.ts";
import { SharedLogStore } from "../../cluster/shared-log.ts";
import type { Clock } from "../../runtime/platform.ts";

/** A linear congruential generator: the same ids in every run. */
export function seededRandom(seed: number) {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
  return {
    integer: (below: number) => next() % below,
    bytes: (length: number) => Uint8Array.from({ length }, () => next() & 0xff),
  };
}

type Listener = Parameters<MetadataLog["follow"]>[1];

/** A handle on whatever store the cluster has now, which can be cut off. */
export class FlakyLog implements MetadataLog {
  readonly entryBytesMax = 1 << 20;
  #log: MetadataLog;
  #isConnected = true;
  #last: Sequence = 0;
  #followed: { listener: Listener; end: () => void } | undefined;
  readonly #watchers = new Set<(isConnected: boolean) => void>();
  readonly #receivers = new Set<(bytes: Uint8Array) => void>();

  constructor(store: SharedLogStore) {
    this.#log = this.#opened(store);
  }

  follow(from: Sequence, listener: Listener): () => void {
    this.#last = from;
    this.#begin(listener);
    return () => {
      this.#followed?.end();
      this.#followed = undefined;
    };
  }

  append(request: Parameters<MetadataLog["append"]>[0]): Promise<Sequence> {
    if (!this.#isConnected) return Promise.reject(new LogUnavailable("cut off"));
    return this.#log.append(request);
  }

  async trim(before: Sequence): Promise<void> {
    if (this.#isConnected) await this.#log.trim(before);
  }

  signal(bytes: Uint8Array): void {
    if (this.#isConnected) this.#log.signal(bytes);
  }

  onSignal(receive: (bytes: Uint8Array) => void): () => void {
    this.#receivers.add(receive);
    return () => this.#receivers.delete(receive);
  }

  onConnection(changed: (isConnected: boolean) => void): () => void {
    this.#watchers.add(changed);
    changed(this.#isConnected);
    return () => this.#watchers.delete(changed);
  }

  async close(): Promise<void> {
    this.#followed?.end();
    await this.#log.close();
  }

  cut(): void {
    this.#isConnected = false;
    this.#followed?.end();
    for (const watcher of this.#watchers) watcher(false);
  }

  /** `store`: what it finds there now; absent: what was there. */
  heal(store?: SharedLogStore): void {
    if (store) this.#log = this.#opened(store);
    this.#isConnected = true;
    for (const watcher of this.#watchers) watcher(true);
    if (this.#followed) this.#begin(this.#followed.listener);
  }

  #opened(store: SharedLogStore): MetadataLog {
    const log = store.open();
    log.onSignal((bytes) => {
      if (this.#isConnected) for (const receive of this.#receivers) receive(bytes);
    });
    return log;
  }

  #begin(listener: Listener): void {
    const entry = (entry: LogEntry) => {
      this.#last = entry.sequence;
      listener.entry(entry);
    };
    const reset = () => {
      this.#last = 0;
      listener.reset();
    };
    const end = this.#log.follow(this.#last, { ...listener, entry, reset });
    this.#followed = { listener, end };
  }
}

export interface Process {
  readonly member: ClusterMember;
  readonly log: FlakyLog;
  readonly brokerId: number;
  readonly host: string;
  /** The port refuses, and connections break: the process is no more. */
  kill(): void;
  /** It neither answers nor hears answers until `resume`. */
  pause(): void;
  resume(): void;
}

interface Place {
  readonly brokerId: number;
  answer: (question: unknown, from: number) => Promise<unknown>;
  lost: Set<(id: number) => void>;
  isGone: boolean;
  isPaused: boolean;
}

export class MemberCluster {
  readonly clock: Clock;
  store = new SharedLogStore();
  readonly processes: Process[] = [];
  /** Questions that get no answer. */
  isCut: (from: number, to: number) => boolean = () => false;
  questions = 0;
  readonly #places = new Map<string, Place>();
  #seed: number;

  constructor(clock: Clock, seed = 1) {
    this.clock = clock;
    this.#seed = seed;
  }

  /** A member that is open, not yet registered. */
  async open(brokerId: number, options: Partial<MemberOptions> = {}): Promise<Process> {
    const host = `m${this.processes.length + 1}`;
    const place: Place = {
      brokerId,
      answer: () => Promise.reject(new PeerUnreachable("starting", { isGone: false })),
      lost: new Set(),
      isGone: false,
      isPaused: false,
    };
    this.#places.set(host, place);
    const log = new FlakyLog(this.store);
    const { clock } = this;
    const peers = this.#peersOf(brokerId, place);
    const random = seededRandom(this.#seed++ * 7919);
    const member = await openClusterMember({ log, peers, clock, random, brokerId, ...options });
    place.answer = (question, from) => member.answer(question, from);
    const process: Process = {
      member,
      log,
      brokerId,
      host,
      kill: () => this.#kill(process, place),
      pause: () => {
        place.isPaused = true;
        log.cut();
      },
      resume: () => {
        place.isPaused = false;
        log.heal();
      },
    };
    this.processes.push(process);
    return process;
  }

  async start(brokerId: number, options: Partial<MemberOptions> = {}): Promise<Process> {
    const process = await this.open(brokerId, options);
    await this.register(process);
    return process;
  }

  register({ member, brokerId, host }: Process, more: { cleanEpoch?: number; rack?: string } = {}) {
    const { rack = null, ...rest } = more;
    return member.register({ id: brokerId, host, port: 9092, rack, ...rest });
  }

  async close(): Promise<void> {
    for (const { member, log } of this.processes) {
      await member.close();
      await log.close();
    }
    await this.store.close();
  }

  #kill(process: Process, place: Place): void {
    place.isGone = true;
    process.log.cut();
    void process.member.close();
    for (const other of this.#places.values()) {
      if (!other.isGone) for (const lost of other.lost) lost(place.brokerId);
    }
  }

  #peersOf(from: number, own: Place): Peers {
    return {
      ask: (address, question, { timeoutMs }) =>
        this.#ask({ from, own, address, question, timeoutMs }),
      onLost: (lost) => {
        own.lost.add(lost);
        return () => own.lost.delete(lost);
      },
    };
  }

  async #ask(asked: {
    from: number;
    own: Place;
    address: PeerAddress;
    question: unknown;
    timeoutMs: number;
  }): Promise<unknown> {
    const { from, own, address, question, timeoutMs } = asked;
    this.questions += 1;
    // As over a wire: the other side gets a copy, a moment later.
    const sent = JSON.stringify(question);
    await Promise.resolve();
    const place = this.#places.get(address.host);
    if (place === undefined || place.isGone) {
      throw new PeerUnreachable("refused", { isGone: true });
    }
    const isSilent = () =>
      place.isPaused || own.isPaused || own.isGone || this.isCut(from, place.brokerId);
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(timeoutMs, () =>
        reject(new PeerUnreachable("no answer", { isGone: false })),
      );
      if (isSilent()) return;
      const settle = (end: () => void) => {
        if (isSilent()) return;
        timer.cancel();
        if (place.isGone) reject(new PeerUnreachable("hung up", { isGone: false }));
        else end();
      };
      place.answer(JSON.parse(sent), from).then(
        (answer) => settle(() => resolve(JSON.parse(JSON.stringify(answer)))),
        (error: unknown) => settle(() => reject(error)),
      );
    });
  }
}
