// Runs what a page of the manual tells its reader to run, in order, against a server of its own. The page's
// addresses and folder (127.0.0.1:9092, 127.0.0.1:8080, ./timberline-data) become the server's, and back in
// what is printed, on stdout or stderr: a reader sees both.

import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runProcess, TestProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { currentNode } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type Block, commandsOf } from "./blocks.ts";

const COMMAND_MS_MAX = 20_000;
/** A command that goes on until Ctrl-C is given this long to print its first line. */
const FOLLOW_MS_MAX = 10_000;
const require = createRequire(import.meta.url);
const { scripts } = require("../../package.json") as { scripts: Record<string, string> };
/** npm itself takes a quarter of a second, each time, to find the script it then runs. */
const NPM_CALL = "npm run -s timberline --";

export class PageRun {
  readonly #server: TestServer;
  readonly #folder = tempFolder("manual");
  #scripts = 0;

  private constructor(server: TestServer) {
    this.#server = server;
  }

  /** `args`: more flags of `serve`, for a page that starts its broker with some. */
  static async start(args: readonly string[] = []): Promise<PageRun> {
    return new PageRun(await TestServer.start({ args }));
  }

  async end(): Promise<void> {
    await this.#server.stop();
  }

  /** What the commands of a `sh` block printed. Each must end with 0; one of a `follow` block with Ctrl-C. */
  async runCommands(block: Block): Promise<string> {
    let printed = "";
    for (const { text, line } of commandsOf(block)) {
      const output = block.words.includes("follow")
        ? await this.#follow(text)
        : await this.#run(text, line);
      printed += output === "" || output.endsWith("\n") ? output : `${output}\n`;
    }
    return printed;
  }

  /** Runs a `js` block as a program on Node; gives what it printed. */
  async runScript(block: Block): Promise<string> {
    const folder = join(this.#folder, `script-${++this.#scripts}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    const path = join(folder, "script.ts");
    writeFileSync(path, this.#here(block.text).replaceAll(/(?<=from )"([^"]+)"/g, resolved));
    const ended = await runProcess(currentNode().command(path), { limitMs: COMMAND_MS_MAX });
    if (ended.code !== 0)
      throw new Error(`line ${block.line}: exit ${ended.code}\n${ended.stderr}`);
    return this.#there(ended.stdout);
  }

  async #run(text: string, line: number): Promise<string> {
    const ended = await runProcess(this.#shell(text), {
      cwd: projectFolder,
      env: this.#env,
      limitMs: COMMAND_MS_MAX,
    });
    const isRefused = ended.stdout.startsWith('{"error":');
    if (ended.code === 0 && !isRefused) return this.#there(ended.stdout);
    throw new Error(`line ${line}: ${text}\nexit ${ended.code}\n${ended.stdout}\n${ended.stderr}`);
  }

  /** Until it has printed something and been quiet for a moment, or half a second more. */
  async #follow(text: string): Promise<string> {
    const child = new TestProcess(this.#shell(`exec ${text}`), {
      cwd: projectFolder,
      env: this.#env,
    });
    await child.waitFor(/^data: .*\n\n|^(?!retry|id).+\n/m, FOLLOW_MS_MAX);
    const { stdout } = await child.stop("SIGINT");
    return this.#there(stdout);
  }

  #shell(text: string): string[] {
    return ["bash", "-o", "pipefail", "-c", `exec 2>&1\n${this.#here(text)}`];
  }

  get #env() {
    return { TIMBERLINE_BOOTSTRAP: this.#server.bootstrap };
  }

  #here(text: string): string {
    return text
      .replaceAll(NPM_CALL, scripts.timberline as string)
      .replaceAll("127.0.0.1:9092", this.#server.bootstrap)
      .replaceAll("http://127.0.0.1:8080", this.#server.http)
      .replaceAll(/(?<![\w/])(\.\/)?timberline-data\b/g, this.#server.dataDir);
  }

  #there(text: string): string {
    return text
      .replaceAll(this.#server.dataDir, "timberline-data")
      .replaceAll(this.#server.bootstrap, "127.0.0.1:9092")
      .replaceAll(this.#server.http, "http://127.0.0.1:8080");
  }
}

/** Our own package is the sources; others are those of the project. */
function resolved(_: string, specifier: string): string {
  const own: Record<string, string> = {
    timberline: "runtime/mod.ts",
    "timberline/client": "runtime/client/mod.ts",
  };
  const path = own[specifier] ? join(projectFolder, own[specifier]) : require.resolve(specifier);
  return JSON.stringify(pathToFileURL(path).href);
}
