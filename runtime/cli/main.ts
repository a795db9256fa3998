#!/usr/bin/env node
// The binary `timberline`: run as it is by tsx, `deno run -A` and `bun`, and as JavaScript from `dist`.
// Start-up is measured: what a command needs is imported when it is called, nothing here.

import process from "node:process";
import { ExitCode } from "./exit.ts";
import { parseCall } from "./program.ts";
import { createShell, leave, watchBrokenPipe } from "./shell.ts";

async function main(argv: readonly string[]): Promise<number> {
  watchBrokenPipe();
  let isVerbose = argv.includes("-v") || argv.includes("--verbose");
  try {
    const call = await parseCall(argv);
    if (typeof call === "number") return call;
    const shell = createShell(call.flags);
    isVerbose = shell.isVerbose;
    const run = await call.spec.load();
    const code = (await run({ shell, args: call.args, flags: call.flags })) ?? ExitCode.done;
    return shell.signal.aborted && call.spec.name !== "serve" ? ExitCode.interrupted : code;
  } catch (error) {
    const { reportError } = await import("./report.ts");
    return reportError(error, isVerbose);
  }
}

await leave(await main(process.argv.slice(2)));
