// `npm run proof:storm`: all storms, one after the other, each on a broker of its own. A full storm's figures are
// kept in `../results/storm.json`. Flags: --only classic,static --without kcat --seconds 20 --records 300000
// --seed 7 --pause-ms 2500. Exits with 1 if anything is wrong, with 2 if a client cannot be had.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { projectFolder } from "../../support/project.ts";
import { TestServer } from "../../support/server.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { type FlightsFile, flightsTotal, writeFlights } from "../flights.ts";
import { machine, versions } from "../machine.ts";
import {
  type ClientName,
  type Clients,
  clientNames,
  findClients,
  type VariantName,
  variants,
} from "./clients.ts";
import { brokerFlags, Storm, type StormResult } from "./storm.ts";

const fullSeconds = 120;
const seats = 12;
const partitions = 24;
const sessionMs = 6_000;
const resultsPath = join(projectFolder, "tests/compat/results/storm.json");

const { values } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(variants).join() },
    without: { type: "string", default: "" },
    seconds: { type: "string", default: String(fullSeconds) },
    records: { type: "string", default: String(flightsTotal) },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    "pause-ms": { type: "string", default: "2500" },
  },
});
const names = chosen("--only", values.only, Object.keys(variants) as VariantName[]);
const without = new Set(chosen("--without", values.without, clientNames));
const seconds = Number(values.seconds);
const records = Number(values.records);
const isFull = seconds === fullSeconds && records === flightsTotal && without.size === 0;

const clients = await clientsOrExit();
console.log(`writing ${records} flights`);
const file = await writeFlights(tempFolder("storm-flights"), { count: records, partitions });
let faults = 0;
for (const name of names) {
  const result = await blow(name, file, clients);
  faults += result.groups.reduce((sum, group) => sum + group.faultsTotal, 0);
  console.log(JSON.stringify(result, null, 1));
  if (isFull) keep(name, result);
}
console.log(`${faults} faults`);
process.exit(faults > 0 ? 1 : 0);

/** The words of a flag, which must be among those there are. */
function chosen<Word extends string>(flag: string, text: string, known: readonly Word[]): Word[] {
  const words = text.split(",").filter((word) => word !== "");
  const strange = words.find((word) => !known.some((each) => each === word));
  if (strange !== undefined) {
    console.error(`${flag} ${strange}: there are ${known.join(", ")}.`);
    process.exit(2);
  }
  return known.filter((each) => words.includes(each));
}

async function clientsOrExit(): Promise<Clients> {
  const needed = names.flatMap((name) => variants[name].clients as readonly ClientName[]);
  const wanted = new Set(needed.filter((name) => !without.has(name)));
  const found = await findClients(wanted);
  const missing = [...wanted].filter((name) => found[name] === undefined);
  if (missing.length === 0) return found;
  const flag = `--without ${missing.join()}`;
  console.error(`Cannot find or fetch ${missing.join(" and ")}; go on without by ${flag}.`);
  process.exit(2);
}

async function blow(name: VariantName, flights: FlightsFile, found: Clients): Promise<StormResult> {
  const server = await TestServer.start({ args: brokerFlags({ sessionMs }) });
  const { protocol, isStatic, clients: taking } = variants[name];
  const fronts = taking
    .filter((each) => !without.has(each))
    .map((each) => ({ client: found[each]!, protocol, isStatic }));
  const storm = new Storm({
    ...{ name, bootstrap: server.bootstrap, fronts, seats, partitions, file: flights },
    ...{ durationMs: seconds * 1000, pauseMs: Number(values["pause-ms"]), sessionMs },
    ...{ seed: Number(values.seed), say: (line) => console.log(line) },
  });
  const result = await storm.run();
  await server.stop();
  return result;
}

/** Beside the results of the other storms. */
function keep(name: VariantName, result: StormResult): void {
  const kept: { storms?: Record<string, unknown> } = existsSync(resultsPath)
    ? JSON.parse(readFileSync(resultsPath, "utf8"))
    : {};
  const entry = {
    command: `npm run proof:storm -- --only ${name} --seed ${values.seed} --pause-ms ${values["pause-ms"]}`,
    startedAt: new Date(performance.timeOrigin).toISOString(),
    machine: machine(),
    versions: versions(["kafkajs"]),
    ...result,
  };
  const storms = { ...kept.storms, [name]: entry };
  writeFileSync(resultsPath, `${JSON.stringify({ storms }, null, 2)}\n`);
}
