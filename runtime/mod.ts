// What a program imports as `timberline`: a broker of its own, in the same process, and the client.
//
//   const server = await startServer({ dataDir: "./data", kafkaPort: 0, httpPort: 0 });
//   …
//   await server.close();
//
//   const log = await openLog({ dataDir: "memory" }); // the same without a port

import { createPlatform } from "#platform";
import { formatProblem, loadConfig } from "./config.ts";
import { type EmbeddedLog, embedded, InsideDoors } from "./embedded.ts";
import { BrokerError } from "./errors.ts";
import type { Platform } from "./platform.ts";
import type { RunningBroker } from "./running-broker.ts";
import { createServer, type Server } from "./server.ts";
import { openMemoryStorage } from "./storage/memory.ts";
import { Log, type LogLevel } from "./telemetry/logger.ts";

export type { Broker } from "./broker.ts";
export * from "./client/mod.ts";
export type { EmbeddedLog } from "./embedded.ts";
export { BrokerError, type ErrorName } from "./errors.ts";
export type { Platform } from "./platform.ts";
export type { RunningBroker as Server } from "./running-broker.ts";
export { StorageError } from "./storage/storage.ts";
export { version } from "./version.ts";
export { createPlatform };

export interface StartOptions {
  /** Folder of the log, or "memory" for one that ends with the process. Default "./timberline-data". */
  readonly dataDir?: string;
  /** Default "127.0.0.1". */
  readonly host?: string;
  /** 0 picks a free one. Default 9092. */
  readonly kafkaPort?: number;
  /** 0 picks a free one, false opens no HTTP door. Default 8080. */
  readonly httpPort?: number | false;
  /** When an append is acknowledged: "group" (default), "os" or "interval:MS". */
  readonly flush?: string;
  /** Any key of the configuration, by Kafka's or our name. */
  readonly configs?: Readonly<Record<string, string>>;
  /** Takes log lines. Default: warnings and errors to `console.error`. */
  readonly log?: { readonly level: LogLevel; readonly write: (line: string) => void };
}

export type OpenOptions = Omit<StartOptions, "host" | "kafkaPort" | "httpPort">;

/**
 * Starts a broker in this process. Rejects with `BrokerError` INVALID_CONFIG naming all that is wrong, with
 * `StorageError` (locked, read-only, …), or with the network's error.
 */
export function startServer(options: StartOptions = {}): Promise<RunningBroker> {
  return start(createPlatform(), options);
}

/** The same for this program alone: nothing listens, its doors are called. */
export async function openLog(options: OpenOptions = {}): Promise<EmbeddedLog> {
  const doors = new InsideDoors(createPlatform());
  return embedded(doors, await start(doors.platform, options));
}

async function start(platform: Platform, options: StartOptions): Promise<Server> {
  const { config, problems } = await loadConfig(sourcesOf(options));
  if (problems.length > 0) {
    throw new BrokerError("INVALID_CONFIG", problems.map(formatProblem).join("\n"));
  }
  const { level, write } = options.log ?? { level: "warn", write: writeToConsole };
  const log = new Log({ clock: platform.clock, level, format: "text", write });
  const storage = options.dataDir === "memory" ? { storage: openMemoryStorage() } : {};
  return createServer({ platform, config, logger: log.logger(), ...storage });
}

function sourcesOf(options: StartOptions): Parameters<typeof loadConfig>[0] {
  const { dataDir, host, kafkaPort, httpPort, flush, configs = {} } = options;
  const sets = Object.entries(configs).map(([name, value]) => `${name}=${value}`);
  if (httpPort === false) sets.push("timberline.http.enable=false");
  return {
    sets,
    flags: {
      "data-dir": dataDir === "memory" ? undefined : dataDir,
      host,
      "kafka-port": kafkaPort?.toString(),
      "http-port": httpPort === false ? undefined : httpPort?.toString(),
      flush,
    },
  };
}

function writeToConsole(line: string): void {
  console.error(line.trimEnd());
}
