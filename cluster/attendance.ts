// A broker's side of membership: it tells the controller that it lives, and when the controller does not, it takes its
// place. Who may is a matter of rank, so that not all try at once; who does is decided by the metadata log. A broker
// that cannot reach the metadata service changes nothing: it serves its data and waits.

import { type Beacon, decodeBeacon, encodeBeacon } from "./beacon.ts";
import { BrokerWatch } from "./broker-watch.ts";
import type { ClusterImage } from "./cluster-image.ts";
import type { Controller } from "./controller.ts";
import { decideFencing } from "./decisions/brokers.ts";
import { Doubt } from "./doubt.ts";
import type { MemberClock, MemberOptions, MemberSettings, Timer } from "./member-parts.ts";
import type { MetadataView } from "./metadata-view.ts";
import { PeerUnreachable } from "./peer.ts";
import type { Heartbeat, HeartbeatAnswer } from "./questions.ts";

/** How long each candidate leaves the ones before it alone. */
const RANK_MS = 100;
const JITTER_MS = 50;
/** How often a controller that doubts asks to be replaced; signals may get lost. */
const DOUBT_BEACONS = 2;
/** A beat that comes this many intervals late means that this broker itself stood still. */
const LATE_INTERVALS_MAX = 3;

export interface AttendanceParts {
  readonly options: MemberOptions;
  readonly settings: MemberSettings;
  readonly view: MetadataView;
  readonly controller: Controller;
  /** What this broker says of itself. */
  readonly self: () => Heartbeat;
  /** The controller knows another process by this broker's id and epoch. */
  readonly isStale: () => void;
}

export class Attendance {
  readonly #parts: AttendanceParts;
  readonly #clock: MemberClock;
  readonly #ends: (() => void)[];
  #watch: BrokerWatch | undefined;
  #timer: Timer | undefined;
  #hurry: Timer | undefined;
  #isAsking = false;
  #isStarted = false;
  #isClosed = false;
  #beatMs: number;
  /** When the controller was last known to live. */
  #heardMs: number;
  /** Since when it is surely no more, or has left its place. */
  #goneMs: number | undefined;
  #hasResigned = false;
  readonly #doubt: Doubt;
  #jitterMs = 0;
  /** The silent controller that is being replaced. */
  #replaced: number | undefined;

