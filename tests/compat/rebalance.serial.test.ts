// A group of 100 members settles in two seconds, and a member that crashes is replaced when its session ends; see
// `rebalance/rebalance.ts`. `npm run proof:groups` measures it several times and keeps the figures.

import { test } from "uvu";
import { proveRebalance, settledMsMax } from "./rebalance/rebalance.ts";

proveRebalance({
  rounds: 1,
  isWhole: false,
  // Two busy cores compile the server and a hundred clients meanwhile.
  foundedMsMax: 3 * settledMsMax,
  report: (figures) => console.log(JSON.stringify(figures)),
});

test.run();
