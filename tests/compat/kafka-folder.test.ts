// A folder that a real Kafka wrote opens in Timberline: the same records at the same offsets, by kcat and by HTTP,
// after Kafka's clean stop and after its crash; it takes new records, and Kafka's tool still finds it in order.
// Time limit: 150 s

import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kafkaClient } from "../runtimes/steps.ts";
import { request, requestJson } from "../support/http-client.ts";
import { findTool } from "../support/missing-tool.ts";
import { runProcess } from "../support/processes.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { KafkaBroker } from "./kafka-broker.ts";
import { dump, filesOf, sanityComplaints } from "./kafka-dump.ts";
import { KafkaTools } from "./kafka-tools.ts";
import { runWhole } from "./streaming-process.ts";

const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
const topic = "written-by-kafka";
const recordsPerCodec = 600;

const tools = KafkaTools.find();
const kcat = findTool("kcat");

if (tools !== undefined && kcat !== undefined) {
  const crashed = join(tempFolder("crashed"), "data");
  let stopped = "";
  /** What kcat read from Kafka. */
  let wanted: string[] = [];

  test.before(async () => {
    const kafka = await KafkaBroker.start(tools);
    await fill(kcat, kafka);
    wanted = await readAll(kcat, kafka.bootstrap);
    // The files as a crash would leave them: no marker, indexes with their unused rest.
    cpSync(kafka.dataDir, crashed, { recursive: true });
    await kafka.stop();
    stopped = kafka.dataDir;
  });

  test("Kafka itself gives back what was put in", () => {
    const inAll = codecs.length * recordsPerCodec + 3;
    assert.is(wanted.length, inAll);
    const segments = readdirSync(join(stopped, `${topic}-0`)).filter((name) => /log$/.test(name));
    assert.ok(segments.length >= 2, `${segments}`);
  });

  test("a folder that Kafka closed serves the same records and goes on", () =>
    servesTheSame(tools, kcat, { dataDir: stopped, wanted }));

  test("a folder of a Kafka that crashed serves the same records and goes on", () =>
    servesTheSame(tools, kcat, { dataDir: crashed, wanted }));
}

/** Records of all codecs on two partitions, a transaction that was committed and one that was not. */
async function fill(program: string, kafka: KafkaBroker): Promise<void> {
  const client = kafkaClient({ host: "127.0.0.1", port: kafka.port });
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [
      {
        topic,
        numPartitions: 2,
        configEntries: [
          { name: "segment.bytes", value: "1048576" },
          { name: "retention.ms", value: "-1" },
        ],
      },
    ],
  });
  await admin.disconnect();
  for (const codec of codecs) {
    const lines = Array.from({ length: recordsPerCodec }, (_, i) => `${i % 50}:${textOf(i, 1500)}`);
    const flags = ["-K", ":", "-z", codec, "-H", `codec=${codec}`];
    const command = [program, "-P", "-b", kafka.bootstrap, "-t", topic, ...flags];
    const end = await runProcess(command, { stdin: `${lines.join("\n")}\n` });
    assert.is(end.code, 0, end.stderr);
  }
  const producer = client.producer({ transactionalId: "t", maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  const messages = ["1", "2", "3"].map((value) => ({ value, partition: 0 }));
  await transaction.send({ topic, messages });
  await transaction.commit();
  const aborted = await producer.transaction();
  await aborted.send({ topic, messages: [{ value: "never", partition: 0 }] });
  await aborted.abort();
  await producer.disconnect();
}

function textOf(seed: number, length: number): string {
  let state = seed + 7;
  let text = "";
  while (text.length < length) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    text += state.toString(36);
  }
  return text.slice(0, length);
}

/** All records with all their fields, by partition and offset. */
async function readAll(program: string, bootstrap: string): Promise<string[]> {
  const lines: string[] = [];
  for (const partition of ["0", "1"]) {
    const flags = ["-o", "beginning", "-e", "-q", "-f", "%p %o %T %h %k %s\\n"];
    const command = [program, "-C", "-b", bootstrap, "-t", topic, "-p", partition, ...flags];
    const child = await runWhole(command);
    assert.is(child.code, 0, child.stderr);
    lines.push(...child.stdout.trimEnd().split("\n"));
  }
  return lines;
}

async function servesTheSame(
  kafkaTools: KafkaTools,
  program: string,
  { dataDir, wanted }: { dataDir: string; wanted: readonly string[] },
): Promise<void> {
  const server = await TestServer.start({ dataDir });
  try {
    expectSame(await readAll(program, server.bootstrap), wanted);
    expectSame(await readByHttp(server), wanted);
    assert.equal(await configsOf(server), { "retention.ms": "-1", "segment.bytes": "1048576" });
    await request(`${server.http}/v1/topics/${topic}/records`, {
      body: [{ value: "from Timberline", partition: 1 }],
    });
    await server.kill();
    await server.restart();
    const after = await readAll(program, server.bootstrap);
    assert.is(after.length, wanted.length + 1);
    assert.match(after.at(-1) ?? "", / from Timberline$/);
    expectSame(after.slice(0, -1), wanted);
    assert.is((await server.stop()).code, 0);
  } finally {
    await server.kill();
  }
  const files = filesOf(join(dataDir, `${topic}-0`), join(dataDir, `${topic}-1`));
  assert.equal((await dump(kafkaTools, files)).complaints, []);
  assert.equal(await sanityComplaints(kafkaTools, files), []);
}

/** What was set for the topic in Kafka, and nothing else: the defaults would delete its old records. */
async function configsOf(server: TestServer): Promise<Record<string, string>> {
  const url = `${server.http}/v1/topics/${topic}`;
  return (await requestJson<{ configs: Record<string, string> }>(url)).configs;
}

async function readByHttp(server: TestServer): Promise<string[]> {
  interface Header {
    readonly key: string;
    readonly value: string;
  }
  const lines: string[] = [];
  for (const partition of [0, 1]) {
    const url = `${server.http}/v1/topics/${topic}/partitions/${partition}/records`;
    const answer = await request(`${url}?format=ndjson&offset=earliest&isolation=read_committed`);
    for (const line of (await answer.text()).trimEnd().split("\n")) {
      const { offset, timestamp, key, value, headers = [] } = JSON.parse(line);
      const pairs = (headers as Header[]).map((header) => `${header.key}=${header.value}`);
      lines.push(`${partition} ${offset} ${timestamp} ${pairs} ${key ?? ""} ${value}`);
    }
  }
  return lines;
}

function expectSame(seen: readonly string[], wanted: readonly string[]): void {
  const differing = seen.findIndex((line, i) => line !== wanted[i]);
  assert.is(
    differing,
    -1,
    `${seen[differing]?.slice(0, 200)}\n${wanted[differing]?.slice(0, 200)}`,
  );
  assert.is(seen.length, wanted.length);
}

test.run();
