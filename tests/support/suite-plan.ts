// Which test files there are, which of them share a process, and how long each may take. A process costs
// about 0.3 s on two cores, so quick files share one; what starts servers has a process of its own.

import { readdirSync, readFileSync } from "node:fs";

/** One child process: its files run in order. */
export interface Job {
  readonly files: readonly TestFile[];
}

export interface TestFile {
  readonly path: string;
  readonly limitMs: number;
}

/** Folders and files whose tests are pure and quick. */
const SHARED = [/^tests\/(unit|conformance)\//];
/** Run only by `--slow`, or when a word names the file: they take minutes. */
const SLOW = [/\.slow\.test\.ts$/, /^tests\/bench\//];
/** Needs the machine for itself: timing, or all ports and cores. Run last, one at a time. */
const SERIAL = /\.serial\.test\.ts$/;

const FILES_PER_PROCESS = 12;
const LIMIT_MS = 60_000;
/** A file that needs longer says so in its header: `// Time limit: 150 s`. */
const LIMIT_LINE = /^\/\/ Time limit: (\d+) s\.?$/m;

/** All test files below `folder`, "/"-separated, sorted. */
export function discover(
  folder: string,
  options: { words: readonly string[]; slow: boolean },
): string[] {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => `${entry.parentPath}/${entry.name}`.replaceAll("\\", "/"))
    .sort();
  return all.filter((path) => {
    const isSlow = SLOW.some((pattern) => pattern.test(path));
    if (options.words.length === 0) return !isSlow || options.slow;
    const named = options.words.some((word) => path.includes(word));
    return named && (!isSlow || options.slow || options.words.some((w) => path.endsWith(w)));
  });
}

/** Long files first, so that no lane is left with one at the end; then shared processes; serial ones apart. */
export function plan(paths: readonly string[]): { shared: Job[]; serial: Job[] } {
  const files = paths.map((path) => ({ path, limitMs: limitOf(path) }));
  const serial = files.filter((file) => SERIAL.test(file.path));
  const quick = files.filter((file) => !serial.includes(file) && isShared(file.path));
  const own = files.filter((file) => !serial.includes(file) && !isShared(file.path));
  own.sort((a, b) => b.limitMs - a.limitMs);
  const shared: Job[] = own.map((file) => ({ files: [file] }));
  for (let at = 0; at < quick.length; at += FILES_PER_PROCESS) {
    shared.push({ files: quick.slice(at, at + FILES_PER_PROCESS) });
  }
  return { shared, serial: serial.map((file) => ({ files: [file] })) };
}

function isShared(path: string): boolean {
  return SHARED.some((pattern) => pattern.test(path));
}

function limitOf(path: string): number {
  const seconds = LIMIT_LINE.exec(readFileSync(path, "utf8").slice(0, 1000))?.[1];
  return seconds === undefined ? LIMIT_MS : Number(seconds) * 1000;
}
