// Where the command line finds configuration: the file, the environment, --set and flags, gathered for
// `config.ts`, which decides and complains. The only place that reads the file.

import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { type ConfigSources, formatProblem, type LoadedConfig, loadConfig } from "../config.ts";
import { CliError, ExitCode } from "./exit.ts";
import type { Flags } from "./flags.ts";

/** Looked for in this order when --config is not given. */
const FILES = ["./timberline.toml", "/etc/timberline/timberline.toml"];

/** What the flags, the environment and the file say together. */
export function loadServerConfig(flags: Flags): Promise<LoadedConfig> {
  return loadConfig(gatherSources(flags));
}

export function gatherSources(flags: Flags): ConfigSources {
  return {
    file: readConfigFile(flags.text("config")),
    env: process.env,
    readSecret: (path) => readFileSync(path, "utf8"),
    sets: flags.list("set"),
    flags: {
      "data-dir": flags.text("dataDir"),
      host: flags.text("host"),
      "kafka-port": flags.text("kafkaPort"),
      "http-port": flags.text("httpPort"),
      advertise: flags.text("advertise"),
      flush: flags.text("flush"),
      "broker-id": flags.text("brokerId"),
      "log-format": flags.text("logFormat"),
      nats: flags.text("nats"),
      "nats-credentials": flags.text("natsCredentials"),
      "nats-replicas": flags.text("natsReplicas"),
      cluster: flags.text("cluster"),
    },
  };
}

/** The named file must be there; one of the usual places may be. */
export function readConfigFile(
  named: string | undefined,
): { path: string; text: string } | undefined {
  const path = named ?? FILES.find((file) => existsSync(file));
  if (path === undefined) return undefined;
  try {
    return { path, text: readFileSync(path, "utf8") };
  } catch (cause) {
    throw new CliError(`${path}: the configuration file cannot be read`, {
      exitCode: ExitCode.usage,
      cause,
    });
  }
}

/** All mistakes at once, as one error with exit code 2. */
export function configError({ problems }: LoadedConfig): CliError {
  const count = problems.length === 1 ? "a mistake" : `${problems.length} mistakes`;
  const text = problems.map(formatProblem).join("\n").replace(/^/gm, "  ");
  return new CliError(`the configuration has ${count}, nothing was started\n${text}`, {
    exitCode: ExitCode.usage,
  });
}
