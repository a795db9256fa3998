// A broker's part in its cluster: registered at once as a rule; where the metadata service lost what this broker knows,
// only when the metadata was brought back. Until then it leads nothing, since in the old epochs it may have lost
// records that others have, and gives what it has to readers. Used by `server.ts` only.

import type { BrokerRecord, ControlPlane } from "../cluster/control-plane.ts";
import type { LocalBroker } from "./local-broker.ts";
import { asError } from "./server-reports.ts";
import type { Logger } from "./telemetry/logger.ts";

export interface OwnMembershipParts {
  readonly controlPlane: ControlPlane;
  readonly broker: LocalBroker;
  readonly request: Parameters<ControlPlane["register"]>[0];
  readonly logger: Logger;
  /** Told when a broker that waited cannot be registered after all. */
  readonly failed: (error: Error) => void;
}

export class OwnMembership {
  readonly #parts: OwnMembershipParts;
  #isWaiting = false;

  constructor(parts: OwnMembershipParts) {
    this.#parts = parts;
  }

  /** Not registered: it serves readers from its copies, and nothing else. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Resolves when this broker leads what it should, or has to wait for that. */
  begin(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#register(resolve).then(resolve, (error: unknown) => {
        const isLate = this.#isWaiting;
        this.#isWaiting = false;
        if (isLate) this.#parts.failed(asError(error));
        else reject(error);
      });
    });
  }

  async #register(waits: () => void): Promise<void> {
    const { controlPlane, broker, request } = this.#parts;
    const self = await controlPlane.register(request, (alarm) => this.#wait(alarm, waits));
    this.#isWaiting = false;
    this.#take(broker, self);
  }

  #wait(alarm: string, waits: () => void): void {
    const { controlPlane, broker, request, logger } = this.#parts;
    logger.error("metadata-lost", `this broker serves readers only: ${alarm}`);
    // One that its own copy of the metadata does not know has nothing to serve.
    if (this.#isWaiting || !controlPlane.state().brokers.has(request.id)) return;
    this.#isWaiting = true;
    broker.serveReaders();
    waits();
  }

  #take(broker: LocalBroker, self: BrokerRecord): void {
    broker.begin(self);
    const { logger } = this.#parts;
    logger.info("registered", `broker ${self.id} takes part with epoch ${self.epoch}`);
  }
}
