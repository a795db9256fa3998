// Builds the package: `npm run build` bundles the sources into few files of JavaScript under `dist/`, because
// 150 small ones cost a start 70 ms on Node 20, lets tsc write the declarations, and adds what the code reads at
// run time: the storage core and the pages that lie beside it.

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle, type Metafile, type Plugin } from "esbuild";
import { build as buildCore, distFolder as coreFolder, isUpToDate } from "../storage-wasm/build.ts";
import { bundleWorker, edgeEntry, gatewayEntry, listModules } from "./edge/build.ts";

const project = fileURLToPath(new URL("..", import.meta.url));
const dist = join(project, "dist");
/** What package.json names. All they share lands in chunks; what they import lazily stays lazy. */
const entryPoints = [
  "runtime/mod.ts",
  "runtime/client/mod.ts",
  "runtime/streams/mod.ts",
  "runtime/cli/main.ts",
  "runtime/edge/worker.ts",
  "runtime/edge/gateway-worker.ts",
  ...["node", "deno", "bun", "workerd"].map((name) => `runtime/platforms/${name}.ts`),
  ...["node", "deno-bun", "workerd", "web"].map((name) => `runtime/platforms/client-${name}.ts`),
];
/** Folders whose files, besides TypeScript, are read by the running program. */
const assetFolders = ["runtime/docs", "runtime/console", "runtime/deploy"];
const chunkFolder = "chunks";
const relativeTypeScript = /(from |import\()"(\.\.?\/[^"]+)\.ts"/g;
const ownUrl = "import.meta.url";

if (!isUpToDate()) await buildCore(coreFolder);
rmSync(dist, { recursive: true, force: true });
await bundleSources();
for (const path of filesOf(dist)) if (path.endsWith(".js")) dropBareImports(path);
declareTypes();
for (const path of filesOf(dist)) if (path.endsWith(".d.ts")) rewriteEndings(path);
// The core's glue is part of a chunk; its types are named by ours.
for (const path of filesOf(coreFolder)) if (/\.(wasm|d\.ts)$/.test(path)) copyAsset(path);
for (const folder of assetFolders) copyAssets(folder);
// Ready to be run or uploaded, beside its configurations.
for (const [name, entry] of Object.entries({ workerd: edgeEntry, gateway: gatewayEntry })) {
  const folder = join(dist, "runtime/deploy", name);
  listModules(folder, await bundleWorker({ project, entry, folder }));
}
writeFileSync(join(dist, "package.json"), `${JSON.stringify(scope(), null, 2)}\n`);
chmodSync(join(dist, "runtime/cli/main.js"), 0o755);

async function bundleSources(): Promise<void> {
  const { metafile } = await bundle({
    absWorkingDir: project,
    entryPoints,
    outdir: dist,
    outbase: ".",
    chunkNames: `${chunkFolder}/[name]-[hash]`,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    packages: "external",
    external: ["#platform", "#client-platform", "node:*", "cloudflare:*"],
    metafile: true,
    logLevel: "warning",
    plugins: [keepOwnUrls(), keepWasmFiles()],
  });
  demandOwnUrlsInChunks(metafile);
}

/** A module that finds files beside its source must find them there after it became part of a chunk. */
function keepOwnUrls(): Plugin {
  return {
    name: "keep-own-urls",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        if (!text.includes(ownUrl)) return undefined;
        const place = JSON.stringify(`../${relative(project, path).replaceAll("\\", "/")}`);
        // Some hosts' bundlers leave it undefined.
        const moved = `(${ownUrl} && new URL(${place}, ${ownUrl}).href)`;
        return { contents: text.replaceAll(ownUrl, moved), loader: "ts" };
      });
    },
  };
}

/** Where WebAssembly is imported, the host's own loader or bundler takes it from beside the chunk. */
function keepWasmFiles(): Plugin {
  return {
    name: "keep-wasm-files",
    setup(build) {
      build.onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        const place = relative(project, join(resolveDir, path)).replaceAll("\\", "/");
        return { path: `../${place}`, external: true };
      });
    },
  };
}

/** The addresses above are relative to a chunk; in an entry, which may lie deeper, they would be wrong. */
function demandOwnUrlsInChunks({ outputs }: Metafile): void {
  for (const [output, { inputs }] of Object.entries(outputs)) {
    if (output.includes(`/${chunkFolder}/`)) continue;
    for (const input of Object.keys(inputs)) {
      if (readFileSync(join(project, input), "utf8").includes(ownUrl)) {
        throw new Error(`${input} uses ${ownUrl} and is part of ${output}: share it, or move it`);
      }
    }
  }
}

/** Chunks are imported for what they export alone; for nothing, other bundlers would warn of each. */
function dropBareImports(path: string): void {
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replaceAll(/^import "\.{1,2}\/[^"]+\.js";\n/gm, ""));
}

function declareTypes(): void {
  const compiler = createRequire(import.meta.url).resolve("typescript/package.json");
  const tsc = join(dirname(compiler), "bin/tsc");
  const done = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
    cwd: project,
    stdio: "inherit",
  });
  if (done.status !== 0) process.exit(1);
}

/** tsc leaves the endings of imports in declarations as they are. */
function rewriteEndings(path: string): void {
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replaceAll(relativeTypeScript, '$1"$2.js"'));
}

function copyAssets(folder: string): void {
  for (const path of filesOf(join(project, folder))) {
    if (!path.endsWith(".ts")) copyAsset(path);
  }
}

function copyAsset(path: string): void {
  cpSync(path, join(dist, relative(project, path)));
}

/** The nearest package.json decides what `#platform` is: in the package, the compiled files. */
function scope(): object {
  const { type, sideEffects, imports } = JSON.parse(
    readFileSync(join(project, "package.json"), "utf8"),
  );
  const compiled = JSON.stringify(imports).replaceAll(/\.ts"/g, '.js"');
  return { type, sideEffects, imports: JSON.parse(compiled) };
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
