// `npm run proof:failover`: each measure on a cluster of its own, three brokers with default settings on one machine.
// What was measured is kept in `results/failover.json`. Flags: --only kill,sigstop --times 5 --dry-run. Exits with 1 if
// a target is missed.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { machine, versions } from "../compat/machine.ts";
import { natsServerProgram } from "../support/nats-server.ts";
import { runProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { currentNode } from "../support/runtimes.ts";
import { chosenOf } from "./chosen.ts";
import { type Measure, measures, measureTopic } from "./failover-measures.ts";
import { Fleet, pause } from "./fleet.ts";
import { Probe } from "./probe.ts";
import { loopbackSites, namespaceSites } from "./sites.ts";

export type Figures = Readonly<Record<string, number | boolean | string | readonly number[]>> & {
  readonly isMet: boolean;
};

const resultsPath = join(projectFolder, "tests/chaos/results/failover.json");
const warmUpMs = 3_000;

// Children and namespaces are removed when the process exits, which a signal alone would not make it do.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const { values } = parseArgs({
  options: {
    only: { type: "string", default: measures.map(({ name }) => name).join() },
    times: { type: "string" },
    "dry-run": { type: "boolean", default: false },
  },
});
const sites = namespaceSites() ?? loopbackSites();
const found = await natsServerProgram();
if (found === undefined) process.exit(2);
const natsProgram = found;
const natsServer = (await runProcess([natsProgram, "--version"])).stdout.trim();
let missed = 0;
for (const measure of chosenOf(measures, values.only, sites)) {
  const figures = await attempt(measure);
  console.log(`${measure.name}: ${measure.target}: ${JSON.stringify(figures)}`);
  missed += figures?.isMet ? 0 : 1;
  if (figures !== undefined && !values["dry-run"]) keep(measure, figures);
}
console.log(missed === 0 ? "all targets are met" : `${missed} targets are missed`);
process.exit(missed === 0 ? 0 : 1);

async function attempt(measure: Measure): Promise<Figures | undefined> {
  const node = currentNode();
  const runtimes = [node, node, node];
  const fleet = await Fleet.start({ sites, natsProgram, natsServers: 1, runtimes });
  const topic = measureTopic.name;
  const partitions = measure.partitions ?? measureTopic.partitions;
  try {
    await fleet.settle();
    const configs = { "min.insync.replicas": "2" };
    await fleet.client
      .admin()
      .createTopic({ name: topic, partitions, replicationFactor: 3, configs });
    const probe = new Probe(fleet, topic, partitions, partitions > 100 ? 200 : 10);
    await pause(warmUpMs);
    const times = values.times === undefined ? undefined : Number(values.times);
    const say = (line: string) => console.log(`${measure.name} ${line}`);
    const figures = await measure.run({ fleet, probe, topic, times, say });
    await probe.close();
    return { ...figures, probeErrors: probe.errors.slice(0, 3).join("; ") };
  } catch (error) {
    console.error(error);
    for (const { id, log } of fleet.brokers.values()) console.error(id, log.slice(-2_000));
    return undefined;
  } finally {
    sites.heal();
    await fleet.close();
  }
}

function keep(measure: Measure, figures: Figures): void {
  const before = existsSync(resultsPath) ? JSON.parse(readFileSync(resultsPath, "utf8")) : {};
  const entry = {
    target: measure.target,
    command: `npm run proof:failover -- --only ${measure.name}`,
    at: new Date().toISOString(),
    links: sites.canCut ? "network namespaces" : "loopback",
    machine: machine(),
    versions: { ...versions(["nats"]), natsServer },
    ...figures,
  };
  const kept = { measures: { ...before.measures, [measure.name]: entry } };
  mkdirSync(dirname(resultsPath), { recursive: true });
  writeFileSync(resultsPath, `${JSON.stringify(kept, null, 2)}\n`);
}
