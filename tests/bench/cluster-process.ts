// Several brokers of one side as a cluster under test: each a process, or all behind one command, pinned to the
// server's cores. Topics have three replicas, of which two must be in sync.

import { setTimeout as pause } from "node:timers/promises";
import { type Client, createClient, createPlatform } from "../../runtime/mod.ts";
import { TestProcess } from "../support/processes.ts";
import { fileDeleteDelayMs, type Launch, type Side } from "./broker-process.ts";
import type { Address } from "./load/connection.ts";
import type { Leader } from "./load/produce-load.ts";
import { type Cores, cpuSeconds, familyOf, onServerCores } from "./process-figures.ts";

export interface ClusterLaunch {
  readonly side: Side;
  readonly brokers: number;
  readonly launches: readonly Launch[];
  /** What it needs besides, ended with it. */
  readonly end?: () => Promise<void>;
}

const readyMsMax = 120_000;
const topicMsMax = 60_000;
const lookMs = 50;

const platform = createPlatform();

export class ClusterProcess {
  readonly #launch: ClusterLaunch;
  readonly #cores: Cores | undefined;
  #processes: TestProcess[] = [];
  #client: Client | undefined;

  constructor(launch: ClusterLaunch, cores: Cores | undefined) {
    this.#launch = launch;
    this.#cores = cores;
  }

  get side(): Side {
    return this.#launch.side;
  }

  get bootstrap(): string {
    return this.#launch.launches.map(({ address }) => `${address.host}:${address.port}`).join(",");
  }

  /** Resolves when all brokers are members. */
  async start(): Promise<void> {
    this.#processes = this.#launch.launches.map((launch) => this.#run(launch));
    try {
      await eventually(`${this.side} is a cluster`, readyMsMax, async () => {
        const { brokers } = await this.#admin.cluster();
        return brokers.length === this.#launch.brokers;
      });
    } catch (error) {
      const said = this.#processes.map(({ stdout, stderr }) => `${stdout}${stderr}`).join("\n");
      throw new Error(`${this.side} did not start:\n${said}`, { cause: error });
    }
  }

  /** Resolves when all replicas are in sync and every leader answers: who leads which of its partitions. */
  async createTopic(name: string, shape: { partitions: number; replicas: number }) {
    const { partitions, replicas } = shape;
    const configs = { "min.insync.replicas": String(Math.min(2, replicas)) };
    const created = { name, partitions, replicationFactor: replicas, configs };
    await eventually(`${name} is created`, topicMsMax, async () => {
      await this.#admin.createTopic(created);
      return true;
    });
    await this.inSync(name, shape);
    return this.#leaders(name);
  }

  async inSync(name: string, { replicas }: { replicas: number }): Promise<void> {
    await eventually(`${name} is in sync`, topicMsMax, async () => {
      const topic = await this.#admin.topic(name);
      if (topic.partitions.some(({ isr }) => isr.length < replicas)) return false;
      const asked = topic.partitions.map(({ partition }) => ({ topic: name, partition }));
      const ends = await this.#admin.listOffsets(
        asked.map((each) => ({ ...each, spec: "latest" as const })),
      );
      return ends.every(({ error }) => error === null);
    });
  }

  /** One record to each of them with acks=all, sent again until it is acknowledged. */
  async produceTo(topic: string, partitions: readonly number[]): Promise<void> {
    const producer = this.#connected.producer({ acks: -1, lingerMs: 0 });
    const sent = partitions.map((partition) => producer.send({ topic, partition, value: "v" }));
    await Promise.all(sent);
    await producer.close();
  }

  /** kill -9 of the broker that listens there. */
  async kill(address: Address): Promise<void> {
    await this.#processes[this.#indexOf(address)]!.stop("SIGKILL");
  }

  /** On the same folder and port; does not wait for it. */
  restart(address: Address): void {
    const index = this.#indexOf(address);
    this.#processes[index] = this.#run(this.#launch.launches[index]!);
  }

  /** Resolves when its files are gone, too. */
  async deleteTopic(name: string): Promise<void> {
    await this.#admin.deleteTopic(name);
    await pause(4 * fileDeleteDelayMs);
  }

  /** Records of all its partitions. */
  async countRecords(topic: string): Promise<number> {
    const { partitions } = await this.#admin.topic(topic);
    const ends = await this.#admin.listOffsets(
      partitions.map(({ partition }) => ({ topic, partition, spec: "latest" as const })),
    );
    return ends.reduce((sum, { offset }) => sum + offset, 0);
  }

  cpuSeconds(): number | undefined {
    const pids = this.#processes.flatMap(({ pid }) => familyOf(pid));
    return pids.reduce((sum, pid) => sum + (cpuSeconds(pid) ?? 0), 0);
  }

  async discard(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
    // A parent takes its brokers along only when it is asked to stop.
    await Promise.all(this.#processes.map((each) => each.stop("SIGTERM", readyMsMax)));
    this.#processes = [];
    await this.#launch.end?.();
  }

  async #leaders(name: string): Promise<Leader[]> {
    const { brokers } = await this.#admin.cluster();
    const { partitions } = await this.#admin.topic(name);
    return brokers
      .map(({ id, host, port }) => ({
        address: { host, port },
        partitions: partitions.filter(({ leader }) => leader === id).map((each) => each.partition),
      }))
      .filter((leader) => leader.partitions.length > 0);
  }

  #run({ command }: Launch): TestProcess {
    return new TestProcess(onServerCores(command, this.#cores));
  }

  #indexOf({ port }: Address): number {
    return this.#launch.launches.findIndex(({ address }) => address.port === port);
  }

  get #connected(): Client {
    this.#client ??= createClient({ platform, bootstrap: this.bootstrap.split(",") });
    return this.#client;
  }

  get #admin() {
    return this.#connected.admin();
  }
}

/** Asks until it holds; an error is asked again like a no. */
async function eventually(
  what: string,
  limitMs: number,
  holds: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  let cause: unknown;
  while (performance.now() < deadline) {
    try {
      if (await holds()) return;
    } catch (error) {
      cause = error;
    }
    await pause(lookMs);
  }
  throw new Error(`not within ${limitMs} ms: ${what}`, { cause });
}
