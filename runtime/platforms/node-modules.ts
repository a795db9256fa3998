// What Node, Deno and Bun have in common because all three bring node:* modules: clock, randomness, files,
// sockets, compression and the compiled storage core. Only `node.ts`, `deno.ts` and `bun.ts` import it.

import { randomFillSync, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import process from "node:process";
import * as zlib from "node:zlib";
import { openMemoryControlPlane } from "../../cluster/memory.ts";
import { type Core, coreModuleUrl, createCore } from "../../storage-wasm/core.ts";
import { createCodecs } from "../compression/codecs.ts";
import type { Clock, HttpServer, Platform, Random, Timer } from "../platform.ts";
import { openFileStorage } from "../storage/file.ts";
import { clusterFiles } from "./cluster-files.ts";
import { createSockets, type Discard } from "./sockets.ts";

/** Longest delay a timer takes (2^31 − 1 ms); more would fire at once. */
const timerDelayMsMax = 0x7fffffff;

/** The parts that differ are given; the rest is the same on all three. */
export function platformWithNodeModules(own: {
  runtime: string;
  runtimeVersion: string;
  http: HttpServer;
  /** Where received bytes are better given back than left to the garbage collector. */
  discard?: Discard;
}): Platform {
  const { runtime, runtimeVersion, http } = own;
  return {
    runtime,
    runtimeVersion,
    http,
    clock,
    random,
    core: loadCore(),
    codecs: createCodecs(zlib),
    network: createSockets(own.discard),
    openStorage: openFileStorage,
    openControlPlane: (storage, options) =>
      openMemoryControlPlane({ random, files: clusterFiles(storage), ...options }),
    manual: readManual,
    memory() {
      const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
      return { rss, heap: heapUsed, buffers: arrayBuffers };
    },
  };
}

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs: number, run: () => void, options?: { readonly keepAlive?: boolean }): Timer {
    const timer = setTimeout(run, Math.min(delayMs, timerDelayMsMax));
    if (options?.keepAlive !== true) timer.unref?.();
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (run) => void setImmediate(run),
};

const random: Random = {
  integer: (below) => randomInt(below),
  bytes: (length) => randomFillSync(new Uint8Array(length)),
};

const manualFolder = new URL("../docs/", import.meta.url);
/** About the folder, not for readers of the manual. */
const notAPage = "README.md";

async function readManual(): Promise<ReadonlyMap<string, string>> {
  const files = await readdir(manualFolder);
  const names = files.filter((name) => name.endsWith(".md") && name !== notAPage).sort();
  const pages = names.map(
    async (name) =>
      [name.slice(0, -".md".length), await readFile(new URL(name, manualFolder), "utf8")] as const,
  );
  return new Map(await Promise.all(pages));
}

function loadCore(): Core {
  return createCore(new WebAssembly.Module(readFileSync(coreModuleUrl)));
}
