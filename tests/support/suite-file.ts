// The child half of the test runner: imports test files one after the other in one process, runs what they
// queued with uvu, and reports each file to `tests/run.ts` through lines on stdout that start with `mark`.
// Called as `tsx tests/support/suite-file.ts FILE...`.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { mark, type Report } from "./suite-report.ts";

/** What uvu queues for one `test.run()`: resolves to [errors or true, passed, skipped, total]. */
type QueuedRun = () => Promise<[string | true, number, number, number]>;
type UvuQueue = [string, ...QueuedRun[]][];

declare global {
  var UVU_DEFER: number | undefined;
  var UVU_INDEX: number | undefined;
  var UVU_QUEUE: UvuQueue | undefined;
}

await runFiles(process.argv.slice(2));

async function runFiles(names: readonly string[]): Promise<void> {
  globalThis.UVU_DEFER = 1;
  const queue: UvuQueue = [];
  globalThis.UVU_QUEUE = queue;
  // One stream keeps what a test prints in order, and between the marks of its file.
  process.stderr.write = process.stdout.write.bind(process.stdout);
  // Timers of the platform do not keep a process alive; a test that waits for one must see it fire.
  setInterval(() => {}, 60_000);
  for (const [index, file] of names.entries()) {
    report({ event: "start", file });
    globalThis.UVU_INDEX = index;
    queue[index] = [file];
    report({ event: "done", file, ...(await runFile(file, queue[index])) });
  }
  // What was printed is on its way in a pipe: an exit would lose the rest of a long output, and the last report.
  await new Promise<void>((resolve) => process.stdout.write("", () => resolve()));
  // A test that leaves a handle open must not keep the suite waiting for its time limit.
  process.exit(0);
}

async function runFile(file: string, queued: UvuQueue[number]) {
  let passed = 0;
  let failed = 0;
  try {
    await import(pathToFileURL(resolve(file)).href);
    const [, ...runs] = queued;
    await demandNothingLeft(queued);
    for (const run of runs) {
      const [errors, good, skipped, total] = await run();
      passed += good;
      failed += total - good;
      if (skipped > 0) throw new Error(`${skipped} tests are switched off by skip() or only()`);
      if (errors !== true) process.stdout.write(`\n${errors}`);
    }
  } catch (error) {
    failed += 1;
    process.stdout.write(`\n${error instanceof Error ? error.stack : String(error)}\n`);
  }
  return { passed, failed };
}

/** uvu's `test` is one list for all files: what a file did not run would run as a test of the next. */
async function demandNothingLeft(queued: UvuQueue[number]): Promise<void> {
  const { test } = await import("uvu");
  test.run();
  const { write } = process.stdout;
  process.stdout.write = () => true;
  const [, , , total] = await (queued.pop() as QueuedRun)();
  process.stdout.write = write;
  if (total > 0) throw new Error(`${total} tests stand after test.run(), or it is not called`);
}

function report(line: Report): void {
  process.stdout.write(`\n${mark}${JSON.stringify(line)}\n`);
}
