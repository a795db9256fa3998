// `timberline serve --brokers N`: several brokers on this machine behind one command, one process each, so that each
// has a core. The parent starts them, keeps their metadata unless NATS does, starts again what died, and stops them.

import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { BrokerConfig } from "../config.ts";
import { formatHostPort } from "../config.ts";
import type { Listener } from "../platform.ts";
import type { LogFormat, Logger } from "../telemetry/logger.ts";
import { childVariable, metadataVariable } from "./cluster-join.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import type { Flags } from "./flags.ts";
import { thePlatform } from "./platform.ts";
import type { Shell } from "./shell.ts";
import { aborted } from "./shell.ts";
import { brokersIn, moveIntoBrokerFolder } from "./single-broker-folder.ts";

const brokersMax = 256;
/** Waits before a broker that died is started again: doubled each time, up to the last. */
const restartWaitMs = { first: 500, last: 30_000 };
/** A broker that ran this long had no trouble starting. */
const steadyMs = 60_000;
const portMax = 65_535;
const restartsInARowMax = 10;
/** A child hands over for up to 10 s by itself, and then syncs its logs. */
const stopMsMax = 30_000;

interface Doors {
  readonly kafka: string;
  readonly http: string;
}

/** How many brokers the flag asks for. */
export function brokerCount(flags: Flags): number {
  const text = flags.text("brokers") ?? "1";
  if (text === "cores") return Math.min(availableParallelism(), brokersMax);
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= brokersMax) return count;
  throw usageError(
    `--brokers: "${text}" is neither cores nor a whole number from 1 to ${brokersMax}`,
  );
}

/** Resolves when all were told to stop and have stopped, or when they cannot run. */
export async function serveBrokers(options: {
  readonly count: number;
  readonly config: BrokerConfig;
  readonly logger: Logger;
  readonly format: LogFormat;
  readonly shell: Shell;
}): Promise<ExitCode> {
  const { config, logger, format, shell } = options;
  const platform = thePlatform();
  const folder = platform.openStorage(config.dataDir);
  const brokers = planBrokers(options.count, config, folder.root);
  folder.lock();
  let metadata: Listener | undefined;
  try {
    const ids = brokers.map(({ id }) => id);
    const adopted = moveIntoBrokerFolder(folder, ids, logger);
    warnOfOthers(brokersIn(folder), ids, logger);
    metadata = await openMetadata(config);
    const env = {
      [childVariable]: String(process.pid),
      ...(metadata === undefined ? {} : { [metadataVariable]: formatHostPort(metadata) }),
    };
    const fleet = new Fleet({ brokers, env, format, logger });
    const stopped = aborted(shell.signal).then(() => undefined);
    const doors = await Promise.race([fleet.start(adopted), stopped]);
    if (doors !== undefined) await shell.write(readyLine(doors, format));
    const failure = await Promise.race([stopped, fleet.failed]);
    await fleet.stop();
    if (failure !== undefined) throw failure;
    return ExitCode.done;
  } finally {
    await metadata?.close();
    folder.close();
  }
}

/** Their records are not served meanwhile. */
function warnOfOthers(found: readonly number[], ids: readonly number[], logger: Logger): void {
  const others = found.filter((id) => !ids.includes(id));
  if (others.length === 0) return;
  const what = `the data folder also has broker ${others.join(", ")}, not started now`;
  logger.warn("brokers-not-started", `${what}: what only they have cannot be read`);
}

interface PlannedBroker {
  readonly id: number;
  /** What differs between the brokers, after what was asked for all. */
  readonly args: readonly string[];
}

