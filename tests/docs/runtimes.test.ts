// The manual's table of what each runtime can do: every cell is tried, those that say "no" too.
// Time limit: 150 s

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { request, requestJson } from "../support/http-client.ts";
import { runProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { bun, currentNode, deno, type TestRuntime } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import { WorkerdServer, workerdRuntime } from "../support/workerd.ts";

type Running = TestServer | WorkerdServer;

/** A column: how a broker is started there, and how a program is run. */
interface Column {
  start(brokers: number): Promise<Running>;
  run(script: string, ...args: string[]): Promise<string>;
}

const programMsMax = 30_000;
const codecs = ["gzip", "snappy", "lz4", "zstd"] as const;
const columns: Readonly<Record<string, Column>> = {
  "Node ≥ 20": columnOf(currentNode()),
  Deno: columnOf(deno()),
  Bun: columnOf(bun()),
  workerd: {
    start: (brokers) => WorkerdServer.start(brokers > 1 ? { brokers } : {}),
    run: async (script, ...args) =>
      output(await workerdRuntime(join(projectFolder, "tests/docs", script)), script, args),
  },
};

/** What each row promises, tried. False is "no"; what throws is no answer at all. */
const rows: Readonly<Record<string, (column: Column, server: Running) => Promise<boolean>>> = {
  "Kafka clients connect over TCP": async (_, server) => {
    const client = kafkaClient(server);
    const { offset } = await client.producer().send({ topic: "over-tcp", value: "a" });
    await client.close();
    return offset === 0;
  },
  "clients connect over HTTP": async (_, { http }) =>
    (await request(`${http}/v1/topics/over-http/records`, { body: "a" })).ok,
  "the log is kept in files of a folder": async (_, { dataDir }) =>
    filesOf(dataDir).some((name) => name.endsWith("00000000.log")),
  "the log is kept in the database of a Durable Object": async (_, { dataDir }) =>
    filesOf(dataDir).some((name) => name.endsWith(".sqlite")),
  "records in gzip, snappy, lz4 and zstd are read and written": async (_, server) => {
    const client = kafkaClient(server);
    const value = "again and again ".repeat(100);
    for (const compression of codecs) {
      await client.producer({ compression }).send({ topic: "packed", value });
      const url = `${server.http}/v1/topics/packed/records?compression=${compression}`;
      await request(url, { body: value });
    }
    await client.close();
    const url = `${server.http}/v1/topics/packed/partitions/0/records`;
    const { records } = await requestJson<{ records: { value: string }[] }>(url);
    return (
      records.length === 2 * codecs.length && records.every((record) => record.value === value)
    );
  },
  "several brokers are one cluster": async ({ start }) => {
    const server = await start(2);
    const url = `${server.http}/v1/cluster`;
    const { brokers } = await requestJson<{ brokers: unknown[] }>(url);
    await server.kill();
    return brokers.length === 2;
  },
  "the client library over TCP": async ({ run }, { kafka }) =>
    isSaid(await run("client-probe.ts", `${kafka.host}:${kafka.port}`, "by-tcp-client")),
  "the client library over HTTP": async ({ run }, { http }) =>
    isSaid(await run("client-probe.ts", http, "by-http-client")),
  "a log inside a program, without a port": async ({ run }) =>
    isSaid(await run("embedded-probe.ts")),
};

const page = readFileSync(join(projectFolder, "runtime/docs/runtimes.md"), "utf8");
const [head = [], , ...body] = page
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test("the page's table has the columns and rows that are tried", () => {
  assert.equal(head.slice(1), Object.keys(columns));
  assert.equal(
    body.map(([row]) => row),
    Object.keys(rows),
  );
});

for (const [index, [name, column]] of Object.entries(columns).entries()) {
  test(`${name} can do what its column says, and not what it denies`, async () => {
    const server = await column.start(1);
    // Written and acknowledged before anybody looks at the disk.
    await request(`${server.http}/v1/topics/first/records`, { body: "a" });
    const tried: string[] = [];
    for (const [row, can] of Object.entries(rows)) {
      tried.push(`${row}: ${(await can(column, server)) ? "yes" : "no"}`);
    }
    await server.kill();
    assert.equal(
      tried,
      body.map((cells) => `${cells[0]}: ${cells[index + 1]?.replace(/ \(\d\)$/, "")}`),
    );
  });
}

function columnOf(runtime: TestRuntime): Column {
  return {
    start: (brokers) => {
      const args = brokers > 1 ? ["--brokers", `${brokers}`] : [];
      return TestServer.start({ runtime, args });
    },
    run: (script, ...args) => output(runtime, script, args),
  };
}

async function output(runtime: TestRuntime, script: string, args: string[]): Promise<string> {
  const command = runtime.command(join(projectFolder, "tests/docs", script), ...args);
  const end = await runProcess(command, { cwd: projectFolder, limitMs: programMsMax });
  if (end.code !== 0) throw new Error(`${script}: exit ${end.code}\n${end.stdout}\n${end.stderr}`);
  return end.stdout;
}

function isSaid(text: string): boolean {
  return /from the (client|inside)/.test(text);
}

function kafkaClient({ kafka }: Running) {
  const bootstrap = [`${kafka.host}:${kafka.port}`];
  return createClient({ platform: createPlatform(), bootstrap });
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String);
}

test.run();
