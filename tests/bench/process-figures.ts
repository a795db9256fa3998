// What Linux knows of a process: the CPU time it used and the memory it holds. And which cores the two sides of a
// measurement run on. Elsewhere nothing is pinned and CPU time is unknown.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, join } from "node:path";

const ticksPerSecond = 100;
/** Counted at the start: who is pinned is told only of the cores that are left. */
const coreCount = availableParallelism();
/** In /proc/PID/stat, counted after the process name: user and system time, and that of ended children. */
const ownTimeFields = [11, 12];
const childTimeFields = [13, 14];

/** User and system time of all its threads; undefined where nothing tells. */
export function cpuSeconds(pid: number): number | undefined {
  return stat(pid, ownTimeFields);
}

/** The process and those that it started and that still run. */
export function familyOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    const pids = children.split(" ").filter((text) => text !== "");
    return [pid, ...pids.flatMap((child) => familyOf(Number(child)))];
  } catch {
    return [pid];
  }
}

/** Of the children of this process that have ended. */
export function childrenCpuSeconds(): number | undefined {
  return stat(process.pid, childTimeFields);
}

/** Resident memory; undefined where nothing tells. */
export function residentBytes(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}

export interface Cores {
  readonly server: string;
  readonly load: string;
}

/** The first half for the server, the rest for the load; undefined if cores cannot be chosen. */
export function chooseCores(): Cores | undefined {
  if (coreCount < 2 || !hasTaskset()) return undefined;
  const half = Math.floor(coreCount / 2);
  const range = (from: number, to: number) => (from === to ? `${from}` : `${from}-${to}`);
  return { server: range(0, half - 1), load: range(half, coreCount - 1) };
}

/** No side has cores of its own. */
export function allCores(): Cores {
  const all = `0-${coreCount - 1}`;
  return { server: all, load: all };
}

/** This process, all its threads and the children it starts from now on. */
export function pinMyself({ load }: Cores): void {
  execFileSync("taskset", ["-acp", load, String(process.pid)], { stdio: "ignore" });
}

/** The command as it runs on the server's cores. */
export function onServerCores(command: readonly string[], cores: Cores | undefined): string[] {
  return cores === undefined ? [...command] : ["taskset", "-c", cores.server, ...command];
}

function hasTaskset(): boolean {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return process.platform === "linux" && folders.some((path) => existsSync(join(path, "taskset")));
}

function stat(pid: number, fields: readonly number[]): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const values = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.reduce((sum, field) => sum + Number(values[field]), 0);
    return ticks / ticksPerSecond;
  } catch {
    return undefined;
  }
}
