// What a stored result says of where it was measured: the machine, and the versions of what took part.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { projectFolder } from "../support/project.ts";
import { bun, deno } from "../support/runtimes.ts";

export function machine(): Record<string, string | number> {
  return {
    system: `${process.platform} ${release()} ${process.arch}`,
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    // Of the last quarter of an hour: what else the machine did meanwhile.
    load: Number(loadavg()[2]?.toFixed(1)),
  };
}

/** Of Timberline, the runtimes, kcat where it is, and these npm packages. */
export function versions(packages: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {
    timberline: packageVersion(join(projectFolder, "package.json")),
    node: process.versions.node,
    deno: deno().version,
    bun: bun().version,
    kcat: kcatVersion(),
  };
  for (const name of packages) {
    found[name] = packageVersion(join(projectFolder, "node_modules", name, "package.json"));
  }
  return found;
}

function packageVersion(path: string): string {
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

function kcatVersion(): string {
  try {
    const text = execFileSync("kcat", ["-V"], { encoding: "utf8" });
    return /Version (\S+).*librdkafka (\S+)/.exec(text)?.slice(1).join(", librdkafka ") ?? text;
  } catch {
    return "absent";
  }
}
