// PeerConnections: how this broker asks the others, and how their questions reach it: JSON in ClusterQuestion over
// the Kafka door. Questions that must not wait behind slow ones have a connection of their own. Implements what
// `cluster/peer.ts` asks of a runtime.

import type { ControlPlane } from "../../cluster/control-plane.ts";
import { type PeerAddress, type Peers, PeerUnreachable } from "../../cluster/peer.ts";
import { BrokerConnection } from "../client/broker-connection.ts";
import type { Address, Context } from "../client/context.ts";
import { addressText } from "../client/context.ts";
import { BrokerError } from "../errors.ts";
import {
  clusterQuestion,
  type PeerAnswer,
  type PeerQuestion,
} from "../kafka/apis/cluster-question.ts";
import { errorCodes, errorName } from "../kafka/error-codes.ts";
import type { Timer } from "../platform.ts";
import { type LinkPlatform, peerContext } from "./kafka-link.ts";

/** A question that may take no longer than this is urgent: a heartbeat, a vote. */
const urgentMsMax = 2_000;
/** How long a question about a transaction may take. */
const askBrokerMsMax = 5_000;
/** A connection is given up when it owes an answer for so long; each question has its own, shorter time. */
const silenceMsMax = 60_000;
/** Connections from one broker that are watched, at most: it has one or two. */
const watchedMax = 10_000;

export interface PeerConnectionsOptions {
  readonly platform: LinkPlatform;
  readonly brokerId: number;
  /** Known once the metadata has been read. */
  clusterId(): string;
}

/** What answers this broker's peers; set when the control plane is open. */
export type AnswerQuestion = (question: unknown, fromId: number) => Promise<unknown>;

export class PeerConnections implements Peers {
  readonly #options: PeerConnectionsOptions;
  readonly #context: Context;
  readonly #lines = new Map<string, Line>();
  readonly #listeners = new Set<(peerId: number) => void>();
  readonly #watched = new Map<number, number>();
  #answer: AnswerQuestion | undefined;
  #isClosed = false;

  constructor(options: PeerConnectionsOptions) {
    this.#options = options;
    this.#context = peerContext(options.platform, options.brokerId, silenceMsMax);
  }

  onLost(lost: (peerId: number) => void): () => void {
    this.#listeners.add(lost);
    return () => this.#listeners.delete(lost);
  }

