// isGone(): when a broker whose connection broke is surely no more.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGone } from "../../../cluster/broker-watch.ts";
import type { BrokerRecord } from "../../../cluster/control-plane.ts";
import { PeerUnreachable } from "../../../cluster/peer.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const broker = { id: 3, host: "h", port: 9, incarnation: "first" } as BrokerRecord;
const reset = () => new PeerUnreachable("connection reset", { isGone: false });
const refused = () => new PeerUnreachable("connection refused", { isGone: true });

/** What it answers is said one by one, and the last of it again and again. */
async function asked(...answers: (object | Error)[]): Promise<{ gone: boolean; asks: number }> {
  const clock = new ManualClock();
  let asks = 0;
  const ask = async () => {
    const answer = answers[Math.min(asks++, answers.length - 1)];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const gone = isGone({ peers: { ask, onLost: () => () => {} }, clock }, broker);
  for (let step = 0; step < 50; step++) await clock.advance(10);
  return { gone: await gone, asks };
}

test("isGone() asks again while a dying process' port still takes connections", async () => {
  assert.equal(await asked(reset(), reset(), refused()), { gone: true, asks: 3 });
});

test("isGone() lets a broker be that hangs up but listens: its session will tell", async () => {
  assert.equal(await asked(reset()), { gone: false, asks: 5 });
});

test("isGone() knows the registered process from another one at its address", async () => {
  assert.equal(await asked({ incarnation: "first" }), { gone: false, asks: 1 });
  assert.equal(await asked(reset(), { incarnation: "second" }), { gone: true, asks: 2 });
});

test.run();
