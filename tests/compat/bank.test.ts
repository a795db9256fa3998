// A bank over transactions for some seconds: tellers with our client and kafkajs, killed as the broker is, and auditors who see
// whole transfers only. `bank.slow.test.ts` does the same for minutes, with more clients, and keeps the figures.
// Time limit: 90 s

import { test } from "uvu";
import { findTool } from "../support/missing-tool.ts";
import { kafkajsClient, ownClient } from "./bank/clients.ts";
import { proveBank } from "./bank/proof.ts";
import { httpReader, kcatReader } from "./bank/readers.ts";

const kcat = findTool("kcat");

proveBank({
  seed: 20_261_123,
  clients: [ownClient, kafkajsClient],
  desksPerClient: 2,
  pauses: 2,
  workMs: 1_500,
  brokerLifeMs: 1_000,
  transfersPerDeath: 8,
  readers: [httpReader, ...(kcat === undefined ? [] : [kcatReader(kcat)])],
  kcat,
});

test.run();
