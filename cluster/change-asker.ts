// How a member gets a change made: by the controller, wherever that is and moves to, for as long as a caller can be
// expected to wait.

import { ControlPlaneError } from "./control-plane.ts";
import type { Controller, Decided } from "./controller.ts";
import { unavailable } from "./controller.ts";
import { type MemberOptions, type MemberSettings, pause } from "./member-parts.ts";
import type { MetadataView } from "./metadata-view.ts";
import { PeerUnreachable } from "./peer.ts";
import type { ChangeAnswer } from "./questions.ts";
import { type Asker, type ChangeRequest, decideRequest } from "./requests.ts";

/** Between two attempts while the controller moves. */
const RETRY_PAUSE_MS = 100;
/** One attempt; the controller may wait for the metadata service. */
const ASK_MS_MAX = 6_000;

export interface ChangeAskerParts {
  readonly options: MemberOptions;
  readonly settings: MemberSettings;
  readonly view: MetadataView;
  readonly controller: Controller;
  /** This broker's epoch, -1 while it is not registered. */
  readonly epoch: () => number;
}

export class ChangeAsker {
  readonly #parts: ChangeAskerParts;
  #isClosed = false;

  constructor(parts: ChangeAskerParts) {
    this.#parts = parts;
  }

  /** Resolves when the change is made and in this member's view. Faults: the decision's, unavailable. */
  async change(request: ChangeRequest): Promise<unknown> {
    const { view, options, settings } = this.#parts;
    const { clock } = options;
    const endMs = clock.monotonicMs() + settings.requestMsMax;
    for (let isRepeat = false; ; isRepeat = true) {
      this.#checkUsable();
      try {
        const { version, result } = await this.#attempt(request, isRepeat);
        const restMs = Math.max(0, endMs - clock.monotonicMs());
        await view.until(() => view.image.version >= version, restMs);
        return result;
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (clock.monotonicMs() + RETRY_PAUSE_MS >= endMs) throw this.#giveUp(error);
      }
      await pause(clock, RETRY_PAUSE_MS);
    }
  }

  /** Another member's request, or this one's own, if this member is the controller. */
  decide(request: ChangeRequest, asker: Asker): Promise<Decided<unknown>> {
    const { controller, options } = this.#parts;
    const { random } = options;
    return controller.decide((image) => decideRequest(image, request, { asker, random }));
  }

  async answer(request: ChangeRequest, asker: Asker): Promise<ChangeAnswer> {
    try {
      return { done: true, ...(await this.decide(request, asker)) };
    } catch (error) {
      if (!(error instanceof ControlPlaneError)) throw error;
      return { done: false, fault: error.fault, message: error.message };
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  async #attempt(request: ChangeRequest, isRepeat: boolean): Promise<Decided<unknown>> {
    const { options, view, controller, epoch } = this.#parts;
    const { brokerId, peers } = options;
    const asker: Asker = { id: brokerId, epoch: epoch(), isRepeat };
    if (controller.isActive) return this.decide(request, asker);
    const { controllerId, brokers } = view.image;
    const address = brokers.get(controllerId);
    if (controllerId === brokerId || address === undefined) throw unavailable();
    const question = { ask: "change", asker, request };
    const value = await peers.ask(address, question, { timeoutMs: ASK_MS_MAX });
    const answer = value as ChangeAnswer;
    if (answer.done) return answer;
    throw new ControlPlaneError(answer.fault, answer.message);
  }

  #checkUsable(): void {
    const { view } = this.#parts;
    if (this.#isClosed) throw unavailable("this broker is stopping");
    if (view.isFrozen) throw unavailable(view.alarm ?? "");
  }

  #giveUp(cause: unknown): ControlPlaneError {
    if (!this.#parts.view.isConnected) return unavailable("the metadata service does not answer");
    if (cause instanceof ControlPlaneError) return cause;
    const why = cause instanceof Error ? ` (${cause.message})` : "";
    return unavailable(`the controller does not answer${why}`);
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof PeerUnreachable) return true;
  return error instanceof ControlPlaneError && error.fault === "unavailable";
}
