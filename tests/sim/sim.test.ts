// A slice of the simulator's seeds, another one each day, and the promise that a seed is a run: the same events in the
// same order, always.
// Time limit: 150 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { newCore } from "./sim-platform.ts";
import { describeFailure, simulate } from "./simulation.ts";

const seedsMax = 200;
const seedsMin = 20;
/** The suite has other things to do on its two cores. */
const cpuMsMax = 40_000;
/** On a machine that is busy otherwise. */
const wallMsMax = 80_000;
/** All of these have been run: a day's slice that fails tells of a change, not of luck. `npm run sim` looks further. */
const seedsRun = 800;
/** What they found and is not mended yet; `README.md` says what it is. */
const seedsOpen = new Set<number>();
const day = Math.floor(Date.now() / 86_400_000);
/** `SIM_FROM` begins elsewhere. */
const first = Number(process.env.SIM_FROM ?? 1 + ((day * seedsMax) % seedsRun));

test("a seed gives the same events twice, and another seed others", async () => {
  const [once, again, other] = [
    await simulate({ seed: 7 }),
    await simulate({ seed: 7 }),
    await simulate({ seed: 8 }),
  ];
  assert.is(once.hash, again.hash);
  assert.is(once.events, again.events);
  assert.is.not(once.hash, other.hash);
  assert.ok(once.acknowledged > 50 && once.reads > 50, "something was going on");
});

test("one broker alone keeps its promises through crashes", async () => {
  for (let seed = first; seed < first + 10; seed++) {
    const outcome = await simulate({ seed, brokers: 1 });
    assert.is(outcome.violations.length, 0, describeFailure(outcome));
  }
});

test(`three brokers keep theirs, from seed ${first} on`, async () => {
  const cpuMs = () => process.cpuUsage().user / 1_000;
  const start = { cpuMs: cpuMs(), wallMs: performance.now() };
  const hasTime = () =>
    cpuMs() - start.cpuMs < cpuMsMax && performance.now() - start.wallMs < wallMsMax;
  let core = newCore();
  for (let i = 0; i < seedsMax && (i < seedsMin || hasTime()); i++) {
    if (i % 10 === 0) core = newCore();
    if (seedsOpen.has(first + i)) continue;
    const outcome = await simulate({ seed: first + i, core });
    assert.is(outcome.violations.length, 0, describeFailure(outcome));
  }
});

test.run();
