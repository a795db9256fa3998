// Rules of replication broken on purpose, one at a time, in a copy of the sources: the simulator must find each within
// a bounded number of seeds. `npm run sim:mutants [-- words]` prints a row per rule for the README's table.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Mutant, mutants } from "./mutant-list.ts";

const seedsMax = 200;
const secondsMax = 300;
const project = fileURLToPath(new URL("../..", import.meta.url));
const copied = ["cluster", "runtime", "storage-wasm", "tests/sim", "package.json", "tsconfig.json"];

const words = process.argv.slice(2);
const chosen = mutants.filter(
  ({ rule }) => words.length === 0 || words.some((w) => rule.includes(w)),
);
let survivors = 0;
for (const mutant of chosen) {
  const { seeds, finding } = hunt(mutant);
  if (seeds === undefined && mutant.behind === undefined) survivors++;
  const why = mutant.behind === undefined ? finding : `held by: ${mutant.behind}`;
  console.log(`| ${mutant.rule} | ${seeds ?? `not in ${seedsMax}`} | ${seeds ? finding : why} |`);
}
console.log(`${chosen.length} mutants, ${survivors} survived`);
process.exit(survivors > 0 ? 1 : 0);

function hunt(mutant: Mutant): { seeds: number | undefined; finding: string } {
  const folder = mkdtempSync(join(tmpdir(), "timberline-mutant-"));
  try {
    for (const path of copied) cpSync(join(project, path), join(folder, path), { recursive: true });
    symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
    breakRule(folder, mutant);
    const args = ["tests/sim/run.ts", "--seeds", String(seedsMax), "--failures-max", "1"];
    const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", ...args], {
      cwd: folder,
      encoding: "utf8",
      timeout: secondsMax * 1_000,
    });
    const counts = /^(\d+) seeds, (\d+) failed/m.exec(stdout);
    if (counts === null)
      return { seeds: undefined, finding: stderr.trim().slice(0, 200) || "no end" };
    if (counts[2] === "0") return { seeds: undefined, finding: "" };
    const rules = [...stdout.matchAll(/^ {2}([a-z-]+): /gm)].map(([, rule]) => rule!);
    return { seeds: Number(counts[1]), finding: [...new Set(rules)].join(", ") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Exactly one place must be as the list says: whoever changes the rule changes the list. */
function breakRule(folder: string, { rule, file, find, replace }: Mutant): void {
  const path = join(folder, file);
  const text = readFileSync(path, "utf8");
  const places = text.split(find).length - 1;
  if (places !== 1) throw new Error(`"${rule}": ${file} has ${places} places like ${find}`);
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
}
