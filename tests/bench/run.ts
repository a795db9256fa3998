// `npm run bench [-- CASE …]`: Timberline from `dist` and Apache Kafka, side by side on this machine. Prints a table
// and stores it in `results/`. See README.md in this folder.

import { mkdtempSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { projectFolder } from "../support/project.ts";
import { Bench } from "./bench.ts";
import type { Side } from "./broker-process.ts";
import { brokersCases } from "./cases/brokers.ts";
import type { BenchCase } from "./cases/case.ts";
import { clusterCases } from "./cases/cluster.ts";
import { failoverCases } from "./cases/failover.ts";
import { latencyCases } from "./cases/latency.ts";
import { lifeCases } from "./cases/life.ts";
import { partitionCases } from "./cases/partitions.ts";
import { throughputCases } from "./cases/throughput.ts";
import { transactionCases } from "./cases/transactions.ts";
import type { Measure } from "./measure.ts";
import { type Cores, chooseCores, pinMyself } from "./process-figures.ts";
import { machine, pinningText, storeReport, tableOf, versionsText } from "./report.ts";
import { builtEntry } from "./timberline.ts";

const cases: readonly BenchCase[] = [
  ...throughputCases,
  ...partitionCases,
  ...latencyCases,
  ...transactionCases,
  ...clusterCases,
  ...brokersCases,
  ...failoverCases,
  ...lifeCases,
];
const sides: readonly Side[] = ["timberline", "kafka"];
const quickScale = 0.3;
const defaultResults = join(projectFolder, "tests/bench/results");

const usage = `npm run bench [-- CASE …] [--rounds 3] [--quick] [--side timberline|kafka] [--no-pin]
  [--entry dist/runtime/cli/main.js] [--folder DATA] [--results FOLDER] [--no-store]
cases:
${cases.map(({ name, what }) => `  ${name.padEnd(16)} ${what}`).join("\n")}`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    side: { type: "string" },
    "no-pin": { type: "boolean", default: false },
    entry: { type: "string", default: builtEntry },
    folder: { type: "string", default: tmpdir() },
    results: { type: "string", default: defaultResults },
    "no-store": { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

if (values.help) console.log(usage);
else await main(chosenCases());

function chosenCases(): readonly BenchCase[] {
  const unknown = positionals.find((name) => !cases.some((one) => one.name === name));
  if (unknown !== undefined) throw new Error(`there is no case ${unknown}\n${usage}`);
  return positionals.length === 0 ? cases : cases.filter(({ name }) => positionals.includes(name));
}

async function main(chosen: readonly BenchCase[]): Promise<void> {
  const cores = values["no-pin"] ? undefined : chooseCores();
  if (cores !== undefined) pinMyself(cores);
  const before = loadavg();
  const bench = makeBench(cores);
  process.once("exit", () => bench.removeData());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  const measures: Measure[] = [];
  const failed: string[] = [];
  try {
    for (const one of chosen) {
      try {
        measures.push(...(await one.run(bench)));
      } catch (error) {
        failed.push(one.name);
        console.error(`${one.name} failed:`, error);
      }
    }
  } finally {
    await bench.end();
  }
  console.log(`\n${tableOf(measures)}\n`);
  if (!values["no-store"]) store(bench, cores, { measures, before });
  if (failed.length > 0) throw new Error(`no result of: ${failed.join(", ")}`);
}

function makeBench(cores: Cores | undefined): Bench {
  const startedMs = performance.now();
  return new Bench({
    rounds: Number(values.rounds),
    sides: sides.filter((side) => values.side === undefined || values.side === side),
    scale: values.quick ? quickScale : 1,
    folder: mkdtempSync(join(values.folder, "timberline-bench-")),
    entry: values.entry,
    cores,
    progress(line) {
      const seconds = Math.round((performance.now() - startedMs) / 1000);
      console.error(`${String(seconds).padStart(4)} s  ${line}`);
    },
  });
}

function store(
  bench: Bench,
  cores: Cores | undefined,
  found: { measures: readonly Measure[]; before: readonly number[] },
): void {
  const { rounds, scale } = bench.options;
  const generator = bench.rdkafka === undefined ? "own" : "rdkafka_performance and own";
  const report = {
    date: new Date().toISOString(),
    command: ["npm run bench", "--", ...process.argv.slice(2)].join(" ").replace(/ --$/, ""),
    cases: positionals,
    machine: machine(),
    pinning: pinningText(cores),
    loadAverage: { before: found.before, after: loadavg() },
    versions: versionsText(bench.versions),
    settings: { rounds, scale, generator, flush: "os, or group against Kafka's fsync" },
    measures: found.measures,
  };
  console.log(`stored: ${storeReport(report, values.results)}.{json,md}`);
}
