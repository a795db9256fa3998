// Builds the storage core: AssemblyScript → core module → component (its WIT embedded) → jco's
// glue, all into `dist/`. Run by `npm install` (script `prepare`); does nothing when the inputs
// have not changed. `dist/core.wasm` is the core module that a platform compiles,
// `dist/core-inline.js` the same, gzip in base64, for those that can read no file, `dist/core.js` the
// component's glue.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

const folder = dirname(fileURLToPath(import.meta.url));
export const distFolder = join(folder, "dist");
const witFile = join(folder, "wit", "storage-core.wit");
const world = "storage-core";

/**
 * Compiler flags. No assertions inside, no ambient `abort`: a bug traps. 16 pages: starts with 1
 * MiB.
 */
const compilerFlags = [
  ...["-O3", "--noAssert", "--runtime", "stub", "--use", "abort="],
  ...["--enable", "simd", "--initialMemory", "16"],
];

const textBytesMax = 16 * 1024 * 1024;

/** Hash of all that decides about `dist/`: sources, contract, this file, the tools' versions. */
export function inputsHash(): string {
  const hash = createHash("sha256");
  for (const file of inputFiles()) {
    hash.update(`${relative(folder, file).replaceAll("\\", "/")}\0`).update(readFileSync(file));
  }
  return hash.digest("hex");
}

/** Builds into `into`, whether or not it is up to date. */
export async function build(into: string): Promise<void> {
  const tools = await import("@bytecodealliance/jco-transpile/wasm-tools");
  const { transpileBytes } = await import("@bytecodealliance/jco-transpile");
  const witSource = readFileSync(witFile, "utf8");
  const binary = await tools.parse(compile(exportNames(witSource)));
  const component = await tools.componentNew(
    await tools.componentEmbed({ binary, witSource, world }),
    [],
  );
  const { files } = await transpileBytes(component, { name: "core", instantiation: "sync" });
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(into, name === "core.core.wasm" ? "core.wasm" : name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, name.endsWith(".wasm") ? bytes : sourceOf(name, bytes));
  }
  writeFileSync(join(into, "core.component.wasm"), component);
  const packed = gzipSync(readFileSync(join(into, "core.wasm")), { level: 9 });
  const text = packed.toString("base64");
  const inline = typed("core-inline", `export const corePacked = "${text}";\n`);
  writeFileSync(join(into, "core-inline.js"), inline);
  writeFileSync(join(into, "core-inline.d.ts"), "export declare const corePacked: string;\n");
  writeFileSync(join(into, "inputs.sha256"), `${inputsHash()}\n`);
}

/** Whether `dist/` was built from the inputs as they are. */
export function isUpToDate(): boolean {
  const stamp = join(distFolder, "inputs.sha256");
  return existsSync(stamp) && readFileSync(stamp, "utf8").trim() === inputsHash();
}

function inputFiles(): string[] {
  const assembly = join(folder, "assembly");
  const sources = readdirSync(assembly).filter((name) => name.endsWith(".ts"));
  return [
    ...sources.sort().map((name) => join(assembly, name)),
    witFile,
    join(folder, "build.ts"),
    // A tool's version is an input too.
    toolFile("assemblyscript", "package.json"),
    toolFile("@bytecodealliance/jco-transpile", "package.json"),
  ];
}

/** A file of an installed tool. */
function toolFile(name: string, path: string): string {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    const file = join(at, "node_modules", name, path);
    if (existsSync(file)) return file;
  }
  throw new Error(`${name} is not installed: run npm install`);
}

/**
 * "crc32c-at" → "timberline:storage-core/checksums@0.1.0#crc32c-at" for every function of the
 * contract.
 */
function exportNames(wit: string): Map<string, string> {
  const [, packageName, version] = /^package ([\w:-]+)@([\w.]+);/m.exec(wit) ?? [];
  const names = new Map<string, string>();
  for (const [, name, body] of wit.matchAll(/^interface ([\w-]+) \{\n([\s\S]*?)^\}/gm)) {
    for (const [, method] of body!.matchAll(/^ {2}([\w-]+): func/gm)) {
      names.set(method!, `${packageName}/${name}@${version}#${method}`);
    }
  }
  return names;
}

/**
 * AssemblyScript cannot write names such as "a:b/c@1#d", so exports are renamed in the compiler's
 * text output. The compiler runs in a process of its own: loaded through tsx, its 13 MB would take
 * longer than its work.
 */
function compile(names: Map<string, string>): string {
  const compiler = toolFile("assemblyscript", "bin/asc.js");
  const text = execFileSync(
    process.execPath,
    [compiler, "assembly/exports.ts", "--baseDir", folder, "--textFile", ...compilerFlags],
    { encoding: "utf8", maxBuffer: textBytesMax },
  );
  const missing = new Set(names.keys());
  const renamed = text.replace(/\(export "(\w+)" \(func/g, (whole, name: string) => {
    if (name === "cabi_realloc") return whole;
    const method = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (!missing.delete(method)) throw new Error(`${name} is exported but not in the contract`);
    return `(export "${names.get(method)}" (func`;
  });
  if (missing.size) throw new Error(`not exported: ${[...missing].join(", ")}`);
  return renamed;
}

/** Declarations import one another as they are named: there are no scripts beside them. */
function sourceOf(name: string, bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  if (name === "core.js") return typed("core", pureGlue(text));
  return text.replaceAll(/(import type .+ from '.+)\.js'/g, "$1.d.ts'");
}

/** Deno looks for a script's types only where it says so. */
function typed(name: string, script: string): string {
  return `/* @ts-self-types="./${name}.d.ts" */\n${script}`;
}

/** Nothing of the glue may touch its surroundings: no environment, no files, no process. */
function pureGlue(glue: string): string {
  const debugSwitch = "if (!globalThis?.process?.env?.JCO_DEBUG) { return; }";
  const pure = glue.replace(debugSwitch, "return;");
  const ambient = /\bprocess\b\??\.|\bDeno\b|\bimport\(|\bfetch\(|^import /m.exec(pure);
  if (ambient) throw new Error(`the glue reaches for ${ambient[0]}: teach build.ts about it`);
  return pure;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  if (isUpToDate()) {
    console.log("storage core: up to date");
  } else {
    const start = performance.now();
    await build(distFolder);
    console.log(`storage core: built in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
}
