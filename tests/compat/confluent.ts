// The newest librdkafka, as its Python wheel brings it: installed into a virtual environment in the git-ignored
// `.runtimes/`. The scripts that use it are the `.py` files of the proofs.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { findTool, sayMissing } from "../support/missing-tool.ts";
import { runProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";

const version = "2.16.1";
const installMsMax = 120_000;

export interface Confluent {
  readonly python: string;
  /** Of the wheel, which is librdkafka's but for its last number. */
  readonly version: string;
}

/** Undefined, and said so, without Python or when the registry cannot be reached and it was never fetched. */
export async function findConfluent(): Promise<Confluent | undefined> {
  const folder = join(projectFolder, ".runtimes", `confluent-kafka-${version}`);
  const python = join(folder, "bin", "python");
  if (isInstalled(folder) || (await install(folder, python))) return { python, version };
  sayMissing("confluent-kafka");
  return undefined;
}

function isInstalled(folder: string): boolean {
  const libraries = join(folder, "lib");
  return (
    existsSync(libraries) &&
    readdirSync(libraries).some((name) =>
      existsSync(join(libraries, name, "site-packages", "confluent_kafka")),
    )
  );
}

async function install(folder: string, python: string): Promise<boolean> {
  const system = findTool("python3");
  if (system === undefined) return false;
  const limitMs = installMsMax;
  const wheel = `confluent-kafka==${version}`;
  await runProcess([system, "-m", "venv", folder], { limitMs });
  await runProcess([python, "-m", "pip", "install", "-q", "--only-binary=:all:", wheel], {
    limitMs,
  });
  return isInstalled(folder);
}
