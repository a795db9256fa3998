// Timberline as a broker under test: the built package in `dist`, as a user runs it.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../support/project.ts";
import { fileDeleteDelayMs, freePort, freePorts, type Launch } from "./broker-process.ts";

export const builtEntry = join(projectFolder, "dist/runtime/cli/main.js");

/** When an append is acknowledged, as `serve --flush` takes it. */
export type Flush = "os" | "group";

/** How several brokers are started: each by itself with NATS, or behind one command without. */
export type TimberlineKind = "nats" | "brokers";

interface TimberlineOptions {
  readonly folder: string;
  readonly flush: Flush;
  readonly entry: string;
}

export async function timberline(options: TimberlineOptions): Promise<Launch> {
  return launchOf(options, await freePort(), []);
}

/** Members of one cluster whose metadata NATS keeps, each with a folder of its own. */
export async function timberlineNodes(
  options: TimberlineOptions & { count: number; natsUrl: string },
): Promise<Launch[]> {
  const launches: Launch[] = [];
  for (let id = 1; id <= options.count; id++) {
    const folder = join(options.folder, String(id));
    const flags = ["--broker-id", String(id), "--nats", options.natsUrl];
    launches.push(launchOf({ ...options, folder }, await freePort(), flags));
  }
  return launches;
}

/** Several brokers behind one command: the address is that of the first. */
export async function timberlineBrokers(
  options: TimberlineOptions & { count: number },
): Promise<Launch> {
  const { count } = options;
  return launchOf(options, await freePorts(count), ["--brokers", String(count)]);
}

function launchOf(options: TimberlineOptions, port: number, flags: readonly string[]): Launch {
  const { entry, folder, flush } = options;
  if (!existsSync(entry)) throw new Error(`${entry} is missing: npm run build`);
  const places = ["--data-dir", folder, "--kafka-port", `${port}`, "--http-port", "0"];
  const settings = {
    "timberline.log.level": "warn",
    "log.segment.delete.delay.ms": fileDeleteDelayMs,
  };
  const sets = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  return {
    side: "timberline",
    version: version(),
    address: { host: "127.0.0.1", port },
    folder,
    command: [process.execPath, entry, "serve", ...places, "--flush", flush, ...flags, ...sets],
  };
}

function version(): string {
  const text = readFileSync(join(projectFolder, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
