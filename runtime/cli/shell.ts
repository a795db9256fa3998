// Shell: what a command sees of the terminal: data goes to stdout (with backpressure, EPIPE is a quiet end),
// everything else to stderr; Ctrl-C is a signal that the command answers, the second one ends at once.

import process from "node:process";
import picocolors from "picocolors";
import { ExitCode, usageError } from "./exit.ts";
import type { Flags } from "./flags.ts";

export const OUTPUTS = ["table", "wide", "json", "ndjson", "csv"] as const;
export type Output = (typeof OUTPUTS)[number];

const TIMEOUT_MS_DEFAULT = 10_000;
const KAFKA_PORT_DEFAULT = 9092;

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

export interface Shell {
  readonly output: Output;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  readonly isYes: boolean;
  readonly timeoutMs: number;
  /** HOST:PORT list as given, undefined when it was not. */
  readonly bootstrap: string | undefined;
  readonly isOutTerminal: boolean;
  readonly isErrorTerminal: boolean;
  readonly paint: Paint;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Resolves when the next bytes may come. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** For people, on stderr; silent with -q. */
  note(line: string): void;
  /** For people, on stderr, also with -q. */
  warn(line: string): void;
}

export function createShell(flags: Flags): Shell {
  const isErrorTerminal = process.stderr.isTTY === true;
  const isQuiet = flags.isSet("quiet");
  return {
    output: flags.oneOf("output", OUTPUTS) ?? (flags.isSet("json") ? "json" : "table"),
    isQuiet,
    isVerbose: flags.isSet("verbose"),
    isYes: flags.isSet("yes"),
    timeoutMs: flags.durationMs("timeout") ?? TIMEOUT_MS_DEFAULT,
    bootstrap: flags.list("bootstrap").join(",") || process.env.TIMBERLINE_BOOTSTRAP,
    isOutTerminal: process.stdout.isTTY === true,
    isErrorTerminal,
    paint: picocolors.createColors(wantsColor(flags)),
    signal: interruptSignal(),
    write: writeOut,
    note: (line) => {
      if (!isQuiet) process.stderr.write(`${line}\n`);
    },
    warn: (line) => {
      process.stderr.write(`${line}\n`);
    },
  };
}

/** Ends quietly when the reader of stdout is gone: `timberline consume t | head` is not a failure. */
export function watchBrokenPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(ExitCode.done);
    throw error;
  });
  // Nobody reads the notes: nothing to do about it.
  process.stderr.on("error", () => {});
}

/** Exits when what was written has left the process. */
export async function leave(code: number): Promise<never> {
  await new Promise<void>((resolve) => {
    if (process.stdout.writableLength === 0) resolve();
    else process.stdout.write("", () => resolve());
  });
  process.exit(code);
}

function writeOut(bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(bytes)) resolve();
    else process.stdout.once("drain", resolve);
  });
}

/** Resolves with the first Ctrl-C: one listener, however often it is waited for. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

let interrupts: AbortController | undefined;

function interruptSignal(): AbortSignal {
  if (interrupts) return interrupts.signal;
  const controller = new AbortController();
  interrupts = controller;
  const stop = () => {
    if (controller.signal.aborted) process.exit(ExitCode.interrupted);
    controller.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return controller.signal;
}

function wantsColor(flags: Flags): boolean {
  const wanted = flags.oneOf("color", ["auto", "always", "never"]) ?? "auto";
  if (wanted !== "auto") return wanted === "always";
  return process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
}

/** `HOST:PORT,HOST` → each with its port; URLs of HTTP doors stay as they are. */
export function parseBootstrap(text: string): string[] {
  return text.split(",").map((address) => {
    if (/^https?:\/\//.test(address) && URL.canParse(address)) return address;
    const match = /^(\[[^\]]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/.exec(address.trim());
    const port = Number(match?.[2] ?? KAFKA_PORT_DEFAULT);
    if (!match || port < 1 || port > 65_535) {
      throw usageError(
        `--bootstrap: "${address}" is neither HOST:PORT nor a URL`,
        "for example -b 127.0.0.1:9092, or -b http://127.0.0.1:8080",
      );
    }
    return `${match[1]}:${port}`;
  });
}
