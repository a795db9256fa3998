// `npm run proof:sim`: 10,000 seeds, a process a core, kept in `results/` as they come: a run that was interrupted goes
// on where it was, if the sources are still the same. Flags: --seeds 10000 --from 1 --brokers 3 --jobs 2. Exits with 1
// if a seed fails.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hashOfSources } from "./sources.ts";
import { noTotals, summaryOf, sumOf, type Totals } from "./totals.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "1" },
    brokers: { type: "string", default: "3" },
    jobs: { type: "string", default: String(availableParallelism()) },
  },
});

interface Stored {
  readonly sources: string;
  readonly from: number;
  /** First seeds of the slices that were run. */
  readonly slices: readonly number[];
  readonly totals: Totals;
}

const seedsPerSlice = 200;
const first = Number(values.from);
const wanted = Number(values.seeds);
const sources = hashOfSources();
const runner = fileURLToPath(new URL("run.ts", import.meta.url));
const resultsFolder = new URL("results/", import.meta.url);
const resultPath = new URL(`${values.brokers}-brokers.json`, resultsFolder);
const children = new Set<ReturnType<typeof spawn>>();
process.once("exit", () => {
  for (const child of children) child.kill();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

let stored = found();
const left = slices().filter((slice) => !stored.slices.includes(slice));
await Promise.all(Array.from({ length: Number(values.jobs) }, work));
console.log(summaryOf(stored.totals));
process.exit(stored.totals.failed.length > 0 ? 1 : 0);

function slices(): number[] {
  const count = Math.ceil(wanted / seedsPerSlice);
  return Array.from({ length: count }, (_, index) => first + index * seedsPerSlice);
}

async function work(): Promise<void> {
  for (let slice = left.shift(); slice !== undefined; slice = left.shift()) {
    const totals = await runSlice(slice, Math.min(seedsPerSlice, first + wanted - slice));
    stored = {
      ...stored,
      slices: [...stored.slices, slice].sort((a, b) => a - b),
      totals: sumOf(stored.totals, totals),
    };
    store();
    console.log(`${stored.totals.seeds} of ${wanted}, ${stored.totals.failed.length} failed`);
  }
}

/** Says what failed, and resolves with what the last line tells. */
function runSlice(from: number, seeds: number): Promise<Totals> {
  const range = ["--from", String(from), "--seeds", String(seeds), "--brokers", values.brokers];
  const all = ["--json", "--failures-max", String(seeds), ...range];
  const child = spawn(process.execPath, ["--import", "tsx", runner, ...all], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.add(child);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject).on("close", () => {
      children.delete(child);
      const lines = text.trimEnd().split("\n");
      const last = lines.pop() ?? "";
      if (lines.length > 0) console.log(lines.join("\n"));
      if (last.startsWith("{")) resolve(JSON.parse(last) as Totals);
      else reject(new Error(`seeds from ${from} on ended with: ${last}`));
    });
  });
}

function found(): Stored {
  const none = { sources, from: first, slices: [], totals: noTotals };
  if (!existsSync(resultPath)) return none;
  const before = JSON.parse(readFileSync(resultPath, "utf8")) as Stored;
  return before.sources === sources && before.from === first ? before : none;
}

function store(): void {
  const [cpu] = cpus();
  const { cpuS, seeds } = stored.totals;
  const result = {
    command: `npm run proof:sim -- ${process.argv.slice(2).join(" ")}`.trim(),
    node: process.version,
    machine: `${cpus().length} × ${cpu?.model ?? "unknown"}`,
    date: new Date().toISOString().slice(0, 10),
    wanted,
    cpuSecondsPerSeed: Number((cpuS / seeds).toFixed(3)),
    ...stored,
  };
  mkdirSync(resultsFolder, { recursive: true });
  writeFileSync(resultPath, `${JSON.stringify(result, null, 2)}\n`);
}
