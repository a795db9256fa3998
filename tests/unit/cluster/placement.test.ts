// Placement of replicas: every partition on different brokers, load spread evenly, growth without a seam.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { placeReplicas } from "../../../cluster/placement.ts";

test("placeReplicas() never puts two replicas of a partition on one broker", () => {
  for (let count = 1; count <= 7; count++) {
    const brokers = Array.from({ length: count }, (_, index) => 10 + index);
    for (let replicationFactor = 1; replicationFactor <= count; replicationFactor++) {
      for (let start = 0; start < 5; start++) {
        const layout = placeReplicas({ brokers, partitions: 40, replicationFactor, start });
        for (const replicas of layout) {
          assert.is(new Set(replicas).size, replicationFactor);
          assert.ok(replicas.every((id) => brokers.includes(id)));
        }
      }
    }
  }
});

test("placeReplicas() spreads leaders and replicas evenly", () => {
  const layout = placeReplicas({
    brokers: [3, 1, 2, 4],
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
    brokers: [1, 2, 3, 4],
    partitions: 12,
    replicationFactor: 2,
    start: 0,
  });
  const partners = layout.filter(([leader]) => leader === 1).map(([, partner]) => partner);
  assert.equal(partners.sort(), [2, 3, 4]);
});

test("placeReplicas() goes on where a smaller topic ended", () => {
  const options = { brokers: [1, 2, 3], replicationFactor: 2, start: 1 };
  const whole = placeReplicas({ ...options, partitions: 8 });
  const first = placeReplicas({ ...options, partitions: 3 });
  const rest = placeReplicas({ ...options, partitions: 5, firstPartition: 3 });
  assert.equal([...first, ...rest], whole);
});

test.run();
