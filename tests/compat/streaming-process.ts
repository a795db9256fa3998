// A child process whose output is too long to keep: stdout as a stream of chunks, stdin fed from a stream, and the
// end of stderr for messages.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { ProcessEnd } from "../support/processes.ts";

const stderrCharsMax = 10_000;

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Runs a command to its end, however it ends, and keeps all it says, however long that is. */
export async function runWhole(command: readonly string[]): Promise<Omit<ProcessEnd, "signal">> {
  const child = new StreamingProcess(command);
  const said: Buffer[] = [];
  for await (const chunk of child.output()) said.push(chunk);
  const code = await child.ended;
  return { code, stdout: Buffer.concat(said).toString(), stderr: child.stderr };
}

export class StreamingProcess {
  readonly #child: ChildProcess;
  /** Its exit code, once all its output is read. */
  readonly ended: Promise<number | null>;
  #stderr = "";

  constructor([program = "", ...args]: readonly string[]) {
    const env = { ...process.env, NO_COLOR: "1" };
    this.#child = spawn(program, args, { env, stdio: "pipe" });
    running.add(this.#child);
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrCharsMax);
    });
    this.#child.stdin?.on("error", () => {});
    this.ended = once(this.#child, "close").then(([code]) => {
      running.delete(this.#child);
      return code as number | null;
    });
    this.ended.catch(() => {});
  }

  get stderr(): string {
    return this.#stderr;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Chunks of stdout as they come; the reader's pace is the child's. Ends stdin. */
  async *output(): AsyncGenerator<Buffer> {
    this.#child.stdin?.end();
    for await (const chunk of this.#child.stdout ?? []) yield chunk as Buffer;
  }

  /** Writes all to stdin at the child's pace and closes it; what the child says meanwhile is returned. */
  async feed(input: AsyncIterable<Uint8Array>): Promise<string> {
    const { stdin, stdout } = this.#child;
    let said = "";
    stdout?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-stderrCharsMax);
    });
    for await (const bytes of input) {
      if (stdin?.write(bytes) === true) continue;
      await Promise.race([once(stdin!, "drain"), this.ended]);
      if (this.#child.exitCode !== null) break;
    }
    stdin?.end();
    await this.succeed();
    return said;
  }

  /** Waits for the end and throws unless it was exit 0. */
  async succeed(): Promise<void> {
    const code = await this.ended;
    if (code === 0) return;
    throw new Error(`${this.#child.spawnargs.join(" ")}: exit ${code}\n${this.#stderr}`);
  }
}
