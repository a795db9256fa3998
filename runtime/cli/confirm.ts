// Asking before something is destroyed. Without a terminal nothing is asked and nothing is done: `--yes` says it.

import process from "node:process";
import { createInterface } from "node:readline";
import { CliError, ExitCode, usageError } from "./exit.ts";
import type { Shell } from "./shell.ts";

/** Resolves when the answer was typed; throws otherwise. */
export async function confirm(
  shell: Shell,
  question: { readonly what: string; readonly answer: string },
): Promise<void> {
  if (shell.isYes) return;
  if (process.stdin.isTTY !== true) {
    throw usageError(`this would ${question.what}, and there is no terminal to ask`, "say --yes");
  }
  const prompt = `This will ${question.what}. Type ${question.answer} to go on: `;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const typed = await new Promise<string>((resolve) => {
    lines.question(prompt, resolve);
    shell.signal.addEventListener("abort", () => resolve(""), { once: true });
  });
  lines.close();
  if (typed.trim() === question.answer) return;
  throw new CliError("nothing was done", { exitCode: ExitCode.interrupted });
}
