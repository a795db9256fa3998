// The clients that tellers are made of: our own, kafkajs, librdkafka and Kafka's, each a script in this folder.

import { join } from "node:path";
import { projectFolder } from "../../support/project.ts";
import { currentNode } from "../../support/runtimes.ts";
import type { Confluent } from "../confluent.ts";
import type { KafkaTools } from "../kafka-tools.ts";
import type { Client } from "./proof.ts";

const folder = join(projectFolder, "tests/compat/bank");

export const ownClient = scriptClient("timberline", "tests/compat/bank/timberline-teller.ts");
export const kafkajsClient = scriptClient("kafkajs", "tests/compat/bank/kafkajs-teller.ts");

function scriptClient(name: string, path: string): Client {
  const script = join(projectFolder, path);
  return { name, command: (...args) => currentNode().command(script, ...args.map(String)) };
}

export function librdkafkaClient({ python }: Confluent): Client {
  const script = join(folder, "librdkafka_teller.py");
  return { name: "librdkafka", command: (...args) => [python, script, ...args.map(String)] };
}

export async function javaClient(tools: KafkaTools): Promise<Client> {
  const classes = await tools.compile(join(folder, "JavaTeller.java"));
  const program = tools.command("JavaTeller", classes);
  return { name: "java", command: (...args) => [...program, ...args.map(String)] };
}
