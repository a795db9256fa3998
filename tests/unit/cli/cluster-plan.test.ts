// Plans of where replicas go: nobody gets a replica twice, racks stay apart, and no more is copied than the goal
// needs. Examples by hand, and drawn clusters by the hundred.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { placeReplicas } from "../../../cluster/placement.ts";
import {
  addedReplicas,
  type Move,
  type Placement,
  type PlanBroker,
  planAddition,
  planEven,
  planOnto,
  planRemoval,
  tooManyReplicas,
  withoutRoom,
} from "../../../runtime/cli/cluster-plan.ts";
import { SeededRandom } from "../../support/random.ts";

const SEEDS = 300;

function brokers(...ids: number[]): PlanBroker[] {
  return ids.map((id) => ({ id, rack: null }));
}

function topic(name: string, ...layout: (readonly number[])[]): Placement[] {
  return layout.map((replicas, partition) => ({ topic: name, partition, replicas }));
}

function placed(name: string, options: Parameters<typeof placeReplicas>[0]): Placement[] {
  return topic(name, ...placeReplicas(options));
}

/** The placements when the moves are done. */
function after(placements: readonly Placement[], moves: readonly Move[]): Placement[] {
  const byPlace = new Map(moves.map((move) => [`${move.topic}-${move.partition}`, move]));
  return placements.map((one) => byPlace.get(`${one.topic}-${one.partition}`) ?? one);
}

function loads(placements: readonly Placement[], ids: readonly number[]): number[] {
  return ids.map((id) => placements.filter(({ replicas }) => replicas.includes(id)).length);
}

function leads(placements: readonly Placement[], ids: readonly number[]): number[] {
  return ids.map((id) => placements.filter(({ replicas }) => replicas[0] === id).length);
}

function gap(counts: readonly number[]): number {
  return Math.max(...counts) - Math.min(...counts);
}

function copies(moves: readonly Move[]): number {
  return moves.reduce((sum, move) => sum + addedReplicas(move).length, 0);
}

/** What is true of every plan. */
function check(placements: readonly Placement[], moves: readonly Move[], allowed: number[]): void {
  for (const { from, replicas, topic: name, partition } of moves) {
    assert.is(replicas.length, from.length, `${name}-${partition} keeps its number of replicas`);
    assert.is(new Set(replicas).size, replicas.length);
    assert.ok(replicas.every((id) => allowed.includes(id)));
    assert.not.equal(replicas, from, "a move moves something");
  }
  assert.is(new Set(moves.map((move) => `${move.topic}-${move.partition}`)).size, moves.length);
  assert.is(after(placements, moves).length, placements.length);
}

test("planAddition() gives the new broker its share of replicas and leaders, and copies no more", () => {
  const placements = placed("t", {
    ...{ brokers: brokers(1, 2, 3), partitions: 24, replicationFactor: 2, start: 0 },
  });
  const moves = planAddition({ brokers: brokers(1, 2, 3, 4), placements, id: 4 });
  check(placements, moves, [1, 2, 3, 4]);
  const then = after(placements, moves);
  assert.equal(loads(then, [1, 2, 3, 4]), [12, 12, 12, 12]);
  assert.equal(leads(then, [1, 2, 3, 4]), [6, 6, 6, 6]);
  assert.is(copies(moves), 12);
  assert.ok(moves.every((move) => addedReplicas(move).every((id) => id === 4)));
});

test("planAddition() takes from each topic", () => {
  const layout = { brokers: brokers(1, 2), partitions: 6, replicationFactor: 1, start: 0 };
  const placements = ["a", "b", "c"].flatMap((name) => placed(name, layout));
  const moves = planAddition({ brokers: brokers(1, 2, 3), placements, id: 3 });
  const names = moves.map((move) => move.topic).sort();
  assert.equal(names, ["a", "a", "b", "b", "c", "c"]);
});

test("planRemoval() copies what was on the broker, elsewhere, and nothing else", () => {
  const placements = topic("t", [1, 2, 3], [2, 3, 4], [3, 4, 1], [4, 1, 2]);
  const moves = planRemoval({ brokers: brokers(1, 2, 3), placements, id: 4 });
  check(placements, moves, [1, 2, 3]);
  assert.is(copies(moves), 3);
  assert.equal(loads(after(placements, moves), [1, 2, 3]), [4, 4, 4]);
  assert.is(gap(leads(after(placements, moves), [1, 2, 3])), 1);
});

test("planRemoval() keeps racks apart where it can", () => {
  const racks = [
    { id: 1, rack: "a" },
    { id: 2, rack: "a" },
    { id: 3, rack: "b" },
    { id: 4, rack: "b" },
  ];
  const placements = topic("t", [1, 3], [3, 2], [4, 1]);
  const rest = racks.filter(({ id }) => id !== 3);
  const moves = planRemoval({ brokers: rest, placements, id: 3 });
  assert.equal(
    after(placements, moves).map(({ replicas }) => [...replicas].sort()),
    [
      [1, 4],
      [2, 4],
      [1, 4],
    ],
  );
});

test("planRemoval() leaves replicas of brokers alone that are down for a moment", () => {
  const placements = topic("t", [1, 2, 4], [2, 1, 4]);
  const moves = planRemoval({ brokers: brokers(1, 3), placements, id: 4 });
  assert.equal(
    moves.map(({ replicas }) => [...replicas].sort()),
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  );
});

