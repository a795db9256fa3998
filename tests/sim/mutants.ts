// Rules of replication broken on purpose, one at a time, in a copy of the sources: the simulator must find each within
// a bounded number of seeds. `npm run sim:mutants` writes the README's table and `results/mutants.json`; it goes on
// where it was interrupted, and does no more than a few rules at a time with `--rules 3`. `npm run sim:mutants -- words`
// only prints the rows of some rules.

import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Edit, type Mutant, mutants } from "./mutant-list.ts";
import { hashOfSources, project, simulated } from "./sources.ts";

const secondsMax = 1_200;
const resultsPath = join(project, "tests/sim/results/mutants.json");
const readmePath = join(project, "tests/sim/README.md");

interface Found {
  /** Undefined: not found. */
  readonly seeds?: number;
  readonly finding: string;
}

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "200" },
    rules: { type: "string", default: "1000" },
  },
});
const seedsMax = Number(values.seeds);
const chosen = mutants.filter(
  ({ rule }) => words.length === 0 || words.some((w) => rule.includes(w)),
);
const sources = hashOfSources();
const results = words.length === 0 ? knownResults() : {};
let survivors = 0;
let hunts = 0;
for (const mutant of chosen) {
  if (results[mutant.rule] === undefined && ++hunts > Number(values.rules)) break;
  results[mutant.rule] ??= hunt(mutant);
  const found = results[mutant.rule]!;
  if (found.seeds === undefined) survivors++;
  console.log(rowOf(mutant, found));
  if (words.length === 0) store();
}
if (mutants.every(({ rule }) => results[rule] !== undefined)) writeTable();
console.log(`${chosen.length} mutants, ${survivors} survived`);
process.exit(survivors > 0 ? 1 : 0);

function hunt(mutant: Mutant): Found {
  const folder = mkdtempSync(join(tmpdir(), "timberline-mutant-"));
  try {
    for (const path of simulated)
      cpSync(join(project, path), join(folder, path), { recursive: true });
    symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
    breakRule(folder, mutant.rule, mutant);
    if (mutant.also) breakRule(folder, mutant.rule, mutant.also);
    if (mutant.behind) breakRule(folder, mutant.rule, mutant.behind);
    const counts = ["--seeds", String(seedsMax), "--failures-max", "1"];
    const plot = mutant.plot === undefined ? [] : ["--plot", mutant.plot];
    const args = ["tests/sim/run.ts", ...counts, "--brokers", String(mutant.brokers ?? 3), ...plot];
    const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", ...args], {
      cwd: folder,
      encoding: "utf8",
      timeout: secondsMax * 1_000,
    });
    const told = /^(\d+) seeds, (\d+) failed/m.exec(stdout);
    if (told === null) return { finding: stderr.trim().slice(0, 200) || "no end" };
    if (told[2] === "0") return { finding: "" };
    const rules = [...stdout.matchAll(/^ {2}([a-z-]+): (Error: not in)?/gm)].map(
      ([, rule, late]) => (late ? "not in sync again" : rule!),
    );
    return { seeds: Number(told[1]), finding: [...new Set(rules)].join(", ") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Exactly one place must be as the list says: whoever changes the rule changes the list. */
function breakRule(folder: string, rule: string, { file, find, replace }: Edit): void {
  const path = join(folder, file);
  const text = readFileSync(path, "utf8");
  const places = text.split(find).length - 1;
  if (places !== 1) throw new Error(`"${rule}": ${file} has ${places} places like ${find}`);
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
}

// ---- what is written down ----

function rowOf({ rule, plot, behind }: Mutant, { seeds, finding }: Found): string {
  const name = behind === undefined ? rule : `${rule}; and ${behind.rule}`;
  return `| ${name} | ${plot ?? ""} | ${seeds ?? `not in ${seedsMax}`} | ${finding} |`;
}

/** Of these very sources: otherwise they say nothing. */
function knownResults(): Record<string, Found> {
  if (!existsSync(resultsPath)) return {};
  const known = JSON.parse(readFileSync(resultsPath, "utf8"));
  return known.sources === sources ? known.found : {};
}

function store(): void {
  const known = { command: "npm run sim:mutants", node: process.version, sources, found: results };
  mkdirSync(join(project, "tests/sim/results"), { recursive: true });
  writeFileSync(resultsPath, `${JSON.stringify(known, null, 2)}\n`);
}

function writeTable(): void {
  const rows = mutants.map((mutant) => rowOf(mutant, results[mutant.rule]!));
  const head = ["| rule | plot | seeds | what broke |", "|---|---|---|---|"];
  const table = [...head, ...rows].join("\n");
  const readme = readFileSync(readmePath, "utf8");
  const next = readme.replace(/\| rule \|.* what broke \|\n(\|.*\n)+/, () => `${table}\n`);
  writeFileSync(readmePath, next);
}
