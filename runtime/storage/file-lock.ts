// The lock of a data folder: a file `.lock` naming the process that holds it. JavaScript runtimes share no
// flock, so the file says who (pid and start time of the process); one whose holder is gone is taken over.
// Only `file.ts` uses it.

import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import process from "node:process";
import { StorageError } from "./storage.ts";

/** Takes the lock or throws `StorageError` "locked". Returns the release. */
export function acquireLock(path: string): () => void {
  const mine = describe(process.pid);
  const draft = `${path}.${process.pid}`;
  try {
    fs.writeFileSync(draft, mine);
  } catch (cause) {
    const code = (cause as { code?: string }).code;
    const fault = code === "ENOSPC" ? "full" : "read-only";
    throw new StorageError(
      fault,
      `cannot write to the data folder (${code}): make it writable or choose another --data-dir`,
      { cause },
    );
  }
  try {
    for (let attempt = 0; attempt < takeoverAttemptsMax; attempt++) {
      if (link(draft, path)) return () => release(path, mine);
      const holder = read(path);
      if (holder === undefined) continue;
      if (isAlive(holder)) throw held(path, holder);
      setAside(path, holder);
    }
    throw new StorageError("locked", `cannot take ${path}: others keep taking it; try again`);
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

const takeoverAttemptsMax = 20;

function held(path: string, holder: string): StorageError {
  const pid = holder.split(" ")[0];
  return new StorageError(
    "locked",
    `the data folder is in use by process ${pid} (${path}): stop it or choose another --data-dir`,
  );
}

function release(path: string, mine: string): void {
  if (read(path) === mine) fs.rmSync(path, { force: true });
}

/** Atomic "create if absent". File systems without hard links fall back to an exclusive create. */
function link(draft: string, path: string): boolean {
  try {
    fs.linkSync(draft, path);
    return true;
  } catch (cause) {
    const code = (cause as { code?: string }).code;
    if (code === "EEXIST") return false;
    return createExclusively(path, fs.readFileSync(draft));
  }
}

function createExclusively(path: string, content: Uint8Array): boolean {
  try {
    fs.writeFileSync(path, content, { flag: "wx" });
    return true;
  } catch (cause) {
    if ((cause as { code?: string }).code === "EEXIST") return false;
    throw cause;
  }
}

/** Moves a dead holder's lock away; if another process was faster, gives it its lock back. */
function setAside(path: string, deadHolder: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    fs.renameSync(path, aside);
  } catch {
    return;
  }
  if (read(aside) !== deadHolder) link(aside, path);
  fs.rmSync(aside, { force: true });
}

function read(path: string): string | undefined {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** "pid start": the start time tells a living holder from a later process that was given the same pid. */
function describe(pid: number): string {
  return `${pid} ${startOf(pid) ?? "unknown"}`;
}

function isAlive(holder: string): boolean {
  const [pidText = "", start] = holder.split(" ");
  const pid = Number(pidText);
  // An empty or foreign lock (Kafka leaves an empty one behind) has no holder to ask.
  if (!Number.isInteger(pid) || pid <= 0) return false;
  // This very process holds it twice, unless the text is older than the process.
  if (pid === process.pid) return start === (startOf(pid) ?? "unknown");
  try {
    process.kill(pid, 0);
  } catch (cause) {
    if ((cause as { code?: string }).code === "ESRCH") return false;
  }
  const now = startOf(pid);
  return now === undefined || start === "unknown" || now === start;
}

/** When a process started, in whatever unit the system has; undefined if it does not tell. */
function startOf(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    if (process.platform !== "darwin") return undefined;
  }
  try {
    const text = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" });
    return text.trim().replaceAll(" ", "_");
  } catch {
    return undefined;
  }
}
