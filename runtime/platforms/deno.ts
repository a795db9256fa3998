// Platform on Deno >= 2: node:* modules for files and sockets, Deno.serve for HTTP.

import type { HttpHandler, Listener, Platform } from "../platform.ts";
import { platformWithNodeModules } from "./node-modules.ts";

/** The part of Deno's namespace used here; its own type package is not needed for so little. */
declare const Deno: {
  version: { deno: string };
  serve(
    options: {
      hostname: string;
      port: number;
      onListen: (address: { port: number }) => void;
      signal: AbortSignal;
    },
    handler: (
      request: Request,
      info: { remoteAddr: { hostname?: string } },
    ) => Response | Promise<Response>,
  ): { addr: { port: number }; finished: Promise<void> };
};

export function createPlatform(): Platform {
  return platformWithNodeModules({
    runtime: "deno",
    runtimeVersion: Deno.version.deno,
    http: { listen },
  });
}

async function listen(
  options: { host: string; port: number },
  handler: HttpHandler,
): Promise<Listener> {
  // `shutdown()` would wait for long polls and streams to end by themselves.
  const closing = new AbortController();
  const { signal } = closing;
  const server = Deno.serve(
    { hostname: options.host, port: options.port, onListen: () => {}, signal },
    (request, info) => {
      const { hostname } = info.remoteAddr;
      return handler(request, hostname === undefined ? {} : { remoteAddress: hostname });
    },
  );
  const close = (): Promise<void> => {
    closing.abort();
    return server.finished;
  };
  return { host: options.host, port: server.addr.port, close };
}
