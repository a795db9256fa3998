// KafkaConnection: one client. Bytes come in as frames, each frame becomes a call of its API's handler while
// its bytes are valid, and the answer goes to the outbox. Kafka's manners: a request that cannot be understood
// ends the connection; only an unknown ApiVersions version gets an answer.

import type { HostPort } from "../config.ts";
import type { Connection, Platform } from "../platform.ts";
import type { SaslServer } from "../security/sasl.ts";
import { apiVersions, unknownVersionAnswer } from "./apis/api-versions.ts";
import { Authentication } from "./authentication.ts";
import type { Door } from "./door.ts";
import { FrameAssembler } from "./frames.ts";
import type { ClientConnection, HandlerContext, Registration } from "./handler.ts";
import { type RequestHeader, readClientId, readRequestPrefix } from "./headers.ts";
import { MalformedRequest } from "./malformed-request.ts";
import { type Asked, Outbox } from "./outbox.ts";
import type { Reader } from "./reader.ts";

export class KafkaConnection implements ClientConnection {
  readonly id: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly listener: string;
  readonly advertised: HostPort | undefined;
  readonly authentication: Authentication | undefined;
  readonly #door: Door;
  readonly #connection: Connection;
  readonly #frames: FrameAssembler;
  readonly #outbox: Outbox;
  readonly #abort = new AbortController();
  /** Monotonic ms of the last byte received or taken by the socket. */
  #activeMs: number;
  #paused = false;
  #continuing = false;
  #ending = false;
  #closed = false;

