// BrokerConnection: one TCP connection to one broker, requests pipelined and answered in order, versions
// agreed by ApiVersions before the first. It never reconnects: `connection-pool.ts` opens a new one.

import { apiVersions } from "../kafka/apis/api-versions.ts";
import { errorCodes } from "../kafka/error-codes.ts";
import { skipResponseHeaderTags, writeRequestHeader } from "../kafka/headers.ts";
import { Reader } from "../kafka/reader.ts";
import type { Api, ResponseOf } from "../kafka/schema.ts";
import { Writer } from "../kafka/writer.ts";
import type { Connection, Timer } from "../platform.ts";
import { version as softwareVersion } from "../version.ts";
import { type Address, addressText, type Context } from "./context.ts";
import { asClientError, ClientError } from "./error.ts";
import { FrameCutter, type FrameMemory } from "./frames.ts";

const softwareName = "timberline";
/** Writers kept for reuse, and the largest buffer worth keeping. */
const writersMax = 8;
const writerBytesMax = 65_536;

export interface CallOptions {
  /** Above the client's own: for requests that the broker holds on purpose. */
  readonly extraTimeoutMs?: number;
  /** Not above this version, whatever both sides speak. */
  readonly versionMax?: number;
}

/** After so long without an answer the others are asked whether this broker still lives, and how often then. */
const silenceMs = 1_000;
const inquiryEveryMs = 500;

/** Of its session a connection is used so much, so that what is under way at its end is answered in time. */
const sessionPart = 0.8;

interface Pending {
  readonly deadlineMs: number;
  /** From then on the silence is suspicious. */
  readonly doubtMs: number;
  /** Reads the answer after the correlation id. */
  answer(reader: Reader): void;
  fail(error: ClientError): void;
}

export class BrokerConnection {
  readonly address: Address;
  readonly #context: Context;
  readonly #connection: Connection;
  readonly #frames: FrameCutter;
  readonly #pending = new Map<number, Pending>();
  readonly #versions = new Map<number, { min: number; max: number }>();
  /** Finalized feature levels (KIP-584), by name. */
  readonly #features = new Map<string, number>();
  readonly #writers: Writer[] = [];
  readonly #onClosed: () => void;
  #correlationId = 0;
  #sweep: Timer | null = null;
  #isInquiring = false;
  #sessionEnd: Timer | null = null;
  #isRetired = false;
  #closedBy: ClientError | null = null;

  /** Dials and agrees on versions; rejects with NETWORK_EXCEPTION or UNSUPPORTED_VERSION. */
  static async open(
    context: Context,
    address: Address,
    onClosed: () => void,
    frameMemory?: FrameMemory,
  ) {
    const where = `Connecting to ${addressText(address)}`;
    let dialled: Connection;
    try {
      const { connectTimeoutMs: timeoutMs, tls } = context.settings;
      dialled = await context.network.dial({ ...address, timeoutMs, tls });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const what = `${where}: ${why}. Start the broker, or check the address.`;
      throw new ClientError("NETWORK_EXCEPTION", what, { cause: error });
    }
    const connection = new BrokerConnection(context, address, dialled, onClosed, frameMemory);
    try {
      await connection.#agreeOnVersions();
      await connection.#authenticate(where);
    } catch (error) {
      connection.close();
      throw asClientError(error, where);
    }
    return connection;
  }

  private constructor(
    context: Context,
    address: Address,
    connection: Connection,
    onClosed: () => void,
    frameMemory: FrameMemory | undefined,
  ) {
    this.#context = context;
    this.address = address;
    this.#connection = connection;
    this.#onClosed = onClosed;
    this.#frames = new FrameCutter((frame) => this.#receive(frame), frameMemory);
    connection.onData(
      (chunk) => this.#push(chunk),
      () => this.#frames.space(),
    );
    connection.onClose((error) => {
      const why = error?.message ?? "closed by the broker";
      this.#fail(error instanceof ClientError ? error : this.#lost(why));
    });
  }

  /** Whether it takes requests: not any more when its session ends soon, though answers still come. */
  get isOpen(): boolean {
    return this.#closedBy === null && !this.#isRetired;
  }

  /** Requests without an answer yet. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** The version both sides speak; throws UNSUPPORTED_VERSION if there is none. */
  version(
    api: Pick<Api, "key" | "name" | "versions" | "isPrivate">,
    versionMax = api.versions.max,
  ): number {
    if (api.isPrivate) return versionMax;
    const theirs = this.#versions.get(api.key);
    const version = Math.min(api.versions.max, versionMax, theirs?.max ?? -1);
    if (theirs !== undefined && version >= Math.max(api.versions.min, theirs.min)) return version;
    const spoken = theirs === undefined ? "not at all" : `in versions ${theirs.min}–${theirs.max}`;
    throw new ClientError(
      "UNSUPPORTED_VERSION",
      `${addressText(this.address)} speaks ${api.name} ${spoken}, ` +
        `this client ${api.versions.min}–${api.versions.max}. Use a newer broker.`,
    );
  }

