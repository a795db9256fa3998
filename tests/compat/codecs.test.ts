// Every codec from every client to every reader: kcat, the command line, HTTP, kafkajs and @platformatic/kafka
// write, each to a partition of its own; kcat, the command line and HTTP read all of them back. What lies in the log
// is checked to be compressed as it was asked to be.
// Time limit: 180 s

import { CompressionTypes } from "kafkajs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kafkaClient } from "../runtimes/steps.ts";
import { request } from "../support/http-client.ts";
import { findTool, sayMissing } from "../support/missing-tool.ts";
import { runProcess } from "../support/processes.ts";
import { currentNode } from "../support/runtimes.ts";
import { sourceEntry, TestServer } from "../support/server.ts";
import { commandLineReader, httpReader, kcatReader, type WayOut } from "./flight-consumers.ts";
import { Platformatic } from "./platformatic.ts";

const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
type Codec = (typeof codecs)[number];

/** A client that puts its own lines into one partition. */
interface Writer {
  readonly name: string;
  readonly codecs: readonly Codec[];
  write(server: TestServer, place: Place): Promise<void>;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly codec: Codec;
  /** `key:value` each. */
  readonly lines: readonly string[];
}

const kcat = findTool("kcat");
const platformatic = await Platformatic.find();
if (platformatic === undefined) sayMissing("@platformatic/kafka");

const writers: readonly Writer[] = [
  ...(kcat === undefined ? [] : [kcatWriter(kcat)]),
  { name: "timberline", codecs, write: writeByCommandLine },
  { name: "http", codecs, write: writeByHttp },
  { name: "kafkajs", codecs: ["none", "gzip"], write: writeByKafkajs },
  ...(platformatic === undefined ? [] : [platformaticWriter(platformatic)]),
];
const readers: readonly WayOut[] = [
  ...(kcat === undefined ? [] : [kcatReader(kcat)]),
  commandLineReader,
  httpReader,
];

let server: TestServer;
test.before(async () => {
  server = await TestServer.start({ args: ["--flush", "os"] });
});
test.after(async () => {
  await server.kill();
});

for (const codec of codecs) {
  const active = writers.filter((writer) => writer.codecs.includes(codec));
  const names = active.map(({ name }) => name).join(", ");
  test(`${codec} from ${names} comes out of every reader`, async () => {
    const topic = `codec-${codec}`;
    await request(`${server.http}/v1/topics`, { body: { name: topic, partitions: active.length } });
    await Promise.all(
      active.map(({ name, write }, partition) =>
        write(server, { topic, partition, codec, lines: linesOf(name) }),
      ),
    );
    for (const [partition, { name }] of active.entries()) {
      assert.equal(await storedCodecs(topic, partition), [codec], `${name}'s batches`);
    }
    for (const reader of readers) {
      const seen = active.map((): string[] => []);
      await reader.consume(server, topic, {
        add: ({ partition, key, value }) =>
          seen[partition]!.push(`${key}:${Buffer.from(value).toString()}`),
      });
      for (const [partition, { name }] of active.entries()) {
        const same = seen[partition]!.join("\n") === linesOf(name).join("\n");
        assert.ok(same, `${name} to ${reader.name}: ${seen[partition]!.length} records differ`);
      }
    }
  });
}

/** Short, long, not ASCII, and hard to compress. */
function linesOf(client: string): string[] {
  const repeated = "the same words again and again, 다시 한 번 ".repeat(500);
  let state = 1;
  const mixed = Array.from({ length: 20_000 }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return String.fromCharCode(33 + ((state >>> 16) % 90));
  });
  const values = ["short", repeated, mixed.join("").replaceAll(":", "."), "ünïcödé ☂"];
  return Array.from({ length: 40 }, (_, i) => `${client}${i}:${i} ${values[i % values.length]}`);
}

/** The codecs of all batches of a partition, as their headers say. */
async function storedCodecs(topic: string, partition: number): Promise<string[]> {
  const url = `${server.http}/v1/topics/${topic}/partitions/${partition}/records`;
  const answer = await request(`${url}?format=batches&offset=0&max_bytes=50000000`);
  const batches = Buffer.from(await answer.arrayBuffer());
  const found = new Set<string>();
  for (let at = 0; at < batches.length; at += 12 + batches.readInt32BE(at + 8)) {
    found.add(codecs[batches.readInt16BE(at + 21) & 7] ?? "unknown");
  }
  return [...found];
}

function kcatWriter(program: string): Writer {
  return {
    name: "kcat",
    codecs,
    async write({ bootstrap }, { topic, partition, codec, lines }) {
      // librdkafka sends a batch as it is when compression does not pay: one of a single short line, say, that left
      // before the others came.
      const together = ["-X", "linger.ms=1000"];
      const flags = ["-p", String(partition), "-K", ":", "-z", codec, ...together];
      const command = [program, "-P", "-b", bootstrap, "-t", topic, ...flags];
      const end = await runProcess(command, { stdin: `${lines.join("\n")}\n` });
      assert.is(end.code, 0, end.stderr);
    },
  };
}

async function writeByCommandLine({ bootstrap }: TestServer, place: Place): Promise<void> {
  const flags = ["-b", bootstrap, "-p", String(place.partition), "-K", ":", "-z", place.codec];
  const command = currentNode().command(sourceEntry, "produce", place.topic, ...flags);
  const end = await runProcess(command, { stdin: `${place.lines.join("\n")}\n` });
  assert.is(end.code, 0, end.stderr);
}

async function writeByHttp({ http }: TestServer, place: Place): Promise<void> {
  const { topic, partition, codec } = place;
  const body = pairsOf(place).map(({ key, value }) => ({ key, value, partition }));
  await request(`${http}/v1/topics/${topic}/records?compression=${codec}`, { body });
}

async function writeByKafkajs({ kafka }: TestServer, place: Place): Promise<void> {
  const { topic, partition, codec } = place;
  const producer = kafkaClient(kafka).producer();
  await producer.connect();
  const compression = codec === "gzip" ? CompressionTypes.GZIP : CompressionTypes.None;
  const messages = pairsOf(place).map((pair) => ({ ...pair, partition }));
  await producer.send({ topic, compression, messages });
  await producer.disconnect();
}

function platformaticWriter(client: Platformatic): Writer {
  return {
    name: "platformatic",
    codecs,
    write: ({ bootstrap }, place) => client.produce(bootstrap, { ...place, pairs: pairsOf(place) }),
  };
}

function pairsOf({ lines }: Place): { key: string; value: string }[] {
  return lines.map((line) => {
    const end = line.indexOf(":");
    return { key: line.slice(0, end), value: line.slice(end + 1) };
  });
}

test.run();
