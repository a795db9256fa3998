// The rules of the house that a machine can check, besides the layers: each takes sources and returns one
// sentence per fault. `tests/tidy.test.ts` applies them to the project and proves that each finds its fault.

import type { Source } from "./source.ts";

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const OPENING_CHARS_MIN = 25;

/** Build scripts and tests run on Node by hand or in CI, never as part of Timberline. */
const SCRIPTS = [/^tests\//, /^(runtime|runtime\/edge|storage-wasm)\/build\.ts$/];
const NAMES_RUNTIME = [
  ...SCRIPTS,
  /^runtime\/platforms\//,
  /^runtime\/storage\/(file|durable-object)[^/]*\.ts$/,
  /^runtime\/streams\/(store|wasm)/,
  /^runtime\/cli\//,
];
const READS_CLOCK = [...SCRIPTS, /^runtime\/platforms\//];

const RUNTIME_NAMES = new Set(["Deno", "Bun", "process", "Buffer", "require", "__dirname"]);
const AMBIENT = new Set([
  "Date.now",
  "new Date()",
  "performance.now",
  "Math.random",
  "crypto.getRandomValues",
  "crypto.randomUUID",
  "setTimeout",
  "setInterval",
  "setImmediate",
]);
const RUNTIME_MODULE = /^(node|cloudflare|bun|deno):/;
const OPEN_END = /\b(TO(?:DO)|FIX(?:ME)|XX(?:X)|not (?:yet )?imple(?:mented)|coming s(?:oon))\b/;
const SWITCHED_OFF = /^(test|it|suite|describe)\.(skip|only)$/;

export function sizeFaults(source: Source): string[] {
  const faults: string[] = [];
  if (source.lines > FILE_LINES_MAX) {
    faults.push(`${source.path} has ${source.lines} lines, more than ${FILE_LINES_MAX}`);
  }
  for (const { name, line, lines } of source.functions) {
    if (lines <= FUNCTION_LINES_MAX) continue;
    const limit = `more than ${FUNCTION_LINES_MAX}`;
    faults.push(`${source.path}:${line} ${name}() has ${lines} lines, ${limit}`);
  }
  return faults;
}

/** Time, timers and randomness arrive through Platform, or the simulator cannot replay a run. */
export function ambientFaults(source: Source): string[] {
  if (matches(READS_CLOCK, source.path)) return [];
  return source.uses
    .filter((use) => AMBIENT.has(use.what))
    .map((use) => `${source.path}:${use.line} uses ${use.what}: take it from Platform`);
}

/** Only a few files may know which runtime they are on. */
export function runtimeNameFaults(source: Source): string[] {
  if (matches(NAMES_RUNTIME, source.path)) return [];
  const imports = source.imports.filter((found) => RUNTIME_MODULE.test(found.target));
  const names = source.uses.filter((use) => RUNTIME_NAMES.has(use.what));
  return [
    ...imports.map((found) => `${source.path}:${found.line} imports ${found.target}`),
    ...names.map((use) => `${source.path}:${use.line} names ${use.what}`),
  ];
}

/** An error takes down where it was made, for which workerd reads the whole module again: 20 ms of every start. */
export function loadedErrorFaults(source: Source): string[] {
  if (matches(SCRIPTS, source.path)) return [];
  return source.text.split("\n").flatMap((line, index) => {
    const isMade = /^(export )?(const|let) .*= new \w*Error\(/.test(line);
    return isMade ? [`${source.path}:${index + 1} makes an error while it is loaded`] : [];
  });
}

export function openingFaults(source: Source): string[] {
  const text = source.text.replace(/^#!.*\n/, "");
  const opening = /^(\/\/.*\n)+|^\/\*[\s\S]*?\*\//.exec(text)?.[0] ?? "";
  if (opening.length >= OPENING_CHARS_MIN) return [];
  return [`${source.path} does not open by saying what it is`];
}

export function switchedOffFaults(source: Source): string[] {
  return source.uses
    .filter((use) => SWITCHED_OFF.test(use.what))
    .map((use) => `${source.path}:${use.line} has ${use.what}: every test runs`);
}

/** Any text file. */
export function openEndFaults(path: string, text: string): string[] {
  return text.split("\n").flatMap((line, index) => {
    const found = OPEN_END.exec(line)?.[0];
    return found === undefined ? [] : [`${path}:${index + 1} leaves something open: ${found}`];
  });
}

/**
 * Files that nothing starts, imports or names. What only a test imports is dead too; declarations are read by the
 * compiler alone. `roots` are the texts that name entry files: package.json, CI scripts.
 */
export function deadFaults(sources: readonly Source[], roots: readonly string[]): string[] {
  const entries = sources
    .map((source) => source.path)
    .filter((path) => roots.some((text) => text.includes(path)));
  const tests = sources.map((source) => source.path).filter((path) => path.endsWith(".test.ts"));
  const alive = reach(sources, entries);
  const aliveForTests = reach(sources, [...entries, ...tests]);
  return sources
    .filter(({ path }) => !path.endsWith(".d.ts"))
    .filter(({ path }) => !(path.startsWith("tests/") ? aliveForTests : alive).has(path))
    .map(({ path }) => `${path} is dead: nothing but tests imports, starts or names it`);
}

function reach(sources: readonly Source[], from: readonly string[]): Set<string> {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const waiting = [...from];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const source = byPath.get(path);
    if (source === undefined || reached.has(path)) continue;
    reached.add(path);
    waiting.push(...source.imports.map((found) => found.target));
    waiting.push(...source.strings.flatMap((text) => filesNamed(source, text)));
  }
  return reached;
}

/** `new URL("./child.ts", import.meta.url)`, or a path from the project's folder in a string. */
function filesNamed(source: Source, text: string): string[] {
  if (!text.endsWith(".ts")) return [];
  const folder = source.path.slice(0, source.path.lastIndexOf("/") + 1);
  return [text, folder + text.replace(/^\.\//, "")];
}

/** Value imports that lead back to where they started: load order would decide what is undefined. */
export function cycleFaults(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map((source) => [
      source.path,
      source.imports.filter((found) => !found.typeOnly).map((found) => found.target),
    ]),
  );
  const state = new Map<string, "open" | "done">();
  const faults: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === "done" || !edges.has(path)) return;
    if (state.get(path) === "open") {
      faults.push(`import cycle: ${[...trail.slice(trail.indexOf(path)), path].join(" → ")}`);
      return;
    }
    state.set(path, "open");
    for (const next of edges.get(path) ?? []) walk(next, [...trail, path]);
    state.set(path, "done");
  };
  for (const path of edges.keys()) walk(path, []);
  return faults;
}

function matches(patterns: readonly RegExp[], path: string): boolean {
  return patterns.some((pattern) => pattern.test(path));
}
