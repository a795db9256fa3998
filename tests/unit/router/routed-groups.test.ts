// RoutedGroups: lists are of one moment, and a request whose coordinator moved away is asked of the next one.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ClusterState } from "../../../cluster/control-plane.ts";
import { newPartition } from "../../../cluster/partition-record.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import type { LeadingBroker } from "../../../runtime/leader-questions.ts";
import type { Leader, LeaderCalls } from "../../../runtime/router/leader-calls.ts";
import { Leaders } from "../../../runtime/router/leaders.ts";
import { RoutedGroups } from "../../../runtime/router/routed-groups.ts";
import { EagerClock } from "../../support/eager-clock.ts";

type Told = (leaderId: number, about: string) => unknown;

/** Broker 1 asks; `leaders` of the offsets topic's two partitions may change meanwhile. */
function scene(told: Told) {
  const leaders = [2, 3];
  let epoch = 0;
  const cluster = () => {
    const partitions = leaders.map((leader, partition) => ({
      ...newPartition(partition, [1, 2, 3]),
      leader,
      leaderEpoch: epoch,
    }));
    const brokers = new Map([1, 2, 3].map((id) => [id, { id }]));
    const topics = new Map([["__consumer_offsets", { partitions }]]);
    return { brokers, topics } as unknown as ClusterState;
  };
  const asked: string[] = [];
  const ask = async (leader: Leader, about: string) => {
    asked.push(`${about} of ${leader.id}`);
    return told(leader.id, about);
  };
  const local = { brokerId: 1, cluster } as unknown as LeadingBroker;
  const calls = { ask } as unknown as LeaderCalls;
  const groups = new RoutedGroups({ local, calls, leaders: new Leaders(new EagerClock(), local) });
  const move = (partition: number, leader: number) => {
    leaders[partition] = leader;
    epoch++;
  };
  return { groups, asked, move };
}

test("RoutedGroups.list() asks each coordinator, and all again if one changed meanwhile", async () => {
  let times = 0;
  const { groups, asked, move } = scene((id) => {
    if (++times === 2) move(0, 3);
    return times <= 2 ? [] : [{ groupId: `of ${id}` }];
  });
  const found = await groups.list();
  assert.equal(
    found.map(({ groupId }) => groupId),
    ["of 3"],
  );
  assert.equal(asked, ["groups of 2", "groups of 3", "groups of 3"]);
});

test("RoutedGroups.list() fails rather than leave groups out", async () => {
  const { groups, move } = scene(() => []);
  move(1, -1);
  try {
    await groups.list();
    assert.unreachable();
  } catch (error) {
    assert.is((error as BrokerError).code, "COORDINATOR_NOT_AVAILABLE");
  }
});

test("RoutedGroups.delete() finds done what an answer that was lost had done", async () => {
  let times = 0;
  const { groups, asked } = scene(() => {
    times++;
    if (times === 1) throw new BrokerError("NETWORK_EXCEPTION", "hung up");
    throw new BrokerError("GROUP_ID_NOT_FOUND", "no such group");
  });
  await groups.delete("g");
  assert.is(asked.length, 2);
  const { groups: others } = scene(() => {
    throw new BrokerError("GROUP_ID_NOT_FOUND", "no such group");
  });
  try {
    await others.delete("g");
    assert.unreachable();
  } catch (error) {
    assert.is((error as BrokerError).code, "GROUP_ID_NOT_FOUND");
  }
});

test.run();
