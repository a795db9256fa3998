// `--brokers`: how many brokers a word asks for.

import { availableParallelism } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Flags } from "../../../runtime/cli/flags.ts";
import { brokerCount } from "../../../runtime/cli/serve-brokers.ts";

test("brokerCount() takes a number, and one a core for cores", () => {
  const countOf = (brokers?: string) => brokerCount(new Flags({ brokers }));
  assert.is(countOf(), 1);
  assert.is(countOf("3"), 3);
  assert.is(countOf("cores"), availableParallelism());
  for (const strange of ["0", "257", "2.5", "-1", "core"]) {
    assert.throws(() => countOf(strange), new RegExp(`"${strange}" is neither cores nor`));
  }
});

test.run();
