// Runs simulations: `npm run sim -- --seeds 200 --from 1000`, `npm run sim -- --seed 42 --trace`. Ends with a line of
// counts; a seed that fails says what it broke and how to see it.

import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { newCore } from "./sim-platform.ts";
import { describeFailure, simulate } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    minutes: { type: "string", default: "1000000" },
    brokers: { type: "string", default: "3" },
    trace: { type: "boolean", default: false },
    store: { type: "boolean", default: false },
    "failures-max": { type: "string", default: "5" },
  },
});

/** A core's memory grows with what dead brokers leave in it. */
const seedsPerCore = 10;
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const brokers = Number(values.brokers);
const print = values.trace ? (line: string) => console.log(line) : undefined;
const totals = { seeds: 0, events: 0, virtualMs: 0, sends: 0, acknowledged: 0, reads: 0 };
const failed: number[] = [];
/** How often each happened. */
const faults = new Map<string, number>();
const startedMs = performance.now();
const cpuBefore = process.cpuUsage();
let core = newCore();
const endMs = startedMs + Number(values.minutes) * 60_000;
for (let seed = first; seed < first + count && performance.now() < endMs; seed++) {
  if ((seed - first) % seedsPerCore === 0) core = newCore();
  const outcome = await simulate({ seed, brokers, core, print });
  totals.seeds++;
  totals.events += outcome.events;
  totals.virtualMs += outcome.virtualMs;
  totals.sends += outcome.sends;
  totals.acknowledged += outcome.acknowledged;
  totals.reads += outcome.reads;
  for (const fault of outcome.faults) faults.set(fault, (faults.get(fault) ?? 0) + 1);
  if (values.seed !== undefined)
    console.log(`seed ${seed}: hash ${outcome.hash}`, outcome.faults.join(", "));
  if (outcome.violations.length === 0) continue;
  failed.push(seed);
  console.log(describeFailure(outcome));
  if (failed.length >= Number(values["failures-max"])) break;
}
const { user, system } = process.cpuUsage(cpuBefore);
const cpuS = (user + system) / 1e6;
const { seeds, events, virtualMs, sends, acknowledged, reads } = totals;
console.log(
  `${seeds} seeds, ${failed.length} failed${failed.length > 0 ? ` (${failed.join(" ")})` : ""}: ` +
    `${events} events, ${Math.round(virtualMs / 1_000)} s simulated, ${sends} sent, ${acknowledged} acknowledged, ` +
    `${reads} read; ${(cpuS / seeds).toFixed(3)} s CPU a seed, ` +
    `${((performance.now() - startedMs) / 1_000).toFixed(1)} s in all`,
);
if (values.store) store();
process.exit(failed.length > 0 ? 1 : 0);

/** What the README speaks of. */
function store(): void {
  const result = {
    command: `npm run sim -- ${process.argv.slice(2).join(" ")}`,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
    ...totals,
    failed,
    cpuSecondsPerSeed: Number((cpuS / totals.seeds).toFixed(3)),
    faults: Object.fromEntries([...faults].sort()),
  };
  const path = new URL(`results/${brokers}-brokers.json`, import.meta.url);
  mkdirSync(new URL("results/", import.meta.url), { recursive: true });
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
}
