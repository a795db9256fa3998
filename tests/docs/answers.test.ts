// What the manual answers to its learner's questions, proved on a broker's files and counters: how messages
// lie on disk, what a partition is there, and what large batches and shared syncs save.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createClient, createPlatform, startServer } from "../../runtime/mod.ts";
import { request } from "../support/http-client.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { readStoredBatch } from "../unit/storage-wasm/batch-reader.ts";
import { writeBatch } from "../unit/storage-wasm/batch-writer.ts";

const batches = { "content-type": "application/vnd.timberline.batches" };
const firstSegment = "00000000000000000000.log";
const text = new TextEncoder();

let server: TestServer;
test.before(async () => {
  server = await TestServer.start();
});
test.after(async () => {
  await server.stop();
});

test("format-on-disk: a batch lies in the file as sent, but for base offset and leader epoch", async () => {
  await createTopic("raw", { "retention.ms": "-1" });
  const sent = [
    writeBatch([{ key: text.encode("k"), value: text.encode("first") }, {}]),
    writeBatch([{}]),
  ];
  for (const body of sent) {
    await request(`${server.http}/v1/topics/raw/partitions/0/records`, {
      method: "POST",
      headers: batches,
      body,
    });
  }
  const stored = readFileSync(join(server.dataDir, "raw-0", firstSegment));
  assert.is(stored.length, sent[0]!.length + sent[1]!.length);
  let at = 0;
  for (const [index, batch] of sent.entries()) {
    const here = stored.subarray(at, at + batch.length);
    assert.is(here.readBigInt64BE(0), index === 0 ? 0n : 2n, "base offset: after the batch before");
    assert.is(here.readInt32BE(12), 0, "leader epoch");
    assert.is(hex(here.subarray(8, 12)), hex(batch.subarray(8, 12)), "length");
    assert.is(hex(here.subarray(16)), hex(batch.subarray(16)), "from magic to the end");
    at += batch.length;
  }
  const url = `${server.http}/v1/topics/raw/partitions/0/records?offset=0&format=batches`;
  const fetched = Buffer.from(await (await request(url)).arrayBuffer());
  assert.is(hex(fetched), hex(stored), "what a consumer gets");
  assert.is(readStoredBatch(stored.subarray(0, sent[0]!.length)).records.length, 2);
});

test("partitions-as-files: a folder of segments named by first offset, of which only the newest changes", async () => {
  await createTopic("cut", { "segment.bytes": "1048576" }, 2);
  const folder = join(server.dataDir, "cut-0");
  const value = "x".repeat(100_000);
  const append = async (count: number) => {
    const url = `${server.http}/v1/topics/cut/partitions/0/records`;
    for (let i = 0; i < count; i++) await request(url, { body: { value } });
  };
  await append(24);
  const before = segments(folder);
  assert.is(before.length, 3);
  await append(12);
  const after = segments(folder);
  assert.is(after.length, 4);
  for (const { name, bytes, changedMs } of before.slice(0, -1)) {
    const same = after.find((segment) => segment.name === name);
    assert.ok(same?.bytes.equals(bytes), `${name} keeps its bytes`);
    assert.is(same?.changedMs, changedMs, `${name} is not touched`);
  }
  for (const { name, bytes } of after) {
    assert.is(bytes.readBigInt64BE(0), BigInt(name.slice(0, 20)), `${name} begins with its offset`);
    assert.ok(bytes.length <= 1_048_576);
  }
  assert.ok(
    existsSync(join(server.dataDir, "cut-1")),
    "a partition without records is a folder too",
  );
  assert.is(
    segments(join(server.dataDir, "cut-1")).reduce((sum, { bytes }) => sum + bytes.length, 0),
    0,
  );
});

test("high-throughput: the same records in large batches are fewer bytes, batches and requests", async () => {
  const small = await costOf({ batchBytes: 200 });
  const large = await costOf({ batchBytes: 500_000 });
  assert.ok(large.batches * 100 < small.batches, `${large.batches} batches, ${small.batches}`);
  assert.ok(large.requests * 10 < small.requests, `${large.requests} requests, ${small.requests}`);
  assert.ok(large.bytes < small.bytes * 0.6, `${large.bytes} B, ${small.bytes} B`);
});

test("high-throughput: appends that wait together share a sync", async () => {
  const metrics = await withOwnBroker(async ({ http }) => {
    const send = () => request(`${http}/v1/topics/together/records`, { body: { value: "v" } });
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 50 }, send));
  });
  const acks = metricValue(metrics, "fsync_batch_acks_sum");
  const syncs = metricValue(metrics, "fsync_duration_seconds_count");
  assert.is(acks, 500);
  assert.ok(syncs > 0 && syncs * 2 < acks, `${syncs} syncs, ${acks} acknowledgements`);
});

async function createTopic(name: string, configs = {}, partitions = 1): Promise<void> {
  await request(`${server.http}/v1/topics`, { body: { name, partitions, configs } });
}

function segments(folder: string) {
  const names = readdirSync(folder).filter((name) => name.endsWith(".log"));
  return names.sort().map((name) => {
    const path = join(folder, name);
    return { name, bytes: readFileSync(path), changedMs: statSync(path).mtimeMs };
  });
}

/** What 5000 small records cost the broker. */
async function costOf(batching: { batchBytes: number }) {
  const topic = "costs";
  const metrics = await withOwnBroker(async ({ bootstrap }) => {
    const client = createClient({ platform: createPlatform(), bootstrap: [bootstrap] });
    const producer = client.producer({ ...batching, lingerMs: 100 });
    const sent = Array.from({ length: 5000 }, () => producer.send({ topic, value: "hello" }));
    await Promise.all(sent);
    await client.close();
  });
  return {
    requests: metricValue(metrics, 'requests_total{api="Produce",door="kafka"}'),
    batches: metricValue(metrics, `topic_batches_total{topic="${topic}",dir="in"}`),
    bytes: metricValue(metrics, `topic_bytes_total{topic="${topic}",dir="in"}`),
  };
}

/** A broker that has done nothing else, as its metrics are kept for a second; gives them after `work`. */
async function withOwnBroker(
  work: (addresses: { http: string; bootstrap: string }) => Promise<void>,
): Promise<string> {
  const dataDir = join(tempFolder("answers"), "log");
  const broker = await startServer({ dataDir, kafkaPort: 0, httpPort: 0 });
  try {
    const http = `http://127.0.0.1:${broker.http?.port}`;
    await work({ http, bootstrap: `127.0.0.1:${broker.kafka.port}` });
    return await (await request(`${http}/metrics`)).text();
  } finally {
    await broker.close();
  }
}

function metricValue(metrics: string, series: string): number {
  const line = metrics.split("\n").find((each) => each.startsWith(`timberline_${series} `));
  assert.ok(line, `${series} in /metrics`);
  return Number((line as string).split(" ").at(-1));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

test.run();
