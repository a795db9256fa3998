// @platformatic/kafka, a client of another make: it needs Node ≥ 22, so it is fetched into `.runtimes/` with the
// newest Node and runs there, in `platformatic-producer.mjs`. A dev dependency would warn everybody on Node 20.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { newestNode, type TestRuntime } from "../support/runtimes.ts";

const version = "2.12.1";
const installMsMax = 120_000;
const produceMsMax = 30_000;

export interface PlatformaticJob {
  readonly topic: string;
  readonly partition: number;
  readonly codec: string;
  readonly pairs: readonly { readonly key: string; readonly value: string }[];
}

export class Platformatic {
  readonly version = version;
  readonly node: TestRuntime;
  /** The file to import. */
  readonly module: string;

  private constructor(node: TestRuntime, module: string) {
    this.node = node;
    this.module = module;
  }

  /** Undefined if it is not here and the registry cannot be reached. */
  static async find(): Promise<Platformatic | undefined> {
    const node = await newestNode();
    const folder = join(projectFolder, ".runtimes", `platformatic-kafka-${version}`);
    const module = join(folder, "node_modules/@platformatic/kafka/dist/index.js");
    if (node === undefined || !(existsSync(module) || (await install(folder, module)))) {
      return undefined;
    }
    return new Platformatic(node, module);
  }

  async produce(bootstrap: string, job: PlatformaticJob): Promise<void> {
    const script = join(projectFolder, "tests/compat/platformatic-producer.mjs");
    const stdin = JSON.stringify({ module: this.module, bootstrap, ...job });
    const command = this.node.command(script);
    const end = await runProcess(command, { stdin, limitMs: produceMsMax });
    if (end.code !== 0) throw new Error(`@platformatic/kafka: ${end.stdout}${end.stderr}`);
  }
}

async function install(folder: string, module: string): Promise<boolean> {
  const flags = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"];
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const spec = `@platformatic/kafka@${version}`;
  await runProcess([npm, "install", "--prefix", folder, ...flags, spec], {
    cwd: projectFolder,
    limitMs: installMsMax,
  });
  return existsSync(module);
}
