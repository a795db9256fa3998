// The black-box list on Node of the tests.
// Time limit: 120 s

import { test } from "uvu";
import { currentNode } from "../support/runtimes.ts";
import { onRuntime } from "./suite.ts";

onRuntime("Node", currentNode());

test.run();
