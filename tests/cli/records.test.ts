// Records through the command line: in by lines, JSON paths, formats and exports, out by formats and JSON, byte for
// byte; offsets and times; exit codes.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runProcess } from "../support/processes.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { callInProcess, commandLine, startTimberline, timberline } from "./command-line.ts";

let server: TestServer;
test.before(async () => {
  server = await TestServer.start({ args: ["--flush", "os"] });
});
test.after(async () => {
  await server.stop();
});

/** Must end with 0; what it wrote to stdout. */
async function ok(args: readonly string[]): Promise<string> {
  const end = await callInProcess(["-b", server.bootstrap, ...args]);
  assert.is(end.code, 0, `${args.join(" ")}: ${end.stderr}`);
  return end.stdout;
}

/** A file with this content. */
function file(content: string): string {
  const path = join(tempFolder("input"), "input");
  writeFileSync(path, content);
  return path;
}

const all = (topic: string, ...args: string[]) =>
  ok(["consume", topic, "-o", "begin", "-e", ...args]);

const FLIGHTS = [
  '{"date":"2001-01-01T00:00:00Z", "origin":"SFO","n":1}',
  '{"date":978307260000,"origin":"서울","n":2}',
  '{"date":978307320,"origin":"SFO","n":3 }',
];

test("produce takes key and time from JSON and consume gives the same bytes back", async () => {
  await ok(["topic", "create", "flights", "-p", "3", "-c", "retention.ms=-1"]);
  const paths = ["--key-path", ".origin", "--timestamp-path", ".date"];
  const args = ["-b", server.bootstrap, "produce", "flights", ...paths, "-z", "lz4", "-o", "json"];
  const end = await timberline(args, { stdin: `${FLIGHTS.join("\n")}\n` });
  assert.is(end.code, 0, end.stderr);
  assert.is((JSON.parse(end.stdout) as { records: number }).records, 3);
  const lines = (await all("flights")).trimEnd().split("\n");
  assert.equal(lines.sort(), [...FLIGHTS].sort());
  const keyed = (await all("flights", "-f", "%k %T{iso} %p\\n")).trimEnd().split("\n");
  const [first, third] = keyed.filter((line) => line.startsWith("SFO"));
  assert.match(first as string, /^SFO 2001-01-01T00:00:00\.000Z \d$/);
  assert.match(third as string, /^SFO 2001-01-01T00:02:00\.000Z \d$/);
  assert.is(first?.at(-1), third?.at(-1), "one key, one partition");
});

test("consume finds times, offsets, tails and counts", async () => {
  await ok(["topic", "create", "numbers"]);
  const lines = Array.from({ length: 50 }, (_, i) => `${978_307_200_000 + i * 1000} ${i}`);
  await ok(["produce", "numbers", file(`${lines.join("\n")}\n`), "-f", "%T %s\\n"]);
  const range = (offset: string, ...args: string[]) =>
    ok(["consume", "numbers", "-o", offset, "-e", "-f", "%s ", ...args]);
  assert.is(await range("@2001-01-01T00:00:10:@2001-01-01T00:00:13"), "10 11 12 ");
  assert.is(await range("47"), "47 48 49 ");
  assert.is(await range("-2"), "48 49 ");
  assert.is(await range("3:6"), "3 4 5 ");
  assert.is(await range("begin", "-c", "2"), "0 1 ");
  const at = await ok([
    "topic",
    "offsets",
    "numbers",
    "--at",
    "2001-01-01T00:00:20",
    "-o",
    "ndjson",
  ]);
  assert.is((JSON.parse(at) as { offset: number }).offset, 20);
});

test("formats with lengths and exports carry any bytes from topic to topic", async () => {
  const hex = "00ff0a0d7f";
  await ok([
    "produce",
    "binary",
    file(`c3a9 ${hex} a=1,b=2\n00 00 \n`),
    "-f",
    "%k{hex} %s{hex} %h\\n",
  ]);
  const framed = await ok([
    "consume",
    "binary",
    "-o",
    "begin",
    "-e",
    "-f",
    "%k{hex}:%K:%s{hex}:%S:%h\\n",
  ]);
  assert.is(framed, `c3a9:2:${hex}:5:a=1,b=2\n00:1:00:1:\n`);
  await ok(["produce", "copy", "--from", file(await all("binary", "-J"))]);
  assert.is(await all("copy", "-f", "%k{hex}:%K:%s{hex}:%S:%h\\n"), framed);
});

