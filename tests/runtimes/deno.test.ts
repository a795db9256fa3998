// The black-box list on Deno.
// Time limit: 120 s

import { test } from "uvu";
import { deno } from "../support/runtimes.ts";
import { onRuntime } from "./suite.ts";

onRuntime("Deno", deno());

test.run();
