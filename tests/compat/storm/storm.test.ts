// A small storm in each protocol, with what `npm install` brings: every record is read, and reading goes on where
// the group had committed. `npm run proof:storm` has all clients, and two minutes.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { currentNode } from "../../support/runtimes.ts";
import { TestServer } from "../../support/server.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { writeFlights } from "../flights.ts";
import { bundledClients } from "./clients.ts";
import { brokerFlags, Storm } from "./storm.ts";

const partitions = 8;
const sessionMs = 3_000;
const seed = Date.now() % 1_000_000;

test(`members come and go, and nothing is skipped; seed ${seed}`, async () => {
  const server = await TestServer.start({ args: brokerFlags({ sessionMs }) });
  const { kafkajs, timberline } = bundledClients(currentNode());
  const storm = new Storm({
    name: "small",
    bootstrap: server.bootstrap,
    fronts: [
      { client: kafkajs, protocol: "classic", isStatic: false },
      { client: timberline, protocol: "consumer", isStatic: false },
    ],
    ...{ seats: 3, partitions, durationMs: 4_000, pauseMs: 1_000, sessionMs, seed },
    file: await writeFlights(tempFolder("small-storm"), { count: 40_000, partitions }),
    say: () => {},
  });
  const { groups } = await storm.run();
  await server.stop();
  for (const { client, faults, complaints, recordsRead } of groups) {
    assert.equal(faults, [], `${client}: ${complaints.join("\n")}`);
    assert.ok(recordsRead >= 40_000);
  }
});

test.run();
