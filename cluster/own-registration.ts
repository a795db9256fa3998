// This process as a broker of the cluster: it registers once no other living process has its id, says with each
// heartbeat who it is, and notices when another one took its place or the cluster forgot it.

import type { BrokerRecord, ControlPlane } from "./control-plane.ts";
import { ControlPlaneError } from "./control-plane.ts";
import { unavailable } from "./controller.ts";
import { identify } from "./identify.ts";
import { type MemberOptions, type MemberSettings, pause } from "./member-parts.ts";
import type { MetadataView } from "./metadata-view.ts";
import { PeerUnreachable } from "./peer.ts";
import type { Heartbeat, Identity } from "./questions.ts";
import { randomId } from "./random-id.ts";
import type { ChangeRequest } from "./requests.ts";

const PROBE_MS_MAX = 500;
const PROBE_PAUSE_MS = 100;
/** A restore is somebody's work: it is waited for as long as this process lives, a look at a time. */
const RESTORE_LOOK_MS = 60_000;

type Request = Parameters<ControlPlane["register"]>[0];

export interface OwnRegistrationParts {
  readonly options: MemberOptions;
  readonly settings: MemberSettings;
  readonly view: MetadataView;
  readonly change: (request: ChangeRequest) => Promise<unknown>;
  /** Begins to attend to the controller, or does so at once. */
  readonly attend: () => void;
}

export class OwnRegistration {
  readonly #parts: OwnRegistrationParts;
  #request: Request | undefined;
  #incarnation = "";
  #epoch = -1;
  #isHeld = false;
  #isUnderWay = false;
  #isClosed = false;

