// Answers of Node's HTTP server by a handler of the web's requests: Hono's adapter, and bodies that are pushed past
// it. Loaded by the first request, see `node-http.ts`.

import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { HttpContext, HttpHandler } from "../platform.ts";
import type { BodySink, BodySource } from "../pushed-body.ts";

export type Answer = (from: IncomingMessage, to: ServerResponse) => unknown;

export function answerBy(handler: HttpHandler): Answer {
  return getRequestListener((request, env) => {
    const to = env.outgoing as ServerResponse;
    const context = new RequestContext(to);
    const answer = handler(request, context);
    if (!(answer instanceof Promise)) return answer;
    return answer.then((response) =>
      context.source === null ? response : push(response, context),
    );
  });
}

class RequestContext implements HttpContext {
  readonly to: ServerResponse;
  source: BodySource | null = null;

  constructor(to: ServerResponse) {
    this.to = to;
  }

  /** Looked up when somebody asks. */
  get remoteAddress(): string {
    return this.to.socket?.remoteAddress ?? "";
  }

  push(source: BodySource): void {
    this.source = source;
  }

  whenSent(done: () => void): void {
    this.to.once("finish", done);
  }

  takeBody(bytes: number): Uint8Array | undefined {
    const { req } = this.to;
    if (bytes === 0 || req.readableLength !== bytes) return undefined;
    const body = req.read() as Buffer | null;
    if (body === null) return undefined;
    // Its end is still to be read.
    req.resume();
    return new Uint8Array(body.buffer, body.byteOffset, body.length);
  }

  get bodyOfGet(): AsyncIterable<Uint8Array> | undefined {
    const { headers, method } = this.to.req;
    const length = headers["content-length"] ?? headers["transfer-encoding"];
    return method !== "GET" || length === undefined || length === "0" ? undefined : this.to.req;
  }
}

function push(response: Response, { to, source }: RequestContext): Response {
  if (source === null) return response;
  if (!response.ok || to.destroyed || to.req.method === "HEAD") {
    source.gone();
    return response;
  }
  // Without chunks, up to the connection's end: each would cost three writes instead of one.
  to.setHeader("connection", "close");
  to.removeHeader("transfer-encoding");
  to.writeHead(response.status, Object.fromEntries(response.headers));
  source.start(new ResponseSink(to, source));
  return RESPONSE_ALREADY_SENT;
}

class ResponseSink implements BodySink {
  readonly #to: ServerResponse;

  constructor(to: ServerResponse, source: BodySource) {
    this.#to = to;
    to.on("drain", () => source.ready());
    to.once("close", () => source.gone());
  }

  write(bytes: Uint8Array): boolean {
    return this.#to.write(bytes);
  }

  end(): void {
    this.#to.end();
  }
}
