// The checker of copies finds what was processed twice, never, out of order, or should not be there.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { copyFaults } from "./history.ts";

const input = [
  ["a", "b", "c"],
  ["d", "e"],
];

test("copyFaults() has nothing to say of each record once in its order", () => {
  assert.equal(copyFaults(input, input), []);
});

for (const [what, fault, output] of [
  [
    "a record that came twice",
    /b was processed 2 times/,
    [
      ["a", "b", "b", "c"],
      ["d", "e"],
    ],
  ],
  ["a record that never came", /e was processed 0 times/, [["a", "b", "c"], ["d"]]],
  [
    "a record of an aborted input",
    /x was never committed/,
    [
      ["a", "b", "c", "x"],
      ["d", "e"],
    ],
  ],
  [
    "another order",
    /a comes late in partition 0/,
    [
      ["b", "a", "c"],
      ["d", "e"],
    ],
  ],
] as const) {
  test(`copyFaults() finds ${what}`, () => {
    assert.match(copyFaults(input, output).join("\n"), fault);
  });
}

test.run();
