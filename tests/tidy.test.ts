// The house rules that a machine can check, on every file of the project: layers, sizes, ambient time and
// randomness, runtime names, dead files, import cycles, open ends, the fixed top level, the package's own map.
// Each rule is first shown a small fault of its kind, so that a rule that finds nothing cannot pass.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isUpToDate } from "../storage-wasm/build.ts";
import { projectFolder } from "./support/project.ts";
import { layerFaults } from "./tidy/layers.ts";
import * as rules from "./tidy/rules.ts";
import { parseSource, type Source } from "./tidy/source.ts";

const TOP_FILES =
  /^(deno\.json|package\.json|README\.md|LICENSE|deno\.lock|package-lock\.json|tsconfig[^/]*\.json|biome\.jsonc?|asconfig\.json|\.[^/]+)$/;
const TOP_FOLDERS = /^(runtime|storage-wasm|cluster|tests|\.[^/]+)\//;
const TEXT_FILES = /\.(ts|js|mjs|json|md|wit|toml|html|css|yaml|sh)$|^\.ci\//;

const paths = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
  cwd: projectFolder,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path !== "" && existsSync(join(projectFolder, path)));
const sources = paths
  .filter((path) => path.endsWith(".ts"))
  .map((path) => parseSource(path, read(path)));

/** The project is clean, and the rule finds the fault of each sample. */
function rule(
  name: string,
  check: (source: Source) => readonly string[],
  samples: Record<string, readonly string[]>,
): void {
  test(`${name} finds each sample's fault`, () => {
    for (const [path, codes] of Object.entries(samples)) {
      for (const code of codes) {
        const faults = check(parseSource(path, code));
        assert.is(faults.length, 1, `${path}: ${code}\n${faults.join("\n")}`);
      }
    }
  });
  test(`${name} finds none in the project`, () => clean(sources.flatMap(check)));
}

rule("layerFaults()", layerFaults, {
  "runtime/log/x.ts": [
    'import { a } from "../http/app.ts";',
    'import type { A } from "../storage/file.ts";',
    'export * from "../../cluster/memory.ts";',
    'const a = await import("../server.ts");',
    'type A = import("../kafka/codec.ts").A;',
    'import { createPlatform } from "#platform";',
  ],
  "cluster/x.ts": ['import { BrokerError } from "../runtime/errors.ts";'],
  "storage-wasm/x.ts": ['import { Clock } from "../runtime/platform.ts";'],
  "runtime/x.ts": [
    'import { crc } from "../storage-wasm/dist/core.js";',
    'import { tempFolder } from "../tests/support/temp-folder.ts";',
  ],
  "elsewhere/x.ts": ["const a = 1;"],
});

rule("sizeFaults()", rules.sizeFaults, {
  "runtime/x.ts": [
    "// line\n".repeat(401),
    `function f() {${"\n".repeat(70)}}`,
    `const f = () => {${"\n".repeat(70)}};`,
    `class A { m() {${"\n".repeat(70)}} }`,
  ],
});

rule("ambientFaults()", rules.ambientFaults, {
  "runtime/log/x.ts": [
    "const t = Date.now();",
    "const now = Date.now;",
    "const t = globalThis.Date.now();",
    "const t = new Date();",
    "const r = Math.random();",
    "setTimeout(() => {}, 1);",
    "globalThis.setInterval(() => {}, 1);",
    "const later = setImmediate;",
    "crypto.getRandomValues(new Uint8Array(1));",
    "const t = performance.now();",
  ],
});

test("ambientFaults() leaves names that only look alike", () => {
  const fine = `
    // Date.now() and setTimeout() in a comment, "Math.random()" in a string
    const text = "Date.now()";
    const at = new Date(0);
    const f = (setTimeout: () => void) => setTimeout();
    clock.setTimeout(1);
    interface Timers { setTimeout(): void }`;
  assert.equal(rules.ambientFaults(parseSource("runtime/x.ts", fine)), []);
  const code = "Date.now(); setTimeout(f, 1);";
  assert.equal(rules.ambientFaults(parseSource("runtime/platforms/x.ts", code)), []);
});

