// Places where a broker cannot live: a disk that fills up under it, a read-only folder, a folder of another, a newer
// or a broken one, a taken port, a wrong configuration. One clear sentence each, and nothing acknowledged is lost.
// Time limit: 120 s

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { kafkaClient } from "../runtimes/steps.ts";
import { request } from "../support/http-client.ts";
import { type ProcessEnd, runProcess } from "../support/processes.ts";
import { currentNode } from "../support/runtimes.ts";
import { type ServerOptions, sourceEntry, TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { SmallDisk } from "./small-disk.ts";

const diskMiB = 8;
/** Whatever fails, no server stays behind. */
const started: TestServer[] = [];
test.after(async () => {
  for (const server of started) await server.kill();
});

async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const server = await TestServer.start(options);
  started.push(server);
  return server;
}

const disk = SmallDisk.mount(diskMiB);

if (disk !== undefined) {
  test("a disk that fills up: KAFKA_STORAGE_ERROR, reads go on, and writes once there is room", async () => {
    const server = await startServer({ dataDir: join(disk.folder, "log") });
    await request(`${server.http}/v1/topics`, { body: { name: "full" } });
    const acknowledged = await fillUp(server);
    assert.ok(acknowledged.length > 40, `${acknowledged.length} records were stored`);
    await expectKept(server, acknowledged);
    const refused = await fetch(`${server.http}/v1/topics/full/records`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: new Uint8Array(500_000),
    });
    const { error } = (await refused.json()) as { error: { code: string; message: string } };
    assert.is(error.code, "KAFKA_STORAGE_ERROR");
    assert.match(error.message, /disk is full: free space/);
    await request(`${server.http}/healthz`);
    disk.fill();
    const end = await server.stop();
    assert.is(end.code, 1);
    assert.match(end.stderr, /server-stopped: the disk refused .*: the next start checks the logs/);
    await server.restart();
    await expectKept(server, acknowledged);
    disk.change("size=64m");
    await request(`${server.http}/v1/topics/full/records`, { body: [{ value: "there is room" }] });
    await server.kill();
    await server.restart();
    await expectKept(server, [...acknowledged, "there is room"]);
    await server.kill();
  });

  test("a read-only folder is refused in one sentence", async () => {
    const folder = join(disk.folder, "readonly");
    mkdirSync(folder);
    disk.change("ro");
    const end = await serve("--data-dir", folder);
    disk.change("rw");
    refusedIn(end, folder);
    assert.match(end.stderr, /read-only|permission|EROFS/i);
  });
}

test("a folder that a newer Timberline wrote is refused in one sentence", async () => {
  const folder = tempFolder("newer");
  writeFileSync(join(folder, "meta.properties"), "version=1\nnode.id=1\ntimberline.format=999\n");
  const end = await serve("--data-dir", folder);
  refusedIn(end, folder);
  assert.match(end.stderr, /newer/);
});

test("a folder of another broker is refused in one sentence", async () => {
  const folder = tempFolder("another");
  writeFileSync(join(folder, "meta.properties"), "version=1\nnode.id=7\ncluster.id=c\n");
  const end = await serve("--data-dir", folder, "--broker-id", "3");
  refusedIn(end, "7");
  assert.match(end.stderr, /broker 7/);
});

test("a data folder that is a file, or lies below one, is refused in one sentence", async () => {
  const file = join(tempFolder("file"), "data");
  writeFileSync(file, "");
  refusedIn(await serve("--data-dir", file), file);
  refusedIn(await serve("--data-dir", join(file, "below")), file);
});

test("the second process on a folder is refused, and the first goes on", async () => {
  const server = await startServer();
  const end = await serve("--data-dir", server.dataDir);
  refusedIn(end, server.dataDir);
  await request(`${server.http}/v1/topics`, { body: { name: "mine" } });
});

