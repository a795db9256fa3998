// `npm run proof:client`: our client beside kafkajs, @platformatic/kafka and, where it is installed, node-rdkafka, on
// the same broker in the same minute. Prints tables of ratios and stores them in `../results/`. See ../README.md.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Platformatic } from "../../compat/platformatic.ts";
import { sayMissing } from "../../support/missing-tool.ts";
import { runProcess } from "../../support/processes.ts";
import { projectFolder } from "../../support/project.ts";
import { currentNode, newestNode, type TestRuntime } from "../../support/runtimes.ts";
import { BrokerProcess, type Side } from "../broker-process.ts";
import { kafka } from "../kafka.ts";
import { chooseCores, pinMyself } from "../process-figures.ts";
import { machine, pinningText } from "../report.ts";
import { timberline } from "../timberline.ts";
import { type Figures, judge, ours, type Rounds, table, type Verdict } from "./contest.ts";

const usage = `npm run proof:client [-- --quick] [--rounds 3] [--seconds 4] [--brokers timberline,kafka]
  [--nodes newest,this] [--sizes 100,1024] [--dist FOLDER] [--no-pin] [--no-store]
NODE_RDKAFKA names the folder of an installed node-rdkafka.`;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string" },
    brokers: { type: "string" },
    nodes: { type: "string" },
    sizes: { type: "string", default: "100,1024" },
    dist: { type: "string", default: join(projectFolder, "dist") },
    "no-pin": { type: "boolean", default: false },
    "no-store": { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

/** One client's turn; a client that takes longer has hung. */
const turnMsMax = 120_000;
/** What is read back, in all: enough that the first answers count little. */
const filledBytes = { full: 1_000_000_000, quick: 400_000_000 };
const recordsMax = { full: 4_000_000, quick: 2_000_000 };
/** @platformatic/kafka needs it. */
const platformaticNodeMin = 22;

interface Client {
  readonly name: string;
  readonly version: string;
  readonly modules: Readonly<Record<string, string>>;
}

interface Result {
  readonly broker: Side;
  readonly brokerVersion: string;
  readonly node: string;
  readonly recordBytes: number;
  readonly verdicts: readonly Verdict[];
  readonly rounds: Readonly<Record<string, readonly Figures[]>>;
}

const cores = values["no-pin"] ? undefined : chooseCores();
const scale = values.quick ? "quick" : "full";
let topics = 0;

if (values.help) console.log(usage);
else await main();

async function main(): Promise<void> {
  if (cores !== undefined) pinMyself(cores);
  const before = loadavg();
  const clients = await findClients();
  const nodes = await findNodes();
  const results: Result[] = [];
  for (const side of (values.brokers ?? (values.quick ? "timberline" : "timberline,kafka")).split(
    ",",
  )) {
    const folder = mkdtempSync(join(tmpdir(), "timberline-clients-"));
    const broker = await startBroker(side, folder);
    try {
      for (const node of nodes) {
        for (const size of values.sizes.split(",")) {
          const contestants = clients.filter((client) => runsOn(client, node));
          results.push(await contest(broker, node, contestants, Number(size)));
        }
      }
    } finally {
      await broker.discard();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }
  if (!values["no-store"]) store(clients, results, before);
}

async function contest(
  broker: BrokerProcess,
  node: TestRuntime,
  clients: readonly Client[],
  size: number,
): Promise<Result> {
  const records = Math.min(Math.ceil(filledBytes[scale] / size), recordsMax[scale]);
  const filled = await newTopic(broker);
  const [own] = clients;
  await turn(node, own!, { bootstrap: broker.bootstrap, topic: filled, size, fill: 1.2 * records });
  const seconds = Number(values.seconds ?? (values.quick ? 2 : 4));
  const rounds: Rounds & Map<string, Figures[]> = new Map();
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const client of round % 2 === 1 ? clients : [...clients].reverse()) {
      const topic = await newTopic(broker);
      const { bootstrap } = broker;
      const job = { bootstrap, topic, filled, size, fill: 0, records, seconds };
      const figures = await turn(node, client, job);
      await broker.deleteTopic(topic);
      rounds.set(client.name, [...(rounds.get(client.name) ?? []), figures]);
      console.error(`${size} B, round ${round}, ${client.name}: ${text(figures)}`);
    }
  }
  await broker.deleteTopic(filled);
  const verdicts = judge(rounds);
  const { side } = broker;
  console.log(`\n${table(`${size} B on ${side}, Node ${node.version}`, verdicts)}\n`);
  const { version: brokerVersion } = broker.launch;
  const found = { verdicts, rounds: Object.fromEntries(rounds) };
  return { broker: side, brokerVersion, node: node.version, recordBytes: size, ...found };
}

