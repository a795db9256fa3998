// `timberline serve --brokers N` as a child process, the processes of its brokers, and what most tests do with several
// brokers.

import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { request, requestJson } from "../support/http-client.ts";
import type { ProcessEnd } from "../support/processes.ts";
import { type ServerOptions, TestServer } from "../support/server.ts";

const stopMsMax = 40_000;

/** `serve --brokers`, ready. */
export function startBrokers(
  count: number,
  { args = [], ...options }: ServerOptions = {},
): Promise<TestServer> {
  const all = ["--brokers", String(count), "--flush", "os", ...args];
  return TestServer.start({ ...options, args: all });
}

/** The process that holds the folder of a broker. */
export function pidOf({ dataDir }: TestServer, brokerId: number): number {
  return Number(readFileSync(join(dataDir, `${brokerId}`, ".lock"), "utf8").split(" ")[0]);
}

/** Brokers hand over before they stop. */
export function stopBrokers(
  { process }: TestServer,
  signal: NodeJS.Signals = "SIGTERM",
): Promise<ProcessEnd> {
  return process.stop(signal, stopMsMax);
}

export async function createTopic(door: string, name: string, replicas: number): Promise<void> {
  const body = { name, partitions: 1, replication_factor: replicas };
  await request(`${door}/v1/topics`, { body });
}

export async function store(door: string, topic: string, value: string): Promise<void> {
  await request(`${door}/v1/topics/${topic}/records`, { body: { value } });
}

export async function valuesAt(door: string, topic: string): Promise<string[]> {
  const url = `${door}/v1/topics/${topic}/partitions/0/records?offset=earliest`;
  const { records } = await requestJson<{ records: { value: string }[] }>(url);
  return records.map(({ value }) => value);
}

export interface Described {
  readonly leader: number;
  readonly isr: readonly number[];
}

export async function describedAt(door: string, topic: string): Promise<Described> {
  const url = `${door}/v1/topics/${topic}`;
  const { partitions } = await requestJson<{ partitions: Described[] }>(url);
  return partitions[0]!;
}

/** The first of `count` free ports in a row, below those that systems give out by themselves. */
export async function freePortsInARow(count: number): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const first = 12_000 + Math.floor(Math.random() * 18_000);
    const held = await Promise.all(Array.from({ length: count }, (_, i) => hold(first + i)));
    await Promise.all(held.map((release) => release?.()));
    if (held.every((release) => release !== undefined)) return first;
  }
  throw new Error(`no ${count} free ports in a row`);
}

function hold(port: number): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () =>
      resolve(() => new Promise((done) => server.close(() => done()))),
    );
  });
}
