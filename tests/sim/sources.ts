// Of which sources a stored result speaks: a hash over everything that a simulation runs.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const project = fileURLToPath(new URL("../..", import.meta.url));

/** Files and folders that a simulation needs. */
export const simulated = [
  ...["cluster", "runtime", "storage-wasm", "tests/sim"],
  ...["tests/support/stored-batches.ts", "package.json", "tsconfig.json"],
];

/** Texts and results change nothing. */
export function hashOfSources(): string {
  const hash = createHash("sha256");
  const add = (path: string) => {
    if (!/\.(ts|json|wasm)$/.test(path) || path.includes("results/")) return;
    hash.update(path);
    hash.update(readFileSync(join(project, path)));
  };
  for (const path of simulated) {
    if (/\.(ts|json)$/.test(path)) add(path);
    else for (const file of filesBelow(path)) add(file);
  }
  return hash.digest("hex").slice(0, 16);
}

function filesBelow(folder: string): string[] {
  const options = { recursive: true, withFileTypes: true } as const;
  return readdirSync(join(project, folder), options)
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(project.length))
    .sort();
}
