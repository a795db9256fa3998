// A teller: a process of its own, one per transactional id, that makes transfers with some client. It is told one
// a line, `ID END LEG …` with END commit, abort or hold and LEG `topic:partition:account:amount`, and writes a
// record `ID amount` with the account as its key for each leg. It answers `ready` once, `held ID` when all is
// acknowledged (then any line means: commit), and at the end `committed ID`, `aborted ID`, `lost ID why` (a commit
// was never asked for) or `unknown ID why`; after the last two it leaves.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Leg } from "./history.ts";

const answerMsMax = 45_000;

/** What a teller says last when it is no more. */
export const gone = "gone";

const running = new Set<Teller>();
process.once("exit", () => {
  for (const teller of running) teller.signal("SIGKILL");
});

export class Teller {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  private constructor([program = "", ...args]: readonly string[]) {
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "ignore"] });
    this.#child.stdin.on("error", () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#ended = once(this.#child, "close").then(() => running.delete(this));
    running.add(this);
  }

  /** Resolves when it is ready; undefined if it gave up, such as for a broker that is away. */
  static async start(command: readonly string[]): Promise<Teller | undefined> {
    const teller = new Teller(command);
    if ((await teller.#answer()) === "ready") return teller;
    await teller.kill();
    return undefined;
  }

  /** Says a line and gives back its answer. */
  ask(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`);
    return this.#answer();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#ended;
  }

  async #answer(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`${this.#child.spawnargs.join(" ")} is silent`);
      timer = setTimeout(() => reject(error), answerMsMax);
    });
    try {
      const { value, done } = await Promise.race([this.#lines.next(), late]);
      return done ? gone : value;
    } finally {
      clearTimeout(timer);
    }
  }
}

export function lineOf(id: string, end: "commit" | "abort" | "hold", legs: readonly Leg[]): string {
  const words = legs.map(
    ({ topic, partition, account, amount }) => `${topic}:${partition}:${account}:${amount}`,
  );
  return [id, end, ...words].join(" ");
}
