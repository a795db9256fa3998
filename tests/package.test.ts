// The package as a user gets it: built, packed, installed from the tarball into an empty folder, imported, and
// its binary run, on Node, Deno, Bun and workerd.
// Time limit: 170 s

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { request, requestJson } from "./support/http-client.ts";
import { runProcess } from "./support/processes.ts";
import { projectFolder } from "./support/project.ts";
import { bun, currentNode, deno } from "./support/runtimes.ts";
import { TestServer } from "./support/server.ts";
import { tempFolder } from "./support/temp-folder.ts";
import { WorkerdServer, workerdRuntime } from "./support/workerd.ts";

const NPM_MS_MAX = 120_000;
const RUNTIMES = [currentNode(), deno(), bun()];

const home = tempFolder("package");
const installed = join(home, "node_modules/timberline");
let packed: { filename: string; files: { path: string; size: number }[] };

test.before(async () => {
  const made = await npm(projectFolder, "pack", "--json", "--pack-destination", home);
  packed = firstPack(made.stdout);
  writeFileSync(join(home, "package.json"), '{"private":true,"type":"module"}');
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--omit=dev"];
  await npm(home, "install", ...flags, `./${packed.filename}`);
});

test("npm pack takes the built package, its licence and its readme, and no source or map", () => {
  const paths = packed.files.map((file) => file.path);
  for (const path of ["LICENSE", "README.md", "package.json", "dist/runtime/cli/main.js"]) {
    assert.ok(paths.includes(path), path);
  }
  const strange = paths.filter(
    (path) => /\.map$|(?<!\.d)\.ts$|(^|\/)build\./.test(path) || /^(?!dist\/).*\//.test(path),
  );
  assert.equal(strange, []);
});

test("npm pack leaves no import without its file", () => {
  for (const { path } of packed.files.filter((file) => /\.(js|d\.ts)$/.test(file.path))) {
    const text = readFileSync(join(installed, path), "utf8");
    const imports = text.matchAll(/(?:from |import\(|import )"(\.\.?\/[^"]+)"/g);
    for (const [, specifier = ""] of imports) {
      const target = join(installed, dirname(path), specifier);
      const declared = path.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target;
      assert.ok(existsSync(declared), `${path} imports ${relative(installed, declared)}`);
    }
  }
});

test("package.json of the installed package names the licence and only files that are there", () => {
  const { license, bin, exports } = JSON.parse(
    readFileSync(join(installed, "package.json"), "utf8"),
  );
  assert.is(license, "Apache-2.0");
  const named = JSON.stringify([bin, exports]).matchAll(/"(?:\.\/)?(dist\/[^"]+)"/g);
  for (const [, path = ""] of named) assert.ok(existsSync(join(installed, path)), path);
});

test("the package's types check in a strict project that imports it", async () => {
  const folder = join(home, "typed");
  mkdirSync(folder);
  writeFileSync(
    join(folder, "use.ts"),
    'import * as timberline from "timberline";\nimport * as client from "timberline/client";\n' +
      "export const names: string[] = [...Object.keys(timberline), ...Object.keys(client)];\n",
  );
  const compilerOptions = {
    strict: true,
    noEmit: true,
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "dom", "dom.iterable"],
    types: [],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  const tsc = join(projectFolder, "node_modules/typescript/bin/tsc");
  const checked = await runProcess([process.execPath, tsc, "-p", folder]);
  assert.is(checked.code, 0, checked.stdout);
});

const EMBEDDED = `
import { createPlatform, startServer } from "timberline";
import { createClient } from "timberline/client";
const platform = createPlatform();
const server = await startServer({ dataDir: "memory", kafkaPort: 0, httpPort: false });
const bootstrap = [server.kafka.host + ":" + server.kafka.port];
const client = createClient({ platform, bootstrap });
const { offset } = await client.producer().send({ topic: "embedded", value: "record" });
await client.close();
await server.close();
console.log(JSON.stringify({ runtime: platform.runtime, offset }));
`;

for (const runtime of RUNTIMES) {
  test(`the package can be embedded on ${runtime.name} ${runtime.version}`, async () => {
    const script = join(home, `embedded-${runtime.name}.mjs`);
    writeFileSync(script, EMBEDDED);
    const ran = await runProcess(runtime.command(script), { cwd: home });
    assert.is(ran.code, 0, ran.stderr);
    assert.equal(JSON.parse(ran.stdout), { runtime: runtime.name, offset: 0 });
  });

  test(`the package's binary serves records on ${runtime.name}`, async () => {
    const entry = join(installed, "dist/runtime/cli/main.js");
    const server = await TestServer.start({ runtime, entry });
    const url = `${server.http}/v1/topics/packed/partitions/0/records`;
    await request(`${server.http}/v1/topics`, { body: { name: "packed" } });
    await request(`${server.http}/v1/topics/packed/records`, { body: { value: "from a tarball" } });
    const fetched = await requestJson<{ records: { value: string }[] }>(`${url}?offset=0`);
    assert.is(fetched.records[0]?.value, "from a tarball");
    const metrics = await (await request(`${server.http}/metrics`)).text();
    assert.match(metrics, `runtime="${runtime.name}"`);
    assert.is((await server.stop()).code, 0);
  });
}

const WORKER_CLIENT = `
import { createClient, createPlatform } from "timberline";
const platform = createPlatform();
const client = createClient({ platform, bootstrap: [process.argv[2]] });
const { offset } = await client.producer().send({ topic: "packed", value: "record" });
await client.close();
console.log(JSON.stringify({ runtime: platform.runtime, offset }));
`;

test("the package brings a Worker that serves records in workerd, and is bundled for Workers", async () => {
  const folder = join(home, "worker");
  cpSync(join(installed, "dist/runtime/deploy/workerd"), folder, { recursive: true });
  const rest = readdirSync(folder).filter((name) => /(?<!^worker)\.(js|wasm)$/.test(name));
  const modules = ["worker.js", ...rest];
  const server = await WorkerdServer.start({ bundle: { folder, modules } });
  await request(`${server.http}/v1/topics/packed/records`, { body: { value: "from a tarball" } });
  const script = join(home, "worker-client.mjs");
  writeFileSync(script, WORKER_CLIENT);
  const program = await workerdRuntime(script);
  const address = `${server.kafka.host}:${server.kafka.port}`;
  const ran = await runProcess(program.command(script, address), { cwd: home });
  assert.is(ran.code, 0, ran.stderr);
  assert.equal(JSON.parse(ran.stdout), { runtime: "workerd", offset: 1 });
  await server.kill();
});

async function npm(cwd: string, ...args: string[]) {
  const name = process.platform === "win32" ? "npm.cmd" : "npm";
  const done = await runProcess([name, ...args], { cwd, limitMs: NPM_MS_MAX });
  assert.is(done.code, 0, `npm ${args.join(" ")}\n${done.stdout}\n${done.stderr}`);
  return done;
}

/** Scripts of the package print before the JSON. */
function firstPack(output: string): typeof packed {
  return JSON.parse(output.slice(output.search(/^\[/m)))[0];
}

test.run();
