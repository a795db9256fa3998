// Authentication of one connection of a SASL listener: what may be asked before the client is known, which is nothing
// but versions and SASL itself; the exchange of tokens; and the end of a session, before which it is begun anew
// (KIP-368). https://kafka.apache.org/protocol#sasl_handshake

import type { Platform, Timer } from "../platform.ts";
import { type SaslExchange, SaslRefusal, type SaslServer } from "../security/sasl.ts";
import { errorCodes } from "./error-codes.ts";
import { MalformedRequest } from "./malformed-request.ts";

export interface SaslAnswer {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly authBytes: Uint8Array;
  readonly sessionLifetimeMs: number;
}

export interface AuthenticationParts {
  readonly platform: Pick<Platform, "clock">;
  readonly sasl: SaslServer;
  /** The deadline has passed. */
  readonly late: (reason: string) => void;
  /** What is due is to be sent, and then the connection is over. */
  readonly refused: (reason: string) => void;
}

const apiVersionsKey = 18;
const handshakeKey = 17;
const authenticateKey = 36;
const noBytes = new Uint8Array(0);

export class Authentication {
  readonly #parts: AuthenticationParts;
  readonly #deadline: Timer;
  #mechanism: string | undefined;
  #exchange: SaslExchange | undefined;
  #username: string | undefined;
  #usedMechanism: string | undefined;
  /** Monotonic ms. */
  #endsMs = Number.POSITIVE_INFINITY;
  #isBusy = false;

  constructor(parts: AuthenticationParts) {
    this.#parts = parts;
    const { deadlineMs } = parts.sasl.limits;
    this.#deadline = parts.platform.clock.after(deadlineMs, () =>
      parts.late(`not authenticated in ${deadlineMs} ms`),
    );
  }

  /** A token is being checked: nothing else is taken meanwhile. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  get isDone(): boolean {
    return this.#username !== undefined;
  }

  get username(): string | undefined {
    return this.#username;
  }

  get requestBytesMax(): number {
    return this.#parts.sasl.limits.requestBytesMax;
  }

  /** Throws for what may not be asked now: the connection ends, as Kafka ends it. */
  admit(apiKey: number, name: string): void {
    if (apiKey === apiVersionsKey || apiKey === handshakeKey || apiKey === authenticateKey) return;
    if (!this.isDone) throw new MalformedRequest(`${name} before SASL authentication`);
    if (this.#parts.platform.clock.monotonicMs() > this.#endsMs) {
      throw new MalformedRequest(`${name} after the SASL session of ${this.#username} has ended`);
    }
  }

  handshake(mechanism: string): { errorCode: number; mechanisms: readonly string[] } {
    const { mechanisms } = this.#parts.sasl;
    const mayBeginAnew = !this.isDone || this.#endsMs !== Number.POSITIVE_INFINITY;
    if (this.#exchange !== undefined || !mayBeginAnew) {
      if (!this.isDone) this.#parts.refused("SaslHandshake in the middle of an authentication");
      return { errorCode: errorCodes.ILLEGAL_SASL_STATE, mechanisms };
    }
    const known = mechanisms.find((one) => one === mechanism);
    if (known === undefined) {
      this.#parts.refused(`SASL mechanism ${mechanism.slice(0, 64)} is not offered`);
      return { errorCode: errorCodes.UNSUPPORTED_SASL_MECHANISM, mechanisms };
    }
    this.#mechanism = known;
    this.#exchange = this.#parts.sasl.begin(known);
    return { errorCode: errorCodes.NONE, mechanisms };
  }

  /** `token` is read before the first wait. */
  async authenticate(token: Uint8Array): Promise<SaslAnswer> {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      if (!this.isDone) this.#parts.refused("SaslAuthenticate without SaslHandshake");
      return refusal(
        errorCodes.ILLEGAL_SASL_STATE,
        "SaslAuthenticate request received without a SaslHandshake before it",
      );
    }
    this.#isBusy = true;
    try {
      const step = await exchange.respond(token.slice());
      const { username } = step;
      if (username !== undefined) this.#finish(username);
      const sessionLifetimeMs = username === undefined ? 0 : this.#parts.sasl.limits.sessionMs;
      return { ...noRefusal, authBytes: step.token, sessionLifetimeMs };
    } catch (error) {
      if (!(error instanceof SaslRefusal)) throw error;
      await this.#delay();
      this.#parts.refused(error.message);
      return refusal(errorCodes.SASL_AUTHENTICATION_FAILED, error.message);
    } finally {
      this.#isBusy = false;
    }
  }

  close(): void {
    this.#deadline.cancel();
  }

  #finish(username: string): void {
    const isOther = this.isDone && username !== this.#username;
    const isOtherWay = this.isDone && this.#mechanism !== this.#usedMechanism;
    if (isOther || isOtherWay) {
      throw new SaslRefusal("Cannot change principals or mechanisms during re-authentication");
    }
    this.#username = username;
    this.#usedMechanism = this.#mechanism;
    this.#exchange = undefined;
    this.#deadline.cancel();
    const { sessionMs } = this.#parts.sasl.limits;
    if (sessionMs > 0) this.#endsMs = this.#parts.platform.clock.monotonicMs() + sessionMs;
  }

  #delay(): Promise<void> {
    const { refusalDelayMs } = this.#parts.sasl.limits;
    return new Promise((resolve) => {
      this.#parts.platform.clock.after(refusalDelayMs, resolve, { keepAlive: true });
    });
  }
}

const noRefusal = { errorCode: errorCodes.NONE, errorMessage: null };

function refusal(errorCode: number, errorMessage: string): SaslAnswer {
  return { errorCode, errorMessage, authBytes: noBytes, sessionLifetimeMs: 0 };
}
