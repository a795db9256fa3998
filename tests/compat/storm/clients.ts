// The clients that take part in the storm, found on this machine or fetched, and which storms there are.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findTool } from "../../support/missing-tool.ts";
import { projectFolder } from "../../support/project.ts";
import { currentNode, newestNode, type TestRuntime } from "../../support/runtimes.ts";
import { findConfluent } from "../confluent.ts";
import { versions } from "../machine.ts";
import { Platformatic } from "../platformatic.ts";
import { confluentClient } from "./confluent.ts";
import { kafkajsClient } from "./kafkajs.ts";
import { kcatClient } from "./kcat.ts";
import type { StormClient } from "./member.ts";
import { ownClient } from "./own.ts";
import { platformaticClient } from "./platformatic.ts";
import type { Front } from "./storm.ts";

export const clientNames = [
  "kafkajs",
  "platformatic",
  "kcat",
  "timberline",
  "confluent-kafka",
] as const;
export type ClientName = (typeof clientNames)[number];
export type Clients = Partial<Record<ClientName, StormClient>>;

interface Variant extends Omit<Front, "client"> {
  readonly clients: readonly ClientName[];
}

export const variants = {
  classic: {
    protocol: "classic",
    isStatic: false,
    clients: ["kafkajs", "platformatic", "kcat"],
  },
  consumer: {
    protocol: "consumer",
    isStatic: false,
    clients: ["platformatic", "timberline", "confluent-kafka"],
  },
  static: {
    protocol: "classic",
    isStatic: true,
    clients: ["kcat", "platformatic", "timberline"],
  },
  "static-consumer": {
    protocol: "consumer",
    isStatic: true,
    clients: ["platformatic", "timberline", "confluent-kafka"],
  },
} as const satisfies Record<string, Variant>;

export type VariantName = keyof typeof variants;

export async function findClients(wanted: ReadonlySet<ClientName>): Promise<Clients> {
  const node = (await newestNode()) ?? currentNode();
  const found: Clients = bundledClients(node);
  const kcat = wanted.has("kcat") ? findTool("kcat") : undefined;
  if (kcat !== undefined) found.kcat = kcatClient(kcat, versions([]).kcat ?? "");
  const platformatic = wanted.has("platformatic") ? await Platformatic.find() : undefined;
  if (platformatic !== undefined) found.platformatic = platformaticClient(platformatic);
  const confluent = wanted.has("confluent-kafka") ? await findConfluent() : undefined;
  if (confluent !== undefined) found["confluent-kafka"] = confluentClient(confluent);
  return found;
}

/** Those that `npm install` brings. */
export function bundledClients(node: TestRuntime): {
  kafkajs: StormClient;
  timberline: StormClient;
} {
  return {
    kafkajs: kafkajsClient(node, versionOf("node_modules/kafkajs")),
    timberline: ownClient(node, versionOf(".")),
  };
}

function versionOf(folder: string): string {
  const text = readFileSync(join(projectFolder, folder, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
