// Bundles a Worker: one file of JavaScript and the WebAssembly files it imports, as workerd and the vendor's upload
// take them. `runtime/build.ts` makes the Worker that is deployed with it, tests make others.

import { build } from "esbuild";

/** The Worker that is deployed. */
export const edgeEntry = "runtime/edge/worker.ts";

export interface WorkerBundle {
  /** Of paths in the other options. */
  readonly project: string;
  readonly entry: string;
  readonly folder: string;
}

/** Writes `worker.js` and its modules into the folder; resolves to their names, `worker.js` first. */
export async function bundleWorker({ project, entry, folder }: WorkerBundle): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: project,
    entryPoints: { worker: entry },
    outdir: folder,
    bundle: true,
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
