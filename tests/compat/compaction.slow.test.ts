// Ten million records over a million keys, cleaned alone and beside producers; 24 kills; and next to Kafka. Run by
// `npm run proof:compaction`; needs 4 GB of disk and some minutes. The figures are kept in
// `results/compaction.json`.
// Time limit: 1800 s

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import { projectFolder } from "../support/project.ts";
import { proveLikeKafka } from "./compaction-kafka.ts";
import { proveKills } from "./compaction-kills.ts";
import { type Figures, proveCompaction } from "./compaction-proof.ts";
import { machine, versions } from "./machine.ts";

const steps: Figures[] = [];
const report = (figures: Figures): void => {
  steps.push(figures);
  console.log(JSON.stringify(figures));
};
const shape = { batchRecords: 1_000, valueBytes: 92, seed: 1 };
const targets = {
  cleanedBytesPerSecondMin: 100e6,
  residentGrowthBytesMax: 256 * 2 ** 20,
  produceRatioMin: 0.8,
};

proveCompaction({
  size: { ...shape, records: 10_000_000, keys: 1_000_000 },
  segmentBytes: 128 << 20,
  rounds: 7,
  loadBytes: 1e9,
  targets,
  report,
});
proveLikeKafka([1, 2, 3], report);
proveKills({
  size: { ...shape, records: 1_000_000, keys: 100_000 },
  recordsPerKill: 50_000,
  kills: 24,
  report,
});

test("the figures of the whole proof are kept", () => {
  const result = {
    command: "npm run proof:compaction",
    startedAt: new Date(performance.timeOrigin).toISOString(),
    machine: machine(),
    versions: versions(["kafkajs"]),
    targets,
    steps,
  };
  const path = join(projectFolder, "tests/compat/results/compaction.json");
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
});

test.run();
