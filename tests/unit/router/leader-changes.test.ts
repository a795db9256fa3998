// untilLedElsewhere(): a leader that fell silent is not waited for once another one leads.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import { isStale, untilLedElsewhere } from "../../../runtime/router/leader-changes.ts";
import { FakeClock } from "../kafka/fakes.ts";

const silence = new Promise<never>(() => {});

test("untilLedElsewhere() gives up a silent leader when another one leads", async () => {
  const clock = new FakeClock();
  let isLeader = true;
  let refused: unknown;
  untilLedElsewhere(clock, silence, () => isLeader).catch((error: unknown) => {
    refused = error;
  });
  clock.advance(5_000);
  await Promise.resolve();
  assert.is(refused, undefined);
  isLeader = false;
  clock.advance(100);
  await Promise.resolve();
  assert.ok(isStale(refused));
});

test("untilLedElsewhere() hands on answers and refusals, and stops looking", async () => {
  const clock = new FakeClock();
  assert.is(await untilLedElsewhere(clock, Promise.resolve(7), () => true), 7);
  const refusal = new BrokerError("INVALID_RECORD", "no");
  try {
    await untilLedElsewhere(clock, Promise.reject(refusal), () => true);
    assert.unreachable();
  } catch (error) {
    assert.is(error, refusal);
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(clock.timers.size, 0);
});

test("isStale() knows what a next leader may answer differently", () => {
  assert.ok(isStale(new BrokerError("NETWORK_EXCEPTION", "gone")));
  assert.not.ok(isStale(new BrokerError("MESSAGE_TOO_LARGE", "big")));
  assert.not.ok(isStale(new TypeError("a bug")));
});

test.run();
