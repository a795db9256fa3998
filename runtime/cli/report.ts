// From anything thrown to lines on stderr and an exit code: what, where, why, next step. The broker's error name
// and number are kept; a stack is printed only for a bug, or with -v.

import process from "node:process";
import { CliError, ExitCode } from "./exit.ts";

/** Kafka's names that mean "who are you" or "you may not". */
const DENIED =
  /AUTHORIZATION_FAILED|SASL_AUTHENTICATION_FAILED|UNSUPPORTED_SASL_MECHANISM|ILLEGAL_SASL_STATE/;
const UNREACHABLE_NAMES = new Set([
  "REQUEST_TIMED_OUT",
  "NETWORK_EXCEPTION",
  "BROKER_NOT_AVAILABLE",
  "LEADER_NOT_AVAILABLE",
]);
const UNREACHABLE_SYSTEM = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
]);

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  const code = codeOf(error);
  if (code === undefined) return ExitCode.failed;
  if (DENIED.test(code)) return ExitCode.denied;
  const isUnreachable = UNREACHABLE_NAMES.has(code) || UNREACHABLE_SYSTEM.has(code);
  return isUnreachable ? ExitCode.unreachable : ExitCode.failed;
}

/** The lines for people. A bug keeps its stack: it has to be found. */
export function describeError(error: unknown, isVerbose: boolean): string {
  if (error instanceof CliError) {
    const hints = error.hints.map((hint) => `  try: ${hint}`);
    const because = causeOf(error);
    return [`error: ${error.message}`, ...(because ? [`  why: ${because}`] : []), ...hints].join(
      "\n",
    );
  }
  if (!(error instanceof Error)) return `error: ${String(error)}`;
  const code = codeOf(error);
  if (code === undefined)
    return `error: this is a bug in timberline\n${error.stack ?? error.message}`;
  const lines = [
    `error: ${error.message}${error.message.includes(code) ? "" : ` (${codeText(error, code)})`}`,
  ];
  const because = causeOf(error);
  if (because && !error.message.includes(because)) lines.push(`  why: ${because}`);
  if (UNREACHABLE_SYSTEM.has(code))
    lines.push("  try: is the broker running, and is -b HOST:PORT right?");
  if (isVerbose && error.stack) lines.push(error.stack);
  return lines.join("\n");
}

export function reportError(error: unknown, isVerbose: boolean): ExitCode {
  process.stderr.write(`${describeError(error, isVerbose)}\n`);
  return exitCodeOf(error);
}

/** The name of a BrokerError, or of a system error. */
function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  // Node's own codes for wrong calls and missing modules are bugs, not facts about the world.
  return typeof code === "string" && !code.startsWith("ERR_") ? code : undefined;
}

function codeText(error: Error, code: string): string {
  const number = (error as { errorCode?: unknown }).errorCode;
  return typeof number === "number" ? `${code}, ${number}` : code;
}

function causeOf(error: Error): string | undefined {
  return error.cause instanceof Error ? error.cause.message : undefined;
}
