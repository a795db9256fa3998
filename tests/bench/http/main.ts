// `npm run proof:http`: the HTTP door beside the reference server of the Durable Streams protocol, both pinned to the same
// cores, in turn. What was measured is kept in `tests/bench/results/http.json`. Flags: --only appends-fsync,tails
// --rounds 3 --seconds 4 --scale 1 --no-reference --dry-run. Exits with 1 if a target is missed.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { machine } from "../../compat/machine.ts";
import { projectFolder } from "../../support/project.ts";
import { median } from "../measure.ts";
import { chooseCores, pinMyself } from "../process-figures.ts";
import {
  type Figures,
  jsonCatchUp,
  type Load,
  largeCatchUp,
  rawBatches,
  sequentialAppends,
  smallAppends,
  tailReaders,
} from "./cases.ts";
import {
  type Durability,
  fetchReference,
  HttpServer,
  referenceVersion,
  type Side,
} from "./servers.ts";

interface Target {
  readonly figure: string;
  /** Of Timberline's figure divided by the reference's, or of Timberline's alone. */
  readonly of: "ratio" | "value";
  readonly atLeast?: number;
  readonly atMost?: number;
}

interface Case {
  readonly name: string;
  readonly durability: Durability;
  readonly targets: readonly Target[];
  /** Only Timberline. */
  readonly isAlone?: boolean;
  run(server: HttpServer, load: Load): Promise<Figures>;
}

const manyTails = 10_000;
/** Sockets beside the tails, and what a runtime holds open. */
const spareFiles = 500;

const cases: readonly Case[] = [
  {
    name: "appends-fsync",
    durability: "fsync",
    targets: [{ figure: "perSecond", of: "ratio", atLeast: 25 }],
    run: smallAppends,
  },
  {
    name: "sequential-fsync",
    durability: "fsync",
    targets: [{ figure: "p50Ms", of: "ratio", atMost: 0.4 }],
    run: sequentialAppends,
  },
  {
    name: "readers-fsync",
    durability: "fsync",
    targets: [{ figure: "p50Ms", of: "ratio", atMost: 0.1 }],
    run: (server, { seconds }) => tailReaders(server, { readers: 200, perSecond: 20, seconds }),
  },
  {
    name: "appends-memory",
    durability: "memory",
    targets: [{ figure: "perSecond", of: "ratio", atLeast: 1.2 }],
    run: smallAppends,
  },
  { name: "sequential-memory", durability: "memory", targets: [], run: sequentialAppends },
  {
    name: "catch-up-json",
    durability: "memory",
    targets: [{ figure: "mbPerSecond", of: "ratio", atLeast: 5 }],
    run: jsonCatchUp,
  },
  { name: "catch-up-large", durability: "memory", targets: [], run: largeCatchUp },
  {
    name: "raw-batches",
    durability: "memory",
    isAlone: true,
    targets: [{ figure: "mbPerCpuSecond", of: "value", atLeast: 1000 }],
    run: rawBatches,
  },
  {
    name: "tails",
    durability: "memory",
    isAlone: true,
    targets: [
      { figure: "p99Ms", of: "value", atMost: 250 },
      { figure: "kbPerTail", of: "value", atMost: 25 },
    ],
    run: (server, { seconds }) =>
      tailReaders(server, { readers: manyTails, perSecond: 10, seconds: 2 * seconds }),
  },
];

const { values } = parseArgs({
  options: {
    only: { type: "string", default: cases.map(({ name }) => name).join() },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    scale: { type: "string", default: "1" },
    "no-reference": { type: "boolean", default: false },
    "dry-run": { type: "boolean", default: false },
  },
});
const resultsPath = join(projectFolder, "tests/bench/results/http.json");
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const cores = chooseCores();
if (cores !== undefined) pinMyself(cores);
checkFiles();
const hasReference = !values["no-reference"] && (await fetchReference());
const load = { seconds: Number(values.seconds), scale: Number(values.scale) };
const found: Record<string, unknown> = {};
let missed = 0;
for (const one of cases.filter(({ name }) => values.only.split(",").includes(name))) {
  const sides: Side[] = hasReference && !one.isAlone ? ["timberline", "reference"] : ["timberline"];
  const rounds = new Map<Side, Figures[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    // Who comes first changes: what the machine does meanwhile hits both.
    for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
      rounds.get(side)!.push(await measured(one, side));
    }
  }
  const timberline = mediansOf(rounds.get("timberline")!);
  const reference = rounds.has("reference") ? mediansOf(rounds.get("reference")!) : null;
  const targets = one.targets.map((target) => judged(target, timberline, reference));
  missed += targets.filter(({ isMet }) => isMet === false).length;
  found[one.name] = { timberline, reference, targets, rounds: Object.fromEntries(rounds) };
  console.log(one.name, JSON.stringify({ timberline, reference, targets }));
}
if (!values["dry-run"]) store();
if (missed > 0) {
  console.error(`${missed} targets missed`);
  process.exitCode = 1;
}

/** Both ends of each tail are a file to their process. */
function checkFiles(): void {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  if (Number(limit) >= manyTails + spareFiles || !values.only.split(",").includes("tails")) return;
  throw new Error(`${manyTails} tails need more open files than ${limit}: ulimit -n 20000`);
}

async function measured(one: Case, side: Side): Promise<Figures> {
  const server = await HttpServer.start(side, one.durability, cores);
  try {
    const figures = await one.run(server, load);
    console.error(`  ${one.name} ${side} ${JSON.stringify(figures)}`);
    return figures;
  } finally {
    await server.stop();
  }
}

function mediansOf(rounds: readonly Figures[]): Figures {
  const names = Object.keys(rounds[0] ?? {});
  const medians = names.map((name) => [name, median(rounds.map((each) => each[name] ?? 0)) ?? 0]);
  return Object.fromEntries(medians.map(([name, value]) => [name, rounded(Number(value))]));
}

function judged(target: Target, timberline: Figures, reference: Figures | null) {
  const { figure, of, atLeast = 0, atMost = Number.POSITIVE_INFINITY } = target;
  const own = timberline[figure] ?? Number.NaN;
  const other = reference?.[figure];
  const value = of === "value" ? own : other === undefined ? null : rounded(own / other);
  return { ...target, value, isMet: value === null ? null : value >= atLeast && value <= atMost };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** Cases that were not run keep what was found before. */
function store(): void {
  const before = (() => {
    try {
      return (JSON.parse(readFileSync(resultsPath, "utf8")) as { cases: object }).cases;
    } catch {
      return {};
    }
  })();
  const { version } = JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8"));
  const report = {
    date: new Date().toISOString(),
    command: ["npm run proof:http --", ...process.argv.slice(2)].join(" ").replace(/ --$/, ""),
    machine: machine(),
    pinning: cores ?? "none",
    versions: { timberline: version, node: process.versions.node, reference: referenceVersion },
    cases: { ...before, ...found },
  };
  mkdirSync(dirname(resultsPath), { recursive: true });
  writeFileSync(resultsPath, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`stored: ${resultsPath}`);
}
