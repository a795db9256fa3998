// Timberline as a broker under test: the built package in `dist`, as a user runs it.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../support/project.ts";
import { fileDeleteDelayMs, freePort, type Launch } from "./broker-process.ts";

export const builtEntry = join(projectFolder, "dist/runtime/cli/main.js");

/** When an append is acknowledged, as `serve --flush` takes it. */
export type Flush = "os" | "group";

export async function timberline(options: {
  folder: string;
  flush: Flush;
  entry: string;
}): Promise<Launch> {
  if (!existsSync(options.entry)) throw new Error(`${options.entry} is missing: npm run build`);
  const port = await freePort();
  const flags = ["--data-dir", options.folder, "--kafka-port", `${port}`, "--http-port", "0"];
  const settings = {
    "timberline.log.level": "warn",
    "log.segment.delete.delay.ms": fileDeleteDelayMs,
  };
  const sets = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  return {
    side: "timberline",
    version: version(),
    address: { host: "127.0.0.1", port },
    folder: options.folder,
    command: [
      process.execPath,
      options.entry,
      "serve",
      ...flags,
      "--flush",
      options.flush,
      ...sets,
    ],
  };
}

function version(): string {
  const text = readFileSync(join(projectFolder, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
