// The black-box list on Bun.
// Time limit: 120 s

import { test } from "uvu";
import { bun } from "../support/runtimes.ts";
import { onRuntime } from "./suite.ts";

onRuntime("Bun", bun());

test.run();
