// workerd as tests use it: Workers bundled as a deployment would be, a configuration for the vendor's binary with
// objects on local disk, and a broker in it that is started, stopped, killed and started again like `TestServer`.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { bundleWorker, edgeEntry, moduleItems } from "../../runtime/edge/build.ts";
import { type ProcessEnd, TestProcess } from "./processes.ts";
import { projectFolder } from "./project.ts";
import type { TestRuntime } from "./runtimes.ts";
import type { Address } from "./server.ts";
import { tempFolder } from "./temp-folder.ts";

/** As the Worker's deployment names it; decides which of workerd's behaviours are on. */
export const COMPATIBILITY_DATE = "2026-11-01";

const READY_MS_MAX = 30_000;
const READY_EVERY_MS = 20;
const PORT_ROWS_TRIED_MAX = 50;

/** The vendor's binary: the platform's package has it, whether or not install scripts ran. */
export function workerdBinary(): string {
  const { platform, arch } = process;
  const cpu = arch === "x64" ? "64" : arch;
  const os = platform === "win32" ? "windows" : platform;
  const name = `@cloudflare/workerd-${os}-${cpu}/bin/workerd${platform === "win32" ? ".exe" : ""}`;
  const path = join(projectFolder, "node_modules", name);
  if (existsSync(path)) return path;
  throw new Error("workerd is a dev dependency, but its binary is not installed: run npm install");
}

export function workerdVersion(): string {
  const require = createRequire(import.meta.url);
  return (require("workerd/package.json") as { version: string }).version;
}

/** workerd as what runs a program: `script` inside the handler that `workerd test` calls. */
export async function workerdRuntime(script: string): Promise<TestRuntime> {
  const folder = tempFolder("program");
  const entry = join(folder, "entry.ts");
  const wrapper = `export default {
    async test(_controller, env) {
      process.argv = ["workerd", "program", ...JSON.parse(env.ARGUMENTS)];
      await import(${JSON.stringify(script)});
    },
  };`;
  writeFileSync(entry, wrapper);
  const project = projectFolder;
  const modules = await bundleWorker({ project, entry, folder, isOneModule: true });
  let runs = 0;
  const command = (asked: string, ...args: string[]): string[] => {
    if (asked !== script) throw new Error(`${asked} was not bundled for workerd`);
    const config = join(folder, `run-${++runs}.capnp`);
    const variables = { ARGUMENTS: JSON.stringify(args) };
    writeFileSync(config, workerdConfig({ modules, variables }));
    return [workerdBinary(), "test", config];
  };
  return { name: "workerd", version: COMPATIBILITY_DATE, command };
}

export interface WorkerConfig {
  /** Files of the configuration's folder. */
  readonly modules: readonly string[];
  /** Classes of objects, each bound under its name in capitals. */
  readonly objects?: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  readonly http?: number;
  /** One for each broker. */
  readonly tcp?: readonly number[];
}

