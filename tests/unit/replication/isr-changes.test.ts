// ISR changes on their way: asked together, asked again while nobody knows, given up only when that is certain.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { emptyImage } from "../../../cluster/cluster-image.ts";
import type { ControlPlaneFault, IsrChange } from "../../../cluster/control-plane.ts";
import { newPartition } from "../../../cluster/partition-record.ts";
import { IsrChanges } from "../../../runtime/replication/isr-changes.ts";
import { PartitionLeader } from "../../../runtime/replication/leader.ts";
import { LogFixture } from "../../support/log-fixture.ts";

function setUp() {
  const log = new LogFixture();
  const { clock } = log;
  const asked: (readonly IsrChange[])[] = [];
  const faults: (ControlPlaneFault | null)[] = [];
  const reports: string[] = [];
  const plane = { isAway: false };
  const changes = new IsrChanges({
    clock,
    controlPlane: {
      state: () => emptyImage("x"),
      alterIsr: async (wanted) => {
        asked.push(wanted);
        if (plane.isAway) throw new Error("away");
        const fault = faults.shift() ?? null;
        return wanted.map(({ partition }) => ({ topic: "t", partition, fault, message: "" }));
      },
    },
    report: (error, where) => void reports.push(`${where}: ${(error as Error).message}`),
  });
  const keeper = {
    clock,
    isEligible: () => true,
    wish: changes.wish.bind(changes),
  };
  const lead = (topic: string) => {
    const partition = log.partition({}, topic);
    const record = { ...newPartition(0, [1, 2], { isr: [1] }), partitionEpoch: 4 };
    const leader = new PartitionLeader(keeper, partition, record, 1);
    partition.lead(leader);
    return leader;
  };
  const join = (leader: PartitionLeader) =>
    leader.count({ replicaId: 2, brokerEpoch: 9, leaderEpoch: 0, offset: 0 });
  return { log, clock, asked, faults, reports, plane, lead, join };
}

test("changes of one turn are asked together", async () => {
  const { clock, asked, lead, join } = setUp();
  const leaders = [lead("a"), lead("b")];
  for (const leader of leaders) join(leader);
  await clock.turn();
  assert.is(asked.length, 1);
  assert.is(asked[0]?.length, 2);
  assert.equal(asked[0]?.[0]?.isr, [
    { id: 1, epoch: -1 },
    { id: 2, epoch: 9 },
  ]);
  assert.is(asked[0]?.[0]?.partitionEpoch, 4);
});

test("a change whose fate is unknown is asked again, and counts all the while", async () => {
  const { clock, asked, faults, lead, join } = setUp();
  faults.push("unavailable", "unavailable");
  const leader = lead("a");
  join(leader);
  await clock.turn();
  assert.is.not(leader.state.pending, null);
  await clock.advance(500);
  assert.is(asked.length, 3);
  assert.equal(asked[1], asked[0]);
  assert.is.not(leader.state.pending, null, "answered, and the record is on its way");
});

test("a refusal that says it was not carried out ends it", async () => {
  const { clock, asked, faults, lead, join } = setUp();
  faults.push("ineligible-replica");
  const leader = lead("a");
  join(leader);
  await clock.advance(500);
  assert.is(asked.length, 1);
  assert.is(leader.state.pending, null);
});

test("a stale partition epoch may be the change itself: only the newer record ends it", async () => {
  const { clock, faults, lead, join } = setUp();
  faults.push("stale-partition-epoch");
  const leader = lead("a");
  join(leader);
  await clock.advance(500);
  assert.is.not(leader.state.pending, null);
  leader.commit({ ...newPartition(0, [1, 2], { isr: [1] }), partitionEpoch: 5 });
  assert.is(leader.state.pending, null);
});

test("a control plane that is away is asked again and again, and reported once", async () => {
  const { clock, asked, reports, plane, lead, join } = setUp();
  const pass = async () => {
    for (let step = 0; step < 20; step++) await clock.advance(100);
  };
  plane.isAway = true;
  join(lead("a"));
  await pass();
  assert.ok(asked.length > 5, `${asked.length} questions`);
  assert.equal(reports, ["changing in-sync replicas: away"]);
  plane.isAway = false;
  await pass();
  plane.isAway = true;
  join(lead("b"));
  await pass();
  assert.is(reports.length, 2);
});

test.run();