test("consume filters by key and header, and stops without hanging where nothing matches", async () => {
  await ok(["produce", "marked", file("x:1\ny:2\n"), "-K", ":", "-H", "kind=a"]);
  await ok(["produce", "marked", file("x:\n"), "-K", ":", "-Z"]);
  assert.is(await all("marked", "--key", "x", "-Z"), "1\nNULL\n");
  assert.is(await all("marked", "--header", "kind=a"), "1\n2\n");
  assert.is(await all("marked", "--key", "absent"), "");
});

test("the reader of stdout may leave: exit 0 and no complaint", async () => {
  await ok(["produce", "many", "--value", "x".repeat(1000), "--count", "3000"]);
  const command = commandLine(["-b", server.bootstrap, "consume", "many", "-o", "begin"]);
  const quoted = command.map((word) => `'${word}'`).join(" ");
  const end = await runProcess(["bash", "-c", `${quoted} | head -c 10; echo " $\{PIPESTATUS[0]}"`]);
  assert.is(end.stdout, "xxxxxxxxxx 0\n");
  assert.is(end.stderr.includes("error"), false, end.stderr);
});

test("Ctrl-C ends a tail with 130 and says how to go on", async () => {
  await ok(["produce", "tail", "--value", "seen"]);
  const tail = startTimberline(["-b", server.bootstrap, "consume", "tail", "-o", "begin"]);
  await tail.waitFor(/seen\n/);
  const end = await tail.stop("SIGINT");
  assert.is(end.code, 130);
  assert.match(end.stderr, "timberline consume tail -p 0 -o 1");
});

test("exit codes: 1 an item failed, 2 usage, 3 not reachable", async () => {
  const code = async (...args: string[]) =>
    (await callInProcess(["-b", server.bootstrap, ...args])).code;
  assert.is(await code("topic", "delete", "--yes", "absent"), 1);
  assert.is(await code("topic", "delete", "flights"), 2, "asks without a terminal");
  assert.is(await code("consume", "flights", "-f", "%q"), 2);
  assert.is(await code("no-such-command"), 2);
  const away = await callInProcess(["-b", "127.0.0.1:1", "--timeout", "1s", "topic", "list"]);
  assert.is(away.code, 3, away.stderr);
  assert.match(away.stderr, "127.0.0.1:1");
});

test("topics are altered, grown, purged, described and deleted", async () => {
  await ok(["topic", "create", "managed", "-c", "retention.ms=1000s"]);
  await ok([
    "topic",
    "alter",
    "managed",
    "-c",
    "segment.bytes=2000000",
    "--delete",
    "retention.ms",
  ]);
  await ok(["topic", "add-partitions", "managed", "3"]);
  await ok(["produce", "managed", "-p", "0", "--value", "v", "--count", "10"]);
  await ok(["topic", "purge", "managed", "--before", "4", "--yes"]);
  const rows = JSON.parse(await ok(["topic", "describe", "managed", "-o", "json"])) as Record<
    string,
    number
  >[];
  assert.equal(
    rows.map(({ startOffset, endOffset }) => [startOffset, endOffset]),
    [
      [4, 10],
      [0, 0],
      [0, 0],
    ],
  );
  const config = await ok(["topic", "config", "managed", "-o", "csv"]);
  assert.match(config, /segment\.bytes,2000000,DYNAMIC_TOPIC_CONFIG/);
  assert.not.match(config, /retention\.ms/);
  await ok(["topic", "delete", "managed", "--yes"]);
  const listed = (await ok(["topic", "list", "-o", "ndjson"])).trim().split("\n");
  assert.not.ok(listed.some((line) => (JSON.parse(line) as { name: string }).name === "managed"));
});

test("dump reads the folder of a running server: nothing is wrong, and every record is there", async () => {
  const verified = await callInProcess(["dump", server.dataDir, "--verify", "-o", "json"]);
  assert.is(verified.code, 0, verified.stdout);
  const folder = join(server.dataDir, "numbers-0");
  const dumped = await callInProcess(["dump", folder, "--records", "--from", "40", "-o", "ndjson"]);
  const records = dumped.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; value: string })
    .filter(({ type }) => type === "record");
  assert.equal(
    records.map(({ value }) => value),
    ["40", "41", "42", "43", "44", "45", "46", "47", "48", "49"],
  );
  const hex = await callInProcess(["dump", folder, "--hex", "45"]);
  assert.match(hex.stdout, /crc .*CRC-32C/);
});

test.run();
