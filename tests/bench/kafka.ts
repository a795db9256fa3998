// Apache Kafka as a broker under test: nodes that are broker and controller in one process, from its jars, with the
// memory and collector settings that its own start script uses.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { fileDeleteDelayMs, freePort, type Launch } from "./broker-process.ts";

const formatMsMax = 60_000;
/** bin/kafka-server-start.sh and kafka-run-class.sh. */
const jvmFlags = [
  "-Xmx1g",
  "-Xms1g",
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=20",
  "-XX:InitiatingHeapOccupancyPercent=35",
  "-XX:+ExplicitGCInvokesConcurrent",
  "-Djava.awt.headless=true",
  "-server",
];
const logSettings = `rootLogger.level=ERROR
rootLogger.appenderRef.stdout.ref=STDOUT
appender.stdout.type=Console
appender.stdout.name=STDOUT
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=%p %c %m%n
`;

/** What one node has of its own. */
interface Node {
  readonly id: number;
  readonly folder: string;
  readonly port: number;
  readonly controllerPort: number;
}

/** Formats `folder` and says how to start a node on it; `properties` are added to its configuration. */
export async function kafka(options: {
  folder: string;
  properties: Readonly<Record<string, string>>;
}): Promise<Launch> {
  const { folder, properties } = options;
  const node = { id: 1, folder, port: await freePort(), controllerPort: await freePort() };
  return launchOf(node, votersOf([node]), {
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    ...properties,
  });
}

/** Nodes of one cluster, each formatted in a folder of its own. */
export async function kafkaNodes(options: { folder: string; count: number }): Promise<Launch[]> {
  const nodes: Node[] = [];
  for (let id = 1; id <= options.count; id++) {
    const folder = join(options.folder, String(id));
    nodes.push({ id, folder, port: await freePort(), controllerPort: await freePort() });
  }
  return Promise.all(nodes.map((node) => launchOf(node, votersOf(nodes), {})));
}

async function launchOf(
  node: Node,
  voters: string,
  more: Readonly<Record<string, string>>,
): Promise<Launch> {
  const lib = kafkaLib();
  const { folder, port } = node;
  mkdirSync(folder, { recursive: true });
  const settings = join(folder, "server.properties");
  writeFileSync(settings, configuration(node, voters, more));
  writeFileSync(join(folder, "log4j2.properties"), logSettings);
  const java = ["java", `-Dlog4j2.configurationFile=${join(folder, "log4j2.properties")}`];
  const classes = ["-cp", join(lib, "*")];
  const id = "dGltYmVybGluZS1iZW5jaA";
  const format = ["kafka.tools.StorageTool", "format", "-t", id, "-c", settings];
  const formatted = await runProcess([...java, ...classes, ...format], { limitMs: formatMsMax });
  if (formatted.code !== 0) throw new Error(`${formatted.stdout}${formatted.stderr}`);
  return {
    side: "kafka",
    version: versionOf(lib),
    address: { host: "127.0.0.1", port },
    folder,
    command: [...java, ...jvmFlags, ...classes, "kafka.Kafka", settings],
  };
}

function votersOf(nodes: readonly Node[]): string {
  return nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(",");
}

function configuration(
  { id, folder, port, controllerPort }: Node,
  voters: string,
  more: Readonly<Record<string, string>>,
): string {
  const properties = {
    "process.roles": "broker,controller",
    "node.id": String(id),
    "controller.quorum.voters": voters,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": join(folder, "log"),
    "log.segment.delete.delay.ms": String(fileDeleteDelayMs),
    "log.initial.task.delay.ms": String(fileDeleteDelayMs),
    ...more,
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

/** KAFKA_LIB, or what `tests/compat/fetch-kafka.sh` brought, or $PEERS/kafka-… */
export function kafkaLib(): string {
  const places = [
    process.env.KAFKA_LIB,
    ...librariesIn(join(projectFolder, ".runtimes")),
    ...librariesIn(peersFolder()),
  ];
  const found = places.find((place) => place !== undefined && existsSync(place));
  if (found !== undefined) return found;
  throw new Error("Kafka's jars are missing: bash tests/compat/fetch-kafka.sh, or set KAFKA_LIB");
}

/** Where programs to compare with are kept: $PEERS. */
export function peersFolder(): string {
  return process.env.PEERS ?? join(tmpdir(), "peers");
}

function librariesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /^kafka-\d/.test(name));
  return names.sort().map((name) => join(folder, name, "lib"));
}

function versionOf(lib: string): string {
  const jar = readdirSync(lib).find((name) => /^kafka_2\.\d+-\d.*\.jar$/.test(name));
  return /^kafka_2\.\d+-(.+)\.jar$/.exec(jar ?? "")?.[1] ?? "unknown";
}
