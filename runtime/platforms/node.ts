// Platform on Node >= 20.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { getRequestListener } from "@hono/node-server";
import type { HttpHandler, HttpServer, Listener, Platform } from "../platform.ts";
import { freeChunk } from "./chunk-memory.ts";
import { platformWithNodeModules } from "./node-modules.ts";

export function createPlatform(): Platform {
  return platformWithNodeModules({
    runtime: "node",
    runtimeVersion: process.versions.node,
    http: { listen },
    sockets: { discard: freeChunk, readsInPlace: true },
  });
}

function listen(
  options: { host: string; port: number },
  handler: HttpHandler,
): ReturnType<HttpServer["listen"]> {
  const respond = getRequestListener((request, env) =>
    handler(request, remoteOf("incoming" in env ? env.incoming.socket.remoteAddress : undefined)),
  );
  const server = createServer({ keepAliveTimeout: 65_000, noDelay: true }, respond);
  return new Promise<Listener>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: options.host, port: options.port, backlog: 1024 }, () => {
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

function remoteOf(remoteAddress: string | undefined): { remoteAddress?: string } {
  return remoteAddress === undefined ? {} : { remoteAddress };
}
