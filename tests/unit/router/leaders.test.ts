// Leaders.at(): whom it asks again, and whom it does not.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ClusterState } from "../../../cluster/control-plane.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import { Leaders } from "../../../runtime/router/leaders.ts";
import { FakeClock } from "../kafka/fakes.ts";

const place = { topic: "flights", partition: 0 };

/** A leader that refuses once and answers then; how often it was asked, and what came of it. */
async function askedAfter(
  refusal: BrokerError,
  replicas: number[],
): Promise<{ asked: number; outcome: unknown }> {
  const clock = new FakeClock();
  const topics = new Map([["flights", { partitions: [{ leader: 1, replicas }] }]]);
  const cluster = () => ({ topics, brokers: new Map() }) as unknown as ClusterState;
  let asked = 0;
  const answer = new Leaders(clock, { brokerId: 1, cluster }).at(place, () => {
    asked++;
    if (asked === 1) throw refusal;
    return "stored";
  });
  const outcome = answer.catch((error: unknown) => error);
  for (let turn = 0; turn < 10; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(100);
  }
  return { asked, outcome: await outcome };
}

test("at() tells at once what a full disk says where no other replica could take it", async () => {
  const full = new BrokerError("KAFKA_STORAGE_ERROR", "full");
  assert.equal(await askedAfter(full, [1]), { asked: 1, outcome: full });
  assert.equal(await askedAfter(full, [1, 2]), { asked: 2, outcome: "stored" });
});

test("at() asks a partition of one replica again after a change of leaders", async () => {
  const moved = new BrokerError("NOT_LEADER_OR_FOLLOWER", "moved");
  assert.equal(await askedAfter(moved, [1]), { asked: 2, outcome: "stored" });
});

test.run();
