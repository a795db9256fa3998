// All 3,000,000 flights through every way in and out, kill -9 and three runtimes. Run by `npm run proof:flights`;
// needs about 12 GB of disk and some minutes. What it measured is kept in `results/flights.json`.
// Time limit: 3600 s

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import { projectFolder } from "../support/project.ts";
import { flightsTotal } from "./flights.ts";
import { proveFlights, type Step } from "./flights-proof.ts";
import { machine, versions } from "./machine.ts";

const steps: Step[] = [];
proveFlights({
  flights: flightsTotal,
  segmentBytes: 32 << 20,
  everyReader: true,
  report: (step) => {
    steps.push(step);
    console.log(JSON.stringify(step));
  },
});

test("the figures of the whole proof are kept", () => {
  const result = {
    command: "npm run proof:flights",
    startedAt: new Date(performance.timeOrigin).toISOString(),
    machine: machine(),
    versions: versions(["kafkajs", "vega-datasets", "hyparquet"]),
    steps,
  };
  const path = join(projectFolder, "tests/compat/results/flights.json");
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
});

test.run();
