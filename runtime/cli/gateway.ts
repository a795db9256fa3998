// `timberline gateway`: the HTTP door before a cluster that runs elsewhere. Its contract with scripts: one ready line
// on stdout when it serves, everything else on stderr, exit 0 after SIGTERM or SIGINT, 3 if the cluster does not answer.

import { readFileSync } from "node:fs";
import process from "node:process";
import type { ClientOptions } from "../client/api.ts";
import { ClientError } from "../client/error.ts";
import { formatHostPort } from "../config.ts";
import {
  createGateway,
  type Gateway,
  type GatewayOptions,
  gatewayLimitKeys,
} from "../gateway/gateway.ts";
import type { Listener } from "../platform.ts";
import { Log, type LogFormat } from "../telemetry/logger.ts";
import type { Call } from "./commands.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import { type Flags, parsePair } from "./flags.ts";
import { thePlatform } from "./platform.ts";
import { aborted, parseBootstrap, type Shell } from "./shell.ts";

const hostDefault = "127.0.0.1";
const httpPortDefault = 8080;
const portMax = 65_535;
/** How often a cluster that does not answer yet is asked at the start. */
const lookMs = 250;

export async function gateway({ shell, flags }: Call): Promise<ExitCode> {
  if (shell.bootstrap === undefined) {
    throw usageError("--bootstrap is missing: which cluster?", "--bootstrap 127.0.0.1:9092");
  }
  const platform = thePlatform();
  const format: LogFormat = flags.oneOf("logFormat", ["text", "json"]) ?? "text";
  const write = (line: string) => process.stderr.write(line);
  const logger = new Log({ clock: platform.clock, level: "info", format, write }).logger();
  const opened = await createGateway({
    platform,
    logger,
    bootstrap: parseBootstrap(shell.bootstrap),
    corsOrigins: flags.list("corsOrigin"),
    limits: limitsOf(flags),
    ...securityOf(flags),
  });
  try {
    await upstreamAnswers(opened, shell);
    const listener = await listen(opened, flags);
    const http = formatHostPort(listener);
    await shell.write(
      format === "json" ? `${JSON.stringify({ event: "ready", http })}\n` : `ready http=${http}\n`,
    );
    await aborted(shell.signal);
    await listener.close();
  } finally {
    opened.close();
  }
  return ExitCode.done;
}

function limitsOf(flags: Flags): NonNullable<GatewayOptions["limits"]> {
  const limits: Record<string, number> = {};
  for (const text of flags.list("set")) {
    const { name, value } = parsePair(text, "--set");
    const limit = Object.entries(gatewayLimitKeys).find(([, key]) => key === name)?.[0];
    const keys = Object.values(gatewayLimitKeys).join(", ");
    if (limit === undefined) throw usageError(`--set ${name}: a gateway has ${keys}`);
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < 1) {
      throw usageError(`--set ${name}: "${value}" is no whole number above 0`);
    }
    limits[limit] = number;
  }
  return limits;
}

function securityOf(flags: Flags): Pick<ClientOptions, "tls" | "sasl"> {
  const caFile = flags.text("tlsCa");
  const ca = caFile === undefined ? {} : { ca: readText("--tls-ca", caFile) };
  const tls = flags.isSet("tls") || caFile !== undefined ? { tls: ca } : {};
  const mechanism = flags.oneOf("saslMechanism", ["plain", "scram-sha-256", "scram-sha-512"]);
  const username = flags.text("saslUsername");
  const passwordFile = flags.text("saslPasswordFile");
  if (mechanism === undefined && username === undefined && passwordFile === undefined) return tls;
  if (mechanism === undefined || username === undefined || passwordFile === undefined) {
    throw usageError("--sasl-mechanism, --sasl-username and --sasl-password-file go together");
  }
  // Editors end files with a new line that is no part of the password.
  const password = readText("--sasl-password-file", passwordFile).replace(/\r?\n$/, "");
  return { ...tls, sasl: { mechanism, username, password } };
}

function readText(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(`${option} ${path}: ${why}`, { exitCode: ExitCode.usage, cause });
  }
}

/** A cluster that is not there at the start is more likely a wrong address than one that comes later. */
async function upstreamAnswers(opened: Gateway, { timeoutMs, signal, bootstrap }: Shell) {
  const { clock } = thePlatform();
  const endMs = clock.monotonicMs() + timeoutMs;
  while (opened.failure !== null && !signal.aborted) {
    if (clock.monotonicMs() > endMs) {
      throw new CliError(`no broker of ${bootstrap} answers: ${opened.failure}`, {
        exitCode: ExitCode.unreachable,
      });
    }
    await new Promise<void>((resolve) => clock.after(lookMs, resolve, { keepAlive: true }));
  }
}

async function listen(opened: Gateway, flags: Flags): Promise<Listener> {
  const host = flags.text("host") ?? hostDefault;
  const port = flags.integer("httpPort", { min: 0, max: portMax }) ?? httpPortDefault;
  try {
    const { http } = thePlatform();
    return await http.listen({ host, port }, opened.fetch);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof ClientError) throw error;
    throw new CliError(`cannot listen at ${formatHostPort({ host, port })}: ${error.message}`, {
      exitCode: ExitCode.usage,
      hints: ["--http-port 0 takes any free port"],
      cause: error,
    });
  }
}
