// Handler: what serves one Kafka API, and what it is given. A handler decides what to ask the broker and how
// to say the answer in Kafka's words; it knows nothing of frames and sockets.

import type { Broker } from "../broker.ts";
import type { HostPort } from "../config.ts";
import type { Platform } from "../platform.ts";
import type { Authentication } from "./authentication.ts";
import type { Api, RequestOf, ResponseInput } from "./schema.ts";

/** Says where an unexpected error was met; such an error is a bug or a broken disk, never a client's fault. */
export type Report = (error: unknown, context: string) => void;

/** One client connection as handlers see it. */
export interface ClientConnection {
  /** Grows with each connection of this process. */
  readonly id: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Name of the listener it came through. */
  readonly listener: string;
  /** Where clients of that listener find this broker, if it is not where metadata says. */
  readonly advertised?: HostPort | undefined;
  /** Of a SASL listener. */
  readonly authentication?: Authentication | undefined;
  /** Aborted when the connection is gone: long polls end. */
  readonly signal: AbortSignal;
  /** Ends the connection where the protocol leaves no other way to say that something failed. */
  close(reason: string): void;
}

export interface HandlerContext {
  readonly broker: Broker;
  readonly platform: Platform;
  readonly connection: ClientConnection;
  readonly clientId: string | null;
  readonly apiVersion: number;
  readonly report: Report;
}

/**
 * Answers at once when it can. `null` means no answer is sent (Produce with acks=0). Byte fields of the
 * request are views of the frame and are valid only until the handler returns: what it awaits must not need them.
 */
export type Handler<A> = (
  request: RequestOf<A>,
  context: HandlerContext,
) => ResponseInput<A> | null | Promise<ResponseInput<A> | null>;

/** An API and its handler, with the message types hidden: what the door keeps per key. */
export interface Registration {
  readonly api: Api;
  readonly handle: (request: never, context: HandlerContext) => unknown;
}

/** Pairs them; the compiler checks that they fit. */
export function register<Req, ReqIn, Res, ResIn>(
  api: Api<Req, ReqIn, Res, ResIn>,
  handle: Handler<Api<Req, ReqIn, Res, ResIn>>,
): Registration {
  return { api, handle };
}
