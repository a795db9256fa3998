// Child processes of tests: started by argument list, waited for by what they print, ended by their id, and
// never left behind when the test process ends.

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** How much of a child's output is kept for messages and matching. */
const OUTPUT_CHARS_MAX = 1_000_000;
const EXIT_WAIT_MS = 20_000;

const running = new Set<TestProcess>();
process.once("exit", () => {
  for (const child of running) child.signal("SIGKILL");
});

export interface ProcessOptions {
  readonly cwd?: string;
  /** Added to the environment of the test; undefined takes a name away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string;
  /** Told of each line of stdout, as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A child at work. */
export class TestProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<ProcessEnd>;
  #stdout = "";
  #stderr = "";
  #changed: (() => void)[] = [];
  #isOver = false;

  constructor(command: readonly string[], options: ProcessOptions = {}) {
    const [program = "", ...args] = command;
    const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...options.env };
    this.#child = spawn(program, args, { cwd: options.cwd, env, stdio: "pipe" });
    let begun = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (options.onLine !== undefined) {
        const lines = (begun + text).split("\n");
        begun = lines.pop() ?? "";
        for (const line of lines) options.onLine(line);
      }
      this.#stdout = (this.#stdout + text).slice(-OUTPUT_CHARS_MAX);
      this.#notify();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-OUTPUT_CHARS_MAX);
      this.#notify();
    });
    this.#child.stdin?.on("error", () => {}).end(options.stdin ?? "");
    this.#ended = this.#watchEnd();
    this.#ended.catch(() => {});
    running.add(this);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Waits until `pattern` is found in what stdout has so far; fails if the child ends or takes too long. */
  async waitFor(pattern: RegExp, limitMs = 30_000): Promise<RegExpExecArray> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = pattern.exec(this.#stdout);
      if (found !== null) return found;
      const leftMs = deadline - performance.now();
      if (this.#isOver || leftMs <= 0) {
        const state = this.#isOver ? "ended" : `was silent for ${limitMs} ms`;
        const said = `stdout:\n${this.#stdout}\nstderr:\n${this.#stderr}`;
        throw new Error(`${this.#child.spawnargs.join(" ")} ${state} before ${pattern}\n${said}`);
      }
      await this.#change(leftMs);
    }
  }

  /** Resolves when the child has ended and all its output is read. */
  async end(limitMs = EXIT_WAIT_MS): Promise<ProcessEnd> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const what = `${this.#child.spawnargs.join(" ")} still runs after ${limitMs} ms`;
      timer = setTimeout(
        () => reject(new Error(`${what}\n${this.#stdout}\n${this.#stderr}`)),
        limitMs,
      );
    });
    try {
      return await Promise.race([this.#ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends the signal and waits for the end. */
  stop(signal: NodeJS.Signals = "SIGTERM", limitMs = EXIT_WAIT_MS): Promise<ProcessEnd> {
    this.#child.kill(signal);
    return this.end(limitMs);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #watchEnd(): Promise<ProcessEnd> {
    return new Promise((resolve, reject) => {
      const over = (): void => {
        this.#isOver = true;
        running.delete(this);
        this.#notify();
      };
      this.#child.on("error", (error) => {
        over();
        reject(error);
      });
      this.#child.on("close", (code, signal) => {
        over();
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  #change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#changed.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #notify(): void {
    const waiting = this.#changed;
    this.#changed = [];
    for (const wake of waiting) wake();
  }
}

/** Runs a command to its end. */
export function runProcess(
  command: readonly string[],
  options: ProcessOptions & { limitMs?: number } = {},
): Promise<ProcessEnd> {
  return new TestProcess(command, options).end(options.limitMs);
}

/** Whether the process works: one that has ended, but was not yet collected by its parent, does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}