/** Broker i listens on port + i and keeps DIR/i; the numbers begin with --broker-id, or 0. */
function planBrokers(count: number, config: BrokerConfig, root: string): PlannedBroker[] {
  const isNumbered = config.effective("node.id")?.layer !== "default";
  const first = isNumbered ? config.nodeId : 0;
  const { port: kafkaPort, protocol } = config.kafkaListeners[0]!;
  if (config.kafkaListeners.length > 1 || protocol !== "PLAINTEXT") {
    throw usageError(
      "--brokers takes one PLAINTEXT listener: start brokers with others one by one",
    );
  }
  const { advertised, httpListener } = config;
  checkPorts(count, kafkaPort, httpListener?.port ?? 0);
  return Array.from({ length: count }, (_, index) => {
    const id = first + index;
    const args = ["--broker-id", String(id), "--data-dir", join(root, String(id))];
    args.push("--kafka-port", String(kafkaPort === 0 ? 0 : kafkaPort + index));
    if (httpListener !== undefined) {
      args.push("--http-port", String(httpListener.port === 0 ? 0 : httpListener.port + index));
    }
    if (advertised) {
      const port = advertised.port === 0 ? 0 : advertised.port + index;
      args.push("--advertise", formatHostPort({ host: advertised.host, port }));
    }
    return { id, args };
  });
}

/** Ports from these on, one per broker; 0: free ones. */
function checkPorts(count: number, kafkaPort: number, httpPort: number): void {
  for (const [option, port] of [
    ["--kafka-port", kafkaPort],
    ["--http-port", httpPort],
  ] as const) {
    if (port + count - 1 <= portMax) continue;
    throw usageError(`${option} ${port}: ${count} brokers need that many ports up to ${portMax}`);
  }
  if (kafkaPort === 0 || httpPort === 0 || Math.abs(kafkaPort - httpPort) >= count) return;
  throw usageError(
    `--kafka-port ${kafkaPort} and --http-port ${httpPort}: ${count} brokers need ${count} ports from each on`,
    `--http-port ${kafkaPort + count}, or --http-port 0 for any free ones`,
  );
}

async function openMetadata(config: BrokerConfig): Promise<Listener | undefined> {
  if (config.list("timberline.nats.servers").length > 0) return undefined;
  const { serveMetadata } = await import("../platforms/served-metadata.ts");
  const platform = thePlatform();
  return serveMetadata(platform, platform.openStorage(join(config.dataDir, "metadata")));
}

function readyLine(doors: readonly Doors[], format: LogFormat): string {
  const kafka = doors.map((door) => door.kafka).join(",");
  const isOff = doors.some(({ http }) => http === "off");
  const http = isOff ? null : doors.map((door) => door.http).join(",");
  if (format === "json") return `${JSON.stringify({ event: "ready", kafka, http })}\n`;
  return `ready kafka=${kafka} http=${http ?? "off"}\n`;
}

interface FleetOptions {
  readonly brokers: readonly PlannedBroker[];
  readonly env: Readonly<Record<string, string>>;
  readonly format: LogFormat;
  readonly logger: Logger;
}

class Fleet {
  /** Resolves with why they cannot go on. */
  readonly failed: Promise<Error>;
  readonly #options: FleetOptions;
  readonly #children = new Map<number, ChildProcess>();
  #fail: (error: Error) => void = () => {};
  #isStopping = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  /**
   * All doors, when all are open. They start together: none waits for another's logs. Only one that brings the topics of
   * a broker that was alone begins the cluster before the others come.
   */
  start(first?: number): Promise<readonly Doors[]> {
    const failed = this.failed.then((error) => Promise.reject(error));
    return Promise.race([this.#startAll(first), failed]);
  }

  async #startAll(first: number | undefined): Promise<readonly Doors[]> {
    const { brokers } = this.#options;
    const doors = new Map<number, Doors>();
    const start = async (broker: PlannedBroker) =>
      doors.set(broker.id, await this.#keepRunning(broker));
    const beginner = brokers.find(({ id }) => id === first);
    if (beginner) await start(beginner);
    await Promise.all(brokers.filter((broker) => broker !== beginner).map(start));
    return brokers.map(({ id }) => doors.get(id)!);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const { clock } = thePlatform();
    await Promise.all(
      [...this.#children.values()].map(async (child) => {
        const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
        child.kill("SIGTERM");
        const timer = clock.after(stopMsMax, () => child.kill("SIGKILL"), { keepAlive: true });
        await ended;
        timer.cancel();
      }),
    );
  }

  /** Resolves with the doors of the first run. */
  #keepRunning(broker: PlannedBroker): Promise<Doors> {
    return new Promise((ready) => {
      let known: Doors | undefined;
      let failures = 0;
      const run = () => {
        if (this.#isStopping) return;
        const startedMs = thePlatform().clock.monotonicMs();
        this.#spawn(broker, known, {
          ready(doors) {
            known ??= doors;
            ready(known);
          },
          ended: (how) => {
            const ranMs = thePlatform().clock.monotonicMs() - startedMs;
            failures = ranMs > steadyMs ? 1 : failures + 1;
            if (!this.#isStopping) this.#ended(broker, how, { failures, isFirst: !known, run });
          },
        });
      };
      run();
    });
  }

