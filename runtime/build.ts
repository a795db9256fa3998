// Builds the package: `npm run build` compiles the sources to `dist/` (JavaScript and declarations, in the same
// folders), and adds what the code reads at run time: the storage core, and the pages that lie beside it.

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build as buildCore, distFolder as coreFolder, isUpToDate } from "../storage-wasm/build.ts";

const project = fileURLToPath(new URL("..", import.meta.url));
const dist = join(project, "dist");
/** Folders whose files, besides TypeScript, are read by the running program. */
const assetFolders = ["runtime/docs", "runtime/console", "runtime/deploy"];
const relativeTypeScript = /(from |import\()"(\.\.?\/[^"]+)\.ts"/g;

if (!isUpToDate()) await buildCore(coreFolder);
rmSync(dist, { recursive: true, force: true });
compile();
for (const path of filesOf(dist)) if (path.endsWith(".d.ts")) rewriteEndings(path);
cpSync(coreFolder, join(dist, "storage-wasm/dist"), { recursive: true });
for (const folder of assetFolders) copyAssets(folder);
writeFileSync(join(dist, "package.json"), `${JSON.stringify(scope(), null, 2)}\n`);
chmodSync(join(dist, "runtime/cli/main.js"), 0o755);

function compile(): void {
  const compiler = createRequire(import.meta.url).resolve("typescript/package.json");
  const tsc = join(dirname(compiler), "bin/tsc");
  const done = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
    cwd: project,
    stdio: "inherit",
  });
  if (done.status !== 0) process.exit(1);
}

/** tsc rewrites the endings of imports in JavaScript, but not in declarations. */
function rewriteEndings(path: string): void {
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replaceAll(relativeTypeScript, '$1"$2.js"'));
}

function copyAssets(folder: string): void {
  for (const path of filesOf(join(project, folder))) {
    if (!path.endsWith(".ts")) cpSync(path, join(dist, path.slice(project.length)));
  }
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