test("a taken port is told with its holder and a way out", async () => {
  const server = await startServer();
  const port = String(server.kafka.port);
  const end = await serve("--data-dir", tempFolder("port"), "--kafka-port", port);
  refusedIn(end, port);
  assert.match(end.stderr, "--kafka-port");
  if (process.platform === "linux") assert.match(end.stderr, `process ${server.process.pid}`);
});

test("all mistakes of a configuration are told at once", async () => {
  const folder = tempFolder("config");
  const file = join(folder, "timberline.toml");
  writeFileSync(file, '"log.segment.bytes" = "plenty"\n"log.retention.mss" = 5\n');
  const wrong = ["num.partitions=-4", "no.such.thing=1", "timberline.flush=never"];
  const sets = wrong.flatMap((each) => ["--set", each]);
  const end = await serve("--data-dir", join(folder, "data"), "--config", file, ...sets);
  assert.is(end.code, 2, end.stderr);
  const named = ["log.segment.bytes", "log.retention.mss", "num.partitions", "no.such.thing"];
  for (const key of [...named, "timberline.flush", "timberline.toml"])
    assert.match(end.stderr, key);
  assert.match(end.stderr, /log\.retention\.ms\b/, "the nearest key is offered");
  assert.not.match(end.stderr, /\n\s+at /);
});

test("an address that nobody could reach, and a file that is not there, are refused", async () => {
  const folder = tempFolder("address");
  const end = await serve("--data-dir", folder, "--host", "0.0.0.0");
  assert.is(end.code, 2, end.stderr);
  assert.match(end.stderr, "--advertise");
  const absent = join(folder, "absent.toml");
  refusedIn(await serve("--data-dir", folder, "--config", absent), absent);
});

/** Starts a server that is expected not to start. */
function serve(...args: string[]): Promise<ProcessEnd> {
  const ports = args.includes("--kafka-port") ? [] : ["--kafka-port", "0"];
  const command = currentNode().command(
    sourceEntry,
    "serve",
    ...ports,
    "--http-port",
    "0",
    ...args,
  );
  return runProcess(command, { limitMs: 20_000 });
}

/** Exit 2, and a sentence that names the thing instead of a stack. */
function refusedIn(end: ProcessEnd, thing: string): void {
  assert.is(end.code, 2, end.stdout + end.stderr);
  assert.match(end.stderr, thing);
  assert.not.match(end.stderr, /\n\s+at /);
  assert.is(end.stdout, "");
}

/** Produces through both doors until the disk is full; values acknowledged, by both. */
async function fillUp(server: TestServer): Promise<string[]> {
  const producer = kafkaClient(server.kafka).producer({ retry: { retries: 0 } });
  await producer.connect();
  const acknowledged: string[] = [];
  let refusal: unknown;
  for (let i = 0; i < diskMiB * 16 && refusal === undefined; i += 1) {
    const value = `${i} `.padEnd(100_000, "x");
    try {
      await producer.send({ topic: "full", acks: -1, messages: [{ value }] });
      acknowledged.push(value);
    } catch (error) {
      refusal = error;
    }
  }
  await producer.disconnect();
  const { cause } = refusal as { cause?: { type?: string } };
  assert.is(cause?.type, "KAFKA_STORAGE_ERROR", String(refusal));
  return acknowledged;
}

async function expectKept(server: TestServer, acknowledged: readonly string[]): Promise<void> {
  const client = createClient({ platform: createPlatform(), bootstrap: [server.bootstrap] });
  const consumer = client.consumer();
  await consumer.assign([{ topic: "full", partition: 0, offset: 0 }]);
  const kept: string[] = [];
  while (kept.length < acknowledged.length) {
    const batch = await consumer.poll(5_000);
    if (batch === null) break;
    for (const { value } of batch.records) kept.push(Buffer.from(value ?? []).toString());
  }
  await client.close();
  const lost = acknowledged.findIndex((value, i) => kept[i] !== value);
  assert.is(lost, -1, `record ${lost} of ${acknowledged.length} is lost`);
}

test.run();
