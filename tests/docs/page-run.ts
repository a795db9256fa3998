// Runs what a page of the manual tells its reader to run, in order, against servers of its own. The page's
// addresses and folders (127.0.0.1:9092, 127.0.0.1:8080, ./timberline-data) become the servers', and back in
// what is printed, on stdout or stderr: a reader sees both.

import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { TestGateway } from "../gateway/gateway-process.ts";
import { bundleCommandLine } from "../support/command-line-bundle.ts";
import { natsServerProgram, TestNats } from "../support/nats-server.ts";
import { runProcess, TestProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { currentNode } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type Block, commandsOf } from "./blocks.ts";

/** Where a page has its things unless its flags say otherwise. */
const placesOfPage = {
  "--data-dir": "timberline-data",
  "--kafka-port": "9092",
  "--http-port": "8080",
} as const;
const COMMAND_MS_MAX = 20_000;
/** A command that goes on until Ctrl-C is given this long to print its first line. */
const FOLLOW_MS_MAX = 10_000;
const require = createRequire(import.meta.url);
/** npm itself takes a quarter of a second, each time, to find the script it then runs. */
const NPM_CALL = "npm run -s timberline --";
/** Bundled by the first page. */
let commandLine: Promise<string> | undefined;

export class PageRun {
  readonly #servers: TestServer[] = [];
  readonly #gateways: TestGateway[] = [];
  readonly #folder = tempFolder("manual");
  /** What the page calls something, and what it is here. */
  readonly #names: (readonly [page: string, here: string])[] = [];
  #nats: TestNats | undefined;
  #scripts = 0;
  #entry = "";

  /**
   * A line of the page that starts something, `npm start -- FLAGS`, `npm run -s timberline -- gateway FLAGS` or
   * `nats-server …`: here, under the page's names.
   */
  async start(line: string): Promise<void> {
    if (line.startsWith(`${NPM_CALL} gateway `)) return this.#startGateway(line);
    const [program, ...words] = line.split(/\s+/);
    if (program === "nats-server") await this.#startNats();
    else await this.startServer(words.slice(2));
  }

  async startServer(flags: readonly string[]): Promise<void> {
    const own = new Map<string, string>();
    const args: string[] = [];
    for (let at = 0; at < flags.length; at++) {
      const name = flags[at]!;
      if (name in placesOfPage) own.set(name, flags[++at]!);
      else args.push(name.startsWith("nats://") ? this.#nats!.urls[0]! : name);
    }
    const server = await TestServer.start({ args, entry: await this.#commandLine() });
    this.#servers.push(server);
    const placeOf = (flag: keyof typeof placesOfPage) => own.get(flag) ?? placesOfPage[flag];
    for (const [i, bootstrap] of server.bootstraps.entries()) {
      this.#names.push([`127.0.0.1:${Number(placeOf("--kafka-port")) + i}`, bootstrap]);
      this.#names.push([
        `http://127.0.0.1:${Number(placeOf("--http-port")) + i}`,
        server.doors[i]!,
      ]);
    }
    this.#names.push([placeOf("--data-dir"), server.dataDir]);
  }

  async #startGateway(line: string): Promise<void> {
    const [, port = placesOfPage["--http-port"]] = / --http-port (\d+)/.exec(line) ?? [];
    const [, bootstrap = ""] = / --bootstrap (\S+)/.exec(line) ?? [];
    const gateway = await TestGateway.start(this.#here(bootstrap));
    this.#gateways.push(gateway);
    this.#names.push([`http://127.0.0.1:${port}`, gateway.http]);
  }

  async end(): Promise<void> {
    await Promise.all(this.#gateways.map(({ process }) => process.stop("SIGTERM")));
    await Promise.all(this.#servers.map((server) => server.stop()));
    await this.#nats?.stop();
  }

  /** The first time, or again after the page has ended it. */
  async #startNats(): Promise<void> {
    if (this.#nats !== undefined) {
      await this.#nats.process(0).end();
      await this.#nats.startServer(0);
    } else {
      const program = await natsServerProgram();
      if (program === undefined) throw new Error("the page needs nats-server");
      this.#nats = await TestNats.start({ program });
      this.#names.push(["nats.pid", join(this.#folder, "nats.pid")]);
      this.#names.push(["nats-data", this.#nats.storeOf(0)]);
    }
    writeFileSync(join(this.#folder, "nats.pid"), `${this.#nats.process(0).pid}`);
  }

  /**
   * What the commands of a `sh` block printed. Each must end with 0, and none be refused by the HTTP door unless its
   * block says `refused`; one of a `follow` block ends with Ctrl-C.
   */
  async runCommands(block: Block): Promise<string> {
    let printed = "";
    for (const { text, line } of commandsOf(block)) {
      const output = block.words.includes("follow")
        ? await this.#follow(text)
        : await this.#run(text, line, block.words.includes("refused"));
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

  async #commandLine(): Promise<string> {
    commandLine ??= bundleCommandLine();
    this.#entry = await commandLine;
    return this.#entry;
  }

  async #run(text: string, line: number, mayBeRefused: boolean): Promise<string> {
    const ended = await runProcess(this.#shell(text), {
      cwd: projectFolder,
      env: this.#env,
      limitMs: COMMAND_MS_MAX,
    });
    const isRefused = ended.stdout.startsWith('{"error":') && !mayBeRefused;
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
    return { TIMBERLINE_BOOTSTRAP: this.#servers[0]!.bootstrap };
  }

  #here(text: string): string {
    const own = text.replaceAll(NPM_CALL, `node ${this.#entry}`);
    // Longer names first: one may begin another.
    return this.#names
      .toSorted(([a], [b]) => b.length - a.length)
      .reduce((result, [page, here]) => result.replaceAll(wholeName(page), here), own);
  }

  #there(text: string): string {
    return this.#names.reduce((result, [page, here]) => result.replaceAll(here, page), text);
  }
}

/** Not within a path or a longer name. */
function wholeName(name: string): RegExp {
  return new RegExp(`(?<![\\w/-])(\\./)?${name.replaceAll(".", "\\.")}\\b(?!-)`, "g");
}

/** Our own package is the sources; others are those of the project. */
function resolved(_: string, specifier: string): string {
  const own: Record<string, string> = {
    timberline: "runtime/mod.ts",
    "timberline/client": "runtime/client/mod.ts",
  };
  if (specifier.startsWith("node:")) return JSON.stringify(specifier);
  const path = own[specifier] ? join(projectFolder, own[specifier]) : require.resolve(specifier);
  return JSON.stringify(pathToFileURL(path).href);
}