  constructor(door: Door, connection: Connection, id: number, listener: string) {
    this.#door = door;
    this.#connection = connection;
    this.id = id;
    this.remoteAddress = connection.remoteAddress;
    this.remotePort = connection.remotePort;
    this.listener = listener;
    this.advertised = door.listenerOf(listener)?.advertised;
    this.authentication = this.#authenticationBy(door.listenerOf(listener)?.sasl);
    this.#activeMs = this.#platform.clock.monotonicMs();
    this.#frames = new FrameAssembler({
      memory: this.#platform.core,
      budget: door.budget,
      requestBytesMax: () => this.#requestBytesMax,
      handle: (frame) => this.#handle(frame),
      ready: () => this.#continueSoon(),
    });
    this.#outbox = new Outbox({
      connection,
      writers: door.writers,
      buffers: door.buffers,
      limits: door.limits,
      failed: (error, asked) => this.#failed(error, asked),
      answered: (asked, bytes) => this.#answered(asked, bytes),
      progressed: () => this.#progressed(),
    });
    connection.onData((chunk) => this.#receive(chunk));
    connection.onClose(() => this.#gone());
  }

  get #platform(): Platform {
    return this.#door.platform;
  }

  get #requestBytesMax(): number {
    const { requestBytesMax } = this.#door.limits;
    const authentication = this.authentication;
    if (authentication === undefined || authentication.isDone) return requestBytesMax;
    return Math.min(requestBytesMax, authentication.requestBytesMax);
  }

  #authenticationBy(sasl: SaslServer | undefined): Authentication | undefined {
    return (
      sasl &&
      new Authentication({
        platform: this.#platform,
        sasl,
        late: (reason) => this.close(reason),
        refused: (reason) => {
          this.#door.notice(`refused ${this.#name}: ${reason}`);
          this.#ending = true;
          if (this.#paused) this.#connection.resume();
        },
      })
    );
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Answers that are due or on their way. */
  get inFlight(): number {
    return this.#outbox.depth;
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#door.notice(`closed the connection of ${this.#name}: ${reason}`);
    this.#destroy();
  }

  /** Takes no more requests; ends when what is due was sent. Fetches that wait are answered at once. */
  end(): void {
    this.#ending = true;
    this.#abort.abort();
    // What still comes is dropped, but must be read: a paused socket never notices that its client left.
    if (this.#paused) this.#connection.resume();
    this.#endIfDone();
  }

  /** Ends without waiting and without a word. */
  destroy(): void {
    this.#destroy();
  }

  /** Closes the connection if nothing happened on it for too long. */
  checkSilence(nowMs: number): void {
    const silentMs = nowMs - this.#activeMs;
    const { idleMsMax, stallMsMax } = this.#door.limits;
    const stalled = this.#frames.partial && !this.#frames.stopped && silentMs > stallMsMax;
    if (stalled) this.close(`silent for ${Math.round(silentMs)} ms in the middle of a request`);
    else if (silentMs > idleMsMax && !this.#outbox.waiting) {
      this.close(`idle for ${Math.round(silentMs)} ms`);
    }
  }

  get #name(): string {
    return `${this.remoteAddress}:${this.remotePort}`;
  }

  #receive(chunk: Uint8Array): void {
    this.#activeMs = this.#platform.clock.monotonicMs();
    this.#door.received(chunk.length);
    if (this.#ending) return;
    this.#guarded(() => this.#frames.push(chunk));
  }

  /** Runs what handles frames: their answers leave together, and bad bytes end this connection only. */
  #guarded(run: () => void): void {
    if (this.#closed) return;
    let failure: unknown;
    this.#connection.cork();
    try {
      run();
    } catch (error) {
      failure = error;
    }
    this.#outbox.flush();
    this.#connection.uncork();
    if (failure !== undefined) this.#failed(failure, undefined);
    else if (this.#frames.stopped) this.#pause();
  }

  /** False: no more frames for now. */
  #handle(frame: Reader): boolean {
    const prefix = readRequestPrefix(frame);
    const registration = this.#door.registration(prefix.apiKey);
    if (!registration) throw new MalformedRequest(`unknown API key ${prefix.apiKey}`);
    const { api } = registration;
    this.authentication?.admit(api.key, api.name);
    const startedMs = this.#door.observes ? this.#platform.clock.monotonicMs() : 0;
    if (prefix.apiVersion >= api.versions.min && prefix.apiVersion <= api.versions.max) {
      this.#serve(registration, prefix, frame, startedMs);
    } else {
      this.#refuseVersion(registration, prefix, startedMs);
    }
    if (this.authentication?.isBusy) return false;
    return !this.#ending && this.#outbox.depth < this.#door.limits.pipelinedRequestsMax;
  }

  #serve(
    { api, handle }: Registration,
    prefix: Omit<RequestHeader, "clientId">,
    frame: Reader,
    startedMs: number,
  ): void {
    const { apiVersion, correlationId } = prefix;
    const clientId = readClientId(frame, api.isFlexible(apiVersion));
    const request = api.decodeRequest(apiVersion, frame) as never;
    const { broker, report } = this.#door;
    const context: HandlerContext = {
      broker,
      platform: this.#platform,
      connection: this,
      clientId,
      apiVersion,
      report,
    };
    const result = handle(request, context);
    if (!this.#closed || result instanceof Promise) {
      this.#outbox.add({ api, apiVersion, correlationId, startedMs }, result);
    }
  }

  #refuseVersion(
    { api }: Registration,
    { apiVersion, correlationId }: Omit<RequestHeader, "clientId">,
    startedMs: number,
  ): void {
    if (api.key !== apiVersions.key) {
      const { min, max } = api.versions;
      throw new MalformedRequest(`${api.name} version ${apiVersion}; served are ${min} to ${max}`);
    }
    this.#outbox.add({ api, apiVersion: 0, correlationId, startedMs }, unknownVersionAnswer());
  }

  #answered(asked: Asked, bytes: number): void {
    this.#door.answered(asked, bytes);
    if (this.#paused || this.#ending) this.#continueSoon();
  }

  #progressed(): void {
    this.#activeMs = this.#platform.clock.monotonicMs();
    if (this.#paused || this.#ending) this.#continueSoon();
  }

  #pause(): void {
    if (this.#paused || this.#ending || this.#closed) return;
    this.#paused = true;
    this.#connection.pause();
  }

  /** Deferred, because it is called from within the handling of frames and the sending of answers. */
  #continueSoon(): void {
    if (this.#continuing || this.#closed) return;
    this.#continuing = true;
    this.#platform.clock.soon(() => {
      this.#continuing = false;
      this.#guarded(() => this.#continue());
    });
  }

  #continue(): void {
    if (this.#ending) {
      this.#endIfDone();
      return;
    }
    if (this.authentication?.isBusy) return;
    if (this.#outbox.depth > this.#door.limits.pipelinedRequestsMax / 2) return;
    this.#frames.resume();
    if (this.#frames.stopped || !this.#paused) return;
    this.#paused = false;
    this.#connection.resume();
  }

  #endIfDone(): void {
    if (!this.#closed && this.#outbox.depth === 0) this.#connection.end();
  }

  #failed(error: unknown, asked: Asked | undefined): void {
    if (this.#closed) return;
    if (error instanceof MalformedRequest) {
      this.close(error.message);
      return;
    }
    this.#door.report(error, `${asked?.api.name ?? "a request"} of ${this.#name}`);
    this.close("an answer could not be made");
  }

  #destroy(): void {
    this.#connection.destroy();
    this.#gone();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.authentication?.close();
    this.#frames.close();
    this.#outbox.close();
    this.#abort.abort();
    this.#door.closed(this);
  }
}
