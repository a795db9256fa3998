// One segment of a run: a cluster of its own, clients of three libraries, one kind of fault again and again, peace, and
// the verdict: of the checker on what the clients saw, and of the files on what the replicas have.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SmallDisk } from "../compat/small-disk.ts";
import { checkHistory } from "../sim/checker.ts";
import { History, type Violation } from "../sim/history.ts";
import { bun, currentNode, deno } from "../support/runtimes.ts";
import type { Fault, Scene } from "./faults.ts";
import { Fleet, pause } from "./fleet.ts";
import { kafkajsGroup, kafkajsProducer } from "./kafkajs-load.ts";
import { kcatLoad, librdkafkaLoad } from "./librdkafka-load.ts";
import { type LoadClient, type LoadPlace, Notebook } from "./load.ts";
import { ownProducer, ownReader, readWhole } from "./own-load.ts";
import { Pick } from "./pick.ts";
import { compareReplicas } from "./replica-files.ts";
import type { Sites } from "./sites.ts";

const topic = "chaos";
const partitions = 6;
/** Between two rounds at most, and before the first. */
const quietMsMax = 4_000;
const errorsTold = 10;

export interface SegmentOptions {
  readonly fault: Fault;
  readonly sites: Sites;
  readonly natsProgram: string;
  /** Python with confluent-kafka, and kcat, where they are. */
  readonly python: string | undefined;
  readonly kcat: string | undefined;
  readonly seed: number;
  readonly durationMs: number;
  /** Rounds at most. */
  readonly roundsMax?: number;
  readonly pauseMs?: number;
  /** Between two rounds, in place of random ones. */
  readonly quietMs?: number;
  say(line: string): void;
}

export interface SegmentResult {
  readonly fault: string;
  readonly seed: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly read: number;
  readonly commits: number;
  readonly longestStallMs: number;
  /** Until all replicas were in sync again, after the last fault. */
  readonly settledMs: number;
  readonly replicas: { readonly partitions: number; readonly batches: number };
  readonly clientErrors: number;
  readonly clientErrorSamples: readonly string[];
  /** ERROR lines in the brokers' logs, by event. */
  readonly brokerErrors: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
}

export async function runSegment(options: SegmentOptions): Promise<SegmentResult> {
  const { fault } = options;
  const disk = fault.diskMiB === undefined ? undefined : SmallDisk.mount(fault.diskMiB);
  const fleet = await Fleet.start({
    sites: options.sites,
    natsProgram: options.natsProgram,
    natsServers: fault.natsServers ?? 1,
    runtimes: runtimesOf(fault),
    ...(disk === undefined ? {} : { disk }),
  });
  try {
    return await inFleet(options, fleet);
  } catch (error) {
    for (const broker of fleet.brokers.values()) {
      options.say(`broker ${broker.id} (${broker.state}):\n${broker.log.slice(-3_000)}`);
    }
    throw error;
  } finally {
    options.sites.heal();
    await fleet.close();
    disk?.unmount();
  }
}

function runtimesOf({ isMixed, brokers }: Fault) {
  const node = currentNode();
  return isMixed ? [node, deno(), bun()] : Array.from({ length: brokers ?? 3 }, () => node);
}

async function inFleet(options: SegmentOptions, fleet: Fleet): Promise<SegmentResult> {
  const { fault, seed, say } = options;
  const startMs = performance.now();
  await fleet.settle();
  const configs = { "min.insync.replicas": "2" };
  const admin = fleet.client.admin();
  await admin.createTopic({ name: topic, partitions, replicationFactor: 3, configs });
  const { bootstrap } = fleet;
  const place: LoadPlace = { bootstrap, topic, partitions, pauseMs: options.pauseMs ?? 50 };
  const notebook = new Notebook(new History());
  const load = await startLoad(options, place, notebook);
  await pause(options.quietMs ?? quietMsMax);
  const scene: Scene = { fleet, topic, pick: new Pick(seed), say };
  const rounds = await runRounds(options, scene);
  const settledMs = await fleet.settle();
  await pause(options.quietMs ?? quietMsMax);
  say("clients come to their end");
  await Promise.all(load.map((client) => client.stop()));
  const verdict = await judge(fleet, place, notebook, say);
  const { history, errors } = notebook;
  return {
    fault: fault.name,
    seed,
    seconds: Math.round((performance.now() - startMs) / 1000),
    rounds,
    sent: history.sends.length,
    acknowledged: notebook.acknowledged,
    read: history.polls.reduce((sum, { records }) => sum + records.length, 0),
    commits: history.commits.length,
    longestStallMs: notebook.longestStallMs(),
    settledMs: Math.round(settledMs),
    clientErrors: errors.length,
    clientErrorSamples: errors.slice(0, errorsTold).map(({ client, what }) => `${client}: ${what}`),
    ...verdict,
  };
}

async function startLoad(
  { python, kcat }: SegmentOptions,
  place: LoadPlace,
  notebook: Notebook,
): Promise<LoadClient[]> {
  const load = [ownProducer(place, notebook), ownReader(place, notebook)];
  if (python !== undefined) load.push(librdkafkaLoad(python, place, notebook));
  if (kcat !== undefined) load.push(kcatLoad(kcat, place, notebook));
  load.push(await kafkajsProducer(place, notebook), await kafkajsGroup(place, notebook));
  return load;
}

async function runRounds(options: SegmentOptions, scene: Scene): Promise<number> {
  const { fault, durationMs } = options;
  const roundsMax = options.roundsMax ?? fault.roundsMax ?? Number.POSITIVE_INFINITY;
  const endMs = performance.now() + durationMs;
  let rounds = 0;
  while (performance.now() < endMs && rounds < roundsMax) {
    await fault.round(scene);
    rounds++;
    const wholeMs = Math.round(await scene.fleet.settle());
    scene.say(`whole after ${wholeMs} ms`);
    await pause(options.quietMs ?? scene.pick.between(quietMsMax / 4, quietMsMax));
  }
  return rounds;
}

/** Reads all, stops the brokers, compares their files. */
async function judge(
  fleet: Fleet,
  place: LoadPlace,
  notebook: Notebook,
  say: (line: string) => void,
) {
  const { history } = notebook;
  for (const [partition, records] of await readWhole(fleet.client, place)) {
    history.log.set(partition, [...records]);
  }
  const topics = await fleet.client.admin().topics();
  await fleet.stopBrokers();
  const brokers = [...fleet.brokers.values()];
  const dataDirs = new Map(brokers.map(({ id, server }) => [id, server.dataDir]));
  const replicas = compareReplicas(topics, dataDirs);
  const violations = [...checkHistory(history), ...replicas.violations];
  if (violations.length > 0) say(`the history is in ${keepHistory(history)}`);
  for (const { id, deaths } of brokers) {
    for (const last of deaths) violations.push({ rule: "broker-died", what: `${id}: ${last}` });
  }
  return {
    violations,
    replicas: { partitions: replicas.partitions, batches: replicas.batches },
    brokerErrors: errorsIn(brokers.map(({ log }) => log).join("\n")),
  };
}

/** For whoever looks into it; it stays. */
function keepHistory(history: History): string {
  const path = join(mkdtempSync(join(tmpdir(), "timberline-history-")), "history.json");
  writeFileSync(path, JSON.stringify({ ...history, log: [...history.log] }));
  return path;
}

/** By what follows the level: "broker/background-failed: fetching from broker 3". */
function errorsIn(log: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [, event = ""] of log.matchAll(/^\S+ ERROR (.*?)(?: error=| \w+=|$)/gm)) {
    found[event] = (found[event] ?? 0) + 1;
  }
  return found;
}
