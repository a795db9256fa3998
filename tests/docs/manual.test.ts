// What the README and the manual tell a reader to run is run: every command and program of every page, in order,
// against a server of the page's own, and what a page shows is what comes. Also its links, its npm scripts,
// and its start on Deno and Bun.
// Time limit: 240 s

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { request } from "../support/http-client.ts";
import { findTool } from "../support/missing-tool.ts";
import { natsServerProgram } from "../support/nats-server.ts";
import { projectFolder } from "../support/project.ts";
import { bun, deno } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import { type Block, blocksOf } from "./blocks.ts";
import { PageRun } from "./page-run.ts";
import { differenceOf } from "./shown-output.ts";

const manualFolder = "runtime/docs";
const pages = readdirSync(join(projectFolder, manualFolder))
  .filter((name) => name.endsWith(".md") && name !== "README.md")
  .map((name) => `${manualFolder}/${name}`);
const documents = ["README.md", ...pages];
/** `MANUAL_PAGE=embed npm test -- manual` runs the blocks of that page alone. */
const only = process.env.MANUAL_PAGE;
const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
const tools = { kcat: findTool("kcat"), nats: await natsServerProgram() };

/** A block that runs, and the output the page shows for it; or brokers that the page starts. */
interface Step {
  readonly block: Block;
  readonly shown: string | undefined;
  /** The lines that start them. */
  readonly starts: readonly string[];
}

/** Pages under way at once: much of a page is waiting. */
const lanes = 2;

/** A page's steps, run one after the other; what each printed is a promise from the beginning. */
class PageSteps {
  readonly document: string;
  readonly steps: readonly Step[];
  readonly printed: Promise<string>[];
  readonly #settle: (() => Promise<void>)[] = [];

  constructor(document: string) {
    this.document = document;
    this.steps = stepsOf(blocksOf(read(document)));
    const run = new PageRun();
    this.printed = this.steps.map((step, index) => {
      const { promise, take } = later<string>();
      this.#settle.push(() => {
        const needsServer = index === 0 && step.starts.length === 0;
        return take(async () => {
          if (needsServer) await run.startServer([]);
          return runStep(run, step);
        });
      });
      return promise;
    });
    this.#settle.push(() => run.end());
  }

  async run(): Promise<void> {
    for (const settle of this.#settle) await settle();
  }
}

const pagesRun = documents
  .filter((path) => path.includes(only ?? ""))
  .map((document) => new PageSteps(document));
let ended: Promise<unknown> = Promise.resolve();
test.before(() => {
  const waiting = [...pagesRun];
  const lane = async () => {
    for (let page = waiting.shift(); page !== undefined; page = waiting.shift()) await page.run();
  };
  ended = Promise.all(Array.from({ length: lanes }, lane));
});
test.after(async () => {
  await ended;
});

for (const { document, steps, printed } of pagesRun) {
  for (const [index, { block, shown }] of steps.entries()) {
    test(`${document}:${block.line} does what it says`, async () => {
      const text = await printed[index]!;
      const difference = shown === undefined ? undefined : differenceOf(shown, text);
      if (difference !== undefined) throw new Error(`${document}:${block.line}\n${difference}`);
    });
  }
}

async function runStep(run: PageRun, { block, starts }: Step): Promise<string> {
  if (starts.length > 0) await startAll(run, starts);
  else if (block.language === "js") return run.runScript(block);
  else return run.runCommands(block);
  return "";
}

/** A promise of what `take` is told to do later; it does not count as unhandled meanwhile. */
function later<T>(): { promise: Promise<T>; take(work: () => Promise<T>): Promise<void> } {
  let settle: (work: Promise<T>) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  promise.catch(() => {});
  const take = async (work: () => Promise<T>) => {
    const working = work();
    settle(working);
    await working.catch(() => {});
  };
  return { promise, take };
}

