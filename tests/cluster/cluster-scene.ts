// Brokers of one cluster in this process: real sockets, logs in memory, a control plane in the test's hand.

import { BrokerConfig } from "../../runtime/config.ts";
import { type Client, createClient } from "../../runtime/mod.ts";
import { createServer, type Server } from "../../runtime/server.ts";
import { MemoryStorage } from "../../runtime/storage/memory.ts";
import { Log } from "../../runtime/telemetry/logger.ts";
import { platform } from "../support/log-fixture.ts";
import { SharedPlane } from "../support/shared-plane.ts";

export class ClusterScene {
  readonly plane = new SharedPlane(platform.random);
  readonly servers = new Map<number, Server>();
  /** What brokers wrote to their logs: warnings and errors. */
  readonly complaints: string[] = [];
  readonly #storages = new Map<number, MemoryStorage>();
  readonly #configs: Record<string, string>;
  #client: Client | undefined;

  constructor(configs: Record<string, string> = {}) {
    this.#configs = configs;
  }

  async start(...ids: number[]): Promise<void> {
    for (const id of ids) await this.#start(id);
  }

  server(id: number): Server {
    return this.servers.get(id)!;
  }

  get client(): Client {
    const bootstrap = [...this.servers.values()].map(({ kafka }) => `${kafka.host}:${kafka.port}`);
    this.#client ??= createClient({ platform, bootstrap, retryBackoffMs: 20 });
    return this.#client;
  }

  /** As kill -9 looks to the others: connections break, and the control plane fences it. */
  async kill(id: number): Promise<void> {
    const server = this.server(id);
    this.servers.delete(id);
    this.plane.fence(id);
    await server.close();
  }

  async close(): Promise<void> {
    await this.#client?.close();
    for (const server of this.servers.values()) await server.close();
    this.servers.clear();
  }

  async #start(id: number): Promise<void> {
    const storage = this.#storages.get(id) ?? new MemoryStorage(Number.POSITIVE_INFINITY);
    this.#storages.set(id, storage);
    const values = {
      "node.id": String(id),
      listeners: "PLAINTEXT://127.0.0.1:0",
      "timberline.http.enable": "false",
      ...this.#configs,
    };
    const set = new Map(
      Object.entries(values).map(([name, text]) => [name, { text, place: "test" }]),
    );
    const write = (line: string) => void this.complaints.push(`${id}: ${line.trim()}`);
    const log = new Log({ clock: platform.clock, level: "warn", format: "text", write });
    const server = await createServer({
      platform,
      config: new BrokerConfig({ set }),
      logger: log.logger(),
      storage,
      joinCluster: async () => ({
        controlPlane: this.plane.open(id),
        answer: async (question) => question,
      }),
    });
    this.servers.set(id, server);
  }
}

/** Polls until it holds; fails after `timeoutMs`. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 5_000,
): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
