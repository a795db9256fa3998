// The test suite: `npm test` runs every `*.test.ts` below tests/, two processes at a time, and ends with
// `N passed, N failed`. `npm test -- kafka log` runs the files whose path contains one of the words.
// Which files share a process, and how long each may take, is decided in `support/suite-plan.ts`.

import { endAll, SuiteLane } from "./support/suite-lane.ts";
import { discover, type Job, plan } from "./support/suite-plan.ts";
import type { FileResult } from "./support/suite-report.ts";
import { lastLines, progressLine } from "./support/suite-report.ts";

/** The machine the suite is made for has two cores, and a server under test needs one of its own. */
const LANES = 2;

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    endAll();
    process.exit(130);
  });
}

const words = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const slow = process.argv.includes("--slow");

const files = discover("tests", { words, slow });
const { shared, serial } = plan(files);
const results: FileResult[] = [];
const lane = new SuiteLane((result) => {
  results.push(result);
  process.stdout.write(progressLine(result, `${results.length}/${files.length}`));
});

await runAll(shared, LANES);
await runAll(serial, 1);
for (const line of lastLines(results)) console.log(line);
process.exit(results.some((result) => result.failed > 0) || results.length === 0 ? 1 : 0);

async function runAll(jobs: readonly Job[], lanes: number): Promise<void> {
  const waiting = [...jobs];
  const drain = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await lane.run(job);
  };
  await Promise.all(Array.from({ length: lanes }, drain));
}
