// What the active controller does without being asked: it fences who falls silent or is gone, lets back who is heard
// again, and leads partitions back to their preferred brokers. It does nothing while the metadata service is away.

import type { ClusterImage, ImageChange } from "./cluster-image.ts";
import { type BrokerRecord, ControlPlaneError } from "./control-plane.ts";
import type { Controller } from "./controller.ts";
import { decideFencing, decideUnfencing } from "./decisions/brokers.ts";
import { decideElections } from "./decisions/elections.ts";
import { identify } from "./identify.ts";
import { type MemberClock, type MemberSettings, pause, type Timer } from "./member-parts.ts";
import type { Commit } from "./metadata-course.ts";
import type { MetadataView } from "./metadata-view.ts";
import { type Peers, PeerUnreachable } from "./peer.ts";
import type { Heartbeat } from "./questions.ts";
import { Sessions } from "./sessions.ts";

/** A broker whose connection broke is asked who it is; a living one answers at once. */
const PROBE_MS_MAX = 1_000;
const PROBES_MAX = 5;
const PROBE_PAUSE_MS = 30;
/** What is left of the session of a controller that was replaced because it had been silent. */
const REPLACED_SESSION_PART = 1 / 3;

export interface BrokerWatchParts {
  readonly brokerId: number;
  readonly clock: MemberClock;
  readonly settings: MemberSettings;
  readonly peers: Peers;
  readonly view: MetadataView;
  readonly controller: Controller;
  /** Most are silent: it may be this broker that is cut off. False: it asked that already, and nobody answered. */
  readonly doubt: (silent: readonly number[]) => boolean;
}

export class BrokerWatch {
  readonly #parts: BrokerWatchParts;
  readonly #sessions: Sessions;
  /** A broker is unfenced when it has applied the metadata up to here: it knows that it was fenced, and all since. */
  readonly #mustKnow = new Map<number, number>();
  readonly #takeoverVersion: number;
  readonly #intervalMs: number;
  #timer: Timer | undefined;
  #rebalanceMs: number;
  #heardAgain = new Set<number>();
  #isClosed = false;

  /** `replaced`: the silent controller before this one. */
  constructor(parts: BrokerWatchParts, replaced: number | undefined) {
    const { clock, settings, view } = parts;
    this.#parts = parts;
    const nowMs = clock.monotonicMs();
    this.#intervalMs = Math.max(1, settings.heartbeatMs / 2);
    const { sessionMs } = settings;
    this.#sessions = new Sessions({ sessionMs, intervalMs: this.#intervalMs }, nowMs);
    this.#takeoverVersion = view.image.version;
    this.#rebalanceMs = nowMs + settings.leaderRebalanceMs;
    for (const broker of view.image.brokers.values()) {
      if (!broker.fenced && broker.id !== parts.brokerId) this.#sessions.heard(broker.id, nowMs);
    }
    if (replaced !== undefined && this.#sessions.has(replaced)) {
      this.#sessions.heard(replaced, nowMs, sessionMs * REPLACED_SESSION_PART);
    }
    this.#lookAgain();
  }

