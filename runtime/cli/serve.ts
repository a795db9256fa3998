// `timberline serve`: one broker as a process. Its contract with scripts: one ready line on stdout when the doors
// are open, everything else on stderr, exit 0 after SIGTERM or SIGINT, 2 if it cannot start as configured.

import process from "node:process";
import type { BrokerConfig } from "../config.ts";
import { formatHostPort } from "../config.ts";
import type { Timer } from "../platform.ts";
import { createServer, type Server } from "../server.ts";
import { Log, type LogFormat, type LogLevel } from "../telemetry/logger.ts";
import { childVariable, joinOf } from "./cluster-join.ts";
import type { Call } from "./commands.ts";
import { configError, loadServerConfig } from "./config-sources.ts";
import { CliError, ExitCode } from "./exit.ts";
import { thePlatform } from "./platform.ts";
import { aborted } from "./shell.ts";
import { refuseFolderOfSeveral } from "./single-broker-folder.ts";

export async function serve({ shell, flags }: Call): Promise<ExitCode> {
  const loaded = await loadServerConfig(flags);
  if (loaded.problems.length > 0) throw configError(loaded);
  const { config } = loaded;
  const format: LogFormat = config.text("timberline.log.format") === "json" ? "json" : "text";
  const log = openLog(config, format);
  const logger = log.logger();
  for (const { key, place, message } of loaded.warnings) {
    logger.warn("config-warning", `${place}: ${key}: ${message}`);
  }
  if (flags.isSet("brokers")) {
    const { brokerCount, serveBrokers } = await import("./serve-brokers.ts");
    const count = brokerCount(flags);
    if (count > 1) {
      return serveBrokers({ count, config, logger, format, shell }).catch(async (error) => {
        throw await startError(error, config);
      });
    }
  }
  const joinCluster = await joinOf(config, logger);
  const platform = thePlatform();
  const stopped = aborted(shell.signal);
  let server: Server;
  try {
    const storage = platform.openStorage(config.dataDir);
    refuseFolderOfSeveral(storage);
    server = await createServer({
      platform,
      config,
      logger,
      storage,
      setLogLevel: (level) => log.setLevel(level),
      ...(joinCluster === undefined ? {} : { joinCluster }),
    });
  } catch (error) {
    throw await startError(error, config);
  }
  await shell.write(readyLine(server, format));
  if (
    shell.isOutTerminal ||
    (process.env.npm_lifecycle_event === "start" && process.env[childVariable] === undefined)
  ) {
    shell.note(nextSteps(server));
  }
  const parent = watchParent();
  const failure = await Promise.race([stopped, parent.gone, server.failed]);
  parent.cancel();
  if (failure instanceof Error) throw await failed(server, failure);
  if (await server.close()) {
    logger.info("server-stopped", "all is flushed, the clean-shutdown marker is written");
    return ExitCode.done;
  }
  logger.error(
    "server-stopped",
    "the disk refused some of the last writes: the next start checks the logs",
  );
  return ExitCode.failed;
}

/** After its log directory failed, the broker still tells those who wait that nothing was written. */
const failedGraceMs = 1000;
/** A disk that neither fails nor answers must not keep a broker alive that is of no use. */
const failedCloseMsMax = 5000;

/** As Kafka, whose process ends when its last log directory has failed. */
async function failed(server: Server, failure: Error): Promise<CliError> {
  await wait(failedGraceMs);
  await Promise.race([server.close(), wait(failedCloseMsMax)]);
  return new CliError(`${failure.message}: the broker has ended`, {
    hints: ["mend the disk and start the broker again: it checks its logs"],
  });
}

function wait(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    thePlatform().clock.after(durationMs, resolve, { keepAlive: true });
  });
}

function openLog(config: BrokerConfig, format: LogFormat): Log {
  return new Log({
    clock: thePlatform().clock,
    level: (config.text("timberline.log.level") ?? "info") as LogLevel,
    format,
    write: (line) => process.stderr.write(line),
  });
}

/** How often a parent that was killed is noticed. */
const parentCheckMs = 1000;

/**
 * npm runs scripts through a shell that passes no signals on: who ends `npm start` by a signal ends npm and that
 * shell, and the broker would stay behind with its port and folder. So it would when the parent of several brokers
 * is killed. Resolves when the parent is gone.
 */
