// HTTP on Node: node:http behind web-standard handlers. Bodies that are pushed go straight to the socket: a stream of its
// own, with readers and promises, would cost each idle tail more than its connection.

import { createServer, STATUS_CODES } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { HttpHandler, HttpServer, Listener } from "../platform.ts";
import type { Answer } from "./node-http-answers.ts";

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
  const server = createServer({ ...limits, noDelay: true }, answerLate(handler));
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

/** What answers is loaded by the first request: with the web's classes below it, it costs a tenth of a start. */
function answerLate(handler: HttpHandler): Answer {
  let answer: Answer | undefined;
  let loading: Promise<Answer> | undefined;
  const load = async () => {
    const { answerBy } = await import("./node-http-answers.ts");
    answer = answerBy(handler);
    return answer;
  };
  return (from, to) => {
    if (answer) return answer(from, to);
    loading ??= load();
    return loading.then(
      (loaded) => loaded(from, to),
      (error: Error) => to.destroy(error),
    );
  };
}
