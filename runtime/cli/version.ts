// `timberline version`: what runs, on what.

import { readFileSync } from "node:fs";
import process from "node:process";
import type { Call } from "./commands.ts";
import type { ExitCode } from "./exit.ts";
import { printFields } from "./output.ts";
import { thePlatform } from "./platform.ts";

export async function version({ shell }: Call): Promise<ExitCode | undefined> {
  const platform = thePlatform();
  await printFields(shell, [
    { key: "version", value: packageVersion() },
    { key: "runtime", value: platform.runtime },
    { key: "runtimeVersion", title: "runtime version", value: platform.runtimeVersion },
    { key: "system", value: `${process.platform} ${process.arch}` },
  ]);
  return undefined;
}

/** From package.json, two folders above in a checkout, three in `dist`. */
export function packageVersion(): string {
  for (const up of ["../../", "../../../"]) {
    try {
      const text = readFileSync(new URL(`${up}package.json`, import.meta.url), "utf8");
      const parsed = JSON.parse(text) as { name?: string; version?: string };
      if (parsed.name === "timberline" && parsed.version) return parsed.version;
    } catch {
      // Not there: the next place.
    }
  }
  return "unknown";
}
