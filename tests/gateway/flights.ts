// `npm run proof:gateway`: real flights from a web page through a gateway into a cluster of three brokers, and out of it
// by kcat; and 100,000 of them as SSE to 200 tails through the gateway. Gateway and leaders are killed in turn
// meanwhile. Flags: --flights 3000000 --tails 200 --tailed 100000 --runtime workerd|node --store. Exits with 1 if
// anything is lost, repeated or differs.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { type Client, createClient } from "../../runtime/mod.ts";
import { pidOf, startBrokers, stopBrokers } from "../cluster/served-brokers.ts";
import { kcatReader } from "../compat/flight-consumers.ts";
import { FlightDigest, type RecordSink } from "../compat/flight-digest.ts";
import { flightsTotal, parseFlights, readChunks, writeFlights } from "../compat/flights.ts";
import { machine, versions } from "../compat/machine.ts";
import { Chromium, chromiumProgram, type Page } from "../support/chromium.ts";
import { findTool } from "../support/missing-tool.ts";
import { projectFolder } from "../support/project.ts";
import type { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { servePage } from "./flight-page.ts";
import { type KillableGateway, startKillable } from "./killable-gateway.ts";
import { Tails } from "./tails.ts";

const partitions = 6;
const resultsPath = join(projectFolder, "tests/gateway/results/flights.json");
const lookMs = 250;
/** Of the records, after which gateway and leader die in turn. */
const killsAt = [0.15, 0.3, 0.5, 0.7];

const { values } = parseArgs({
  options: {
    flights: { type: "string", default: String(flightsTotal) },
    tails: { type: "string", default: "200" },
    tailed: { type: "string", default: "100000" },
    runtime: { type: "string", default: "workerd" },
    store: { type: "boolean", default: false },
  },
});
const browser = chromiumProgram();
const kcat = findTool("kcat");
if (browser === undefined || kcat === undefined) process.exit(2);
const program = browser;
const reader = kcatReader(kcat);
const total = Number(values.flights);
const tailed = Math.min(Number(values.tailed), total);
const problems: string[] = [];
const figures = await run();
console.log(JSON.stringify(figures, null, 2));
for (const problem of problems) console.error(problem);
if (values.store && problems.length === 0) store();
process.exit(problems.length === 0 ? 0 : 1);

async function run() {
  const flights = await writeFlights(tempFolder("flights"), { count: total, partitions });
  const { origin, server: pages } = await servePage(flights);
  const brokers = await startBrokers(3, { args: ["--flush", "group"] });
  const bootstrap = brokers.bootstraps.join(",");
  const client = createClient({ bootstrap: brokers.bootstraps });
  const gateway = await startKillable(values.runtime, { bootstrap, origin });
  const chromium = Chromium.start(program);
  const scene = { client, gateway, brokers };
  try {
    await createTopic(client, "flights", partitions);
    await createTopic(client, "tailed", 1);
    const page = await chromium.open(origin);
    const all = await produced(page, scene, { topic: "flights", partition: null, count: total });
    const read = await readAll({ bootstrap: brokers.bootstraps[0]! }, flights.timed);
    const tails = await followed(page, scene, flights);
    return { flights: total, bytes: flights.bytes, produced: all, read, tails };
  } finally {
    await chromium.stop();
    await gateway.kill();
    await client.close();
    await stopBrokers(brokers);
    pages.closeAllConnections();
    pages.close();
  }
}

interface Scene {
  readonly client: Client;
  readonly gateway: KillableGateway;
  readonly brokers: TestServer;
}

async function createTopic(client: Client, name: string, count: number): Promise<void> {
  // The flights are of 2001.
  const configs = { "retention.ms": "-1", "min.insync.replicas": "2" };
  await client.admin().createTopic({ name, partitions: count, replicationFactor: 3, configs });
}

/** Everything that was acknowledged, while gateway and leaders die in turn. */
async function produced(
  page: Page,
  scene: Scene,
  to: { topic: string; partition: number | null; count: number },
) {
  const startMs = performance.now();
  const call = [scene.gateway.http, to.topic, to.partition, to.count].map((each) =>
    JSON.stringify(each),
  );
  await page.until("globalThis.produce");
  await page.evaluate(
    `globalThis.seen = 0; globalThis.ended = undefined;
    produce(${call.join()}).then((sent) => { ended = sent; }, (error) => { ended = String(error.stack); }); 0`,
  );
  const kills: string[] = [];
  for (;;) {
    const [acknowledged, ended] = await page.evaluate<[number, unknown]>(
      "[seen, globalThis.ended ?? null]",
    );
    if (ended !== null) {
      if (ended !== to.count) problems.push(`the page ended with ${String(ended)}`);
      break;
    }
    await killIfDue(scene, { topic: to.topic, seen: acknowledged, count: to.count, kills });
    console.log(`${to.topic}: ${acknowledged} of ${to.count} acknowledged`);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  const seconds = (performance.now() - startMs) / 1_000;
  return { acknowledged: to.count, seconds: Math.round(seconds), kills };
}

async function killIfDue(
  scene: Scene,
  { topic, seen, count, kills }: { topic: string; seen: number; count: number; kills: string[] },
): Promise<void> {
  const due = killsAt.filter((part) => seen >= part * count).length;
  if (due > kills.length) kills.push(await kill(scene, topic, kills.length));
}

/** The gateway first, then a leader, and so on. */
async function kill(scene: Scene, topic: string, turn: number): Promise<string> {
  const { client, gateway, brokers } = scene;
  if (turn % 2 === 0) {
    await gateway.kill();
    await gateway.restart();
    return "gateway";
  }
  const { partitions: places } = await client.admin().topic(topic);
  const { leader } = places[turn % places.length]!;
  // Its parent starts it again.
  process.kill(pidOf(brokers, leader), "SIGKILL");
  return `leader ${leader}`;
}

async function readAll(from: { bootstrap: string }, wanted: FlightDigest) {
  const startMs = performance.now();
  const digest = new FlightDigest({ withTime: true });
  await reader.consume(from as never, "flights", digest);
  const [found, expected] = [digest.result(), wanted.result()];
  const wrong = [...expected].filter(([key, hash]) => found.get(key) !== hash).map(([key]) => key);
  if (wrong.length > 0 || found.size !== expected.size) {
    problems.push(
      `kcat read ${digest.count} of ${wanted.count}; keys that differ: ${wrong.slice(0, 5)}`,
    );
  }
  const seconds = Math.round((performance.now() - startMs) / 1_000);
  return { by: "kcat", records: digest.count, seconds, isEqual: wrong.length === 0 };
}

/** The same page writes to one partition, which all tails follow. */
async function followed(page: Page, scene: Scene, flights: Parameters<typeof readChunks>[0]) {
  const startMs = performance.now();
  const count = Number(values.tails);
  const door = `${scene.gateway.http}/v1/topics/tailed/partitions/0/records?offset=0`;
  const tails = new Tails(door, { count, records: tailed });
  const kills: string[] = [];
  try {
    const all = await produced(page, scene, { topic: "tailed", partition: 0, count: tailed });
    // Most of it is still on its way to them.
    while (tails.seen < tailed) {
      await killIfDue(scene, { topic: "tailed", seen: tails.seen, count: tailed, kills });
      console.log(`tails: ${tails.seen} of ${tailed}`);
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
    const { hashes, reconnects, bytes } = await tails.done();
    if (new Set(hashes).size !== 1) problems.push(`the tails saw ${new Set(hashes).size} things`);
    const alone = new Tails(door, { count: 1, records: tailed });
    const [hash] = (await alone.done()).hashes;
    if (hash !== hashes[0]) problems.push("a tail that comes later sees something else");
    await checkRecords(door, flights);
    const seconds = Math.round((performance.now() - startMs) / 1_000);
    return {
      count,
      records: tailed,
      reconnects,
      megabytes: Math.round(bytes / 1e6),
      seconds,
      kills,
      produced: all,
    };
  } finally {
    tails.stop();
  }
}

/** What the tails saw is what the page wrote, record by record. */
async function checkRecords(
  door: string,
  flights: Parameters<typeof readChunks>[0],
): Promise<void> {
  const wanted = new FlightDigest({ withTime: true });
  const found = new FlightDigest({ withTime: true });
  for await (const chunk of readChunks(flights)) {
    for (const { key, timestampMs, line } of parseFlights(chunk)) {
      if (wanted.count === tailed) break;
      wanted.add({ partition: 0, key, timestampMs, value: Buffer.from(line) });
    }
    if (wanted.count === tailed) break;
  }
  await addPages(door, found);
  const [a, b] = [wanted.result(), found.result()];
  if ([...a].some(([key, hash]) => b.get(key) !== hash))
    problems.push("the tails saw other records");
}

async function addPages(door: string, sink: RecordSink & { readonly count: number }) {
  for (let offset = 0; offset < tailed; ) {
    const url = new URL(door);
    url.searchParams.set("offset", String(offset));
    const answer = await fetch(url, { headers: { accept: "application/json" } });
    const told = (await answer.json()) as {
      next_offset: number;
      records: { key: string; timestamp: number | string; value: unknown }[];
    };
    if (told.next_offset <= offset) throw new Error(`reading stands still at ${offset}`);
    for (const { key, timestamp, value } of told.records) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      sink.add({ partition: 0, key, timestampMs: Number(timestamp), value: Buffer.from(text) });
    }
    offset = told.next_offset;
  }
}

function store(): void {
  const result = {
    command: `npm run proof:gateway -- ${process.argv.slice(2).join(" ")}`,
    at: new Date().toISOString(),
    machine: machine(),
    versions: versions([]),
    ...figures,
  };
  mkdirSync(dirname(resultsPath), { recursive: true });
  writeFileSync(resultsPath, `${JSON.stringify(result, null, 2)}\n`);
}
