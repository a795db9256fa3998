// The command line in tests: as a child process, as a user calls it, or (a second faster each) in this process,
// with a shell that keeps what was written.

import picocolors from "picocolors";
import { ExitCode } from "../../runtime/cli/exit.ts";
import { parseCall } from "../../runtime/cli/program.ts";
import { describeError, exitCodeOf } from "../../runtime/cli/report.ts";
import { createShell } from "../../runtime/cli/shell.ts";
import { type ProcessEnd, runProcess, TestProcess } from "../support/processes.ts";
import { currentNode } from "../support/runtimes.ts";
import { sourceEntry } from "../support/server.ts";

export interface CallOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export function commandLine(args: readonly string[]): string[] {
  return currentNode().command(sourceEntry, ...args);
}

/** A child process, run to its end, whatever the exit code. */
export function timberline(
  args: readonly string[],
  options: CallOptions = {},
): Promise<ProcessEnd> {
  return runProcess(commandLine(args), options);
}

/** Starts a child process without waiting. */
export function startTimberline(args: readonly string[]): TestProcess {
  return new TestProcess(commandLine(args));
}

export interface CallEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** All of the command line but `main.ts`: parser, command, errors. stdin is not read. */
export async function callInProcess(args: readonly string[]): Promise<CallEnd> {
  const call = await parseCall(args);
  if (typeof call === "number") return { code: call, stdout: "", stderr: "" };
  const out: Uint8Array[] = [];
  const notes: string[] = [];
  const note = (line: string) => void notes.push(line);
  const shell = {
    ...createShell(call.flags),
    signal: new AbortController().signal,
    isOutTerminal: false,
    isErrorTerminal: false,
    paint: picocolors.createColors(false),
    note,
    warn: note,
    write: async (bytes: Uint8Array | string) => {
      out.push(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
    },
  };
  let code: number;
  try {
    const run = await call.spec.load();
    code = (await run({ shell, args: call.args, flags: call.flags })) ?? ExitCode.done;
  } catch (error) {
    note(describeError(error, false));
    code = exitCodeOf(error);
  }
  return { code, stdout: Buffer.concat(out).toString("utf8"), stderr: notes.join("\n") };
}