/** The configuration of one Worker, as text. */
export function workerdConfig(config: WorkerConfig): string {
  const { modules, objects = {}, variables = {}, dataDir, http, tcp = [] } = config;
  const quoted = (text: string) => JSON.stringify(text);
  const bindings = [
    ...Object.entries(objects).map(
      ([name, className]) =>
        `(name = ${quoted(name)}, durableObjectNamespace = ${quoted(className)})`,
    ),
    ...Object.entries(variables).map(
      ([name, text]) => `(name = ${quoted(name)}, text = ${quoted(text)})`,
    ),
  ];
  const classes = Object.values(objects).map(
    (name) => `(className = ${quoted(name)}, uniqueKey = ${quoted(name)}, enableSql = true)`,
  );
  const disk = dataDir && `(name = "disk", disk = (path = ${quoted(dataDir)}, writable = true))`;
  const sockets = [
    http !== undefined &&
      `(name = "http", address = "127.0.0.1:${http}", http = (), service = "main")`,
    ...tcp.map(
      (port) =>
        `(name = "kafka-${port}", address = "127.0.0.1:${port}", tcp = (), service = "main")`,
    ),
  ];
  const list = (items: readonly (string | false | undefined | "")[]) =>
    `[${items.filter((item) => item).join(", ")}]`;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = ${list([
    '(name = "main", worker = .main)',
    '(name = "internet", network = (allow = ["public", "private"]))',
    disk,
  ])},
  sockets = ${list(sockets)},
);
const main :Workerd.Worker = (
  modules = ${list(moduleItems(modules))},
  compatibilityDate = ${quoted(COMPATIBILITY_DATE)},
  compatibilityFlags = ["new_module_registry"],
  durableObjectNamespaces = ${list(classes)},
  ${disk ? 'durableObjectStorage = (localDisk = "disk"),' : ""}
  bindings = ${list(bindings)},
);
`;
}

export interface WorkerdServerOptions {
  /** A bundled entry, with its modules; default: the Worker of `runtime/edge`, bundled anew. */
  readonly bundle?: { readonly folder: string; readonly modules: readonly string[] };
  /** Configuration of the broker, TIMBERLINE_…. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  /** Default: one, in one object with everything. */
  readonly brokers?: number;
  /** Default: true. */
  readonly awaitReady?: boolean;
}

/** A broker in a Durable Object. Keeps its folder and ports over restarts. */
export class WorkerdServer {
  readonly dataDir: string;
  readonly kafka: Address;
  readonly http: string;
  readonly #config: string;
  readonly #brokers: number;
  #process: TestProcess | undefined;

  private constructor(
    config: string,
    dataDir: string,
    ports: { readonly http: number; readonly kafka: number; readonly brokers: number },
  ) {
    this.#brokers = ports.brokers;
    this.#config = config;
    this.dataDir = dataDir;
    this.kafka = { host: "127.0.0.1", port: ports.kafka };
    this.http = `http://127.0.0.1:${ports.http}`;
  }

  static async start(options: WorkerdServerOptions = {}): Promise<WorkerdServer> {
    const bundle = options.bundle ?? (await bundleEdge());
    const { brokers } = options;
    const [http = 0] = await freePorts(1);
    const tcp = await freePortRow(brokers ?? 1);
    const [kafka = 0] = tcp;
    const dataDir = options.dataDir ?? tempFolder("objects");
    mkdirSync(dataDir, { recursive: true });
    const variables = {
      COMPATIBILITY_DATE,
      TIMBERLINE_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${kafka}`,
      ...(brokers === undefined ? {} : { BROKERS: String(brokers), KAFKA_PORT: String(kafka) }),
      ...options.variables,
    };
    const objects = { LOG: "TimberlineLog" };
    const { modules, folder } = bundle;
    const text = workerdConfig({ modules, objects, variables, dataDir, http, tcp });
    const config = join(folder, `config-${http}.capnp`);
    writeFileSync(config, text);
    const server = new WorkerdServer(config, dataDir, { http, kafka, brokers: brokers ?? 1 });
    if (options.awaitReady === false) server.spawn();
    else await server.restart();
    return server;
  }

  get process(): TestProcess {
    if (this.#process === undefined) throw new Error("the server was never started");
    return this.#process;
  }

  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<ProcessEnd> {
    return this.process.stop(signal);
  }

  kill(): Promise<ProcessEnd> {
    return this.process.stop("SIGKILL");
  }

  /** Starts (again) on the same folder and the same ports, and waits until the broker serves. */
  async restart(): Promise<void> {
    this.spawn();
    const deadline = performance.now() + READY_MS_MAX;
    while (!(await this.#isReady())) {
      if (performance.now() > deadline) throw new Error(`not ready:\n${this.process.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, READY_EVERY_MS));
    }
  }

  /** All brokers are in the cluster. */
  async #isReady(): Promise<boolean> {
    if (!(await this.firstAnswer("/readyz")).ok) return false;
    if (this.#brokers === 1) return true;
    const answer = await this.firstAnswer("/v1/cluster");
    const { brokers } = (await answer.json()) as { brokers: { fenced: boolean }[] };
    return brokers.filter(({ fenced }) => !fenced).length === this.#brokers;
  }

  /** The same, without waking the object. */
  spawn(): void {
    this.#process = new TestProcess([workerdBinary(), "serve", this.#config]);
  }

  /** Resolves when connections are taken. */
  async portOpen(): Promise<void> {
    const deadline = performance.now() + READY_MS_MAX;
    const { port } = new URL(this.http);
    const isOpen = () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(Number(port), "127.0.0.1", () => {
          socket.destroy();
          resolve(true);
        });
        socket.on("error", () => resolve(false));
      });
    while (!(await isOpen())) {
      if (performance.now() > deadline) throw new Error(`no port:\n${this.process.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Asks until the port is open; what is then answered. */
  async firstAnswer(path: string): Promise<Response> {
    const deadline = performance.now() + READY_MS_MAX;
    for (;;) {
      try {
        return await fetch(this.http + path);
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, READY_EVERY_MS));
      }
    }
  }
}

/** The Worker that is deployed, or another, in a folder of its own. */
export async function bundleEdge(
  entry: string = edgeEntry,
): Promise<{ folder: string; modules: string[] }> {
  const folder = tempFolder("worker");
  return { folder, modules: await bundleWorker({ project: projectFolder, entry, folder }) };
}

/** So many free ports, one after the other. */
export async function freePortRow(count: number): Promise<number[]> {
  for (let attempt = 0; attempt < PORT_ROWS_TRIED_MAX; attempt++) {
    const [first = 0] = await freePorts(1);
    const row = Array.from({ length: count }, (_, index) => first + index);
    if ((await Promise.all(row.map(isFree))).every((free) => free)) return row;
  }
  throw new Error(`no ${count} free ports in a row`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = servers.map(
    (server) =>
      new Promise<number>((resolve, reject) => {
        server.once("error", reject);
        server.listen(0, "127.0.0.1", () => {
          const address = server.address();
          resolve(typeof address === "object" && address !== null ? address.port : 0);
        });
      }),
  );
  const found = await Promise.all(ports);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return found;
}
