// What is compared: Timberline as it is built, and the reference server of the Durable Streams protocol. It is no
// dependency of ours: `npm install` brings it into the git-ignored `.runtimes/` when it is first asked for.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProcess, TestProcess } from "../../support/processes.ts";
import { projectFolder } from "../../support/project.ts";
import { freePort } from "../broker-process.ts";
import { type Cores, onServerCores } from "../process-figures.ts";
import { builtEntry } from "../timberline.ts";
import type { Address } from "./wire.ts";

export type Durability = "memory" | "fsync";
export type Side = "timberline" | "reference";

export const referenceVersion = "0.3.7";
const referenceFolder = join(projectFolder, `.runtimes/durable-streams-server-${referenceVersion}`);
const installMsMax = 120_000;
const startMsMax = 30_000;
/** More than the largest case has. */
const streamsMax = 20_000;

const referenceProgram = `
import { DurableStreamTestServer } from "@durable-streams/server";
const [, , port, dataDir] = process.argv;
const where = { port: Number(port), host: "127.0.0.1" };
await new DurableStreamTestServer(dataDir ? { ...where, dataDir } : where).start();
console.log("ready");
`;

/** False if it is not here and cannot be brought. */
export async function fetchReference(): Promise<boolean> {
  if (existsSync(join(referenceFolder, "complete"))) return true;
  mkdirSync(referenceFolder, { recursive: true });
  writeFileSync(join(referenceFolder, "package.json"), `{"private":true,"type":"module"}\n`);
  writeFileSync(join(referenceFolder, "serve.js"), referenceProgram);
  const wanted = `@durable-streams/server@${referenceVersion}`;
  const command = ["npm", "install", "--silent", "--ignore-scripts", wanted];
  const { code, stderr } = await runProcess(command, {
    cwd: referenceFolder,
    limitMs: installMsMax,
  });
  if (code !== 0) {
    console.error(`no reference server: ${stderr.trim().slice(0, 500)}`);
    return false;
  }
  writeFileSync(join(referenceFolder, "complete"), "");
  return true;
}

export class HttpServer {
  readonly side: Side;
  readonly address: Address;
  readonly #process: TestProcess;
  readonly #folder: string;

  private constructor(side: Side, port: number, process: TestProcess, folder: string) {
    this.side = side;
    this.address = { host: "127.0.0.1", port };
    this.#process = process;
    this.#folder = folder;
  }

  static async start(
    side: Side,
    durability: Durability,
    cores: Cores | undefined,
  ): Promise<HttpServer> {
    const folder = mkdtempSync(join(tmpdir(), "timberline-http-"));
    const port = await freePort();
    const command =
      side === "timberline"
        ? timberlineCommand(folder, port, durability)
        : referenceCommand(folder, port, durability);
    const process = new TestProcess(onServerCores(command, cores));
    const server = new HttpServer(side, port, process, folder);
    try {
      await process.waitFor(/ready/, startMsMax);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  get pid(): number {
    return this.#process.pid;
  }

  async stop(): Promise<void> {
    await this.#process.stop("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function timberlineCommand(folder: string, port: number, durability: Durability): string[] {
  if (!existsSync(builtEntry)) throw new Error(`${builtEntry} is missing: npm run build`);
  const places = ["--data-dir", folder, "--kafka-port", "0", "--http-port", `${port}`];
  const flush = durability === "fsync" ? "group" : "os";
  const sets = ["timberline.log.level=warn", `timberline.http.sse.streams.max=${streamsMax}`];
  const flags = ["--flush", flush, ...sets.flatMap((set) => ["--set", set])];
  return [process.execPath, builtEntry, "serve", ...places, ...flags];
}

/** Its file store calls fdatasync before it answers; its memory store keeps everything in the process. */
function referenceCommand(folder: string, port: number, durability: Durability): string[] {
  const entry = join(referenceFolder, "serve.js");
  return [process.execPath, entry, `${port}`, ...(durability === "fsync" ? [folder] : [])];
}
