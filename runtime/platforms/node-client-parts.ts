// What Node, Deno and Bun have in common for a client, because all three bring node:* modules: clock, randomness,
// sockets, compression and the compiled storage core. `node-modules.ts` adds what serves.

import { randomFillSync, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import * as zlib from "node:zlib";
import { type Core, coreModuleUrl, createCore } from "../../storage-wasm/core.ts";
import { createCodecs } from "../compression/codecs.ts";
import type { ClientPlatform, Clock, Random, Timer } from "../platform.ts";
import { createSockets, type SocketHabits } from "./sockets.ts";

/** Longest delay a timer takes (2^31 − 1 ms); more would fire at once. */
const timerDelayMsMax = 0x7fffffff;

export function clientPartsWithNodeModules(habits?: SocketHabits): ClientPlatform {
  return {
    clock,
    random,
    core: loadCore(),
    codecs: createCodecs(zlib),
    network: createSockets(habits),
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

function loadCore(): Core {
  return createCore(new WebAssembly.Module(readFileSync(coreModuleUrl)));
}
