// Living groups change their protocol under real clients: classic ones (kcat, kafkajs) share a group with our own
// of the consumer protocol, every record is read once, and the group goes back when that one leaves.

import { Kafka, logLevel } from "kafkajs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createPlatform } from "#platform";
import { type Client, createClient } from "../../runtime/client/mod.ts";
import { startServer } from "../../runtime/mod.ts";
import { findTool } from "../support/missing-tool.ts";
import { StreamingProcess } from "./streaming-process.ts";

/** A client of the classic protocol. */
interface ClassicReader {
  readonly values: readonly string[];
  stop(): Promise<void>;
}

const partitions = 6;
const waitMsMax = 40_000;
const server = await startServer({
  dataDir: "memory",
  kafkaPort: 0,
  httpPort: false,
  configs: {
    "group.initial.rebalance.delay.ms": "100",
    "group.consumer.heartbeat.interval.ms": "200",
  },
});
const bootstrap = `${server.kafka.host}:${server.kafka.port}`;
const client: Client = createClient({ platform: createPlatform(), bootstrap: [bootstrap] });
const kcat = findTool("kcat");

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const endMs = Date.now() + waitMsMax;
  while (!isTrue()) {
    if (Date.now() > endMs) throw new Error(`waited ${waitMsMax} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Begins now, and tells its outcome when it is its turn. */
function together(name: string, run: () => Promise<void>): void {
  const outcome = run();
  outcome.catch(() => {});
  test(name, () => outcome);
}

/** What the coordinator says: the group's type, and how many partitions each member has. */
function seen(groupId: string): string {
  const { groups } = server.broker;
  if (!groups.list().some((each) => each.groupId === groupId)) return "none";
  const { type, state, members } = groups.summary(groupId);
  const counts = members.map((each) => each.partitions.length).sort();
  return `${type} ${state} ${counts.join(" ")}`;
}

async function migrate(topic: string, start: (topic: string) => Promise<ClassicReader>) {
  await client.admin().createTopic({ name: topic, partitions });
  const producer = client.producer();
  const send = (from: number, to: number) =>
    producer.sendBatch(
      Array.from({ length: to - from }, (_, i) => ({
        topic,
        value: String(from + i),
        partition: (from + i) % partitions,
      })),
    );
  const classic = await start(topic);
  await until("the classic member has all", () => seen(topic) === "classic Stable 6");
  await send(0, 30);
  await until("it reads", () => classic.values.length === 30);

  const values: string[] = [];
  const modern = client.groupConsumer({
    ...{ groupId: topic, topics: [topic], protocol: "consumer" },
    ...{ offsetReset: "earliest", autoCommitMs: 100 },
  });
  const reading = (async () => {
    for await (const { value } of modern) {
      values.push(new TextDecoder().decode(value ?? new Uint8Array(0)));
    }
  })();
  await until("both have half", () => seen(topic) === "consumer Stable 3 3");
  await send(30, 60);
  const all = () => new Set([...classic.values, ...values]);
  await until("both read", () => all().size === 60);
  assert.is(values.filter((value) => Number(value) >= 30).length, 15);

  await modern.stop();
  await reading;
  await until("the classic member has all again", () => seen(topic) === "classic Stable 6");
  await send(60, 90);
  await until("it reads on", () => all().size === 90);
  await classic.stop();
  // What was given over was committed: nothing was read a second time.
  assert.is(classic.values.length + values.length, 90);
}

async function startKafkajs(topic: string): Promise<ClassicReader> {
  const kafka = new Kafka({ clientId: "c", brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: topic, heartbeatInterval: 200 });
  const values: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ message }) => {
      values.push(message.value?.toString() ?? "");
    },
  });
  return { values, stop: () => consumer.disconnect() };
}

async function startKcat(topic: string, strategy: string): Promise<ClassicReader> {
  const settings = [
    "auto.offset.reset=earliest",
    "heartbeat.interval.ms=200",
    "auto.commit.interval.ms=100",
    `partition.assignment.strategy=${strategy}`,
  ];
  const flags = settings.flatMap((each) => ["-X", each]);
  const child = new StreamingProcess([kcat!, "-b", bootstrap, ...flags, "-u", "-G", topic, topic]);
  const values: string[] = [];
  const reading = (async () => {
    let rest = "";
    for await (const chunk of child.output()) {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      values.push(...lines.filter((line) => line !== ""));
    }
  })();
  const stop = async () => {
    child.kill("SIGTERM");
    await child.ended;
    await reading;
  };
  return { values, stop };
}

together("kafkajs shares a group with a client of the consumer protocol", () =>
  migrate("js", startKafkajs),
);

if (kcat !== undefined) {
  for (const strategy of ["range", "cooperative-sticky"]) {
    together(`kcat (${strategy}) shares a group with a client of the consumer protocol`, () =>
      migrate(strategy, (topic) => startKcat(topic, strategy)),
    );
  }
}

test.after(async () => {
  await client.close();
  await server.close();
});

test.run();
