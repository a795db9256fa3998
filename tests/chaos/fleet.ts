// A cluster as its users run it: brokers (`serve --nats`) and nats-servers as processes, each at a site, with what
// they wrote to their logs. Whoever breaks something here also says how it is mended.

import { join } from "node:path";
import kafkajs from "kafkajs";
import type { Client } from "../../runtime/mod.ts";
import { createClient, createPlatform } from "../../runtime/mod.ts";
import { timberline } from "../cli/command-line.ts";
import type { SmallDisk } from "../compat/small-disk.ts";
import { TestNats } from "../support/nats-server.ts";
import { isRunning } from "../support/processes.ts";
import { currentNode, type TestRuntime } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import type { Site, Sites } from "./sites.ts";

export interface FleetOptions {
  readonly sites: Sites;
  readonly natsProgram: string;
  readonly natsServers: number;
  /** One broker each, numbered from 1. */
  readonly runtimes: readonly TestRuntime[];
  /** `name=value` for all brokers. */
  readonly settings?: readonly string[];
  /** Of broker 1: a small file system of its own. */
  readonly disk?: SmallDisk;
}

export interface Move {
  readonly partition: number;
  readonly replicas: readonly number[];
}

export const platform = createPlatform();
const settleMsMax = 90_000;
const stopMsMax = 45_000;
const lookEveryMs = 100;
const wholeLooks = 8;

export class ChaosBroker {
  readonly id: number;
  readonly site: Site;
  readonly server: TestServer;
  state: "running" | "paused" | "down" = "running";
  /** Ends that nobody asked for. */
  readonly deaths: string[] = [];
  /** Whether it may end by itself, as on a disk that is full. */
  isDeathExpected = false;
  #log = "";

  constructor(id: number, site: Site, server: TestServer) {
    this.id = id;
    this.site = site;
    this.server = server;
  }

  /** Everything it wrote since the beginning. */
  get log(): string {
    return this.state === "down" ? this.#log : this.#log + this.server.process.stderr;
  }

  async kill(): Promise<void> {
    this.look();
    if (this.state === "down") return;
    await this.server.kill();
    this.#ended();
  }

  async stop(): Promise<void> {
    this.look();
    if (this.state === "down") return;
    const end = await this.server.process.stop("SIGTERM", stopMsMax);
    this.#ended();
    if (end.code !== 0) this.deaths.push(`exit code ${end.code} after SIGTERM`);
  }

  async restart(): Promise<void> {
    await this.server.restart();
    this.state = "running";
  }

  pause(): void {
    this.look();
    if (this.state !== "running") return;
    this.server.process.signal("SIGSTOP");
    this.state = "paused";
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.server.process.signal("SIGCONT");
    this.state = "running";
  }

  /** Notes if the process has ended by itself; true: it has. */
  look(): boolean {
    if (this.state === "down" || isRunning(this.server.process.pid)) return false;
    if (!this.isDeathExpected) this.deaths.push(this.server.process.stderr.slice(-2_000));
    this.#ended();
    return true;
  }

  #ended(): void {
    this.#log += this.server.process.stderr;
    this.state = "down";
  }
}

export class Fleet {
  readonly sites: Sites;
  readonly nats: TestNats;
  readonly brokers = new Map<number, ChaosBroker>();
  readonly client: Client;
  readonly #options: FleetOptions;

  static async start(options: FleetOptions): Promise<Fleet> {
    const natsSites = Array.from({ length: options.natsServers }, (_, index) =>
      options.sites.site(`n${index}`),
    );
    const program = options.natsProgram;
    const nats = await TestNats.start({ program, servers: options.natsServers, sites: natsSites });
    const starts = options.runtimes.map((runtime, index) =>
      startBroker(options, nats, index + 1, runtime),
    );
    return new Fleet(options, nats, await Promise.all(starts));
  }

  private constructor(options: FleetOptions, nats: TestNats, brokers: readonly ChaosBroker[]) {
    this.#options = options;
    this.sites = options.sites;
    this.nats = nats;
    for (const broker of brokers) this.brokers.set(broker.id, broker);
    this.client = createClient({ platform, bootstrap: this.bootstrap });
  }

  get bootstrap(): string[] {
    return [...this.brokers.values()].map(({ server }) => server.bootstrap);
  }

  get running(): ChaosBroker[] {
    return [...this.brokers.values()].filter(({ state }) => state === "running");
  }

  get disk(): SmallDisk | undefined {
    return this.#options.disk;
  }

  broker(id: number): ChaosBroker {
    return this.brokers.get(id)!;
  }

