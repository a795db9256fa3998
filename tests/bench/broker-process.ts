// A broker under test as a process of its own, pinned to the server's cores: started until its first acknowledged
// record, stopped, killed, started again on the same folder and port. `timberline.ts` and `kafka.ts` say how.

import { rmSync } from "node:fs";
import * as net from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { createClient, createPlatform } from "../../runtime/mod.ts";
import { TestProcess } from "../support/processes.ts";
import type { Address } from "./load/connection.ts";
import { firstAcknowledged } from "./load/one-at-a-time.ts";
import { type Cores, cpuSeconds, onServerCores, residentBytes } from "./process-figures.ts";

export type Side = "timberline" | "kafka";

export interface Launch {
  readonly side: Side;
  readonly version: string;
  readonly address: Address;
  /** All it writes. */
  readonly folder: string;
  readonly command: readonly string[];
}

/** Of both brokers: how long files of a deleted topic stay. */
export const fileDeleteDelayMs = 300;

const startMsMax = 120_000;
const stopMsMax = 60_000;
const createMsMax = 60_000;
/** Created by the first record after each start. */
const probeTopic = "bench-probe";

const latest = "latest" as const;

const platform = createPlatform();

export class BrokerProcess {
  readonly launch: Launch;
  readonly #cores: Cores | undefined;
  #process: TestProcess | undefined;

  constructor(launch: Launch, cores: Cores | undefined) {
    this.launch = launch;
    this.#cores = cores;
  }

  get side(): Side {
    return this.launch.side;
  }

  get address(): Address {
    return this.launch.address;
  }

  get bootstrap(): string {
    return `${this.address.host}:${this.address.port}`;
  }

  /** Seconds from the start of the process to its first acknowledged record. */
  async start(): Promise<number> {
    const startedMs = performance.now();
    this.#process = new TestProcess(onServerCores(this.launch.command, this.#cores));
    try {
      await firstAcknowledged(this.address, probeTopic, startMsMax);
    } catch (error) {
      const { stdout, stderr } = this.#running;
      await this.kill();
      throw new Error(`${this.side} did not start:\n${stdout}${stderr}`, { cause: error });
    }
    return (performance.now() - startedMs) / 1000;
  }

  async stop(): Promise<void> {
    await this.#running.stop("SIGTERM", stopMsMax);
  }

  async kill(): Promise<void> {
    await this.#process?.stop("SIGKILL");
  }

  /** Kills it and removes its data. */
  async discard(): Promise<void> {
    await this.kill();
    rmSync(this.launch.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  cpuSeconds(): number | undefined {
    return cpuSeconds(this.#running.pid);
  }

  residentBytes(): number | undefined {
    return residentBytes(this.#running.pid);
  }

  /** Resolves when all its partitions answer: Kafka names leaders before they lead. */
  async createTopic(name: string, partitions: number): Promise<void> {
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    await this.#admin(async (admin) => {
      await admin.createTopic({ name, partitions });
      const deadline = performance.now() + createMsMax;
      for (let waiting = all; waiting.length > 0; ) {
        const asked = waiting.map((partition) => ({ topic: name, partition, spec: latest }));
        const found = await admin.listOffsets(asked);
        waiting = found.filter(({ error }) => error !== null).map(({ partition }) => partition);
        if (performance.now() > deadline) throw new Error(`${name} is not ready`);
      }
    });
  }

  /** Resolves when its files are gone, too: freeing them is no part of what comes next. */
  async deleteTopic(name: string): Promise<void> {
    await this.#admin((admin) => admin.deleteTopic(name));
    await pause(2 * fileDeleteDelayMs);
  }

  async endOffset(topic: string, partition: number): Promise<number> {
    return this.#admin(async (admin) => {
      const [end] = await admin.listOffsets([{ topic, partition, spec: latest }]);
      if (end === undefined || end.error !== null) throw new Error(`no end of ${topic}`);
      return end.offset;
    });
  }

  get #running(): TestProcess {
    if (this.#process === undefined) throw new Error(`${this.side} was never started`);
    return this.#process;
  }

  async #admin<T>(
    run: (admin: ReturnType<ReturnType<typeof createClient>["admin"]>) => Promise<T>,
  ): Promise<T> {
    const client = createClient({ platform, bootstrap: [this.bootstrap] });
    try {
      return await run(client.admin());
    } finally {
      await client.close();
    }
  }
}

/** A port that is free now. */
export function freePort(): Promise<number> {
  return freePorts(1);
}

const portTriesMax = 50;

/** The first of `count` ports in a row that are free now. */
export async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < portTriesMax; tries++) {
    const first = await listening(0);
    const held = [first];
    const port = portOf(first);
    try {
      for (let i = 1; i < count; i++) held.push(await listening(port + i));
      return port;
    } catch {
      // One of them is taken: elsewhere.
    } finally {
      for (const server of held) server.close();
    }
  }
  throw new Error(`no ${count} free ports in a row`);
}

function listening(port: number): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}