  /** Whether both sides speak a version of it. */
  supports(api: Pick<Api, "key" | "versions">): boolean {
    const theirs = this.#versions.get(api.key);
    if (theirs === undefined) return false;
    return theirs.max >= api.versions.min && theirs.min <= api.versions.max;
  }

  /** The level the cluster has agreed on for a feature; 0: none. */
  featureLevel(name: string): number {
    return this.#features.get(name) ?? 0;
  }

  /** Sends a request and resolves with its answer. */
  call<Req, ReqIn, Res, ResIn>(
    api: Api<Req, ReqIn, Res, ResIn>,
    message: ReqIn,
    options: CallOptions = {},
  ): Promise<Res> {
    return new Promise((resolve, reject) => {
      const version = this.version(api, options.versionMax);
      const correlationId = this.#send(api, version, message);
      this.#expect(correlationId, options.extraTimeoutMs ?? 0, {
        answer(reader) {
          skipResponseHeaderTags(reader, api, version);
          resolve(api.decodeResponse(version, reader));
        },
        fail: reject,
      });
    });
  }

  /** Sends a request that is never answered (acks=0); resolves when the bytes have left. */
  tell<Req, ReqIn, Res, ResIn>(
    api: Api<Req, ReqIn, Res, ResIn>,
    message: ReqIn,
    options: CallOptions = {},
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const written = () => (this.#closedBy === null ? resolve() : reject(this.#closedBy));
      this.#send(api, this.version(api, options.versionMax), message, written);
    });
  }

  close(): void {
    this.#fail(this.#lost("closed by this client"));
  }

  // ---- sending ----

  #send<Req, ReqIn, Res, ResIn>(
    api: Api<Req, ReqIn, Res, ResIn>,
    apiVersion: number,
    message: ReqIn,
    written?: () => void,
  ): number {
    if (this.#closedBy !== null) throw this.#closedBy;
    const correlationId = this.#correlationId;
    this.#correlationId = (correlationId + 1) & 0x7fffffff;
    const { clientId } = this.#context.settings;
    const writer = this.#writers.pop() ?? new Writer();
    writer.beginFrame();
    writeRequestHeader(writer, api, { apiVersion, correlationId, clientId });
    api.encodeRequest(apiVersion, message, writer);
    writer.endFrame();
    this.#write(writer, written);
    return correlationId;
  }

  #write(writer: Writer, written: (() => void) | undefined): void {
    const chunks = writer.chunks();
    const last = chunks.length - 1;
    if (last > 0) this.#connection.cork();
    for (const [i, chunk] of chunks.entries()) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError("a client sends records as bytes");
      if (i < last) this.#connection.write(chunk);
      else this.#connection.write(chunk, () => this.#recycle(writer, written));
    }
    if (last > 0) this.#connection.uncork();
  }

  #recycle(writer: Writer, written: (() => void) | undefined): void {
    const worthKeeping = writer.capacity <= writerBytesMax && this.#writers.length < writersMax;
    writer.reset();
    if (worthKeeping) this.#writers.push(writer);
    written?.();
  }

  #expect(
    correlationId: number,
    extraTimeoutMs: number,
    handlers: Pick<Pending, "answer" | "fail">,
  ): void {
    const nowMs = this.#context.nowMs();
    const deadlineMs = nowMs + this.#context.settings.requestTimeoutMs + extraTimeoutMs;
    const doubtMs = nowMs + silenceMs + extraTimeoutMs;
    this.#pending.set(correlationId, { ...handlers, deadlineMs, doubtMs });
    if (this.#sweep === null) this.#armSweep(Math.min(deadlineMs, doubtMs) - nowMs);
  }

  /** One timer per connection: fires at the earliest time it knew, then looks again. */
  #armSweep(delayMs: number): void {
    this.#sweep = this.#context.platform.clock.after(delayMs, () => {
      this.#sweep = null;
      if (this.#pending.size === 0) return;
      const nowMs = this.#context.nowMs();
      let endMs = Number.POSITIVE_INFINITY;
      let suspiciousMs = Number.POSITIVE_INFINITY;
      for (const { deadlineMs, doubtMs } of this.#pending.values()) {
        endMs = Math.min(endMs, deadlineMs);
        suspiciousMs = Math.min(suspiciousMs, doubtMs);
      }
      if (endMs <= nowMs) return this.#timedOut();
      if (suspiciousMs <= nowMs) void this.#inquire();
      this.#armSweep(Math.min(endMs, Math.max(suspiciousMs, nowMs + inquiryEveryMs)) - nowMs);
    });
  }

  #timedOut(): void {
    const { requestTimeoutMs } = this.#context.settings;
    const where = addressText(this.address);
    const what = `${where} has not answered within ${requestTimeoutMs} ms. Is it overloaded?`;
    this.#fail(new ClientError("REQUEST_TIMED_OUT", what));
  }

  /** A broker that was stopped or cut off says nothing; the cluster knows of it long before the request's end. */
  async #inquire(): Promise<void> {
    if (this.#isInquiring) return;
    this.#isInquiring = true;
    const isGone = await this.#context.isGone(this.address);
    this.#isInquiring = false;
    if (isGone && this.#pending.size > 0) {
      this.#fail(this.#lost("it does not answer, and the other brokers count it as gone"));
    }
  }

  // ---- receiving ----

  #push(chunk: Uint8Array): void {
    try {
      this.#frames.push(chunk);
    } catch (error) {
      const what = `${addressText(this.address)} sent what is no answer of a Kafka broker`;
      const why = error instanceof Error ? error.message : String(error);
      const said = `${what} (${why}). Check the address.`;
      this.#fail(new ClientError("UNKNOWN_SERVER_ERROR", said, { cause: error }));
    }
  }

  #receive(frame: Uint8Array): void {
    if (this.#closedBy !== null) return;
    const reader = new Reader(frame);
    const correlationId = reader.int32();
    const pending = this.#pending.get(correlationId);
    if (pending === undefined) throw new RangeError(`correlation id ${correlationId}`);
    pending.answer(reader);
    this.#pending.delete(correlationId);
    if (this.#isRetired && this.#pending.size === 0) this.close();
  }

  #lost(why: string): ClientError {
    const what = `The connection to ${addressText(this.address)} was lost: ${why}.`;
    return new ClientError("NETWORK_EXCEPTION", what);
  }

  #fail(error: ClientError): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = error;
    this.#sweep?.cancel();
    this.#sessionEnd?.cancel();
    this.#connection.destroy();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    if (!this.#isRetired) this.#onClosed();
    for (const { fail } of pending) fail(error);
  }

  // ---- authentication ----

  async #authenticate(where: string): Promise<void> {
    const { sasl } = this.#context.settings;
    if (sasl === undefined) return;
    // Loaded by those who need it.
    const { authenticate } = await import("./authentication.ts");
    const { random, clock } = this.#context.platform;
    const lifetimeMs = await authenticate(this, sasl, { random, where });
    if (lifetimeMs <= 0) return;
    this.#sessionEnd = clock.after(lifetimeMs * sessionPart, () => this.#retire());
  }

  /** The broker ends the session soon: who sends from now on connects anew, what is under way is answered. */
  #retire(): void {
    if (!this.isOpen) return;
    this.#isRetired = true;
    this.#onClosed();
    if (this.#pending.size === 0) this.close();
  }

  // ---- versions ----

  /** Asks in our newest version; an older broker answers error 35 in v0 form and says what it speaks. */
  async #agreeOnVersions(): Promise<void> {
    let answer = await this.#askVersions(apiVersions.versions.max);
    if (answer.errorCode === errorCodes.UNSUPPORTED_VERSION) {
      const own = answer.apiKeys.find(({ apiKey }) => apiKey === apiVersions.key);
      answer = await this.#askVersions(Math.min(own?.maxVersion ?? 0, apiVersions.versions.max));
    }
    if (answer.errorCode !== errorCodes.NONE) {
      const what = `${addressText(this.address)} does not tell which versions it speaks`;
      throw new ClientError("UNSUPPORTED_VERSION", `${what} (error ${answer.errorCode}).`);
    }
    for (const { apiKey, minVersion, maxVersion } of answer.apiKeys) {
      this.#versions.set(apiKey, { min: minVersion, max: maxVersion });
    }
    for (const { name, maxVersionLevel } of answer.finalizedFeatures) {
      this.#features.set(name, maxVersionLevel);
    }
  }

  #askVersions(version: number): Promise<ResponseOf<typeof apiVersions>> {
    return new Promise((resolve, reject) => {
      const message = { clientSoftwareName: softwareName, clientSoftwareVersion: softwareVersion };
      const correlationId = this.#send(apiVersions, version, message);
      this.#expect(correlationId, 0, {
        answer(reader) {
          const start = reader.at;
          const isRefused = reader.int16() === errorCodes.UNSUPPORTED_VERSION;
          reader.at = start;
          resolve(apiVersions.decodeResponse(isRefused ? 0 : version, reader));
        },
        fail: reject,
      });
    });
  }
}
