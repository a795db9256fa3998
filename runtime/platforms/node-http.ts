// HTTP on Node: node:http behind web-standard handlers. Bodies that are pushed go straight to the socket: a stream of its
// own, with readers and promises, would cost each idle tail more than its connection.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { HttpContext, HttpHandler, HttpServer, Listener } from "../platform.ts";
import type { BodySink, BodySource } from "../pushed-body.ts";

const keepAliveMs = 65_000;
const backlog = 1024;

export function listenHttp(
  options: { host: string; port: number },
  handler: HttpHandler,
): ReturnType<HttpServer["listen"]> {
  const server = createServer({ keepAliveTimeout: keepAliveMs, noDelay: true }, respondBy(handler));
  return new Promise<Listener>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: options.host, port: options.port, backlog }, () => {
      server.off("error", reject);
      const { port } = server.address() as AddressInfo;
      const close = () =>
        new Promise<void>((done) => {
          server.close(() => done());
          server.closeAllConnections();
        });
      resolve({ host: options.host, port, close });
    });
  });
}

function respondBy(handler: HttpHandler): (from: IncomingMessage, to: ServerResponse) => unknown {
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
}

function push(response: Response, { to, source }: RequestContext): Response {
  if (source === null) return response;
  if (!response.ok || to.destroyed || to.req.method === "HEAD") {
    source.gone();
    return response;
  }
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