function watchParent(): { gone: Promise<void>; cancel: () => void } {
  const { npm_lifecycle_event, [childVariable]: fleet } = process.env;
  if (npm_lifecycle_event === undefined && fleet === undefined) {
    return { gone: new Promise(() => {}), cancel() {} };
  }
  const parent = process.ppid;
  const { clock } = thePlatform();
  let timer: Timer;
  const gone = new Promise<void>((resolve) => {
    const look = () => {
      if (process.ppid !== parent) return resolve();
      timer = clock.after(parentCheckMs, look);
    };
    look();
  });
  return { gone, cancel: () => timer.cancel() };
}

/** A contract: scripts wait for exactly this. */
function readyLine({ kafka, http }: Server, format: LogFormat): string {
  const doors = { kafka: formatHostPort(kafka), http: http ? formatHostPort(http) : null };
  if (format === "json") return `${JSON.stringify({ event: "ready", ...doors })}\n`;
  return `ready kafka=${doors.kafka} http=${doors.http ?? "off"}\n`;
}

/** What is wrong with the machine or the folder rather than with us: exit 2, and what to do. */
async function startError(error: unknown, config: BrokerConfig): Promise<unknown> {
  if (!(error instanceof Error)) return error;
  const { code, fault } = error as { code?: unknown; fault?: unknown };
  if (error.name === "NatsRefused" || error.name === "ControlPlaneError") {
    return new CliError(error.message, { exitCode: ExitCode.usage, cause: error.cause });
  }
  const isOurs = error.name === "StorageError" || error.name === "BrokerError";
  if (
    isOurs &&
    (fault !== undefined || code === "INVALID_CONFIG" || code === "KAFKA_STORAGE_ERROR")
  ) {
    const place = error.message.includes(config.dataDir) ? "" : `${config.dataDir}: `;
    return new CliError(`${place}${error.message}`, {
      exitCode: ExitCode.usage,
      cause: error.cause,
    });
  }
  if (code === "EADDRINUSE") return portTakenError(error, config);
  if (code === "EACCES" || code === "EADDRNOTAVAIL") {
    return new CliError(`cannot listen: ${error.message}`, {
      exitCode: ExitCode.usage,
      hints: ["--host 127.0.0.1, and ports above 1023: --kafka-port 9092 --http-port 8080"],
    });
  }
  return error;
}

async function portTakenError(error: Error, config: BrokerConfig): Promise<CliError> {
  const { findPortHolder } = await import("./port-holder.ts");
  const doors = [
    { option: "--kafka-port", port: config.kafkaListener.port },
    { option: "--http-port", port: config.httpListener?.port ?? 0 },
  ].filter(({ port }) => port > 0);
  const named = (error as { port?: unknown }).port;
  const found = doors.map((door) => ({ ...door, holder: findPortHolder(door.port) }));
  const door =
    found.find(({ port }) => port === named) ?? found.find(({ holder }) => holder) ?? found[0];
  if (!door) return new CliError(error.message, { exitCode: ExitCode.usage, cause: error });
  const { option, port, holder } = door;
  const by = holder ? ` by process ${holder.pid} (${holder.name})` : "";
  return new CliError(`port ${port} is taken${by}`, {
    exitCode: ExitCode.usage,
    hints: [
      `${option} ${port + 1}, or ${option} 0 for any free port`,
      holder ? `stop process ${holder.pid}` : `find who has it, e.g. lsof -i :${port}`,
    ],
  });
}

function nextSteps({ kafka, http }: Server): string {
  const broker = formatHostPort(kafka);
  const lines = [
    `  echo hello | kcat -b ${broker} -t demo -P`,
    `  kcat -b ${broker} -t demo -C -e`,
  ];
  if (http) {
    const url = `http://${formatHostPort(http)}`;
    lines.push(
      `  curl ${url}/v1/topics/demo/records --json '{"key":"k","value":"hello"}'`,
      `  curl '${url}/v1/topics/demo/partitions/0/records?offset=0'`,
    );
  }
  const isNpm = process.env.npm_lifecycle_event !== undefined;
  const command = isNpm ? "npm run -s timberline --" : "timberline";
  const where = broker === "127.0.0.1:9092" ? "" : ` -b ${broker}`;
  lines.push(`  ${command} consume demo -o begin${where}`);
  if (http) lines.push(`  the manual: http://${formatHostPort(http)}/docs`);
  return ["", "try next, in another terminal:", ...lines, "Ctrl-C stops."].join("\n");
}
