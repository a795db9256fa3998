// Brokers of one cluster in this process: real sockets, logs in memory, and a control plane that is either in the
// test's hand or that of real members who share a metadata log.

import { openClusterMember } from "../../cluster/member.ts";
import { LogUnavailable, type MetadataLog } from "../../cluster/metadata-log.ts";
import { SharedLogStore } from "../../cluster/shared-log.ts";
import { BrokerConfig } from "../../runtime/config.ts";
import { type Client, createClient } from "../../runtime/mod.ts";
import type { Connection, Network } from "../../runtime/platform.ts";
import { createServer, type JoinCluster, type Server } from "../../runtime/server.ts";
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
  readonly #networks = new Map<number, CutNetwork>();
  readonly #logs = new Map<number, CutLog>();
  readonly #cut: Server[] = [];
  readonly #log: SharedLogStore | undefined;
  readonly #configs: Record<string, string>;
  #client: Client | undefined;

  /** `members`: real ones; then nobody but they decides who is fenced. */
  constructor(configs: Record<string, string> = {}, options: { members?: boolean } = {}) {
    this.#configs = configs;
    this.#log = options.members ? new SharedLogStore() : undefined;
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

  /** As a pulled plug looks to the others: it runs on, but nothing reaches it, and it reaches nobody. */
  cut(id: number): Server {
    const server = this.server(id);
    this.servers.delete(id);
    this.#networks.get(id)?.cut();
    this.#logs.get(id)?.cut();
    this.#cut.push(server);
    return server;
  }

  async close(): Promise<void> {
    await this.#client?.close();
    const all = [...this.servers.values(), ...this.#cut];
    this.servers.clear();
    // A member that is alone waits for nobody: all at once.
    await Promise.all(all.map((server) => server.close()));
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
    const network = new CutNetwork(platform.network);
    this.#networks.set(id, network);
    const server = await createServer({
      platform: { ...platform, network },
      config: new BrokerConfig({ set }),
      logger: log.logger(),
      storage,
      joinCluster: this.#joiner(id),
    });
    this.servers.set(id, server);
  }

  #joiner(brokerId: number): JoinCluster {
    const log = this.#log;
    if (log === undefined) {
      const controlPlane = this.plane.open(brokerId);
      return async () => ({ controlPlane, answer: async (question) => question });
    }
    return async ({ peers, clusterId }) => {
      const { clock, random } = platform;
      const access = new CutLog(log.open());
      this.#logs.set(brokerId, access);
      const own = { log: access, peers, clock, random, brokerId };
      const member = await openClusterMember(clusterId === undefined ? own : { ...own, clusterId });
      return { controlPlane: member, answer: (question, from) => member.answer(question, from) };
    };
  }
}

/** The network of one broker, until it is cut. */
class CutNetwork implements Network {
  readonly #network: Network;
  readonly #open = new Set<Connection>();
  #isCut = false;

  constructor(network: Network) {
    this.#network = network;
  }

  listen(options: { host: string; port: number }, accept: (connection: Connection) => void) {
    return this.#network.listen(options, (connection) => {
      if (this.#isCut) connection.destroy();
      else {
        this.#open.add(connection);
        accept(connection);
      }
    });
  }

  async dial(options: { host: string; port: number; timeoutMs: number }): Promise<Connection> {
    if (this.#isCut) throw new Error("the network is cut");
    const connection = await this.#network.dial(options);
    this.#open.add(connection);
    return connection;
  }

  cut(): void {
    this.#isCut = true;
    for (const connection of this.#open) connection.destroy();
    this.#open.clear();
  }
}

/** The metadata log of one broker, until it is cut. */
class CutLog implements MetadataLog {
  readonly entryBytesMax: number;
  readonly #log: MetadataLog;
  readonly #stops = new Set<() => void>();
  readonly #told = new Set<(isConnected: boolean) => void>();
  #isCut = false;

  constructor(log: MetadataLog) {
    this.#log = log;
    this.entryBytesMax = log.entryBytesMax;
  }

  follow(from: number, listener: Parameters<MetadataLog["follow"]>[1]): () => void {
    return this.#stoppable(this.#log.follow(from, listener));
  }

  async append(request: Parameters<MetadataLog["append"]>[0]): Promise<number> {
    if (this.#isCut) throw new LogUnavailable("the network is cut");
    return this.#log.append(request);
  }

  async trim(before: number): Promise<void> {
    if (!this.#isCut) await this.#log.trim(before);
  }

  signal(bytes: Uint8Array): void {
    if (!this.#isCut) this.#log.signal(bytes);
  }

  onSignal(receive: (bytes: Uint8Array) => void): () => void {
    return this.#stoppable(this.#log.onSignal(receive));
  }

  onConnection(changed: (isConnected: boolean) => void): () => void {
    this.#told.add(changed);
    return this.#stoppable(this.#log.onConnection(changed));
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  cut(): void {
    this.#isCut = true;
    for (const stop of this.#stops) stop();
    for (const changed of this.#told) changed(false);
  }

  #stoppable(stop: () => void): () => void {
    this.#stops.add(stop);
    return stop;
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
