// Kafka's own DumpLogSegments reads our folders without complaint: segments in every codec, indexes against their
// segments, producer snapshots; after a clean stop, and after kill -9 and the recovery from it.
// Time limit: 120 s

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CompressionTypes } from "kafkajs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kafkaClient } from "../runtimes/steps.ts";
import { request } from "../support/http-client.ts";
import { runProcess } from "../support/processes.ts";
import { currentNode } from "../support/runtimes.ts";
import { sourceEntry, TestServer } from "../support/server.ts";
import { type Dump, dump, filesOf, sanityComplaints } from "./kafka-dump.ts";
import { KafkaTools } from "./kafka-tools.ts";

const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
const topics = ["mixed", "stamped", "rewritten"] as const;
const configs: Record<(typeof topics)[number], Record<string, string>> = {
  mixed: {},
  stamped: { "message.timestamp.type": "LogAppendTime" },
  rewritten: { "compression.type": "zstd", "index.interval.bytes": "1024" },
};
const rounds = 2;

const tools = KafkaTools.find();

if (tools !== undefined) {
  let server: TestServer;
  let stored = 0;
  test.before(async () => {
    server = await TestServer.start();
    for (const name of topics) {
      const body = { name, configs: { "segment.bytes": "1048576", ...configs[name] } };
      await request(`${server.http}/v1/topics`, { body });
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const name of topics) stored = await fill(server, name, round);
    }
  });
  test.after(async () => {
    await server.kill();
  });

  test("DumpLogSegments agrees with a folder after kill -9 and recovery", async () => {
    await server.kill();
    await server.restart();
    // Nothing is written in between: recovery alone must leave the folder in order.
    assert.is((await server.stop()).code, 0);
    await agrees(tools, server, stored);
  });

  test("DumpLogSegments agrees with a folder that goes on after that", async () => {
    await server.restart();
    for (const name of topics) stored = await fill(server, name, rounds);
    assert.is((await server.stop()).code, 0);
    const { snapshotProducers } = await agrees(tools, server, stored);
    assert.ok(snapshotProducers >= topics.length * 2, `${snapshotProducers} producers`);
    for (const name of topics) checkTexts(join(server.dataDir, `${name}-0`));
  });

  test("DumpLogSegments complains about a changed record and a changed index", async () => {
    const files = filesOf(join(server.dataDir, "mixed-0"));
    const log = files.find((file) => file.endsWith(".log"))!;
    const index = files.find((file) => file.endsWith(".index"))!;
    const logBytes = readFileSync(log);
    const indexBytes = readFileSync(index);
    writeFileSync(log, flipped(logBytes, 200));
    // The last byte of the last entry's relative offset.
    writeFileSync(index, flipped(indexBytes, indexBytes.length - 5));
    const found = await dump(tools, [log, index]);
    writeFileSync(log, logBytes);
    writeFileSync(index, indexBytes);
    assert.match(found.text, /isvalid: false/);
    assert.match(found.text, /Mismatches in/);
    assert.ok(found.complaints.length >= 2, found.complaints.join("\n"));
  });
}

/** Some hundred records in every codec and from every kind of producer; the topic's count afterwards. */
async function fill(server: TestServer, topic: string, round: number): Promise<number> {
  for (const codec of codecs) {
    const lines = Array.from({ length: 120 }, (_, i) => recordLine(round * 1000 + i));
    await request(`${server.http}/v1/topics/${topic}/records?compression=${codec}`, {
      body: `${lines.join("\n")}\n`,
      headers: { "content-type": "application/x-ndjson" },
    });
  }
  const producer = kafkaClient(server.kafka).producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
    const headers = { ünï: "cödé", twice: ["1", "2"] };
    const messages = [
      { key: "k", value: "v", headers },
      { key: "k", value: null },
      { value: "", timestamp: "1" },
    ];
    await producer.send({ topic, compression, messages });
  }
  await producer.disconnect();
  const input = Array.from({ length: 400 }, (_, i) => `${i}:${noise(i, 700)}`).join("\n");
  const flags = ["-b", server.bootstrap, "-K", ":", "-z", "lz4", "--batch-bytes", "20000"];
  const command = currentNode().command(sourceEntry, "produce", topic, ...flags);
  const end = await runProcess(command, { stdin: `${input}\n` });
  assert.is(end.code, 0, end.stderr);
  return (round + 1) * (codecs.length * 120 + 6 + 400);
}

/** About 1 KB, with times that go up and down. */
function recordLine(i: number): string {
  const timestamp = 1_700_000_000_000 + i * 1000 - (i % 7) * 100_000;
  const headers = i % 3 === 0 ? { trace: `${i}` } : {};
  return JSON.stringify({ key: `key ${i % 10}`, value: noise(i, 1000), timestamp, headers });
}

/** Text that compresses by half. */
function noise(seed: number, length: number): string {
  let state = seed + 1;
  let text = "";
  while (text.length < length) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    text += `${state.toString(36)} `;
  }
  return text.slice(0, length);
}

async function agrees(kafka: KafkaTools, { dataDir }: TestServer, stored: number): Promise<Dump> {
  const files = filesOf(...topics.map((name) => join(dataDir, `${name}-0`)));
  const [found, insane] = await Promise.all([dump(kafka, files), sanityComplaints(kafka, files)]);
  assert.equal(found.complaints, []);
  assert.equal(insane, []);
  const logs = files.filter((file) => file.endsWith(".log"));
  for (const log of logs) {
    for (const suffix of [".index", ".timeindex"]) {
      assert.ok(files.includes(log.replace(/\.log$/, suffix)), `${log} has no ${suffix}`);
    }
  }
  const segments = logs.length;
  assert.ok(segments >= topics.length * 2, `${segments} segments`);
  assert.is(found.offsets.length, stored * topics.length);
  assert.is(
    found.offsets.findIndex((offset, i) => offset !== i % stored),
    -1,
    "offsets in order",
  );
  const counted = found.batches.reduce((sum, batch) => sum + batch.count, 0);
  assert.is(counted, stored * topics.length);
  assert.equal([...new Set(found.batches.map(({ codec }) => codec))].sort(), [...codecs].sort());
  assert.ok(found.batches.some(({ producerId }) => producerId >= 0));
  assert.ok(found.indexEntries > 50, `${found.indexEntries} index entries`);
  assert.ok(found.timeIndexEntries > 20, `${found.timeIndexEntries} time index entries`);
  return found;
}

/** The two text files of a partition, as Kafka writes them. */
function checkTexts(folder: string): void {
  const metadata = readFileSync(join(folder, "partition.metadata"), "utf8");
  assert.match(metadata, /^version: 0\ntopic_id: [A-Za-z0-9_-]{22}\n?$/);
  const epochs = readFileSync(join(folder, "leader-epoch-checkpoint"), "utf8");
  assert.match(epochs, /^0\n(\d+)\n(\d+ \d+\n?)+$/);
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at]! ^= 0x01;
  return copy;
}

test.run();
