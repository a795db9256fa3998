// Real nats-servers for tests: found on this machine or fetched once, started on free ports with a store in a
// temporary folder, alone or three as a cluster, killed, started again and wiped.

import { existsSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { findTool, sayMissing } from "./missing-tool.ts";
import { runProcess, TestProcess } from "./processes.ts";
import { projectFolder } from "./project.ts";
import { tempFolder } from "./temp-folder.ts";

const START_MS_MAX = 20_000;
const FETCH_MS_MAX = 300_000;

/** Path of the program: `NATS_SERVER`, PATH, or fetched; undefined, and said so, where none can be had. */
export async function natsServerProgram(): Promise<string | undefined> {
  const named = process.env.NATS_SERVER ?? (onPath() ? findTool("nats-server") : undefined);
  if (named !== undefined && existsSync(named)) return named;
  const fetched = await runProcess(["bash", join(projectFolder, "tests/support/fetch-nats.sh")], {
    limitMs: FETCH_MS_MAX,
  });
  const program = fetched.stdout.trim();
  if (fetched.code === 0 && existsSync(program)) return program;
  sayMissing("nats-server");
  return undefined;
}

export interface NatsOptions {
  readonly program: string;
  /** 1, or 3 for a cluster. Default: 1. */
  readonly servers?: number;
  /** Lines for the configuration, such as `authorization { … }`. */
  readonly config?: string;
  /** Where each of them runs; default: all on loopback. */
  readonly sites?: readonly NatsSite[];
}

export interface NatsSite {
  readonly host: string;
  /** The command line that runs `command` there. */
  enter(command: readonly string[]): string[];
}

const loopback: NatsSite = { host: "127.0.0.1", enter: (command) => [...command] };

export class TestNats {
  readonly #program: string;
  readonly #folder: string;
  readonly #ports: readonly number[];
  readonly #routes: readonly number[];
  readonly #config: string;
  readonly #sites: readonly NatsSite[];
  readonly #processes: (TestProcess | undefined)[] = [];

  static async start(options: NatsOptions): Promise<TestNats> {
    const count = options.servers ?? 1;
    const ports = await freePorts(count * 2);
    const nats = new TestNats(options, ports.slice(0, count), ports.slice(count));
    await Promise.all(ports.slice(0, count).map((_, index) => nats.startServer(index)));
    return nats;
  }

  private constructor(options: NatsOptions, ports: readonly number[], routes: readonly number[]) {
    this.#program = options.program;
    this.#config = options.config ?? "";
    this.#sites = options.sites ?? [];
    this.#folder = tempFolder("nats");
    this.#ports = ports;
    this.#routes = routes;
  }

  get urls(): string[] {
    return this.#ports.map((port, index) => `nats://${this.#site(index).host}:${port}`);
  }

  process(index: number): TestProcess {
    return this.#processes[index]!;
  }

  async startServer(index: number): Promise<void> {
    const file = join(this.#folder, `${index}.conf`);
    writeFileSync(file, this.#configOf(index));
    const child = new TestProcess(this.#site(index).enter([this.#program, "-c", file]));
    this.#processes[index] = child;
    const endMs = performance.now() + START_MS_MAX;
    while (!/Server is ready/.test(child.stderr)) {
      if (performance.now() > endMs) throw new Error(`nats-server is not ready: ${child.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async kill(index: number): Promise<void> {
    await this.process(index).stop("SIGKILL");
  }

  /** What a lost disk does: the server comes back without its store. */
  wipe(index: number): void {
    rmSync(this.storeOf(index), { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((child) => child?.stop("SIGKILL")));
  }

  #site(index: number): NatsSite {
    return this.#sites[index] ?? loopback;
  }

  /** The folder of its store. */
  storeOf(index: number): string {
    return join(this.#folder, `store-${index}`);
  }

  #configOf(index: number): string {
    const lines = [
      `server_name: n${index}`,
      `listen: ${this.#site(index).host}:${this.#ports[index]}`,
      `jetstream { store_dir: "${this.storeOf(index)}", sync_interval: always }`,
      this.#config,
    ];
    if (this.#ports.length > 1) {
      const addresses = this.#routes.map((port, at) => `${this.#site(at).host}:${port}`);
      const routes = addresses.map((address) => `nats://${address}`).join(", ");
      lines.push(`cluster { name: t, listen: ${addresses[index]}, routes: [${routes}] }`);
    }
    return `${lines.join("\n")}\n`;
  }
}

function onPath(): boolean {
  const folders = (process.env.PATH ?? "").split(":");
  return folders.some((folder) => existsSync(join(folder, "nats-server")));
}

/** Different ones: all are held until the last is known. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            resolve(typeof address === "object" && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
