// Compaction over the Kafka door in every run of the suite: a small topic, four kills. `compaction.slow.test.ts`
// does it at full size, beside producers, with many kills, and next to Kafka, and keeps the figures.
// Time limit: 90 s

import { test } from "uvu";
import { proveKills } from "./compaction-kills.ts";
import { proveCompaction } from "./compaction-proof.ts";

const size = { records: 100_000, keys: 10_000, batchRecords: 500, valueBytes: 92, seed: 1 };

proveCompaction({ size, segmentBytes: 1 << 20, rounds: 0, loadBytes: 0 });
proveKills({ size, recordsPerKill: 20_000, kills: 4 });

test.run();