  async add(id: number, runtime: TestRuntime = currentNode()): Promise<ChaosBroker> {
    const broker = await startBroker(this.#options, this.nats, id, runtime);
    this.brokers.set(id, broker);
    return broker;
  }

  async leaderOf(topic: string, partition: number): Promise<number> {
    const { partitions } = await this.client.admin().topic(topic);
    return partitions.find((each) => each.partition === partition)?.leader ?? -1;
  }

  async controller(): Promise<number> {
    return (await this.client.admin().cluster()).controllerId;
  }

  /**
   * Resolves with the time it took until all live and every partition has all its replicas in sync. Several looks in a
   * row: a broker that was cut off still tells how it was before.
   */
  async settle(timeoutMs = settleMsMax): Promise<number> {
    const startMs = performance.now();
    let wholeMs = 0;
    for (let looks = 0; looks < wholeLooks; ) {
      const what = await this.unsettled();
      const tookMs = performance.now() - startMs;
      if (tookMs > timeoutMs) throw new Error(`not whole after ${timeoutMs} ms: ${what}`);
      if (what !== "") looks = 0;
      else if (looks++ === 0) wholeMs = tookMs;
      await pause(lookEveryMs);
    }
    return wholeMs;
  }

  /** What is not as it should be; empty: all is. */
  async unsettled(): Promise<string> {
    const down = [...this.brokers.values()].filter((broker) => {
      broker.look();
      return broker.state !== "running";
    });
    if (down.length > 0) return `brokers ${down.map(({ id }) => id)} do not run`;
    try {
      const admin = this.client.admin();
      const { brokers } = await admin.cluster();
      if (brokers.length < this.brokers.size) return `${brokers.length} brokers are there`;
      for (const { name, partitions } of await admin.topics()) {
        const bad = partitions.find((p) => p.leader < 0 || p.isr.length < p.replicas.length);
        if (bad) return `${name}-${bad.partition}: leader ${bad.leader}, in sync ${bad.isr}`;
      }
      return "";
    } catch (error) {
      return String(error);
    }
  }

  /** `timberline …` for this cluster; fails if the command does. Returns what it printed. */
  async command(...words: string[]): Promise<string> {
    const end = await timberline([...words, "-b", this.bootstrap.join()]);
    const said = `${end.stdout}${end.stderr}`;
    if (end.code !== 0) throw new Error(`timberline ${words.join(" ")}: exit ${end.code}\n${said}`);
    return said;
  }

  /** Begins to move replicas, as Kafka's tools ask for it. */
  async reassign(topic: string, moves: readonly Move[]): Promise<void> {
    const admin = new kafkajs.Kafka({ brokers: this.bootstrap, logLevel: 0 }).admin();
    await admin.connect();
    try {
      const partitionAssignment = moves.map((move) => ({ ...move, replicas: [...move.replicas] }));
      await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
    } finally {
      await admin.disconnect();
    }
  }

  /** Resolves when the replicas are where they were to go, and nowhere else. */
  async reassigned(topic: string, moves: readonly Move[]): Promise<void> {
    const endMs = performance.now() + settleMsMax;
    const wanted = moves.map(({ partition, replicas }) => `${partition}: ${replicas}`).sort();
    for (let found: string[] = []; ; await pause(lookEveryMs)) {
      try {
        const { partitions } = await this.client.admin().topic(topic);
        found = partitions.map(({ partition, replicas }) => `${partition}: ${replicas}`).sort();
        if (wanted.every((move) => found.includes(move))) return;
      } catch {
        // The next look tells.
      }
      if (performance.now() > endMs) throw new Error(`replicas are at ${found}, not at ${wanted}`);
    }
  }

  async stopBrokers(): Promise<void> {
    await Promise.all([...this.brokers.values()].map((broker) => broker.stop()));
  }

  /** However it stands. */
  async close(): Promise<void> {
    await this.client.close();
    for (const broker of this.brokers.values()) broker.resume();
    await Promise.all([...this.brokers.values()].map((broker) => broker.kill()));
    await this.nats.stop();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function startBroker(
  options: FleetOptions,
  nats: TestNats,
  id: number,
  runtime: TestRuntime,
): Promise<ChaosBroker> {
  const site = options.sites.site(`b${id}`);
  const sets = (options.settings ?? []).flatMap((setting) => ["--set", setting]);
  const dataDir = id === 1 && options.disk ? join(options.disk.folder, "log") : undefined;
  const server = await TestServer.start({
    runtime: {
      ...runtime,
      command: (script, ...args) => site.enter(runtime.command(script, ...args)),
    },
    args: ["--broker-id", String(id), "--host", site.host, "--nats", nats.urls.join(), ...sets],
    ...(dataDir === undefined ? {} : { dataDir }),
  });
  return new ChaosBroker(id, site, server);
}
