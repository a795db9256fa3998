// One more platform: time, randomness, disks and sockets of the simulator under the broker and the client library as
// they are.

import { readFileSync } from "node:fs";
import * as zlib from "node:zlib";
import { openMemoryControlPlane } from "../../cluster/memory.ts";
import { createCodecs } from "../../runtime/compression/codecs.ts";
import type { Platform } from "../../runtime/platform.ts";
import { clusterFiles } from "../../runtime/platforms/cluster-files.ts";
import { loadServerCode } from "../../runtime/server-code.ts";
import type { Storage } from "../../runtime/storage/storage.ts";
import { type Core, coreModuleUrl, createCore } from "../../storage-wasm/core.ts";
import type { SimNetwork } from "./network.ts";
import type { SimProcess } from "./process.ts";

const coreModule = new WebAssembly.Module(readFileSync(coreModuleUrl));
const codecs = createCodecs(zlib);
// Loading code takes real time, which a run cannot replay.
await loadServerCode();

/** One for all processes of a simulation: what a dead one leaves in its memory goes with it. */
export function newCore(): Core {
  return createCore(coreModule);
}

export function simPlatform(parts: {
  readonly process: SimProcess;
  readonly network: SimNetwork;
  readonly core: Core;
  readonly storage?: Storage;
}): Platform {
  const { process, network, core, storage } = parts;
  const { clock, random } = process;
  return {
    runtime: "sim",
    runtimeVersion: "1",
    clock,
    random,
    core,
    codecs,
    network: network.of(process),
    http: { listen: () => Promise.reject(new Error("no HTTP in a simulation")) },
    openStorage() {
      if (storage === undefined) throw new Error("this process has no disk");
      return storage;
    },
    openControlPlane: (files, options) =>
      openMemoryControlPlane({ random, files: clusterFiles(files), ...options }),
    manual: async () => new Map(),
    memory: () => ({ rss: 0, heap: 0, buffers: 0 }),
  };
}
