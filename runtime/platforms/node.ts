// Platform on Node >= 20.

import process from "node:process";
import type { Platform } from "../platform.ts";
import { freeChunk, keepFreedMemory } from "./chunk-memory.ts";
import { listenHttp } from "./node-http.ts";
import { platformWithNodeModules } from "./node-modules.ts";

export function createPlatform(): Platform {
  keepFreedMemory();
  return platformWithNodeModules({
    runtime: "node",
    runtimeVersion: process.versions.node,
    http: { listen: listenHttp },
    sockets: { discard: freeChunk, readsInPlace: true },
  });
}
