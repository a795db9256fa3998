// Placement of replicas: every partition on different brokers, load spread evenly, growth without a seam.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { placeReplicas } from "../../../cluster/placement.ts";

test("placeReplicas() never puts two replicas of a partition on one broker", () => {
  for (let count = 1; count <= 7; count++) {
    const ids = Array.from({ length: count }, (_, index) => 10 + index);
    const brokers = rackless(...ids);
    for (let replicationFactor = 1; replicationFactor <= count; replicationFactor++) {
      for (let start = 0; start < 5; start++) {
        const layout = placeReplicas({ brokers, partitions: 40, replicationFactor, start });
        for (const replicas of layout) {
          assert.is(new Set(replicas).size, replicationFactor);
          assert.ok(replicas.every((id) => ids.includes(id)));
        }
      }
    }
  }
});

test("placeReplicas() spreads leaders and replicas evenly", () => {
  const layout = placeReplicas({
    brokers: rackless(3, 1, 2, 4),
    partitions: 48,
    replicationFactor: 3,
    start: 2,
  });
  for (const id of [1, 2, 3, 4]) {
    assert.is(layout.filter(([leader]) => leader === id).length, 12);
    assert.is(layout.filter((replicas) => replicas.includes(id)).length, 36);
  }
});

test("placeReplicas() gives a broker's leaders different partners", () => {
  const layout = placeReplicas({
    brokers: rackless(1, 2, 3, 4),
    partitions: 12,
    replicationFactor: 2,
    start: 0,
  });
  const partners = layout.filter(([leader]) => leader === 1).map(([, partner]) => partner);
  assert.equal(partners.sort(), [2, 3, 4]);
});

test("placeReplicas() goes on where a smaller topic ended", () => {
  const options = { brokers: rackless(1, 2, 3), replicationFactor: 2, start: 1 };
  const whole = placeReplicas({ ...options, partitions: 8 });
  const first = placeReplicas({ ...options, partitions: 3 });
  const rest = placeReplicas({ ...options, partitions: 5, firstPartition: 3 });
  assert.equal([...first, ...rest], whole);
});

test("placeReplicas() uses every rack before one twice, and spreads inside the racks", () => {
  const brokers = [
    { id: 1, rack: "a" },
    { id: 2, rack: "a" },
    { id: 3, rack: "b" },
    { id: 4, rack: "b" },
    { id: 5, rack: "c" },
    { id: 6, rack: "c" },
  ];
  const rackOf = new Map(brokers.map(({ id, rack }) => [id, rack]));
  for (const replicationFactor of [2, 3, 4]) {
    const layout = placeReplicas({ brokers, partitions: 60, replicationFactor, start: 1 });
    for (const replicas of layout) {
      assert.is(new Set(replicas).size, replicationFactor);
      const racks = new Set(replicas.map((id) => rackOf.get(id)));
      assert.is(racks.size, Math.min(3, replicationFactor));
    }
    for (const { id } of brokers) {
      assert.is(layout.filter(([leader]) => leader === id).length, 10);
    }
  }
});

test("placeReplicas() takes no notice of racks that only some brokers name", () => {
  const options = { partitions: 9, replicationFactor: 2, start: 0 };
  const some = [
    { id: 1, rack: "a" },
    { id: 2, rack: "a" },
    { id: 3, rack: null },
  ];
  assert.equal(
    placeReplicas({ ...options, brokers: some }),
    placeReplicas({ ...options, brokers: rackless(1, 2, 3) }),
  );
});

function rackless(...ids: number[]) {
  return ids.map((id) => ({ id, rack: null }));
}

test.run();
