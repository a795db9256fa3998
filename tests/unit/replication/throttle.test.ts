// The throttle of replication: which replicas it names, and how many bytes it lets through, on a clock in hand.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { namesReplica, Throttle } from "../../../runtime/replication/throttle.ts";
import { ManualClock } from "../../support/manual-clock.ts";

test("Throttle lets through what its rate allows, in bursts of a tenth of a second", async () => {
  const clock = new ManualClock();
  let rate = 1_000;
  const throttle = new Throttle(clock, () => rate);
  assert.not(throttle.isExceeded);
  throttle.note(2_100);
  assert.ok(throttle.isExceeded);
  await clock.advance(1_900);
  assert.ok(throttle.isExceeded, "two seconds are owed");
  await clock.advance(200);
  assert.not(throttle.isExceeded);
  await clock.advance(60_000);
  throttle.note(101);
  assert.ok(throttle.isExceeded, "time does not add up to more than a tenth of a second");
  rate = Number.POSITIVE_INFINITY;
  assert.not(throttle.isExceeded);
  assert.not(throttle.isLimited);
});

test("namesReplica() reads partition:broker pairs and the star", () => {
  const cases: [string | undefined, boolean][] = [
    [undefined, false],
    ["", false],
    ["*", true],
    ["3:1", true],
    ["0:2, 3:1", true],
    ["1:3", false],
    ["13:1", false],
    ["3:11", false],
  ];
  for (const [text, expected] of cases) assert.is(namesReplica(text, 3, 1), expected, text);
});

test.run();
