// Which process listens on a port, as far as the system tells: /proc on Linux, lsof on macOS. Only for the message
// that a port is taken; finding nothing is fine.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

export interface PortHolder {
  readonly pid: number;
  readonly name: string;
}

const LISTEN = "0A";
/** A machine with more processes is not searched to the end. */
const PROCESSES_MAX = 50_000;
const COMMAND_CHARS_MAX = 100;

export function findPortHolder(port: number): PortHolder | undefined {
  try {
    if (process.platform === "linux") return holderOnLinux(port);
    if (process.platform === "darwin") return holderOnMac(port);
  } catch {
    // Not allowed to look, or no such tool: the message does without.
  }
  return undefined;
}

function holderOnLinux(port: number): PortHolder | undefined {
  const inodes = new Set(
    ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => listeningInodes(readText(path), port)),
  );
  if (inodes.size === 0) return undefined;
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  for (const pid of pids.slice(0, PROCESSES_MAX)) {
    if (!holdsOneOf(pid, inodes)) continue;
    const command = readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    return { pid: Number(pid), name: clipped(command || readText(`/proc/${pid}/comm`).trim()) };
  }
  return undefined;
}

function clipped(command: string): string {
  return command.length > COMMAND_CHARS_MAX ? `${command.slice(0, COMMAND_CHARS_MAX)}…` : command;
}

/** Inodes of listening sockets in the text of /proc/net/tcp. */
export function listeningInodes(table: string, port: number): string[] {
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => state === LISTEN && portOf(local) === port)
    .map((fields) => fields[9] ?? "");
}

function portOf(address: string): number {
  return Number.parseInt(address.slice(address.lastIndexOf(":") + 1), 16);
}

function holdsOneOf(pid: string, inodes: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  let files: string[];
  try {
    files = readdirSync(folder);
  } catch {
    return false;
  }
  return files.some((file) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${folder}/${file}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false;
    }
  });
}

function holderOnMac(port: number): PortHolder | undefined {
  const args = ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"];
  const text = execFileSync("lsof", args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const pid = /^p(\d+)$/m.exec(text)?.[1];
  return pid === undefined
    ? undefined
    : { pid: Number(pid), name: /^c(.+)$/m.exec(text)?.[1] ?? "" };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
