// Cases of the process itself: how it starts, ends, is killed, and what it still knows afterwards.

import { setTimeout as sleep } from "node:timers/promises";
import * as assert from "uvu/assert";
import { requestJson } from "../support/http-client.ts";
import { TestProcess } from "../support/processes.ts";
import { sourceEntry } from "../support/server.ts";
import type { Case, Given, Stored } from "./case.ts";
import { createTopic, fetchAll, kafkaClient, produce, values } from "./steps.ts";

const WRITERS = 4;
const KILL_AFTER_RECORDS = 300;

export const lifeCases: readonly Case[] = [
  {
    name: "keeps records and topics over an orderly restart, and exits with 0",
    async run({ http, server }) {
      await createTopic(http, "lasting", 1, { "retention.ms": "123456789" });
      await produce(http, "lasting", ["before"]);
      const end = await server.stop("SIGTERM");
      assert.is(end.code, 0, end.stderr);
      await server.restart();
      await produce(http, "lasting", ["after"]);
      const fetched = await fetchAll(http, "lasting");
      assert.equal(values(fetched), ["before", "after"]);
      const url = `${http}/v1/topics/lasting`;
      const { configs } = await requestJson<{ configs: Record<string, string> }>(url);
      assert.is(configs["retention.ms"], "123456789");
    },
  },
  {
    name: "loses nothing acknowledged by kill -9, through either door",
    async run(given) {
      const { http, server } = given;
      await createTopic(http, "killed", 1);
      await createTopic(http, "killed-kafka", 1);
      const acknowledged = await writeUntilKilled(given);
      await server.restart();
      for (const [topic, sent] of acknowledged) {
        const kept = new Set(values(await fetchAll(http, topic)));
        const lost = sent.filter((value) => !kept.has(value));
        assert.equal(lost, [], `${topic}: ${sent.length} acknowledged`);
        assert.ok(sent.length > 0, topic);
      }
    },
  },
];

/** Of the command line that starts a broker. */
export const commandCases: readonly Case[] = [
  {
    name: "prints one ready line on stdout and nothing else",
    async run({ server }) {
      assert.match(server.process.stdout, /^ready kafka=127\.0\.0\.1:\d+ http=127\.0\.0\.1:\d+\n$/);
    },
  },
  {
    name: "ends with 0 on SIGINT while readers wait",
    async run({ http, server }) {
      await createTopic(http, "left");
      const waiting = fetch(`${http}/v1/topics/left/partitions/0/records?offset=0&wait=30000`);
      waiting.catch(() => {});
      await sleep(100);
      const end = await server.stop("SIGINT");
      assert.is(end.code, 0, end.stderr);
      await server.restart();
    },
  },
  {
    name: "refuses a second process on its data folder in one sentence",
    async run({ runtime, server }) {
      const args = ["--data-dir", server.dataDir, "--kafka-port", "0", "--http-port", "0"];
      const second = new TestProcess(runtime.command(sourceEntry, "serve", ...args));
      const end = await second.end();
      assert.is(end.code, 2, end.stdout + end.stderr);
      assert.match(end.stderr, server.dataDir);
      assert.not.match(end.stderr, /\n\s+at /);
    },
  },
  {
    name: "says which port is taken and how to choose another",
    async run({ runtime, server, kafka }) {
      const port = String(kafka.port);
      const args = ["--data-dir", `${server.dataDir}-2`, "--kafka-port", port, "--http-port", "0"];
      const second = new TestProcess(runtime.command(sourceEntry, "serve", ...args));
      const end = await second.end();
      assert.is(end.code, 2, end.stdout + end.stderr);
      assert.match(end.stderr, port);
      assert.match(end.stderr, "--kafka-port");
    },
  },
];

/** Writers on both doors until enough is acknowledged, then kill -9 in their midst; what was acknowledged. */
async function writeUntilKilled({ http, kafka, server }: Given): Promise<Map<string, string[]>> {
  const acknowledged = new Map<string, string[]>([
    ["killed", []],
    ["killed-kafka", []],
  ]);
  const producer = kafkaClient(kafka).producer();
  await producer.connect();
  const send: Record<string, (value: string) => Promise<unknown>> = {
    killed: (value): Promise<Stored> => produce(http, "killed", [value]),
    "killed-kafka": (value) =>
      producer.send({ topic: "killed-kafka", acks: -1, messages: [{ value }] }),
  };
  let isKilled = false;
  const write = async (topic: string, writer: number): Promise<void> => {
    for (let i = 0; !isKilled && i < 100_000; i += 1) {
      const value = `${topic}-${writer}-${i}`;
      try {
        await send[topic]?.(value);
        acknowledged.get(topic)?.push(value);
      } catch (error) {
        if (!isKilled) throw error;
      }
    }
  };
  const writers = [...acknowledged.keys()].flatMap((topic) =>
    Array.from({ length: WRITERS }, (_, writer) => write(topic, writer)),
  );
  const all = Promise.all(writers);
  const enough = (): boolean =>
    [...acknowledged.values()].every((sent) => sent.length >= KILL_AFTER_RECORDS);
  while (!enough()) await Promise.race([all, sleep(5)]);
  isKilled = true;
  await server.kill();
  await all;
  await producer.disconnect().catch(() => {});
  return acknowledged;
}