/** One process: its figures. */
async function turn(node: TestRuntime, client: Client, job: object): Promise<Figures> {
  const command = node.command(join(projectFolder, "tests/bench/clients/load.mjs"));
  const stdin = JSON.stringify({ client: client.name, modules: client.modules, ...job });
  const end = await runProcess(command, { stdin, limitMs: turnMsMax });
  if (end.code !== 0) throw new Error(`${client.name}: ${end.stdout}${end.stderr}`);
  return end.stdout === "" ? {} : (JSON.parse(end.stdout) as Figures);
}

async function newTopic(broker: BrokerProcess): Promise<string> {
  const name = `clients-${++topics}`;
  await broker.createTopic(name, 1);
  return name;
}

async function startBroker(side: string, folder: string): Promise<BrokerProcess> {
  const launch =
    side === "kafka"
      ? await kafka({ folder, properties: {} })
      : await timberline({ folder, flush: "os", entry: join(values.dist, "runtime/cli/main.js") });
  const broker = new BrokerProcess(launch, cores);
  await broker.start();
  return broker;
}

async function findClients(): Promise<Client[]> {
  const require = createRequire(import.meta.url);
  const versionIn = (folder: string) =>
    (require(join(folder, "package.json")) as { version: string }).version;
  const dist = join(values.dist, "runtime");
  const own = { client: join(dist, "client/mod.js"), platform: join(dist, "platforms/node.js") };
  const clients: Client[] = [
    { name: ours, version: versionIn(projectFolder), modules: own },
    {
      name: "kafkajs",
      version: versionIn(join(projectFolder, "node_modules/kafkajs")),
      modules: { client: "kafkajs" },
    },
  ];
  const platformatic = await Platformatic.find();
  if (platformatic === undefined) sayMissing("@platformatic/kafka");
  else {
    const { version, module: client } = platformatic;
    clients.push({ name: "platformatic", version, modules: { client } });
  }
  const folder = process.env.NODE_RDKAFKA;
  if (folder !== undefined) {
    const version = versionIn(folder);
    clients.push({ name: "node-rdkafka", version, modules: { client: folder } });
  }
  return clients;
}

async function findNodes(): Promise<TestRuntime[]> {
  const wanted = (values.nodes ?? (values.quick ? "newest" : "newest,this")).split(",");
  const newest = wanted.includes("newest") ? await newestNode() : undefined;
  const nodes = [newest, wanted.includes("this") ? currentNode() : undefined];
  const found = nodes.filter((node) => node !== undefined);
  return found.length === 0 ? [currentNode()] : found;
}

/** node-rdkafka is compiled for the Node that installed it. */
function runsOn({ name }: Client, { version }: TestRuntime): boolean {
  if (name === "platformatic") return Number.parseInt(version, 10) >= platformaticNodeMin;
  return name !== "node-rdkafka" || version === process.versions.node;
}

function store(
  clients: readonly Client[],
  results: readonly Result[],
  before: readonly number[],
): void {
  const date = new Date().toISOString();
  const report = {
    date,
    command: ["npm run proof:client", ...process.argv.slice(2)].join(" "),
    machine: machine(),
    pinning: pinningText(cores),
    loadAverage: { before, after: loadavg() },
    versions: Object.fromEntries(clients.map(({ name, version }) => [name, version])),
    results,
  };
  const folder = join(projectFolder, "tests/bench/results");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${date.slice(0, 10)}-clients${values.quick ? "-quick" : ""}.json`);
  const rounded = (_key: string, value: unknown) =>
    typeof value === "number" ? Number(value.toPrecision(5)) : value;
  writeFileSync(path, `${JSON.stringify(report, rounded, 2)}\n`);
  console.log(`stored: ${path}`);
}

function text(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`)
    .join(", ");
}