  async ask(
    peer: PeerAddress,
    question: unknown,
    { timeoutMs }: { timeoutMs: number },
  ): Promise<unknown> {
    if (this.#isClosed) throw new PeerUnreachable("this broker is stopping", { isGone: false });
    const line = this.#line(peer, timeoutMs <= urgentMsMax ? "urgent" : "patient");
    const request = {
      clusterId: this.#options.clusterId(),
      fromId: this.#options.brokerId,
      question: new TextEncoder().encode(JSON.stringify(question)),
    };
    return line.ask(request, timeoutMs);
  }

  /** From now on questions of other brokers are answered by it. */
  answerWith(answer: AnswerQuestion): void {
    this.#answer = answer;
  }

  /** A question that came through this broker's door. */
  async answer(
    { clusterId, fromId, question }: PeerQuestion,
    connection: { readonly id: number; readonly signal: AbortSignal },
  ): Promise<PeerAnswer> {
    if (this.#answer === undefined || this.#isClosed) {
      return refusal("BROKER_NOT_AVAILABLE", "this broker is not ready");
    }
    const own = this.#options.clusterId();
    if (clusterId !== own) {
      return refusal("INCONSISTENT_CLUSTER_ID", `this is cluster ${own}, not ${clusterId}`);
    }
    this.#watch(fromId, connection);
    try {
      const asked: unknown = JSON.parse(new TextDecoder().decode(question));
      const answer = await this.#answer(asked, fromId);
      const bytes = new TextEncoder().encode(JSON.stringify(answer ?? null));
      return { errorCode: errorCodes.NONE, message: null, answer: bytes };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return refusal("UNKNOWN_SERVER_ERROR", message);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const line of this.#lines.values()) line.close();
    this.#lines.clear();
    this.#listeners.clear();
    this.#context.close();
  }

  /** Its end is the first sign that the broker at the other end is gone. */
  #watch(peerId: number, { id, signal }: { id: number; signal: AbortSignal }): void {
    if (this.#watched.has(id) || this.#watched.size >= watchedMax || signal.aborted) return;
    this.#watched.set(id, peerId);
    const lost = () => {
      this.#watched.delete(id);
      this.#lost(peerId);
    };
    signal.addEventListener("abort", lost, { once: true });
  }

  #line(peer: PeerAddress, kind: "urgent" | "patient"): Line {
    const key = `${peer.id}/${kind}`;
    const known = this.#lines.get(key);
    const isSame = known?.peer.host === peer.host && known.peer.port === peer.port;
    if (known !== undefined && isSame) return known;
    known?.close();
    const line = new Line(this.#context, peer, () => this.#lost(peer.id));
    this.#lines.set(key, line);
    return line;
  }

  #lost(peerId: number): void {
    if (this.#isClosed) return;
    for (const lost of [...this.#listeners]) lost(peerId);
  }
}

/** Asks brokers by their number. Rejects with BROKER_NOT_AVAILABLE. */
export function brokerAsker(
  controlPlane: Pick<ControlPlane, "state">,
  peers: Peers,
): (brokerId: number, question: unknown) => Promise<unknown> {
  return async (brokerId, question) => {
    const broker = controlPlane.state().brokers.get(brokerId);
    const what = `broker ${brokerId} cannot be reached`;
    if (broker === undefined) throw new BrokerError("BROKER_NOT_AVAILABLE", what);
    try {
      return await peers.ask(broker, question, { timeoutMs: askBrokerMsMax });
    } catch (cause) {
      throw new BrokerError("BROKER_NOT_AVAILABLE", what, { cause });
    }
  };
}

/** One connection to one peer, made when it is needed. */
class Line {
  readonly peer: PeerAddress;
  readonly #context: Context;
  readonly #lost: () => void;
  #connection: BrokerConnection | undefined;
  #opening: Promise<BrokerConnection> | undefined;
  #isClosed = false;

  constructor(context: Context, peer: PeerAddress, lost: () => void) {
    this.#context = context;
    this.peer = peer;
    this.#lost = lost;
  }

  async ask(request: PeerQuestion, timeoutMs: number): Promise<unknown> {
    const { clock } = this.#context.platform;
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = clock.after(timeoutMs, () => {
        const what = `broker ${this.peer.id} has not answered within ${timeoutMs} ms`;
        reject(new PeerUnreachable(what, { isGone: false }));
        // Whatever waits behind it would be late as well: the next question gets a connection of its own.
        this.#drop();
      });
    });
    try {
      return await Promise.race([this.#ask(request), late]);
    } finally {
      timer?.cancel();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #ask(request: PeerQuestion): Promise<unknown> {
    const { answer, errorCode, message } = await this.#call(request);
    if (errorCode === errorCodes.NONE) return JSON.parse(new TextDecoder().decode(answer));
    const why = message ?? errorName(errorCode);
    const what = `broker ${this.peer.id} refused a question: ${why}`;
    throw new PeerUnreachable(what, { isGone: false });
  }

  async #call(request: PeerQuestion) {
    try {
      const connection = this.#connection ?? (await this.#open());
      return await connection.call(clusterQuestion, request);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new PeerUnreachable(why, { isGone: isRefused(cause), cause });
    }
  }

  #open(): Promise<BrokerConnection> {
    this.#opening ??= this.#dial().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #dial(): Promise<BrokerConnection> {
    const address: Address = { host: this.peer.host, port: this.peer.port };
    // It may break before it is open.
    let opened: BrokerConnection | undefined;
    const connection = await BrokerConnection.open(this.#context, address, () => {
      if (opened === undefined || this.#connection !== opened) return;
      this.#connection = undefined;
      if (!this.#isClosed) this.#lost();
    });
    opened = connection;
    if (this.#isClosed) {
      connection.close();
      throw new Error(`the connection to ${addressText(address)} is not needed any more`);
    }
    if (connection.isOpen) this.#connection = connection;
    return connection;
  }

  /** Without telling that it was lost: this broker hangs up. */
  #drop(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close();
  }
}

/** Nobody listens at the port: the operating system says so at once. */
function isRefused(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; depth++) {
    if ("code" in cause && cause.code === "ECONNREFUSED") return true;
    cause = cause.cause;
  }
  return false;
}

function refusal(
  code: "BROKER_NOT_AVAILABLE" | "INCONSISTENT_CLUSTER_ID" | "UNKNOWN_SERVER_ERROR",
  message: string,
): PeerAnswer {
  return { errorCode: errorCodes[code], message, answer: new Uint8Array(0) };
}
