// The black-box list on the newest Node, fetched from the registry into the git-ignored `.runtimes/`.
// Time limit: 170 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { sayMissing } from "../support/missing-tool.ts";
import { newestNode } from "../support/runtimes.ts";
import { onRuntime } from "./suite.ts";

const newest = await newestNode();

if (newest === undefined) sayMissing("newest Node");
else {
  test("newestNode() is a later release than the oldest one supported", () => {
    assert.ok(Number.parseInt(newest.version, 10) > 20, newest.version);
  });
  onRuntime("Newest Node", newest);
}

test.run();