  constructor(parts: OwnRegistrationParts) {
    this.#parts = parts;
    parts.view.listen({ applied: () => this.#checkRecord() });
  }

  /** -1 while it is not registered. */
  get epoch(): number {
    return this.#epoch;
  }

  get identity(): Identity {
    const { options, view } = this.#parts;
    const { clusterId, version } = view.image;
    const { isBehind } = view;
    return { id: options.brokerId, clusterId, incarnation: this.#incarnation, version, isBehind };
  }

  get heartbeat(): Heartbeat {
    const { options, view } = this.#parts;
    const { brokerId: id } = options;
    const { version } = view.image;
    const epoch = this.#isUnderWay ? -1 : this.#epoch;
    return { id, epoch, incarnation: this.#incarnation, version, isReady: !this.#isHeld };
  }

  /**
   * Resolves when this broker takes part, or is known while it is held. While the metadata service lacks what this
   * broker knows it cannot be registered: `waiting` is told, and it goes on when the metadata was brought back. While
   * the service takes no changes it is tried again, for as long as a start may take.
   */
  async register(request: Request, waiting?: (alarm: string) => void): Promise<BrokerRecord> {
    const { view, settings, options } = this.#parts;
    const { clock } = options;
    const endMs = clock.monotonicMs() + settings.openMsMax;
    for (;;) {
      try {
        if (!view.isBehind) return await this.#registerOnce(request);
      } catch (error) {
        if (!(error instanceof ControlPlaneError) || this.#isClosed) throw error;
        const isPassing = error.fault === "unavailable" && clock.monotonicMs() < endMs;
        if (!view.isBehind && (view.isFrozen || !isPassing)) throw error;
      }
      if (view.isBehind) await this.#restored(waiting);
      else await pause(clock, PROBE_PAUSE_MS);
    }
  }

  async #restored(waiting?: (alarm: string) => void): Promise<void> {
    const { view } = this.#parts;
    waiting?.(view.alarm ?? "");
    while (view.isBehind) {
      await view.until(() => !view.isBehind, RESTORE_LOOK_MS);
      if (this.#isClosed) throw unavailable("this broker is stopping");
    }
  }

  async #registerOnce(request: Request): Promise<BrokerRecord> {
    const { options, view, settings, attend } = this.#parts;
    this.#epoch = -1;
    this.#request = request;
    this.#incarnation = randomId(options.random);
    await this.#askOthers();
    await this.#waitForNamesake(request);
    attend();
    await this.#registerNow(request);
    const own = () => view.image.brokers.get(options.brokerId);
    if (!this.#isHeld) {
      await view.until(() => own()?.fenced === false, settings.requestMsMax);
    }
    const record = own();
    if (record?.incarnation === this.#incarnation) return record;
    throw unavailable("another process registered with this broker's id");
  }

  hold(): void {
    this.#isHeld = true;
  }

  ready(): void {
    this.#isHeld = false;
    this.#parts.attend();
  }

  /** The controller does not know this process: the record says why. */
  stale(): void {
    const { view, options } = this.#parts;
    const record = view.image.brokers.get(options.brokerId);
    const request = this.#request;
    if (this.#isUnderWay || this.#isClosed || view.isFrozen || !request || this.#epoch < 0) return;
    if (record?.incarnation === this.#incarnation || (record?.epoch ?? 0) > this.#epoch) return;
    // Forgotten, or from before: whatever it was in sync with may have gone on without it.
    const { cleanEpoch: _, ...again } = request;
    this.#incarnation = randomId(options.random);
    this.#registerNow({ ...again, epochMin: this.#epoch + 1 }).catch((error: unknown) => {
      // The next heartbeat tries again.
      if (!(error instanceof ControlPlaneError)) throw error;
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  async #registerNow(request: Request): Promise<void> {
    const incarnation = this.#incarnation;
    this.#isUnderWay = true;
    try {
      const broker = { ...request, incarnation };
      const record = (await this.#parts.change({ do: "register", broker })) as BrokerRecord;
      this.#epoch = record.epoch;
    } finally {
      this.#isUnderWay = false;
    }
    this.#parts.attend();
  }

  /** Somebody else is this broker now: two of one id would each undo what the other does. */
  #checkRecord(): void {
    const { view, options } = this.#parts;
    const record = view.image.brokers.get(options.brokerId);
    if (this.#epoch < 0 || this.#isUnderWay || this.#isClosed || record === undefined) return;
    if (record.incarnation === this.#incarnation || record.epoch <= this.#epoch) return;
    view.freeze(
      `another process at ${record.host}:${record.port} registered as broker ${options.brokerId}: ` +
        "stop one of the two, and give it another id",
    );
  }

  /** Whoever lives and knows more than the metadata service says that it went back: then nobody may go on from it. */
  async #askOthers(): Promise<void> {
    const { options, view } = this.#parts;
    const { brokerId, peers } = options;
    const others = [...view.image.brokers.values()].filter(
      ({ id, fenced }) => !fenced && id !== brokerId,
    );
    const known = others.map(async (broker) => {
      const answer = await identify(peers, broker, PROBE_MS_MAX);
      if (!(answer instanceof PeerUnreachable)) view.heardOf(answer);
    });
    await Promise.all(known);
    if (view.isBehind) throw unavailable(view.alarm ?? "");
  }

  /** A living process with this id keeps it; one that is only silent has until its session would end. */
  async #waitForNamesake(request: Request): Promise<void> {
    const { options, settings, view } = this.#parts;
    const { clock, brokerId } = options;
    const endMs = clock.monotonicMs() + 2 * settings.sessionMs;
    while (clock.monotonicMs() < endMs && !this.#isClosed) {
      const known = view.image.brokers.get(brokerId);
      if (!known || known.fenced || known.incarnation === undefined) return;
      // Nobody else can listen there.
      if (known.host === request.host && known.port === request.port) return;
      if ((await this.#answerAt(known)) === "gone") return;
      await pause(clock, PROBE_PAUSE_MS);
    }
  }

  async #answerAt(known: BrokerRecord): Promise<"gone" | "silent"> {
    const { peers, brokerId } = this.#parts.options;
    const answer = await identify(peers, known, PROBE_MS_MAX);
    if (answer instanceof PeerUnreachable) return answer.isGone ? "gone" : "silent";
    if (answer.incarnation !== known.incarnation) return "gone";
    throw new ControlPlaneError(
      "broker-refused",
      `Broker id ${brokerId} belongs to the living broker at ${known.host}:${known.port}: ` +
        "give this one another id.",
    );
  }
}