test("withoutRoom() names the partition that every broker has already", () => {
  const placements = topic("t", [1, 4], [1, 2, 4]);
  assert.is(withoutRoom(placements, brokers(1, 2, 3)), undefined);
  assert.is(withoutRoom(placements, brokers(1, 2))?.partition, 1);
  assert.is(withoutRoom(placements, [])?.partition, 0, "nobody is left");
});

test("planOnto() moves a topic onto the brokers that are named, evenly", () => {
  const placements = topic("t", [1, 2], [2, 1], [1, 2], [2, 1]);
  const moves = planOnto({ brokers: brokers(3, 4), placements });
  assert.equal(loads(after(placements, moves), [1, 2, 3, 4]), [0, 0, 4, 4]);
  assert.equal(leads(after(placements, moves), [3, 4]), [2, 2]);
  assert.equal(planOnto({ brokers: brokers(1, 2), placements }), [], "they are there already");
});

test("planEven() hands leaderships over without a copy where that is enough", () => {
  const placements = topic("t", [1, 2], [1, 3], [1, 2], [2, 3], [3, 1], [2, 3]);
  const moves = planEven({ brokers: brokers(1, 2, 3), placements });
  assert.is(copies(moves), 0);
  assert.equal(leads(after(placements, moves), [1, 2, 3]), [2, 2, 2]);
});

test("planEven() hands leaderships over through brokers in between", () => {
  const placements = topic("t", [1, 2], [1, 2], [1, 2], [2, 3], [2, 3], [2, 3], [3, 4]);
  const moves = planEven({ brokers: brokers(1, 2, 3), placements: placements.slice(0, 6) });
  assert.equal(leads(after(placements.slice(0, 6), moves), [1, 2, 3]), [2, 2, 2]);
});

test("planEven() uses a rack that has no replica before one that has two", () => {
  const racks = [
    { id: 1, rack: "a" },
    { id: 2, rack: "a" },
    { id: 3, rack: "b" },
  ];
  const placements = topic("t", [1, 2], [2, 1]);
  const moves = planEven({ brokers: racks, placements });
  for (const { replicas } of after(placements, moves)) assert.ok(replicas.includes(3));
});

test("tooManyReplicas() names the partition that asks for most", () => {
  const placements = topic("t", [1, 2], [1, 2, 3], [1]);
  assert.is(tooManyReplicas(placements, 3), undefined);
  assert.is(tooManyReplicas(placements, 1)?.partition, 1);
});

/** Some topics on some brokers, as they were placed when they were made, or after years of moving by hand. */
function drawn(random: SeededRandom) {
  const count = 2 + random.below(6);
  const hasRacks = random.oneIn(2);
  const all = Array.from({ length: count }, (_, index) => {
    return { id: index + 1, rack: hasRacks ? `r${index % 3}` : null };
  });
  const placements = Array.from({ length: 1 + random.below(4) }, (_, t) => {
    const replicationFactor = 1 + random.below(Math.min(3, count));
    const partitions = 1 + random.below(12);
    const layout = placeReplicas({ brokers: all, partitions, replicationFactor, start: t });
    const isOrderly = random.oneIn(2);
    const replicas = layout.map((row) => (isOrderly ? row : shuffled(all, random, row.length)));
    return topic(`t${t}`, ...replicas);
  }).flat();
  return { all, hasRacks, placements };
}

function shuffled(all: readonly PlanBroker[], random: SeededRandom, count: number): number[] {
  const left = all.map(({ id }) => id);
  return Array.from({ length: count }, () => {
    return left.splice(random.below(left.length), 1)[0] ?? 0;
  });
}

function racksOf(all: readonly PlanBroker[], replicas: readonly number[]): number {
  return new Set(replicas.map((id) => all.find((broker) => broker.id === id)?.rack)).size;
}

test("plans of drawn clusters keep every rule", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { all, hasRacks, placements } = drawn(new SeededRandom(seed));
    const ids = all.map(({ id }) => id);
    const added = { id: 99, rack: hasRacks ? "r0" : null };
    const wider = [...all, added];

    const addition = planAddition({ brokers: wider, placements, id: 99 });
    check(placements, addition, [...ids, 99]);
    const total = placements.reduce((sum, { replicas }) => sum + replicas.length, 0);
    assert.ok(copies(addition) <= Math.ceil(total / wider.length), `seed ${seed}`);
    assert.ok(addition.every((move) => addedReplicas(move).every((id) => id === 99)));

    const leaving = ids.at(-1) ?? 0;
    const rest = all.filter(({ id }) => id !== leaving);
    if (tooManyReplicas(placements, rest.length) === undefined) {
      const removal = planRemoval({ brokers: rest, placements, id: leaving });
      check(
        placements,
        removal,
        rest.map(({ id }) => id),
      );
      const held = placements.filter(({ replicas }) => replicas.includes(leaving)).length;
      assert.is(copies(removal), held, `seed ${seed}`);
    }

    const even = planEven({ brokers: all, placements });
    check(placements, even, ids);
    const then = after(placements, even);
    if (hasRacks) {
      const racks = new Set(all.map(({ rack }) => rack)).size;
      for (const { replicas } of then) {
        assert.is(racksOf(all, replicas), Math.min(racks, replicas.length), `seed ${seed}`);
      }
    } else {
      assert.ok(gap(loads(then, ids)) <= 1, `seed ${seed}: ${loads(then, ids)}`);
      // Partitions of one replica cannot be handed over.
      assert.ok(gap(leads(then, ids)) <= 2, `seed ${seed}: ${leads(then, ids)}`);
    }
    assert.equal(planEven({ brokers: all, placements: then }), [], `seed ${seed}: it is even`);
  }
});

test.run();
