// A Timberline server as a child process, as a user starts it: the CLI's `serve` on free ports of loopback,
// ready when it says so on stdout. It keeps its folder and ports over restarts and can be killed by id.

import { join } from "node:path";
import { type ProcessEnd, TestProcess } from "./processes.ts";
import { projectFolder } from "./project.ts";
import { currentNode, type TestRuntime } from "./runtimes.ts";
import { tempFolder } from "./temp-folder.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ServerOptions {
  readonly runtime?: TestRuntime;
  /** Default: a new temporary folder. */
  readonly dataDir?: string;
  /** More flags of `serve`. */
  readonly args?: readonly string[];
  /** The CLI's entry: the checkout's TypeScript unless a built one is under test. */
  readonly entry?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export const sourceEntry = join(projectFolder, "runtime/cli/main.ts");
const READY = /^ready kafka=(\S+) http=(\S+)$/m;
const READY_MS_MAX = 30_000;

export class TestServer {
  readonly runtime: TestRuntime;
  readonly dataDir: string;
  kafka: Address = { host: "127.0.0.1", port: 0 };
  /** Base address of the HTTP door, without a slash at the end. */
  http = "";
  /** With `--brokers N` those of all, in their order; `kafka` and `http` are the first. */
  bootstraps: readonly string[] = [];
  doors: readonly string[] = [];
  readonly #options: ServerOptions;
  #process: TestProcess | undefined;
  #httpPort = 0;

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.runtime = options.runtime ?? currentNode();
    this.dataDir = options.dataDir ?? join(tempFolder("data"), "log");
  }

  /** Resolves when the server has printed its ready line. */
  static async start(options: ServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options);
    await server.#start();
    return server;
  }

  get process(): TestProcess {
    if (this.#process === undefined) throw new Error("the server was never started");
    return this.#process;
  }

  /** "127.0.0.1:49152", as Kafka clients take it. */
  get bootstrap(): string {
    return `${this.kafka.host}:${this.kafka.port}`;
  }

  /** Orderly end: SIGTERM, and what the process left. */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<ProcessEnd> {
    return this.process.stop(signal);
  }

  /** kill -9. */
  kill(): Promise<ProcessEnd> {
    return this.process.stop("SIGKILL");
  }

  /** Starts again on the same folder and the same ports, after `stop` or `kill`. */
  async restart(): Promise<void> {
    await this.#start();
  }

  async #start(): Promise<void> {
    const entry = this.#options.entry ?? sourceEntry;
    const flags = {
      "--data-dir": this.dataDir,
      "--kafka-port": String(this.kafka.port),
      "--http-port": String(this.#httpPort),
    };
    const args = [...Object.entries(flags).flat(), ...(this.#options.args ?? [])];
    const command = this.runtime.command(entry, "serve", ...args);
    this.#process = new TestProcess(command, { env: this.#options.env ?? {} });
    const found = await this.#process.waitFor(READY, READY_MS_MAX);
    this.bootstraps = found[1]!.split(",");
    this.doors = found[2]!.split(",").map((each) => `http://${each}`);
    const [host = "", port] = this.bootstraps[0]!.split(":");
    this.kafka = { host, port: Number(port) };
    this.http = this.doors[0]!;
    this.#httpPort = Number(new URL(this.http).port);
  }
}
