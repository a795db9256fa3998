// Apache Kafka as a broker under test: one node, broker and controller in one process, from its jars, with the
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

/** Formats `folder` and says how to start a node on it; `properties` are added to its configuration. */
export async function kafka(options: {
  folder: string;
  properties: Readonly<Record<string, string>>;
}): Promise<Launch> {
  const lib = kafkaLib();
  const { folder } = options;
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const settings = join(folder, "server.properties");
  writeFileSync(settings, configuration(folder, port, await freePort(), options.properties));
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

function configuration(
  folder: string,
  port: number,
  controllerPort: number,
  more: Readonly<Record<string, string>>,
): string {
  const properties = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": join(folder, "log"),
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
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
