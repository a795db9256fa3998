// HTTP on Node: node:http behind web-standard handlers. Bodies that are pushed go straight to the socket: a stream of its
// own, with readers and promises, would cost each idle tail more than its connection.

import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { HttpContext, HttpHandler, HttpServer, Listener } from "../platform.ts";
import type { BodySink, BodySource } from "../pushed-body.ts";

const limits = {
  keepAliveTimeout: 65_000,
  /** From a connection's first byte to the end of the headers. */
  headersTimeout: 10_000,
  connectionsCheckingInterval: 2_000,
  /** Bodies are the app's to judge: one of lines may come for days. */
  requestTimeout: 0,
};
const backlog = 1024;

export function listenHttp(
  options: { host: string; port: number },
  handler: HttpHandler,
): ReturnType<HttpServer["listen"]> {
  const server = createServer({ ...limits, noDelay: true }, respondBy(handler));
  server.on("clientError", refuse);
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

/** What is no request, or none that ends: the app never sees it, but its error shape is the same. */
function refuse(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const [status, message] = refusals[error.code ?? ""] ?? malformed;
  const body = JSON.stringify({ error: { code: "INVALID_REQUEST", message, status } });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...["content-type: application/json; charset=utf-8", "connection: close"],
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

const malformed: readonly [number, string] = [400, "this is no HTTP request"];
const refusals: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, "headers: more than 16 KiB"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "body: its chunks' extensions are too long"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "headers: not all here in time; send them again"],
};

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
