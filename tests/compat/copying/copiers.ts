// The clients that copiers are made of: our own, kafkajs, librdkafka and Kafka's own TransactionalMessageCopier. Each runs
// until it is killed or gives up; then another takes its place.

import { join } from "node:path";
import { projectFolder } from "../../support/project.ts";
import { currentNode } from "../../support/runtimes.ts";
import type { TestServer } from "../../support/server.ts";
import type { Confluent } from "../confluent.ts";
import type { KafkaTools } from "../kafka-tools.ts";

export interface Copying {
  readonly server: TestServer;
  readonly input: string;
  readonly output: string;
  /** Of this client alone. */
  readonly group: string;
}

export interface Copier {
  readonly name: string;
  command(copying: Copying, index: number): readonly string[];
}

const transactionRecords = "20";
const transactionMs = "10000";

/** In the group's protocol. */
export function ownCopier(protocol: "classic" | "consumer"): Copier {
  const script = join(projectFolder, "tests/compat/copying/timberline-copier.ts");
  return {
    name: `timberline-${protocol}`,
    command({ server, input, output, group }, index) {
      const places = [server.bootstrap, input, output, group, `${group}-${index}`];
      return currentNode().command(script, ...places, protocol);
    },
  };
}

export const kafkajsCopier: Copier = {
  name: "kafkajs",
  command({ server, input, output, group }, index) {
    const script = join(projectFolder, "tests/compat/copying/kafkajs-copier.ts");
    const places = [server.bootstrap, server.http, input, output, group, String(index)];
    return currentNode().command(script, ...places);
  },
};

export function librdkafkaCopier({ python }: Confluent): Copier {
  const script = join(projectFolder, "tests/compat/copying/librdkafka_copier.py");
  return {
    name: "librdkafka",
    command: ({ server, input, output, group }, index) =>
      [python, script, server.bootstrap, input, output, group].concat(`${group}-${index}`),
  };
}

export function javaCopier(tools: KafkaTools): Copier {
  return {
    name: "java",
    command: ({ server, input, output, group }, index) => [
      ...tools.command("org.apache.kafka.tools.TransactionalMessageCopier"),
      ...["--broker-list", server.bootstrap, "--input-topic", input, "--input-partition", "0"],
      ...["--output-topic", output, "--consumer-group", group],
      ...["--transactional-id", `${group}-${index}`, "--group-mode", "--use-group-metadata"],
      ...["--transaction-size", transactionRecords, "--transaction-timeout", transactionMs],
      "--enable-random-aborts",
    ],
  };
}
