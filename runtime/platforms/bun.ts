// Platform on Bun >= 1.4: node:* modules for files and sockets, Bun.serve for HTTP.

import type { HttpHandler, Listener, Platform } from "../platform.ts";
import { platformWithNodeModules } from "./node-modules.ts";

/** The part of Bun's namespace used here; its own type package is not needed for so little. */
declare const Bun: {
  version: string;
  serve(options: {
    hostname: string;
    port: number;
    idleTimeout: number;
    fetch(
      request: Request,
      server: { requestIP(request: Request): { address: string } | null },
    ): Response | Promise<Response>;
  }): { port: number; stop(closeActiveConnections: boolean): Promise<void> | void };
};

/** Bun drops requests that are silent for 10 s by default, which would end every long poll. 0 = never. */
const idleTimeoutSeconds = 0;

export function createPlatform(): Platform {
  return platformWithNodeModules({
    runtime: "bun",
    runtimeVersion: Bun.version,
    http: { listen },
  });
}

async function listen(
  options: { host: string; port: number },
  handler: HttpHandler,
): Promise<Listener> {
  const server = Bun.serve({
    hostname: options.host,
    port: options.port,
    idleTimeout: idleTimeoutSeconds,
    fetch(request, from) {
      const address = from.requestIP(request)?.address;
      return handler(request, address === undefined ? {} : { remoteAddress: address });
    },
  });
  return {
    host: options.host,
    port: server.port,
    close: async () => void (await server.stop(true)),
  };
}
