// Runs one job of the suite in a child process and turns what the child prints into one result per file. A
// file that crashes the process, or runs past its time limit, fails; the files after it go on in a new one.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Job, TestFile } from "./suite-plan.ts";
import { type FileResult, mark, type Report, saysMissing } from "./suite-report.ts";

const child = fileURLToPath(new URL("./suite-file.ts", import.meta.url));
/** A test that prints without end must not fill the memory of the runner. */
const OUTPUT_CHARS_MAX = 400_000;

/** Leaders of the process groups at work: a test's servers are in its group, so none outlives it. */
const groups = new Set<number>();

/** Ends what is running, for a runner that is interrupted. */
export function endAll(): void {
  for (const pid of groups) endGroup(pid);
}

export class SuiteLane {
  readonly #ended: (result: FileResult) => void;

  constructor(ended: (result: FileResult) => void) {
    this.#ended = ended;
  }

  /** Resolves when every file of the job has a result. */
  async run(job: Job): Promise<void> {
    let left = [...job.files];
    while (left.length > 0) {
      const done = await new JobProcess(left, this.#ended).finished;
      left = left.slice(Math.max(done, 1));
    }
  }
}

/** One child process at work; `finished` resolves to how many files have their result. */
class JobProcess {
  readonly finished: Promise<number>;
  readonly #files: readonly TestFile[];
  readonly #ended: (result: FileResult) => void;
  readonly #process: ChildProcess;
  #done = 0;
  #output = "";
  #line = "";
  #startedMs = performance.now();
  #limit: NodeJS.Timeout | undefined;

  constructor(files: readonly TestFile[], ended: (result: FileResult) => void) {
    this.#files = files;
    this.#ended = ended;
    const args = [...process.execArgv, child, ...files.map((file) => file.path)];
    this.#process = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? "1" : "0" },
    });
    if (this.#process.pid !== undefined) groups.add(this.#process.pid);
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => this.#keep(text));
    this.#watch();
    this.finished = new Promise((resolve) => {
      // "close" waits for all who hold the pipes; what a test left running holds them too.
      this.#process.on("exit", () => this.#endGroup());
      this.#process.on("close", (code, signal) => resolve(this.#closed(code, signal)));
    });
  }

  #read(text: string): void {
    const lines = (this.#line + text).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith(mark)) this.#report(JSON.parse(line.slice(mark.length)) as Report);
      else this.#keep(`${line}\n`);
    }
  }

  #keep(text: string): void {
    if (this.#output.length < OUTPUT_CHARS_MAX) this.#output += text;
  }

  #report(report: Report): void {
    if (report.event === "start") {
      this.#startedMs = performance.now();
      this.#watch();
    } else this.#end(report.passed, report.failed);
  }

  #watch(): void {
    clearTimeout(this.#limit);
    const limitMs = this.#files[this.#done]?.limitMs ?? 0;
    this.#limit = setTimeout(() => {
      this.#keep(`\nended: still running after ${limitMs / 1000} s\n`);
      this.#endGroup();
    }, limitMs);
  }

  #endGroup(): void {
    const pid = this.#process.pid;
    if (pid === undefined) return;
    endGroup(pid);
    groups.delete(pid);
  }

  #end(passed: number, failed: number): void {
    const path = this.#files[this.#done]?.path ?? "";
    const elapsedMs = performance.now() - this.#startedMs;
    const isEmpty = passed + failed === 0 && !saysMissing(this.#output);
    if (isEmpty) this.#keep("no test ran: is test.run() called?\n");
    this.#ended({
      path,
      passed,
      failed: isEmpty ? 1 : failed,
      elapsedMs,
      output: this.#output,
    });
    this.#done += 1;
    this.#output = "";
  }

  #closed(code: number | null, signal: string | null): number {
    clearTimeout(this.#limit);
    if (this.#done < this.#files.length) {
      this.#keep(`${this.#line}\nthe process ended early: ${signal ?? `exit code ${code}`}\n`);
      this.#end(0, 1);
    }
    return this.#done;
  }
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // Nobody of the group is left.
  }
}
