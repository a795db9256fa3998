// The command line as one program of plain JavaScript, made of the sources in a second: a page of the manual runs dozens of
// commands, and each would compile all of them again.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { projectFolder } from "./project.ts";
import { tempFolder } from "./temp-folder.ts";

const ownUrl = "import.meta.url";
/** Packages that are not modules ask for others by `require`. */
const requireBanner = `import { createRequire } from "node:module"; const require = createRequire(${ownUrl});`;

/** Its entry, as `sourceEntry` of `server.ts`. */
export async function bundleCommandLine(): Promise<string> {
  const outdir = tempFolder("command-line");
  await build({
    absWorkingDir: projectFolder,
    entryPoints: ["runtime/cli/main.ts"],
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    banner: { js: requireBanner },
    plugins: [whereTheyLie],
    logLevel: "warning",
  });
  return join(outdir, "main.mjs");
}

/** A module that finds files beside its source finds them there still. */
const whereTheyLie: Plugin = {
  name: "where-they-lie",
  setup(bundle) {
    bundle.onLoad({ filter: /\.[tj]s$/ }, ({ path }) => {
      if (path.includes("node_modules")) return undefined;
      const text = readFileSync(path, "utf8");
      if (!text.includes(ownUrl)) return undefined;
      const contents = text.replaceAll(ownUrl, JSON.stringify(pathToFileURL(path).href));
      return { contents, loader: path.endsWith(".ts") ? "ts" : "js" };
    });
  },
};
