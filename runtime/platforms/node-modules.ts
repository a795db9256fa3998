// What Node, Deno and Bun have in common because all three bring node:* modules: what a client needs, and files, the
// control plane and the manual. Only `node.ts`, `deno.ts` and `bun.ts` import it.

import { readdir, readFile } from "node:fs/promises";
import process from "node:process";
import { openMemoryControlPlane } from "../../cluster/memory.ts";
import type { HttpServer, Platform } from "../platform.ts";
import { openFileStorage } from "../storage/file.ts";
import { clusterFiles } from "./cluster-files.ts";
import { clientPartsWithNodeModules } from "./node-client-parts.ts";
import type { SocketHabits } from "./sockets.ts";

/** The parts that differ are given; the rest is the same on all three. */
export function platformWithNodeModules(own: {
  runtime: string;
  runtimeVersion: string;
  http: HttpServer;
  sockets?: SocketHabits;
}): Platform {
  const { runtime, runtimeVersion, http } = own;
  const parts = clientPartsWithNodeModules(own.sockets);
  return {
    runtime,
    runtimeVersion,
    http,
    ...parts,
    openStorage: openFileStorage,
    openControlPlane: (storage, options) =>
      openMemoryControlPlane({ random: parts.random, files: clusterFiles(storage), ...options }),
    readText: (path) => readFile(path, "utf8"),
    manual: readManual,
    memory() {
      const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
      return { rss, heap: heapUsed, buffers: arrayBuffers };
    },
  };
}

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
