// Chromium without a window, driven over its remote debugging protocol: a page is opened, and expressions are evaluated
// in it. The protocol goes through two pipes, so no port and no further program is needed.

import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { findFirstTool } from "./missing-tool.ts";
import { tempFolder } from "./temp-folder.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const FLAGS = [
  ...["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  ...["--no-first-run", "--disable-extensions", "--disable-background-networking"],
  ...["--disable-component-update", "--remote-debugging-pipe"],
];
const ANSWER_MS_MAX = 20_000;
const EXIT_MS_MAX = 5_000;
const LOOK_EVERY_MS = 20;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly args?: readonly { readonly value?: unknown }[] };
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Its program; undefined, and said so, where there is none. */
export function chromiumProgram(): string | undefined {
  return findFirstTool(NAMES);
}

export class Chromium {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, (message: Message) => void>();
  readonly #leave: () => void;
  #next = 1;
  #text = "";

  static start(program: string): Chromium {
    return new Chromium(program);
  }

  private constructor(program: string) {
    const profile = `--user-data-dir=${tempFolder("chromium")}`;
    this.#process = spawn(program, [...FLAGS, profile, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    this.#leave = () => this.#process.kill("SIGKILL");
    process.once("exit", this.#leave);
    const answers = this.#process.stdio[4] as Readable;
    answers.setEncoding("utf8").on("data", (text: string) => this.#receive(text));
  }

  /** A page of its own; resolves when it has loaded. */
  async open(url: string): Promise<Page> {
    const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
    const attached = await this.call("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, String(attached.sessionId));
    await page.call("Page.enable");
    await page.call("Page.navigate", { url });
    await page.until("document.readyState === 'complete'");
    return page;
  }

  async stop(): Promise<void> {
    process.off("exit", this.#leave);
    const ended = new Promise<void>((resolve) => this.#process.once("close", () => resolve()));
    const late = setTimeout(() => this.#process.kill("SIGKILL"), EXIT_MS_MAX);
    this.#send({ id: 0, method: "Browser.close" });
    await ended;
    clearTimeout(late);
  }

  call(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`Chromium did not answer ${method}`));
      }, ANSWER_MS_MAX);
      this.#pending.set(id, ({ result, error }) => {
        clearTimeout(late);
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result ?? {});
      });
      this.#send({ id, method, params, ...(sessionId && { sessionId }) });
    });
  }

  #send(message: object): void {
    (this.#process.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
  }

  #receive(text: string): void {
    const messages = (this.#text + text).split("\0");
    this.#text = messages.pop() ?? "";
    for (const each of messages) {
      const message = JSON.parse(each) as Message;
      if (message.id === undefined) continue;
      this.#pending.get(message.id)?.(message);
      this.#pending.delete(message.id);
    }
  }
}

export class Page {
  readonly #chromium: Chromium;
  readonly #session: string;

  constructor(chromium: Chromium, session: string) {
    this.#chromium = chromium;
    this.#session = session;
  }

  call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#chromium.call(method, params, this.#session);
  }

  /** The value of an expression, awaited; throws what it throws. */
  async evaluate<T>(expression: string): Promise<T> {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", options);
    if (exceptionDetails !== undefined) {
      throw new Error(`${expression}\n${JSON.stringify(exceptionDetails)}`);
    }
    return (result as { value: T }).value;
  }

  /** Waits until the expression is true. */
  async until(expression: string, limitMs = ANSWER_MS_MAX): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (performance.now() < deadline) {
      if (await this.evaluate<boolean>(`Boolean(${expression})`)) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    const shown = await this.evaluate<string>("document.body?.innerText ?? ''");
    throw new Error(`not within ${limitMs} ms: ${expression}\nthe page shows:\n${shown}`);
  }
}