function stepsOf(blocks: readonly Block[]): Step[] {
  const needsNats = blocks.some((block) => startsIn(block).some((line) => /nats/.test(line)));
  if (needsNats && tools.nats === undefined) return [];
  return blocks.flatMap((block, index) => {
    const starts = startsIn(block);
    if (starts.length > 0) return [{ block, shown: undefined, starts }];
    if (block.language !== "sh" && block.language !== "js") return [];
    if (/\bkcat\b/.test(block.text) && tools.kcat === undefined) return [];
    const next = blocks[index + 1];
    const isShown = next?.language === "text" && next.isRightAfter;
    return [{ block, shown: isShown ? next.text : undefined, starts }];
  });
}

/** What a page has its reader start: lines of their own in a block without language. */
function startsIn({ language, text }: Block): string[] {
  if (language !== "") return [];
  const starts = /^(npm start --|npm run -s timberline -- gateway|nats-server) .+$/gm;
  return Array.from(text.matchAll(starts), ([line]) => line.replace(/\s+#.*$/, ""));
}

/** NATS first; brokers at once, as their terminals would; then gateways. */
async function startAll(run: PageRun, starts: readonly string[]): Promise<void> {
  const isNats = (line: string) => line.startsWith("nats-server");
  for (const line of starts.filter(isNats)) await run.start(line);
  const isGateway = (line: string) => line.includes(" gateway ");
  const brokers = starts.filter((line) => !isNats(line) && !isGateway(line));
  await Promise.all(brokers.map((line) => run.start(line)));
  for (const line of starts.filter(isGateway)) await run.start(line);
}

test("pages name only npm scripts that exist", () => {
  for (const document of documents) {
    for (const [call, name = ""] of read(document).matchAll(/\bnpm (?:run (?:-s )?)?([\w:-]+)/g)) {
      const isOwn = call.startsWith("npm run") || ["start", "test"].includes(name);
      if (isOwn) assert.ok(scripts[name] !== undefined, `${document}: ${call}`);
    }
  }
});

test("pages link only to files that exist, and the first page to all others", () => {
  for (const document of [...documents, `${manualFolder}/README.md`]) {
    for (const [, to = ""] of read(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:/.test(to)) continue;
      assert.ok(exists(join(dirname(document), to)), `${document} links to ${to}`);
    }
    for (const [, path = ""] of read(document).matchAll(/`(tests\/[\w./-]+\.ts)`/g)) {
      assert.ok(exists(path), `${document} names ${path}`);
    }
  }
  const linked = read(`${manualFolder}/index.md`);
  for (const page of pages.filter((path) => !path.endsWith("/index.md"))) {
    assert.match(linked, `](${page.slice(manualFolder.length + 1)})`);
  }
});

test("/docs serves every page, to browsers with links that lead to pages", async () => {
  const server = await TestServer.start();
  const html = { accept: "text/html,*/*;q=0.8" };
  const first = await (await request(`${server.http}/docs`, { headers: html })).text();
  for (const page of pages) {
    const name = page.slice(manualFolder.length + 1, -".md".length);
    if (name !== "index") assert.match(first, `href="/docs/${name}"`);
    const plain = await (await request(`${server.http}/docs/${name}`)).text();
    assert.is(plain, read(page));
    const shown = await (await request(`${server.http}/docs/${name}`, { headers: html })).text();
    for (const [, to] of shown.matchAll(/href="(\/docs[^"#]*)/g)) {
      await request(`${server.http}${to}`, { headers: html });
    }
  }
  await server.stop();
});

for (const runtime of [deno(), bun()]) {
  const start = runtime.name === "deno" ? "deno run -A" : "bun";

  test(`the README's command starts a broker on ${runtime.name}`, async () => {
    assert.match(read("README.md"), `\n${start} runtime/cli/main.ts serve\n`);
    const server = await TestServer.start({ runtime });
    assert.is((await request(`${server.http}/readyz`)).status, 200);
    assert.is((await server.stop()).code, 0);
  });
}

function read(path: string): string {
  return readFileSync(join(projectFolder, path), "utf8");
}

function exists(path: string): boolean {
  return existsSync(join(projectFolder, normalize(path)));
}

test.run();