  /** False: that process is not the registered one. */
  heartbeat({ id, epoch, incarnation, version, isReady }: Heartbeat): boolean {
    const { view, clock, brokerId } = this.#parts;
    if (epoch < 0) return true;
    const broker = view.image.brokers.get(id);
    // It may have heard of its registration before this view shows it.
    if (broker === undefined || broker.epoch < epoch) return version > view.image.version;
    if (broker.epoch !== epoch || broker.incarnation !== incarnation) return false;
    if (!broker.fenced) {
      if (id !== brokerId) this.#sessions.heard(id, clock.monotonicMs());
    } else if (isReady && version >= (this.#mustKnow.get(id) ?? this.#takeoverVersion)) {
      this.#unfence(id);
    }
    return true;
  }

  /** A connection to or from it broke: if nobody listens at its address any more, there is nothing to wait for. */
  async lost(id: number): Promise<void> {
    const { view, brokerId } = this.#parts;
    const broker = view.image.brokers.get(id);
    if (broker === undefined || broker.fenced || id === brokerId) return;
    if (await isGone(this.#parts, broker)) await this.fence([id]);
  }

  async fence(ids: readonly number[]): Promise<void> {
    const { view } = this.#parts;
    if (this.#isClosed || ids.length === 0 || !view.isCurrent) return;
    const gone = new Set(ids);
    await this.#decided((image) => decideFencing(image, gone));
  }

  /** Sessions follow the records: who is fenced has none, who takes part has one. */
  applied({ changes, after }: Commit): void {
    for (const change of changes) {
      if (change.put === "member-removal") this.#sessions.forget(change.id);
      if (change.put !== "member" || change.broker.id === this.#parts.brokerId) continue;
      const { id, fenced } = change.broker;
      if (!fenced) this.#sessions.heard(id, this.#parts.clock.monotonicMs());
      else {
        this.#sessions.forget(id);
        this.#mustKnow.set(id, after.version);
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #lookAgain(): void {
    this.#timer = this.#parts.clock.after(this.#intervalMs, () => {
      if (this.#isClosed) return;
      this.#look();
      this.#lookAgain();
    });
  }

  #look(): void {
    const { clock, settings, view } = this.#parts;
    const nowMs = clock.monotonicMs();
    const silent = this.#sessions.expired(nowMs);
    // While the metadata service is away nobody is to blame for what could not be said.
    if (!view.isCurrent) this.#sessions.refresh(nowMs);
    else if (!this.#isAlone(silent) || !this.#parts.doubt(silent)) void this.fence(silent);
    if (settings.leaderRebalanceMs > 0 && nowMs >= this.#rebalanceMs) {
      this.#rebalanceMs = nowMs + settings.leaderRebalanceMs;
      const preferred = { kind: "preferred", partitions: null } as const;
      void this.#decided((image) => decideElections(image, preferred).changes);
    }
  }

  /** Whether no majority of those who take part would be left. */
  #isAlone(silent: readonly number[]): boolean {
    if (silent.length === 0) return false;
    const taking = [...this.#parts.view.image.brokers.values()].filter(({ fenced }) => !fenced);
    return (taking.length - silent.length) * 2 <= taking.length;
  }

  /** Brokers that come back together are let back together. */
  #unfence(id: number): void {
    const isFirst = this.#heardAgain.size === 0;
    this.#heardAgain.add(id);
    if (!isFirst) return;
    void this.#decided((image) => {
      const ids = this.#heardAgain;
      this.#heardAgain = new Set();
      return decideUnfencing(image, ids);
    }).then((version) => {
      // Not written: their next heartbeats ask again.
      if (version === undefined) this.#heardAgain.clear();
    });
  }

  /** Undefined: the controller moved, and all this is its business. */
  async #decided(
    decide: (image: ClusterImage) => readonly ImageChange[],
  ): Promise<number | undefined> {
    const { controller } = this.#parts;
    try {
      const decision = (image: ClusterImage) => ({ changes: decide(image), result: null });
      return (await controller.decide(decision)).version;
    } catch (error) {
      if (error instanceof ControlPlaneError) return undefined;
      throw error;
    }
  }
}

/** Whether the registered process is surely no more: its port refuses, or another process answers there. */
export async function isGone(
  { peers, clock }: { readonly peers: Peers; readonly clock: MemberClock },
  broker: BrokerRecord,
): Promise<boolean> {
  for (let probe = 1; ; probe++) {
    const answer = await identify(peers, broker, PROBE_MS_MAX);
    if (!(answer instanceof PeerUnreachable)) return answer.incarnation !== broker.incarnation;
    if (answer.isGone || probe === PROBES_MAX) return answer.isGone;
    // The system closes a dead process' connections one by one: for a moment its port may still take new ones.
    await pause(clock, PROBE_PAUSE_MS);
  }
}
