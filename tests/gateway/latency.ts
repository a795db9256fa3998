// What a gateway costs: one record after the other into Apache Kafka, by the client library directly and by HTTP through
// a gateway, in turns; and the way of a record from its producer to a tail. `npm run proof:gateway-latency` prints the
// figures, `-- --store` keeps them.

import { mkdirSync, writeFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { dirname, join } from "node:path";
import { createClient } from "../../runtime/mod.ts";
import { KafkaBroker } from "../compat/kafka-broker.ts";
import { KafkaTools } from "../compat/kafka-tools.ts";
import { machine, versions } from "../compat/machine.ts";
import { EventStream, request } from "../support/http-client.ts";
import { projectFolder } from "../support/project.ts";
import { TestGateway } from "./gateway-process.ts";

const rounds = 10;
const perRound = 300;
const warmUp = 300;
const topic = "latency";
const valueBytes = 100;
const resultsPath = join(projectFolder, "tests/gateway/results/latency.json");

const tools = KafkaTools.find();
if (tools === undefined) throw new Error("Kafka's jars are needed: KAFKA_LIB");
const kafka = await KafkaBroker.start(tools);
const gateway = await TestGateway.start(kafka.bootstrap);
const client = createClient({ bootstrap: kafka.bootstrap });
await request(`${gateway.http}/v1/topics`, { body: { name: topic, partitions: 1 } });

const value = "x".repeat(valueBytes);
const producer = client.producer();
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const body = JSON.stringify({ value });

const produced = await alternating({
  direct: async () => void (await producer.send({ topic, value })),
  gateway: () => post(`${gateway.http}/v1/topics/${topic}/records`, body),
});
const consumer = client.consumer();
await consumer.assign([{ topic, partition: 0, offset: "latest" }]);
const tail = await EventStream.open(
  `${gateway.http}/v1/topics/${topic}/partitions/0/records?offset=latest`,
);
const tailed = await alternating(
  {
    direct: async () => {
      const seen = consumer.poll(10_000);
      await producer.send({ topic, value });
      await seen;
      return () => tail.take(1);
    },
    gateway: async () => {
      const seen = tail.take(1);
      await producer.send({ topic, value });
      await seen;
      return () => consumer.poll(10_000);
    },
  },
  100,
);

const figures = {
  command: "npm run proof:gateway-latency",
  measuredAt: new Date().toISOString(),
  ...{ machine: machine(), versions: versions([]), kafka: "4.1.1" },
  what: `${rounds} rounds in turns, one record of ${valueBytes} B at a time, acks=all, ms`,
  produce: produced,
  produceToTail: tailed,
};
const text = `${JSON.stringify(figures, null, 2)}\n`;
process.stdout.write(text);
if (process.argv.includes("--store")) {
  mkdirSync(dirname(resultsPath), { recursive: true });
  writeFileSync(resultsPath, text);
}
tail.close();
await client.close();
await gateway.process.stop("SIGTERM");
await kafka.stop();
process.exit(produced.cost.p50 <= 1 ? 0 : 1);

/** What an operation leaves to be done before the next, untimed. */
type Operation = () => Promise<unknown>;

async function alternating(ways: { direct: Operation; gateway: Operation }, count = perRound) {
  const times = { direct: [] as number[], gateway: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    for (const way of ["direct", "gateway"] as const) {
      const isWarmUp = round === 0;
      for (let i = 0; i < (isWarmUp ? Math.min(count, warmUp) : count); i++) {
        const startMs = performance.now();
        const left = await ways[way]();
        if (!isWarmUp) times[way].push(performance.now() - startMs);
        if (typeof left === "function") await left();
      }
    }
  }
  const direct = percentiles(times.direct);
  const through = percentiles(times.gateway);
  const cost = { p50: rounded(through.p50 - direct.p50), p99: rounded(through.p99 - direct.p99) };
  return { direct, gateway: through, cost };
}

function percentiles(times: number[]) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number) => rounded(sorted[Math.floor(part * (sorted.length - 1))] ?? 0);
  return { p50: at(0.5), p99: at(0.99), count: sorted.length };
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function post(url: string, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": text.length };
    const asked = httpRequest(url, { method: "POST", agent, headers }, (answer) => {
      answer.resume();
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve();
        else reject(new Error(`status ${answer.statusCode}`));
      });
    });
    asked.on("error", reject);
    asked.end(text);
  });
}
