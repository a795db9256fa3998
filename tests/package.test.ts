// The package as a user gets it: built, packed, installed from the tarball into an empty folder, imported, and
// its binary run, on Node, Deno, Bun and workerd.
// Time limit: 170 s

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
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
/** All of the client, minified and packed: producers, consumers, groups, transactions, admin, four codecs, the core. */
const CLIENT_BYTES_MAX = 80_000;
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
const server = await startServer({ dataDir: "memory", kafkaPort: 0, httpPort: 0 });
const offsets = [];
for (const [scheme, { host, port }] of [["", server.kafka], ["http://", server.http]]) {
  const client = createClient({ bootstrap: scheme + host + ":" + port });
  const { offset } = await client.producer().send({ topic: "embedded", value: "record" });
  offsets.push(offset);
  await client.close();
}
await server.close();
console.log(JSON.stringify({ runtime: createPlatform().runtime, offsets }));
`;

for (const runtime of RUNTIMES) {
  test(`the package can be embedded on ${runtime.name} ${runtime.version}`, async () => {
    const script = join(home, `embedded-${runtime.name}.mjs`);
    writeFileSync(script, EMBEDDED);
    const ran = await runProcess(runtime.command(script), { cwd: home });
    assert.is(ran.code, 0, ran.stderr);
    assert.equal(JSON.parse(ran.stdout), { runtime: runtime.name, offsets: [0, 1] });
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

/** Writes one record to each address, and reads what the topic then has. */
const CLIENT = `
import { createClient } from "timberline/client";
const text = (bytes) => new TextDecoder().decode(bytes);
let seen;
for (const bootstrap of process.argv.slice(2)) {
  const client = createClient({ bootstrap });
  const producer = client.producer({ compression: "gzip" });
  const { offset } = await producer.send({ topic: "packed", value: bootstrap.slice(0, 4) });
  const consumer = client.consumer();
  await consumer.assign([{ topic: "packed", partition: 0, offset: 0 }]);
  seen = [];
  for await (const record of consumer) {
    seen.push(text(record.value));
    if (record.offset === offset) break;
  }
  await client.close();
}
console.log(JSON.stringify(seen));
`;

test("the package brings a Worker that serves records in workerd, and is bundled for Workers", async () => {
  const folder = join(home, "worker");
  cpSync(join(installed, "dist/runtime/deploy/workerd"), folder, { recursive: true });
  const rest = readdirSync(folder).filter((name) => /(?<!^worker)\.(js|wasm)$/.test(name));
  const modules = ["worker.js", ...rest];
  const server = await WorkerdServer.start({ bundle: { folder, modules } });
  await request(`${server.http}/v1/topics/packed/records`, { body: { value: "from a tarball" } });
  const script = join(home, "client.mjs");
  writeFileSync(script, CLIENT);
  const program = await workerdRuntime(script);
  const address = `${server.kafka.host}:${server.kafka.port}`;
  const ran = await runProcess(program.command(script, address, server.http), { cwd: home });
  assert.is(ran.code, 0, ran.stderr);
  assert.equal(JSON.parse(ran.stdout), ["from a tarball", address.slice(0, 4), "http"]);
  await server.kill();
});

test("deno.json describes a package for JSR: types that need no inference, nothing left out", async () => {
  const [program = ""] = deno().command("");
  const args = ["publish", "--dry-run", "--allow-dirty", "--quiet"];
  const done = await runProcess([program, ...args], { cwd: projectFolder, limitMs: NPM_MS_MAX });
  assert.is(done.code, 0, done.stderr);
});

test("the client is bundled for browsers without a word, within its size, and needs no bundler's help", async () => {
  const script = join(home, "client.mjs");
  writeFileSync(script, CLIENT);
  for (const [platform, conditions] of [
    ["browser", []],
    ["neutral", ["edge-light", "browser"]],
  ] as const) {
    const outfile = join(home, `client.${platform}.js`);
    const done = await build({
      ...{ entryPoints: [script], outfile, platform, conditions: [...conditions] },
      ...{ bundle: true, minify: true, format: "esm", logLevel: "silent" },
    });
    assert.equal(done.warnings, []);
    const bytes = gzipSync(readFileSync(outfile), { level: 9 }).length;
    assert.ok(bytes <= CLIENT_BYTES_MAX, `${bytes} bytes`);
  }
  const server = await TestServer.start();
  for (const runtime of RUNTIMES) {
    const bundled = join(home, "client.browser.js");
    const ran = await runProcess(runtime.command(bundled, server.http), { cwd: home });
    assert.is(ran.code, 0, ran.stderr);
    assert.is(JSON.parse(ran.stdout).at(-1), "http");
  }
  await server.stop();
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
