// How fast groups of 100 members settle, measured in several rounds. Run by `npm run proof:groups`; what it measured
// is kept in `results/groups.json`.
// Time limit: 600 s

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import { projectFolder } from "../support/project.ts";
import { machine, versions } from "./machine.ts";
import { type Figures, proveRebalance, settledMsMax } from "./rebalance/rebalance.ts";

const figures: Figures[] = [];
proveRebalance({
  rounds: 5,
  isWhole: true,
  foundedMsMax: settledMsMax,
  report: (each) => {
    figures.push(each);
    console.log(JSON.stringify(each));
  },
});

test("the figures are kept", () => {
  const result = {
    command: "npm run proof:groups",
    startedAt: new Date(performance.timeOrigin).toISOString(),
    machine: machine(),
    versions: versions([]),
    figures,
  };
  const path = join(projectFolder, "tests/compat/results/groups.json");
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
});

test.run();
