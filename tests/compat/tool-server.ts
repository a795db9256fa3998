// Kafka's command line tools in one JVM for many calls (`ToolServer.java`): a tool of its own process costs a second
// and most of a core, a call here some milliseconds.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { projectFolder } from "../support/project.ts";
import type { KafkaTools } from "./kafka-tools.ts";

const callMsMax = 60_000;
const ending = /== exit (\d+) ==\n/;

export interface Said {
  readonly code: number;
  /** Its stdout and stderr. */
  readonly text: string;
}

const running = new Set<ToolServer>();
process.once("exit", () => {
  for (const server of running) server.close();
});

export class ToolServer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #text = "";
  #changed: () => void = () => {};
  #isOver = false;

  private constructor([program = "", ...args]: readonly string[]) {
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "ignore"] });
    this.#child.stdin.on("error", () => {});
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#text += text;
      this.#changed();
    });
    this.#child.on("close", () => {
      this.#isOver = true;
      running.delete(this);
      this.#changed();
    });
    running.add(this);
  }

  static async start(tools: KafkaTools): Promise<ToolServer> {
    const classes = await tools.compile(join(projectFolder, "tests/compat/ToolServer.java"));
    return new ToolServer(tools.command("ToolServer", classes));
  }

  /** One call at a time, as a user types it; the tool's words must be without spaces. Fails unless it exits with 0. */
  async run(mainClass: string, words: string): Promise<string> {
    const { code, text } = await this.try(mainClass, words);
    if (code === 0) return text;
    throw new Error(`${mainClass} ${words}: exit ${code}\n${text}`);
  }

  /** The same, however it ends. */
  async try(mainClass: string, words: string): Promise<Said> {
    this.#child.stdin.write(`${[mainClass, ...words.split(" ")].join("\t")}\n`);
    const deadline = performance.now() + callMsMax;
    for (;;) {
      const found = ending.exec(this.#text);
      if (found !== null) {
        const text = this.#text.slice(0, found.index);
        this.#text = this.#text.slice(found.index + found[0].length);
        return { code: Number(found[1]), text };
      }
      const leftMs = deadline - performance.now();
      if (this.#isOver || leftMs <= 0) throw new Error(`${mainClass} ${words}: ${this.#text}`);
      await this.#change(leftMs);
    }
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }

  #change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
