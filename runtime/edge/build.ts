// Bundles a Worker: its modules and the WebAssembly files it imports, as workerd and the vendor's upload take them.
// `worker.js` is what every start needs; what the code imports late stays in modules of its own, which nobody reads
// before. `runtime/build.ts` makes the Worker that is deployed with it, tests make others.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const modulesList = /modules = \[[^\]]*\],/;

/** The Worker that is deployed. */
export const edgeEntry = "runtime/edge/worker.ts";
/** The Worker of a gateway. */
export const gatewayEntry = "runtime/edge/gateway-worker.ts";

export interface WorkerBundle {
  /** Of paths in the other options. */
  readonly project: string;
  readonly entry: string;
  readonly folder: string;
  /** All in one: a program that is imported by a handler may do only there what needs a request. */
  readonly isOneModule?: boolean;
}

/** Writes `worker.js` and its modules into the folder; resolves to their names, `worker.js` first. */
export async function bundleWorker(options: WorkerBundle): Promise<string[]> {
  const { project, entry, folder, isOneModule = false } = options;
  const { metafile } = await build({
    absWorkingDir: project,
    entryPoints: { worker: entry },
    outdir: folder,
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: !isOneModule,
    minify: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker"],
    external: ["node:*", "cloudflare:*"],
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    metafile: true,
    logLevel: "warning",
  });
  const names = Object.keys(metafile.outputs).map((path) => path.slice(path.lastIndexOf("/") + 1));
  return names.sort((a) => (a === "worker.js" ? -1 : 1));
}

/** As items of the list `modules` in workerd's configuration, which embeds each file. */
export function moduleItems(names: readonly string[]): string[] {
  return names.map((name) => {
    const kind = name.endsWith(".wasm") ? "wasm" : "esModule";
    return `(name = "${name}", ${kind} = embed "${name}")`;
  });
}

/** Writes the modules' names into the configurations that lie beside them. */
export function listModules(folder: string, names: readonly string[]): void {
  const items = moduleItems(names).map((item) => `    ${item},\n`);
  for (const name of readdirSync(folder).filter((each) => each.endsWith(".capnp"))) {
    const path = join(folder, name);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace(modulesList, `modules = [\n${items.join("")}  ],`));
  }
}