rule("runtimeNameFaults()", rules.runtimeNameFaults, {
  "runtime/kafka/x.ts": [
    'import { readFileSync } from "node:fs";',
    'import { connect } from "cloudflare:sockets";',
    "const version = Deno.version;",
    'const here = typeof Bun !== "undefined";',
    "const env = process.env;",
    'const b = Buffer.from("a");',
  ],
});

rule("loadedErrorFaults()", rules.loadedErrorFaults, {
  "runtime/x.ts": ['const gone = new BrokerError("RESOURCE_NOT_FOUND", "gone");'],
});

rule("openingFaults()", rules.openingFaults, {
  "runtime/x.ts": ["const a = 1;\n", "// short\nconst a = 1;\n"],
});

rule("switchedOffFaults()", rules.switchedOffFaults, {
  "tests/x.test.ts": ['test.skip("a", f);', 'suite.only("a", f);'],
});

test("openEndFaults() finds what was left for later", () => {
  for (const text of ["// TO" + "DO: later", "not yet imple" + "mented", "coming s" + "oon"]) {
    assert.is(rules.openEndFaults("x.md", `fine\n${text}`).length, 1, text);
  }
});

test("openEndFaults() finds none in the project", () => {
  const texts = paths.filter((path) => TEXT_FILES.test(path) && path !== "package-lock.json");
  clean(texts.flatMap((path) => rules.openEndFaults(path, read(path))));
});

test("deadFaults() finds what nothing, or only a test, reaches", () => {
  const small = [
    parseSource(
      "runtime/cli/main.ts",
      'import "../used.ts"; new URL("./named.ts", import.meta.url);',
    ),
    parseSource("runtime/used.ts", ""),
    parseSource("runtime/cli/named.ts", ""),
    parseSource("runtime/only-tested.ts", ""),
    parseSource("tests/a.test.ts", 'import "../runtime/only-tested.ts"; import "./support.ts";'),
    parseSource("tests/support.ts", ""),
    parseSource("tests/alone.ts", ""),
  ];
  const faults = rules.deadFaults(small, ["tsx runtime/cli/main.ts"]);
  assert.equal(
    faults.map((fault) => fault.split(" ")[0]),
    ["runtime/only-tested.ts", "tests/alone.ts"],
  );
});

test("deadFaults() finds none in the project", () => {
  const built = read("package.json").replaceAll(/dist\/([\w/-]+)\.js/g, "$1.ts");
  clean(rules.deadFaults(sources, [read("package.json"), built, ...startedByScripts()]));
});

test("cycleFaults() finds value imports in a circle, not type imports", () => {
  const circle = (kind: string) => [
    parseSource("runtime/a.ts", 'import { b } from "./b.ts";'),
    parseSource("runtime/b.ts", `import ${kind} { a } from "./a.ts";`),
  ];
  assert.equal(rules.cycleFaults(circle("")).length, 1);
  assert.equal(rules.cycleFaults(circle("type")), []);
});

test("cycleFaults() finds none in the project", () => clean(rules.cycleFaults(sources)));

test("the storage core that is used was built from the sources that are here", () => {
  assert.ok(isUpToDate(), "run npm install: storage-wasm/dist is older than its sources");
});

test("the top level has only the fixed names", () => {
  clean(paths.filter((path) => !(path.includes("/") ? TOP_FOLDERS : TOP_FILES).test(path)));
});

test("package.json names only files that exist or are built from one that does", () => {
  const { bin, exports, imports, files } = JSON.parse(read("package.json"));
  const named = leaves([bin, exports, imports]).map((name) => name.replace(/^\.\//, ""));
  const missing = named.filter((path) => {
    const source = path.replace(/^dist\/(.*?)(\.d)?\.(js|ts)$/, "$1.ts");
    return !existsSync(join(projectFolder, source));
  });
  assert.equal(missing, []);
  for (const path of ["README.md", "LICENSE"]) {
    assert.ok(files.includes(path) && existsSync(join(projectFolder, path)), path);
  }
});

function clean(faults: readonly string[]): void {
  assert.is(faults.length, 0, `\n${faults.join("\n")}\n`);
}

function read(path: string): string {
  return readFileSync(join(projectFolder, path), "utf8");
}

/** What the scripts of CI start. */
function startedByScripts(): string[] {
  return paths.filter((path) => /^\.ci\/|\.sh$/.test(path)).map(read);
}

/** All strings of a nested object. */
function leaves(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(leaves) : [];
}

test.run();
