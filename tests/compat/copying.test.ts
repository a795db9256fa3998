// Read, process, write, exactly once, with copiers of kafkajs that are killed as the broker is.
// `bank.slow.test.ts` does it for longer, with clients that have groups share the work.
// Time limit: 150 s

import { test } from "uvu";
import { kafkajsCopier } from "./copying/copiers.ts";
import { proveCopying } from "./copying/proof.ts";

proveCopying({
  seed: 7_919,
  copiers: [kafkajsCopier],
  inputPauseMs: 10,
  recordsPerDeath: 30,
  deaths: 4,
});

test.run();
