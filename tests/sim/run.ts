// Runs simulations: `npm run sim -- --seeds 200 --from 1000`, `npm run sim -- --seed 42 --trace`. Ends with a line of
// counts; a seed that fails says what it broke and how to see it. With `--store` the result is kept in `results/`, and
// a run that was interrupted goes on where it was, if the sources are still the same.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { newCore } from "./sim-platform.ts";
import { describeFailure, type Outcome, simulate } from "./simulation.ts";
import { hashOfSources } from "./sources.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    minutes: { type: "string", default: "1000000" },
    brokers: { type: "string", default: "3" },
    plot: { type: "string" },
    trace: { type: "boolean", default: false },
    store: { type: "boolean", default: false },
    "failures-max": { type: "string", default: "5" },
  },
});

interface Totals {
  seeds: number;
  events: number;
  virtualMs: number;
  sends: number;
  acknowledged: number;
  reads: number;
  cpuS: number;
  wallS: number;
  failed: number[];
  /** How often each happened. */
  faults: Record<string, number>;
}

/** A core's memory grows with what dead brokers leave in it. */
const seedsPerCore = 10;
const seedsPerNote = 50;
const brokers = Number(values.brokers);
const resultsFolder = new URL("results/", import.meta.url);
const resultPath = new URL(`${brokers}-brokers.json`, resultsFolder);
const sources = values.store ? hashOfSources() : "";
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const totals = values.store ? storedTotals() : newTotals();
await runAll();
console.log(summaryOf(totals));
process.exit(totals.failed.length > 0 ? 1 : 0);

async function runAll(): Promise<void> {
  const print = values.trace ? (line: string) => console.log(line) : undefined;
  const endMs = performance.now() + Number(values.minutes) * 60_000;
  let core = newCore();
  const before = { cpuS: totals.cpuS, wallS: totals.wallS };
  const startedMs = performance.now();
  const cpuBefore = process.cpuUsage();
  for (let seed = first + totals.seeds; seed < first + count; seed++) {
    if ((seed - first) % seedsPerCore === 0) core = newCore();
    add(await simulate({ seed, brokers, core, print, plot: values.plot }));
    const { user, system } = process.cpuUsage(cpuBefore);
    totals.cpuS = before.cpuS + (user + system) / 1e6;
    totals.wallS = before.wallS + (performance.now() - startedMs) / 1_000;
    if (values.store && totals.seeds % seedsPerNote === 0) store();
    if (performance.now() >= endMs || totals.failed.length >= failuresMax()) break;
  }
  if (values.store) store();
}

function failuresMax(): number {
  return Number(values["failures-max"]);
}

function add(outcome: Outcome): void {
  totals.seeds++;
  totals.events += outcome.events;
  totals.virtualMs += outcome.virtualMs;
  totals.sends += outcome.sends;
  totals.acknowledged += outcome.acknowledged;
  totals.reads += outcome.reads;
  for (const fault of outcome.faults) totals.faults[fault] = (totals.faults[fault] ?? 0) + 1;
  if (values.seed !== undefined)
    console.log(`seed ${outcome.seed}: hash ${outcome.hash}`, outcome.faults.join(", "));
  if (outcome.violations.length === 0) return;
  totals.failed.push(outcome.seed);
  console.log(describeFailure(outcome));
}

function summaryOf(of: Totals): string {
  const { seeds, failed, events, virtualMs, sends, acknowledged, reads, cpuS, wallS } = of;
  return (
    `${seeds} seeds, ${failed.length} failed${failed.length > 0 ? ` (${failed.join(" ")})` : ""}: ` +
    `${events} events, ${Math.round(virtualMs / 1_000)} s simulated, ${sends} sent, ` +
    `${acknowledged} acknowledged, ${reads} read; ${(cpuS / seeds).toFixed(3)} s CPU a seed, ` +
    `${wallS.toFixed(1)} s in all`
  );
}

function newTotals(): Totals {
  const none = { seeds: 0, events: 0, virtualMs: 0, sends: 0, acknowledged: 0, reads: 0 };
  return { ...none, cpuS: 0, wallS: 0, failed: [], faults: {} };
}

// ---- what the README speaks of ----

/** Of the same sources and the same seeds: as far as they were run. */
function storedTotals(): Totals {
  if (!existsSync(resultPath)) return newTotals();
  const stored = JSON.parse(readFileSync(resultPath, "utf8"));
  const isSame = stored.sources === sources && stored.from === first;
  return isSame ? { ...newTotals(), ...stored.totals } : newTotals();
}

function store(): void {
  const [cpu] = cpus();
  const result = {
    command: `npm run sim -- ${process.argv.slice(2).join(" ")}`,
    node: process.version,
    machine: `${cpus().length} × ${cpu?.model ?? "unknown"}`,
    date: new Date().toISOString().slice(0, 10),
    sources,
    from: first,
    wanted: count,
    cpuSecondsPerSeed: Number((totals.cpuS / totals.seeds).toFixed(3)),
    totals,
  };
  mkdirSync(resultsFolder, { recursive: true });
  writeFileSync(resultPath, `${JSON.stringify(result, null, 2)}\n`);
}
