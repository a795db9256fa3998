// Runs simulations: `npm run sim -- --seeds 200 --from 1000`, `npm run sim -- --seed 42 --trace`. Ends with a line of
// counts, or with `--json` with what `totals.ts` says; a seed that fails says what it broke and how to see it.

import { parseArgs } from "node:util";
import { newCore } from "./sim-platform.ts";
import { describeFailure, simulate } from "./simulation.ts";
import { noTotals, summaryOf, sumOf, totalsOf } from "./totals.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    minutes: { type: "string", default: "1000000" },
    brokers: { type: "string", default: "3" },
    plot: { type: "string" },
    trace: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    "failures-max": { type: "string", default: "5" },
  },
});

/** A core's memory grows with what dead brokers leave in it. */
const seedsPerCore = 10;
const brokers = Number(values.brokers);
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const totals = await runAll();
console.log(values.json ? JSON.stringify(totals) : summaryOf(totals));
process.exit(totals.failed.length > 0 ? 1 : 0);

async function runAll() {
  const print = values.trace ? (line: string) => console.log(line) : undefined;
  const startedMs = performance.now();
  const endMs = startedMs + Number(values.minutes) * 60_000;
  const failuresMax = Number(values["failures-max"]);
  let core = newCore();
  let found = noTotals;
  for (let seed = first; seed < first + count; seed++) {
    if ((seed - first) % seedsPerCore === 0) core = newCore();
    const outcome = await simulate({ seed, brokers, core, print, plot: values.plot });
    found = sumOf(found, totalsOf(outcome));
    if (values.seed !== undefined) {
      console.log(`seed ${seed}: hash ${outcome.hash}`, outcome.faults.join(", "));
    }
    if (outcome.violations.length > 0) console.log(describeFailure(outcome));
    if (performance.now() >= endMs || found.failed.length >= failuresMax) break;
  }
  const { user, system } = process.cpuUsage();
  const wallS = (performance.now() - startedMs) / 1_000;
  return { ...found, cpuS: (user + system) / 1e6, wallS };
}
