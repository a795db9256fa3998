// The runtimes Timberline runs on, and how each starts a script: Deno and Bun from their dev dependencies,
// Node as it runs the tests, and the newest Node, fetched into the git-ignored `.runtimes/` when first used.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { runProcess } from "./processes.ts";
import { projectFolder } from "./project.ts";

export interface TestRuntime {
  readonly name: "node" | "deno" | "bun" | "workerd";
  /** As the runtime itself says it, without "v". */
  readonly version: string;
  /** Command line that runs a TypeScript or JavaScript file. */
  command(script: string, ...args: string[]): string[];
}

const require = createRequire(import.meta.url);
const tsx = require.resolve("tsx");
const INSTALL_MS_MAX = 120_000;

/** The Node that runs the tests. */
export function currentNode(): TestRuntime {
  return nodeAt(process.execPath, process.versions.node);
}

/** The newest released Node; undefined if the registry cannot be reached and none was fetched before. */
export async function newestNode(): Promise<TestRuntime | undefined> {
  const version = await npmVersion("node");
  if (version === undefined) return undefined;
  const folder = join(projectFolder, ".runtimes", `node-${version}`);
  for (const name of [`node-${platform()}`, `node-bin-${platform()}`]) {
    const binary = join(folder, "node_modules", name, "bin", executable("node"));
    if (existsSync(binary) || (await install(folder, `${name}@${version}`, binary))) {
      return nodeAt(binary, version);
    }
  }
  return undefined;
}

/** A script of the newest release of a package, fetched like the newest Node; undefined if it cannot be had. */
export async function installTool(name: string, script: string): Promise<string | undefined> {
  const version = await npmVersion(name);
  if (version === undefined) return undefined;
  const folder = join(projectFolder, ".runtimes", `${name}-${version}`);
  const path = join(folder, "node_modules", name, script);
  return existsSync(path) || (await install(folder, `${name}@${version}`, path)) ? path : undefined;
}

export function deno(): TestRuntime {
  const { version } = require("deno/package.json") as { version: string };
  const libc = process.platform === "linux" ? "-glibc" : "";
  const binary = firstOf("deno", [
    `@deno/${process.platform}-${process.arch}${libc}/${executable("deno")}`,
  ]);
  return { name: "deno", version, command: (...script) => [binary, "run", "-A", ...script] };
}

export function bun(): TestRuntime {
  const { version } = require("bun/package.json") as { version: string };
  const arch = process.arch === "arm64" ? "aarch64" : process.arch;
  const os = process.platform === "win32" ? "windows" : process.platform;
  // Bun's install script, where it may run, moves the binary out of the platform's package.
  const binary = firstOf("bun", [
    `@oven/bun-${os}-${arch}/bin/${executable("bun")}`,
    `@oven/bun-${os}-${arch}-musl/bin/${executable("bun")}`,
    "bun/bin/bun.exe",
  ]);
  return { name: "bun", version, command: (...script) => [binary, ...script] };
}

function nodeAt(binary: string, version: string): TestRuntime {
  const command = (script: string, ...args: string[]): string[] =>
    script.endsWith(".ts")
      ? [binary, "--import", `file://${tsx}`, script, ...args]
      : [binary, script, ...args];
  return { name: "node", version, command };
}

function firstOf(name: string, places: readonly string[]): string {
  for (const place of places) {
    const path = join(projectFolder, "node_modules", place);
    if (existsSync(path)) return path;
  }
  throw new Error(`${name} is a dev dependency, but its binary is not installed: run npm install`);
}

async function npmVersion(name: string): Promise<string | undefined> {
  const asked = await npm("view", name, "version");
  return /^\d+\.\d+\.\d+$/m.exec(asked.stdout)?.[0];
}

async function install(folder: string, spec: string, binary: string): Promise<boolean> {
  const flags = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"];
  await npm("install", "--prefix", folder, ...flags, spec);
  return existsSync(binary);
}

function npm(...args: string[]) {
  return runProcess([executable("npm", ".cmd"), ...args], {
    cwd: projectFolder,
    limitMs: INSTALL_MS_MAX,
  });
}

function platform(): string {
  return `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
}

function executable(name: string, ending = ".exe"): string {
  return process.platform === "win32" ? name + ending : name;
}
