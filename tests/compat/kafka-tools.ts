// Kafka's own command line tools, as Java processes: where their jars are (KAFKA_LIB, or what `fetch-kafka.sh`
// brought), and how one is run so that it starts quickly and says nothing but its result.

import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { findTool, sayMissing } from "../support/missing-tool.ts";
import { type ProcessEnd, runProcess, TestProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { runWhole } from "./streaming-process.ts";

const toolMsMax = 60_000;
/** A tool lives a second: compiling its code well would take longer than running it. */
const javaFlags = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx512m"];
/** Errors to stderr; that a broker has started, to stdout. */
const logSettings = `rootLogger.level=ERROR
rootLogger.appenderRef.stderr.ref=STDERR
appender.stderr.type=Console
appender.stderr.name=STDERR
appender.stderr.target=SYSTEM_ERR
appender.stderr.layout.type=PatternLayout
appender.stderr.layout.pattern=%p %c %m%n
logger.ready.name=kafka.server.KafkaRaftServer
logger.ready.level=INFO
logger.ready.additivity=false
logger.ready.appenderRef.stdout.ref=STDOUT
appender.stdout.type=Console
appender.stdout.name=STDOUT
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=%m%n
`;

export class KafkaTools {
  readonly #java: string;
  readonly #lib: string;
  readonly #logSettings: string;

  private constructor(java: string, lib: string) {
    this.#java = java;
    this.#lib = lib;
    this.#logSettings = join(tempFolder("kafka"), "log4j2.properties");
    writeFileSync(this.#logSettings, logSettings);
  }

  /** Undefined, and said so, where Java or the jars are missing. */
  static find(): KafkaTools | undefined {
    const java = findTool("java");
    const lib = process.env.KAFKA_LIB ?? fetchedLib();
    if (lib === undefined || !existsSync(lib)) sayMissing("Kafka's jars (KAFKA_LIB)");
    else if (java !== undefined) return new KafkaTools(java, lib);
    return undefined;
  }

  /** Runs a tool to its end; fails unless it exits with 0. */
  async run(mainClass: string, ...args: string[]): Promise<string> {
    const end = await this.try(mainClass, args);
    if (end.code === 0) return end.stdout;
    throw new Error(`${mainClass} ${args.join(" ")}: exit ${end.code}\n${end.stdout}${end.stderr}`);
  }

  /** Runs a tool to its end, however it ends. */
  try(mainClass: string, args: readonly string[], stdin = ""): Promise<ProcessEnd> {
    return runProcess([...this.command(mainClass), ...args], { limitMs: toolMsMax, stdin });
  }

  /** Runs a tool to its end, however it ends, and keeps all it says however long. */
  listen(mainClass: string, args: readonly string[]): Promise<Omit<ProcessEnd, "signal">> {
    return runWhole([...this.command(mainClass), ...args]);
  }

  /** Starts what runs on, such as a broker. */
  start(mainClass: string, ...args: string[]): TestProcess {
    return new TestProcess([...this.command(mainClass), ...args]);
  }

  /** Compiles one Java file against Kafka's jars; returns the folder of its classes, for `command`. */
  async compile(source: string): Promise<string> {
    const classes = tempFolder("classes");
    const command = ["javac", "-cp", join(this.#lib, "*"), "-d", classes, source];
    const end = await runProcess(command, { limitMs: toolMsMax });
    if (end.code === 0) return classes;
    throw new Error(`${command.join(" ")}: exit ${end.code}\n${end.stdout}${end.stderr}`);
  }

  /** The command line of a class, of Kafka's or of one's own in the folder `classes`. */
  command(mainClass: string, classes?: string): string[] {
    const jars = join(this.#lib, "*");
    const path = classes === undefined ? jars : [classes, jars].join(delimiter);
    const settings = `-Dlog4j2.configurationFile=${this.#logSettings}`;
    return [this.#java, ...javaFlags, settings, "-cp", path, mainClass];
  }
}

function fetchedLib(): string | undefined {
  const folder = join(projectFolder, ".runtimes");
  const found = existsSync(folder) ? readdirSync(folder) : [];
  const newest = found.filter((name) => /^kafka-\d/.test(name)).sort();
  return newest.length === 0 ? undefined : join(folder, newest.at(-1)!, "lib");
}
