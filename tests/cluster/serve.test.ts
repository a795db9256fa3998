// `timberline serve --brokers N` as processes: its ready line, its folders and ports, a broker that dies, the folder of a
// broker that was alone, its end, and the sentences for what cannot be.
// Time limit: 150 s

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { callInProcess, startTimberline, timberline } from "../cli/command-line.ts";
import { request } from "../support/http-client.ts";
import { isRunning } from "../support/processes.ts";
import { bun, deno } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { eventually } from "./cluster-scene.ts";
import {
  createTopic,
  describedAt,
  freePortsInARow,
  pidOf,
  startBrokers,
  stopBrokers,
  store,
  valuesAt,
} from "./served-brokers.ts";

const topic = "t";
/** A process takes a second to start, several on a small machine some more. */
const restartMsMax = 30_000;

test("serve --brokers starts again a broker that was killed, on its ports, and says so", async () => {
  const brokers = await startBrokers(3);
  assert.is(new Set([...brokers.bootstraps, ...brokers.doors]).size, 6);
  const folders = readdirSync(brokers.dataDir).filter((name) => name !== ".lock");
  assert.equal(folders, ["0", "1", "2", "metadata"]);
  await createTopic(brokers.doors[0]!, topic, 3);
  await store(brokers.doors[1]!, topic, "before");
  const { leader } = await describedAt(brokers.doors[2]!, topic);
  const killed = pidOf(brokers, leader);
  process.kill(killed, "SIGKILL");
  const door = brokers.doors[(leader + 1) % 3]!;
  await store(door, topic, "meanwhile");
  await eventually(
    "it is back at its door, and in sync",
    async () => {
      const isReady = await request(`${brokers.doors[leader]}/readyz`).then(
        () => true,
        () => false,
      );
      return isReady && (await describedAt(door, topic)).isr.length === 3;
    },
    restartMsMax,
  );
  assert.is.not(pidOf(brokers, leader), killed);
  assert.equal(await valuesAt(brokers.doors[leader]!, topic), ["before", "meanwhile"]);
  const said = new RegExp(`broker-ended: broker ${leader} ended \\(SIGKILL\\): starting it again`);
  assert.match(brokers.process.stderr, said);
  const other = await timberline(["serve", "--brokers", "2", "--data-dir", brokers.dataDir]);
  assert.is(other.code, 2);
  assert.match(other.stderr, /^error: the data folder is in use by process \d+ /m);
  const children = [0, 1, 2].map((id) => pidOf(brokers, id));
  assert.is((await stopBrokers(brokers)).code, 0);
  assert.equal(children.filter(isRunning), []);
});

test("serve --brokers goes on with the folder of a broker that was alone, which cannot go back", async () => {
  const alone = await TestServer.start({ args: ["--flush", "os"] });
  const { dataDir } = alone;
  for (const value of ["a", "b"]) await store(alone.http, topic, value);
  await alone.stop();
  const [kafka, http] = [await freePortsInARow(2), await freePortsInARow(2)];
  const brokers = await startBrokers(2, {
    dataDir,
    args: ["--kafka-port", `${kafka}`, "--http-port", `${http}`],
  });
  assert.equal(brokers.bootstraps, [`127.0.0.1:${kafka}`, `127.0.0.1:${kafka + 1}`]);
  assert.equal(brokers.doors, [`http://127.0.0.1:${http}`, `http://127.0.0.1:${http + 1}`]);
  for (const door of brokers.doors) assert.equal(await valuesAt(door, topic), ["a", "b"]);
  assert.match(
    brokers.process.stderr,
    /the files of broker 1 moved to .*\/1: it is one of several/,
  );
  assert.is((await stopBrokers(brokers, "SIGINT")).code, 0);

  const refused = await callInProcess(["serve", "--data-dir", dataDir]);
  assert.is(refused.code, 2);
  assert.match(
    refused.stderr,
    /^error: the data folder .* has a folder for each of brokers 0, 1$/m,
  );
  assert.match(refused.stderr, /--brokers 2/);
});

test("serve --brokers --log-format json prints nothing but JSON, and warns of brokers that are not started", async () => {
  const dataDir = join(tempFolder("json"), "log");
  const first = await startBrokers(3, { dataDir });
  await stopBrokers(first);
  const ports = ["--kafka-port", "0", "--http-port", "0"];
  const json = ["--log-format", "json", "--data-dir", dataDir, ...ports];
  const second = startTimberline(["serve", "--brokers", "2", ...json]);
  await second.waitFor(/\n/);
  const { stdout, stderr, code } = await second.stop("SIGTERM");
  assert.is(code, 0);
  const ready = JSON.parse(stdout) as { event: string; kafka: string; http: string };
  assert.is(ready.event, "ready");
  assert.is(ready.kafka.split(",").length, 2);
  assert.is(ready.http.split(",").length, 2);
  const logged = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; message: string });
  const warning = logged.find(({ event }) => event === "brokers-not-started");
  assert.match(JSON.stringify(warning), "also has broker 2, not started now");
});

for (const runtime of [deno(), bun()]) {
  test(`serve --brokers runs on ${runtime.name}: two brokers, one log`, async () => {
    const brokers = await startBrokers(2, { runtime });
    await createTopic(brokers.doors[0]!, topic, 2);
    for (const [i, door] of brokers.doors.entries()) await store(door, topic, `${i}`);
    for (const door of brokers.doors) assert.equal(await valuesAt(door, topic), ["0", "1"]);
    await request(`${brokers.doors[1]}/readyz`);
    assert.is((await stopBrokers(brokers)).code, 0);
  });
}

test("serve --brokers says in a sentence what cannot be", async () => {
  const folder = ["--data-dir", join(tempFolder("refused"), "log")];
  const cases: [readonly string[], RegExp][] = [
    [["--brokers", "0"], /--brokers: "0" is neither cores nor a whole number from 1 to 256/],
    [["--brokers", "many"], /--brokers: "many" is neither cores nor/],
    [["--brokers", "257"], /--brokers: "257" is neither cores nor/],
    [
      ["--brokers", "4", "--kafka-port", "65534"],
      /--kafka-port 65534: 4 brokers need that many ports up to 65535/,
    ],
    [["--brokers", "4", "--http-port", "65534"], /--http-port 65534: 4 brokers need/],
    [
      ["--brokers", "3", "--kafka-port", "9000", "--http-port", "9002"],
      /--kafka-port 9000 and --http-port 9002: 3 brokers need 3 ports from each on/,
    ],
  ];
  for (const [args, sentence] of cases) {
    const { code, stdout, stderr } = await callInProcess(["serve", ...folder, ...args]);
    assert.is(code, 2, stderr);
    assert.is(stdout, "");
    assert.match(stderr, sentence);
  }
});

test.run();