  #ended(
    { id }: PlannedBroker,
    how: string,
    { failures, isFirst, run }: { failures: number; isFirst: boolean; run: () => void },
  ): void {
    const { logger } = this.#options;
    if (isFirst || failures > restartsInARowMax) {
      const message = `broker ${id} ended (${how}): its log above says why; all are stopped`;
      this.#fail(new CliError(message, { exitCode: isFirst ? ExitCode.usage : ExitCode.failed }));
      return;
    }
    const waitMs = Math.min(restartWaitMs.first * 2 ** (failures - 1), restartWaitMs.last);
    logger.error("broker-ended", `broker ${id} ended (${how}): starting it again in ${waitMs} ms`);
    thePlatform().clock.after(waitMs, run, { keepAlive: true });
  }

  #spawn(
    broker: PlannedBroker,
    known: Doors | undefined,
    told: { ready(doors: Doors): void; ended(how: string): void },
  ): void {
    const { env, format } = this.#options;
    const args = [...commonArguments(process.argv.slice(2)), ...broker.args, ...portsOf(known)];
    const child = spawn(process.execPath, [...ownArguments(), ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.set(broker.id, child);
    createInterface(child.stdout!).on("line", (line) => {
      const doors = doorsOf(line);
      if (doors) told.ready(doors);
    });
    const name = format === "json" ? "" : `broker ${broker.id} | `;
    createInterface(child.stderr!).on("line", (line) => process.stderr.write(`${name}${line}\n`));
    child.once("error", (error) => told.ended(error.message));
    child.once("exit", (code, signal) => {
      this.#children.delete(broker.id);
      told.ended(signal ?? `exit code ${code}`);
    });
  }
}

/** A broker that comes back takes the ports it had, also if those were free ones. */
function portsOf(known: Doors | undefined): string[] {
  if (known === undefined) return [];
  const portOf = (hostPort: string) => hostPort.slice(hostPort.lastIndexOf(":") + 1);
  const kafka = ["--kafka-port", portOf(known.kafka)];
  return known.http === "off" ? kafka : [...kafka, "--http-port", portOf(known.http)];
}

/** How this process was started, up to the script. */
function ownArguments(): string[] {
  const script = process.argv[1] ?? "";
  const { runtime } = thePlatform();
  if (runtime === "deno") return ["run", "-A", script];
  return runtime === "bun" ? [script] : [...process.execArgv, script];
}

/** What was asked for all brokers. */
function commonArguments(argv: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    if (argv[at] === "--brokers") at++;
    else if (!argv[at]!.startsWith("--brokers=")) kept.push(argv[at]!);
  }
  return kept;
}

function doorsOf(line: string): Doors | undefined {
  const found = /^ready kafka=(\S+) http=(\S+)$/.exec(line);
  if (found) return { kafka: found[1]!, http: found[2]! };
  if (!line.startsWith("{")) return undefined;
  const { event, kafka, http } = JSON.parse(line) as Partial<Doors> & { event?: string };
  return event === "ready" ? { kafka: kafka ?? "", http: http ?? "off" } : undefined;
}
