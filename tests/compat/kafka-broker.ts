// A real Kafka broker of one node, from the jars, in a folder of its own: for what only Kafka can write.

import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { ProcessEnd, TestProcess } from "../support/processes.ts";
import { tempFolder } from "../support/temp-folder.ts";
import type { KafkaTools } from "./kafka-tools.ts";

const startMsMax = 60_000;

export class KafkaBroker {
  readonly dataDir: string;
  readonly port: number;
  readonly #process: TestProcess;

  private constructor(dataDir: string, port: number, process: TestProcess) {
    this.dataDir = dataDir;
    this.port = port;
    this.#process = process;
  }

  get bootstrap(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Formats a new folder and starts Kafka on it; resolves when it says that it has started. */
  static async start(
    tools: KafkaTools,
    more: Readonly<Record<string, string>> = {},
    formatArgs: readonly string[] = [],
  ): Promise<KafkaBroker> {
    const folder = tempFolder("kafka-broker");
    const dataDir = join(folder, "data");
    const [port, controllerPort] = [await freePort(), await freePort()];
    const settings = join(folder, "server.properties");
    writeFileSync(settings, propertiesOf({ dataDir, port, controllerPort }, more));
    const clusterId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
    await tools.run(
      "kafka.tools.StorageTool",
      "format",
      `--cluster-id=${clusterId}`,
      "-c",
      settings,
      ...formatArgs,
    );
    const process = tools.start("kafka.Kafka", settings);
    await process.waitFor(/Kafka Server started/, startMsMax);
    return new KafkaBroker(dataDir, port, process);
  }

  /** Clean stop. */
  stop(): Promise<ProcessEnd> {
    return this.#process.stop("SIGTERM", startMsMax);
  }
}

/** `listeners` of `more` come beside the plain one. */
function propertiesOf(
  given: { dataDir: string; port: number; controllerPort: number },
  more: Readonly<Record<string, string>>,
): string {
  const { listeners = "", ...others } = more;
  const open = `PLAINTEXT://127.0.0.1:${given.port}${listeners && `,${listeners}`}`;
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${given.controllerPort}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    listeners: `${open},CONTROLLER://127.0.0.1:${given.controllerPort}`,
    "advertised.listeners": open,
    "log.dirs": given.dataDir,
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    ...others,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

/** A port that was free a moment ago: Kafka must be told its ports. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