  constructor(parts: AttendanceParts) {
    const { options, settings, view } = parts;
    this.#parts = parts;
    this.#clock = options.clock;
    this.#doubt = new Doubt(this.#clock, settings.sessionMs);
    this.#beatMs = this.#clock.monotonicMs();
    this.#heardMs = this.#beatMs;
    view.listen({
      applied: (commit) => {
        this.#watch?.applied(commit);
        const { before, after } = commit;
        if (before.controllerEpoch !== after.controllerEpoch) {
          this.#heard();
          this.#doubt.settle();
        }
        this.#watchSelf(after);
      },
      connectionChanged: () => {
        this.#heard();
        this.#doubt.settle();
      },
    });
    this.#ends = [
      options.log.onSignal((bytes) => this.#signal(decodeBeacon(bytes))),
      options.peers.onLost((id) => this.#lost(id)),
    ];
  }

  /** From now on this broker can be reached: it may be a controller. */
  start(): void {
    if (this.#isStarted) this.beat();
    else this.#begin();
  }

  /** The controller's answer to another member's heartbeat. */
  answer(heartbeat: Heartbeat): HeartbeatAnswer {
    const { controller, view } = this.#parts;
    this.#doubt.heard(heartbeat.id);
    const isStale = this.#watch !== undefined && !this.#watch.heartbeat(heartbeat);
    return {
      isController: controller.isActive,
      controllerEpoch: view.image.controllerEpoch,
      isConnected: view.isCurrent,
      isStale,
      version: view.image.version,
      isBehind: view.isBehind,
    };
  }

  /** This member became the controller, or is it no longer. */
  controllerChanged(isActive: boolean): void {
    const { options, settings, view, controller } = this.#parts;
    this.#watch?.close();
    this.#watch = undefined;
    if (!isActive) return;
    const { brokerId, clock, peers } = options;
    const doubt = (silent: readonly number[]) => this.#doubtAbout(silent);
    const parts = { brokerId, clock, settings, peers, view, controller, doubt };
    this.#watch = new BrokerWatch(parts, this.#replaced);
    this.#beacon();
  }

  /** Tells the controller at once, and not when the time comes. */
  beat(): void {
    if (this.#isStarted && !this.#isClosed) void this.#attend();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#parts.controller.isActive) this.#beacon({ isLeaving: true });
    this.#watch?.close();
    this.#timer?.cancel();
    this.#hurry?.cancel();
    for (const end of this.#ends) end();
  }

  #begin(): void {
    this.#isStarted = true;
    this.#heard();
    if (this.#parts.view.image.controllerId < 0) this.#gone();
    this.#next(0);
  }

  #next(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      if (this.#isClosed) return;
      this.#look();
      this.#next(this.#parts.settings.heartbeatMs);
    });
  }

  #look(): void {
    const { settings, controller } = this.#parts;
    const nowMs = this.#clock.monotonicMs();
    // Whoever stood still itself has no opinion of the controller.
    if (nowMs - this.#beatMs > settings.heartbeatMs * LATE_INTERVALS_MAX) this.#heard();
    this.#beatMs = nowMs;
    if (controller.isActive) this.#beacon();
    else if (this.#doubt.isOpen) this.#beacon({ isLeaving: true, isDoubting: true });
    void this.#attend();
    this.#consider();
  }

  async #attend(): Promise<void> {
    const { view, controller, self, options, settings } = this.#parts;
    const { controllerId } = view.image;
    const heartbeat = self();
    if (view.isFrozen) return;
    if (controller.isActive) {
      if (this.answer(heartbeat).isStale) this.#parts.isStale();
      return;
    }
    const address = view.image.brokers.get(controllerId);
    if (controllerId === options.brokerId || address === undefined || this.#isAsking) return;
    const { controllerEpoch } = view.image;
    this.#isAsking = true;
    try {
      const question = { ask: "heartbeat", ...heartbeat };
      const timeoutMs = (settings.sessionMs * 2) / 3;
      const answer = await options.peers.ask(address, question, { timeoutMs });
      this.#answered(controllerId, answer as HeartbeatAnswer);
    } catch (error) {
      if (!(error instanceof PeerUnreachable)) throw error;
      if (error.isGone && view.image.controllerEpoch === controllerEpoch) this.#gone();
    } finally {
      this.#isAsking = false;
    }
  }

  #answered(id: number, { isController, isConnected, isStale, ...known }: HeartbeatAnswer): void {
    this.#parts.view.heardOf({ id, ...known });
    if (isController && isConnected) this.#heard();
    if (isStale) this.#parts.isStale();
  }

  /** Takes over if the controller is gone or silent for long enough, and it is this broker's turn. */
  #consider(): void {
    const { view, controller, options, settings } = this.#parts;
    if (this.#isClosed || !this.#isStarted || !view.isCurrent || controller.isActive) return;
    const { controllerId } = view.image;
    const nowMs = this.#clock.monotonicMs();
    // The controller's place is this broker's own: left over from the process before, or lost in doubt.
    const isOwn = controllerId === options.brokerId;
    const silenceEndMs = this.#goneMs ?? this.#heardMs + settings.sessionMs;
    if (isOwn ? this.#doubt.isOpen : nowMs < silenceEndMs + this.#turnMs()) return;
    const isGone = this.#goneMs !== undefined && !this.#hasResigned && !isOwn;
    this.#replaced = isGone || isOwn ? undefined : controllerId;
    const fenced = isGone ? new Set([controllerId]) : this.#doubt.confirmed;
    void controller.takeOver((image) => decideFencing(image, fenced));
  }

  /** This broker is the controller and hears too few: whoever hears more gets its place. False: nobody did. */
  #doubtAbout(silent: readonly number[]): boolean {
    const { controller, settings } = this.#parts;
    const turnsMs = (silent.length + 1) * RANK_MS + JITTER_MS;
    const waitMs = turnsMs + DOUBT_BEACONS * settings.heartbeatMs;
    if (!this.#doubt.begin(silent, waitMs)) return false;
    controller.stepDown();
    this.#beacon({ isLeaving: true, isDoubting: true });
    this.#hurry?.cancel();
    this.#hurry = this.#clock.after(waitMs, () => this.#consider());
    return true;
  }

  /** How long this broker waits for those that are to take over before it. */
  #turnMs(): number {
    const { view, options } = this.#parts;
    const candidates = [...view.image.brokers.values()]
      .filter(({ id, fenced }) => !fenced && id !== view.image.controllerId)
      .map(({ id }) => id)
      .sort((a, b) => a - b);
    const rank = candidates.indexOf(options.brokerId);
    // Whoever left the place itself because it hears too few comes after all others.
    const lateRank = this.#doubt.isRemembered ? candidates.length : 0;
    return ((rank < 0 ? candidates.length : rank) + lateRank) * RANK_MS + this.#jitterMs;
  }

  #heard(): void {
    this.#heardMs = this.#clock.monotonicMs();
    this.#goneMs = undefined;
    this.#hasResigned = false;
    this.#hurry?.cancel();
    this.#hurry = undefined;
  }

  /** No need to wait for silence: it will not say anything any more, or asks to be replaced. */
  #gone({ hasResigned = false } = {}): void {
    if (this.#isClosed) return;
    const wasGone = this.#goneMs !== undefined;
    this.#hasResigned = wasGone ? this.#hasResigned && hasResigned : hasResigned;
    if (wasGone) return;
    this.#goneMs = this.#clock.monotonicMs();
    this.#jitterMs = this.#parts.options.random.integer(JITTER_MS);
    this.#hurry = this.#clock.after(this.#turnMs(), () => this.#consider());
  }

  #lost(id: number): void {
    if (this.#isClosed) return;
    void this.#watch?.lost(id);
    if (id === this.#parts.view.image.controllerId) this.beat();
  }

  #signal(beacon: Beacon | undefined): void {
    const { view, options } = this.#parts;
    const { clusterId, controllerId, controllerEpoch } = view.image;
    if (this.#isClosed || beacon?.clusterId !== clusterId) return;
    if (beacon.controllerId === options.brokerId || beacon.controllerEpoch < controllerEpoch)
      return;
    if (!beacon.isLeaving) this.#heard();
    else if (beacon.controllerId === controllerId) {
      this.#gone({ hasResigned: beacon.isDoubting === true });
    }
  }

  #beacon({ isLeaving = false, isDoubting = false } = {}): void {
    const { options, view, controller } = this.#parts;
    const { clusterId } = view.image;
    const beacon = { clusterId, controllerId: options.brokerId, controllerEpoch: controller.epoch };
    if (view.isCurrent) options.log.signal(encodeBeacon({ ...beacon, isLeaving, isDoubting }));
  }

  /** A record of its own that changed is answered at once: a start must not wait for the next beat. */
  #watchSelf(after: ClusterImage): void {
    const own = after.brokers.get(this.#parts.options.brokerId);
    if (own?.fenced) this.beat();
  }
}
