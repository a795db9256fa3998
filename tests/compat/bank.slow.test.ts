// The bank for minutes, with tellers of our client, kafkajs, librdkafka and Kafka's own client, and copying exactly
// once, at random seeds. Run by `npm run proof:bank`; `BANK_SEED` repeats one. What it measured is kept in
// `results/bank.json`.
// Time limit: 1800 s

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import { findTool } from "../support/missing-tool.ts";
import { projectFolder } from "../support/project.ts";
import { javaClient, kafkajsClient, librdkafkaClient, ownClient } from "./bank/clients.ts";
import { proveBank } from "./bank/proof.ts";
import { consoleReader, httpReader, kcatReader } from "./bank/readers.ts";
import { findConfluent } from "./confluent.ts";
import { javaCopier, kafkajsCopier, librdkafkaCopier, ownCopier } from "./copying/copiers.ts";
import { proveCopying } from "./copying/proof.ts";
import { KafkaTools } from "./kafka-tools.ts";
import { machine, versions } from "./machine.ts";

const given = process.env.BANK_SEED;
const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
const kcat = findTool("kcat");
const tools = KafkaTools.find();
const confluent = await findConfluent();
const steps: unknown[] = [];
const report = (step: unknown): void => {
  steps.push(step);
  console.log(JSON.stringify(step));
};

proveBank({
  seed,
  clients: [
    ownClient,
    kafkajsClient,
    ...(confluent === undefined ? [] : [librdkafkaClient(confluent)]),
    ...(tools === undefined ? [] : [await javaClient(tools)]),
  ],
  desksPerClient: 2,
  transfersPerDeath: 25,
  pauses: Number(process.env.BANK_PAUSES ?? 8),
  workMs: 20_000,
  brokerLifeMs: 6_000,
  readers: [
    httpReader,
    ...(kcat === undefined ? [] : [kcatReader(kcat)]),
    ...(tools === undefined ? [] : [consoleReader(tools)]),
  ],
  kcat,
  report,
});

proveCopying({
  seed,
  copiers: [
    ownCopier("consumer"),
    ownCopier("classic"),
    kafkajsCopier,
    ...(confluent === undefined ? [] : [librdkafkaCopier(confluent)]),
    ...(tools === undefined ? [] : [javaCopier(tools)]),
  ],
  inputPauseMs: 2,
  recordsPerDeath: 200,
  deaths: 18,
  report,
});

test("the figures of the whole proof are kept", () => {
  const result = {
    command: "npm run proof:bank",
    startedAt: new Date(performance.timeOrigin).toISOString(),
    machine: machine(),
    versions: { ...versions(["kafkajs"]), confluentKafka: confluent?.version ?? "absent" },
    steps,
  };
  const path = join(projectFolder, "tests/compat/results/bank.json");
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
});

test.run();
