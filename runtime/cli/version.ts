// `timberline version`: what runs, on what.

import process from "node:process";
import { version as timberline } from "../version.ts";
import type { Call } from "./commands.ts";
import type { ExitCode } from "./exit.ts";
import { printFields } from "./output.ts";
import { thePlatform } from "./platform.ts";

export async function version({ shell }: Call): Promise<ExitCode | undefined> {
  const platform = thePlatform();
  await printFields(shell, [
    { key: "version", value: timberline },
    { key: "runtime", value: platform.runtime },
    { key: "runtimeVersion", title: "runtime version", value: platform.runtimeVersion },
    { key: "system", value: `${process.platform} ${process.arch}` },
  ]);
  return undefined;
}
