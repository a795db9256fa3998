// `npm run proof:chaos`: every fault in a segment of its own, half an hour in all. What was measured is kept in
// `results/chaos.json`, by fault, so that a run can be taken up again. Flags: --minutes 30 --only kill,nats --seed 7
// --again (also those that are kept already). Exits with 1 if anything is wrong.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { findConfluent } from "../compat/confluent.ts";
import { machine, versions } from "../compat/machine.ts";
import { findTool } from "../support/missing-tool.ts";
import { natsServerProgram } from "../support/nats-server.ts";
import { runProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { chosenOf } from "./chosen.ts";
import { type Fault, faults } from "./faults.ts";
import { runSegment, type SegmentResult } from "./segment.ts";
import { loopbackSites, namespaceSites } from "./sites.ts";

const resultsPath = join(projectFolder, "tests/chaos/results/chaos.json");

// Children and namespaces are removed when the process exits, which a signal alone would not make it do.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
// kafkajs goes on with what it retries after its disconnect(), and nobody is there any more to catch it.
process.on("unhandledRejection", (error) => {
  if (!(error instanceof Error && error.name.startsWith("KafkaJS"))) throw error;
});
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    only: { type: "string", default: faults.map(({ name }) => name).join() },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    again: { type: "boolean", default: false },
    "dry-run": { type: "boolean", default: false },
  },
});
const seed = Number(values.seed);
const namespaces = namespaceSites();
const sites = namespaces ?? loopbackSites();
const natsProgram = await natsServerProgram();
const confluent = await findConfluent();
const kcat = findTool("kcat");
if (natsProgram === undefined) process.exit(2);
const natsVersion = (await runProcess([natsProgram, "--version"])).stdout.trim();
const chosen = chosenFaults();
const durationMs = (Number(values.minutes) * 60_000) / faults.length;
let wrong = 0;
for (const [index, fault] of chosen.entries()) {
  const result = await attempt(fault, index);
  wrong += result === undefined || result.violations.length > 0 ? 1 : 0;
  if (result !== undefined) keep(result);
}
console.log(wrong === 0 ? "all is well" : `${wrong} of ${chosen.length} segments went wrong`);
process.exit(wrong === 0 ? 0 : 1);

function chosenFaults(): Fault[] {
  const done = values.again ? {} : kept();
  const isDone = ({ name }: Fault) => done[name]?.violations.length === 0;
  return chosenOf(faults, values.only, sites).filter((fault) => !isDone(fault));
}

async function attempt(fault: Fault, index: number): Promise<SegmentResult | undefined> {
  const startMs = performance.now();
  const say = (line: string) => {
    const second = Math.round((performance.now() - startMs) / 1000);
    console.log(`${index + 1}/${chosen.length} ${fault.name} ${second} s: ${line}`);
  };
  try {
    const result = await runSegment({
      ...{ fault, sites, natsProgram: natsProgram!, kcat, durationMs, seed: seed + index, say },
      python: confluent?.python,
    });
    console.log(JSON.stringify(result, null, 1));
    return result;
  } catch (error) {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return undefined;
  }
}

function kept(): Record<string, SegmentResult> {
  if (!existsSync(resultsPath)) return {};
  return (
    JSON.parse(readFileSync(resultsPath, "utf8")) as { segments: Record<string, SegmentResult> }
  ).segments;
}

function keep(result: SegmentResult): void {
  if (values["dry-run"]) return;
  const entry = {
    command: `npm run proof:chaos -- --minutes ${values.minutes} --only ${result.fault} --seed ${result.seed} --again`,
    at: new Date().toISOString(),
    links: sites.canCut ? "network namespaces" : "loopback",
    machine: machine(),
    versions: {
      ...versions(["kafkajs", "nats"]),
      natsServer: natsVersion,
      confluentKafka: confluent?.version ?? "absent",
    },
    ...result,
  };
  const segments = { ...kept(), [result.fault]: entry };
  mkdirSync(dirname(resultsPath), { recursive: true });
  writeFileSync(resultsPath, `${JSON.stringify({ segments }, null, 2)}\n`);
}
