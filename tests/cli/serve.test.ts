// `timberline serve` as a process: its ready line, its signals, and the sentences it ends with when it cannot start.

import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ProcessEnd, TestProcess } from "../support/processes.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { callInProcess, commandLine, startTimberline, timberline } from "./command-line.ts";

const FREE_PORTS = ["--kafka-port", "0", "--http-port", "0"];

/** One error, its reasons and what to try; no stack. */
function assertRefused(end: ProcessEnd, ...parts: RegExp[]): void {
  assert.is(end.code, 2, end.stderr);
  assert.is(end.stdout, "");
  assert.match(end.stderr, /^error: /m);
  assert.not.match(end.stderr, /\n\s+at /);
  for (const part of parts) assert.match(end.stderr, part);
}

test("serve prints its ready line as JSON with --log-format json, and JSON logs on stderr", async () => {
  const args = [
    "--data-dir",
    join(tempFolder("json"), "log"),
    "--log-format",
    "json",
    ...FREE_PORTS,
  ];
  const server = startTimberline(["serve", ...args]);
  const [line] = await server.waitFor(/^\{.*\}$/m);
  const ready = JSON.parse(line) as { event: string; kafka: string; http: string };
  assert.is(ready.event, "ready");
  assert.match(ready.kafka, /^127\.0\.0\.1:\d+$/);
  assert.match(ready.http, /^127\.0\.0\.1:\d+$/);
  const end = await server.stop("SIGTERM");
  assert.is(end.code, 0);
  for (const log of end.stderr.trim().split("\n")) assert.type(JSON.parse(log), "object");
});

test("serve refuses what belongs to others: a folder in use, a port in use, by name", async () => {
  const server = await TestServer.start();
  const folder = await timberline(["serve", "--data-dir", server.dataDir, ...FREE_PORTS]);
  assertRefused(folder, new RegExp(`process ${server.process.pid}`), /--data-dir/);
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as AddressInfo;
  const args = [
    "--data-dir",
    join(tempFolder("port"), "log"),
    "--kafka-port",
    "0",
    "--http-port",
    String(port),
  ];
  const end = await timberline(["serve", ...args]);
  assertRefused(end, new RegExp(`port ${port} is taken`), /--http-port 0/);
  if (process.platform === "linux") assert.match(end.stderr, `by process ${process.pid}`);
  taken.close();
  await server.stop();
});

test("serve ends with a sentence when the disk of its log fails, and goes on where it was", async () => {
  const dataDir = join(tempFolder("failing"), "log");
  const serve = commandLine(["serve", "--data-dir", dataDir, "--flush", "os", ...FREE_PORTS]);
  // The system refuses larger files, with an error that is not that of a full disk.
  const script = 'trap "" XFSZ; ulimit -f 512; exec "$@"';
  const server = new TestProcess(["bash", "-c", script, "bash", ...serve]);
  const [, address = ""] = await server.waitFor(/^ready .* http=(\S+)/m);
  const produced = await fetch(`http://${address}/v1/topics/t/records`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: `{"value":"${"x".repeat(9_000)}"}\n`.repeat(80),
  });
  assert.match(await produced.text(), /KAFKA_STORAGE_ERROR/);
  const { code, stderr } = await server.end();
  assert.is(code, 1);
  assert.match(stderr, /^error: the log directory .* failed: .*: the broker has ended$/m);
  assert.match(stderr, /try: mend the disk/);
  const again = await TestServer.start({ dataDir });
  assert.is((await callInProcess(["topic", "list", "-b", again.bootstrap])).code, 0);
  await again.stop();
});

test("serve names every mistake of its configuration at once, with a line to paste", async () => {
  const folder = tempFolder("config");
  const file = join(folder, "timberline.toml");
  writeFileSync(file, 'num.partitons = 3\n"log.retention.ms" = "7 apples"\n');
  const args = ["--config", file, "--flush", "sometimes", "--host", "0.0.0.0", ...FREE_PORTS];
  const end = await timberline(["serve", ...args, "--data-dir", join(folder, "log")]);
  assertRefused(end, /num\.partitions/, /timberline\.toml:2/, /7 apples/, /--flush/, /--advertise/);
});

test("config explain shows the winner of all layers, config check judges a file", async () => {
  const folder = tempFolder("explain");
  const file = join(folder, "timberline.toml");
  writeFileSync(file, '"log.retention.ms" = 1000\n');
  const env = { TIMBERLINE_LOG_RETENTION_MS: "2000" };
  const args = [
    "config",
    "explain",
    "log.retention.ms",
    "--config",
    file,
    "--set",
    "log.retention.ms=3000",
  ];
  const explained = await timberline([...args, "-o", "json"], { env });
  assert.is(explained.code, 0, explained.stderr);
  const key = JSON.parse(explained.stdout) as {
    value: string;
    layers: { place: string; value: string }[];
  };
  assert.is(key.value, "3000");
  assert.equal(
    key.layers.slice(0, 3).map(({ place, value }) => [place.replace(folder, ""), value]),
    [
      ["--set", "3000"],
      ["TIMBERLINE_LOG_RETENTION_MS", "2000"],
      ["/timberline.toml:1", "1000"],
    ],
  );
  assert.is((await callInProcess(["config", "check", file])).code, 0);
  writeFileSync(file, "log.retentions.ms = 1\n");
  const bad = await callInProcess(["config", "check", file]);
  assert.is(bad.code, 2);
  assert.match(bad.stdout, /log\.retention\.ms/);
});

test.run();
