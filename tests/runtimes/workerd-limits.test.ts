// What is particular to a log in a Durable Object: its alarm, what happens at its limits, how small the Worker is,
// and a configuration that is wrong.
// Time limit: 90 s

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { request, requestJson } from "../support/http-client.ts";
import { bundleEdge, WorkerdServer } from "../support/workerd.ts";
import type { Fetched } from "./case.ts";
import { createTopic, fetchAll, produce, recordsUrl, values } from "./steps.ts";

/** A tenth of what the vendor takes: a start has to compile it. */
const WORKER_GZIP_BYTES_MAX = 400_000;
const ALARM_MS_MAX = 20_000;

const bundle = await bundleEdge();
const servers: WorkerdServer[] = [];
test.after(async () => {
  await Promise.all(servers.map((server) => server.kill()));
});

async function start(variables: Record<string, string>, brokers?: number): Promise<WorkerdServer> {
  const several = brokers === undefined ? {} : { brokers };
  const server = await WorkerdServer.start({ bundle, variables, ...several });
  servers.push(server);
  return server;
}

test("the Worker with its WebAssembly is small", () => {
  const bytes = bundle.modules.map((name) => gzipSync(readFileSync(join(bundle.folder, name))));
  const total = bytes.reduce((sum, { length }) => sum + length, 0);
  assert.ok(total <= WORKER_GZIP_BYTES_MAX, `${total} bytes gzipped`);
});

for (const brokers of [undefined, 2]) {
  const who = brokers === undefined ? "an object" : `each of ${brokers} brokers`;
  test(`the alarm wakes ${who} that nobody calls, and retention is applied`, async () => {
    const server = await start(
      {
        TIMBERLINE_LOG_RETENTION_CHECK_INTERVAL_MS: "1000",
        TIMBERLINE_LOG_SEGMENT_DELETE_DELAY_MS: "0",
      },
      brokers,
    );
    const { http } = server;
    const partitions = brokers ?? 1;
    await createTopic(http, "expiring", partitions, { "retention.ms": "1500" });
    for (let partition = 0; partition < partitions; partition++) {
      await request(recordsUrl(http, "expiring", partition), { body: { value: "short-lived" } });
    }
    await server.kill();
    await server.spawn();
    const deadline = performance.now() + ALARM_MS_MAX;
    while (readyCount(server) < partitions && performance.now() < deadline) await pause();
    assert.is(readyCount(server), partitions, "woken without a request");
    let starts: number[] = [];
    while (!starts.every((offset) => offset === 1) || starts.length === 0) {
      assert.ok(performance.now() < deadline, `the records are gone: ${starts}`);
      await pause();
      const url = `${http}/v1/topics/expiring/offsets?at=earliest`;
      const { offsets } = await requestJson<{ offsets: { offset?: number }[] }>(url);
      starts = offsets.map(({ offset = 0 }) => offset);
    }
  });
}

function readyCount({ process }: WorkerdServer): number {
  return process.stderr.split("server-ready").length - 1;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}

test("brokers together hold more than one object may, and a full one hinders no other", async () => {
  const { http } = await start({ OBJECT_BYTES_MAX: "2000000" }, 2);
  await createTopic(http, "shared", 2);
  const value = "x".repeat(300_000);
  const stored = [0, 0];
  for (const partition of [0, 1]) {
    let answer: Response;
    do {
      answer = await post(recordsUrl(http, "shared", partition), { value });
      if (answer.ok) stored[partition]!++;
    } while (answer.ok && stored[partition]! < 10);
    assert.match(await answer.text(), /object is full/);
  }
  assert.ok(Math.min(...stored) >= 4, `${stored} records of 300 KB in objects of 2 MB`);
});

test("a full object refuses records with one clear sentence, reads on, and recovers", async () => {
  const server = await start({
    OBJECT_BYTES_MAX: "2000000",
    TIMBERLINE_LOG_SEGMENT_DELETE_DELAY_MS: "0",
  });
  const { http } = server;
  await createTopic(http, "filling");
  const value = "x".repeat(300_000);
  let refused: Response | undefined;
  for (let i = 0; i < 10 && refused === undefined; i++) {
    const answer = await post(`${http}/v1/topics/filling/records`, { value });
    if (!answer.ok) refused = answer;
  }
  assert.ok(refused, "refused at all");
  const { error } = (await refused.json()) as { error: { code: string; message: string } };
  assert.is(error.code, "KAFKA_STORAGE_ERROR");
  assert.match(error.message, /full/);
  const all = `${recordsUrl(http, "filling")}?offset=0&max_bytes=4000000`;
  const kept = values(await requestJson<Fetched>(all));
  assert.ok(kept.length >= 4 && kept.every((each) => each === value));
  await request(`${http}/v1/topics/filling`, { method: "DELETE" });
  await createTopic(http, "afterwards");
  await produce(http, "afterwards", ["room again"]);
  assert.equal(values(await fetchAll(http, "afterwards")), ["room again"]);
});

test("batches far larger than a row are stored and read whole, larger ones refused", async () => {
  const { http } = await start({ TIMBERLINE_MESSAGE_MAX_BYTES: "8000000" });
  await createTopic(http, "large", 1, { "max.message.bytes": "6000000" });
  const large = "y".repeat(5_000_000);
  await produce(http, "large", [large]);
  const url = `${recordsUrl(http, "large")}?offset=0&max_bytes=8000000`;
  assert.equal(values(await requestJson<Fetched>(url)), [large]);
  const refused = await post(`${http}/v1/topics/large/records`, { value: "z".repeat(7_000_000) });
  assert.is(refused.status, 413);
  // Answered before the whole body has come: a client that still sends may see only the end of the connection.
  const beyond = post(`${http}/v1/topics/large/records`, { value: "z".repeat(17_000_000) });
  assert.is((await beyond.catch(() => undefined))?.status ?? 413, 413);
  assert.equal(values(await requestJson<Fetched>(url)), [large]);
});

test("a wrong variable is told to whoever asks", async () => {
  const server = await WorkerdServer.start({
    bundle,
    variables: { TIMBERLINE_LOG_SEGMENT_BYTES: "many" },
    awaitReady: false,
  });
  servers.push(server);
  const answer = await server.firstAnswer("/readyz");
  assert.is(answer.status, 503);
  const { error } = (await answer.json()) as { error: { code: string; message: string } };
  assert.is(error.code, "INVALID_CONFIG");
  assert.match(error.message, /TIMBERLINE_LOG_SEGMENT_BYTES/);
});

function post(url: string, record: object): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(record) });
}

test.run();
