// The clock of an object that rests while nobody uses it.

import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { RestingClock, UseCount } from "../../../runtime/platforms/workerd-clock.ts";

test("rest() holds all timers back, those made meanwhile too, and wake() runs what is due", async () => {
  const clock = new RestingClock();
  const ran: string[] = [];
  clock.after(1, () => ran.push("before"));
  clock.after(60_000, () => ran.push("far")).cancel();
  const cancelled = clock.after(1, () => ran.push("cancelled"));
  clock.rest();
  clock.after(1, () => ran.push("during"));
  await sleep(30);
  assert.equal(ran, []);
  cancelled.cancel();
  clock.wake();
  clock.wake();
  await sleep(30);
  assert.equal(ran, ["before", "during"]);
});

test("a timer that rest() and wake() found done does not run again", async () => {
  const clock = new RestingClock();
  let runs = 0;
  clock.after(0, () => runs++);
  await sleep(30);
  clock.rest();
  clock.wake();
  await sleep(30);
  assert.is(runs, 1);
});

test("UseCount calls idle once the last of several has left for long enough", async () => {
  const calls: string[] = [];
  const uses = new UseCount({
    idleMs: 20,
    idle: () => calls.push("idle"),
    busy: () => calls.push("busy"),
  });
  uses.enter();
  uses.enter();
  uses.leave();
  await sleep(60);
  assert.equal(calls, ["busy", "busy"], "one is still there");
  uses.leave();
  uses.enter();
  await sleep(60);
  assert.equal(calls, ["busy", "busy", "busy"], "somebody came in time");
  uses.leave();
  await sleep(60);
  assert.equal(calls, ["busy", "busy", "busy", "idle"]);
});

test.run();
