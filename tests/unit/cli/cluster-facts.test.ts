// Which partitions need care: what is lost, what lacks copies, and what only moves.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type ClusterFacts,
  clusterHealth,
  placements,
  sizeOf,
} from "../../../runtime/cli/cluster-facts.ts";
import type { PartitionInfo, Reassignment } from "../../../runtime/client/mod.ts";

type Given = Partial<PartitionInfo> & Pick<PartitionInfo, "replicas">;

function facts(given: readonly Given[], moves: readonly Partial<Reassignment>[] = []) {
  const partitions = given.map((one, partition) => ({
    ...{ partition, leader: one.replicas[0] ?? -1, leaderEpoch: 0, isr: one.replicas },
    ...one,
  }));
  return {
    ...{ clusterId: "c", controllerId: 1, brokers: [] },
    topics: [{ name: "t", id: "i", isInternal: false, partitions }],
    reassignments: moves.map((move) => ({
      ...{ topic: "t", partition: 0, replicas: [], adding: [], removing: [] },
      ...move,
    })),
  } satisfies ClusterFacts;
}

function health(found: ClusterFacts, minInSync = "1") {
  return clusterHealth(found, new Map([["t", minInSync]]));
}

const well = { offline: [], belowMinInSync: [], underReplicated: [], notPreferred: [] };

test("clusterHealth() finds nothing where all are in sync and led by preference", () => {
  assert.equal(health(facts([{ replicas: [1, 2] }, { replicas: [2, 1] }])), well);
});

test("clusterHealth() tells what lacks copies from what lacks too many", () => {
  const found = facts([
    { replicas: [1, 2, 3], isr: [1, 2] },
    { replicas: [1, 2, 3], isr: [1] },
  ]);
  assert.equal(health(found, "2"), {
    ...well,
    underReplicated: ["t-0", "t-1"],
    belowMinInSync: ["t-1"],
  });
});

test("clusterHealth() names what nobody leads, and what another than the preferred one leads", () => {
  const found = facts([
    { replicas: [1, 2], leader: -1, isr: [] },
    { replicas: [1, 2], leader: 2 },
  ]);
  assert.equal(health(found), {
    offline: ["t-0"],
    belowMinInSync: ["t-0"],
    underReplicated: ["t-0"],
    notPreferred: ["t-1"],
  });
});

test("clusterHealth() asks for no more in-sync replicas than there are", () => {
  assert.equal(health(facts([{ replicas: [1, 2] }]), "3"), well);
});

test("clusterHealth() does not miss copies that are being made, but those that were there", () => {
  const move = { adding: [3], removing: [1] };
  const moving = { replicas: [3, 2, 1], leader: 1, isr: [2, 1] };
  assert.equal(health(facts([moving], [move])), { ...well, notPreferred: ["t-0"] });
  const lacking = health(facts([{ ...moving, isr: [1] }], [move]));
  assert.equal(lacking.underReplicated, ["t-0"]);
});

test("placements() are where partitions will be", () => {
  const found = facts([{ replicas: [3, 2, 1] }, { replicas: [1] }], [{ removing: [1] }]);
  assert.equal(
    placements(found).map(({ replicas }) => replicas),
    [[3, 2], [1]],
  );
});

test("sizeOf() is that of the fullest replica, 0 where nobody answers", () => {
  const sizes = new Map([
    [1, new Map([["t-0", 10]])],
    [2, new Map([["t-0", 30]])],
  ]);
  assert.is(sizeOf(sizes, { topic: "t", partition: 0 }, [1, 2, 3]), 30);
  assert.is(sizeOf(sizes, { topic: "t", partition: 1 }, [1, 2]), 0);
});

test.run();
