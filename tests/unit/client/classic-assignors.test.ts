// Assignors of classic groups: who gets what, what members tell the next leader in the bytes that Kafka's Java client
// writes, and that cooperative groups move a partition in two steps without ever sharing it.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  assignorOf,
  classicAssignors,
  subscriberOf,
} from "../../../runtime/client/classic-assignors.ts";
import type { Assigned, Subscriber } from "../../../runtime/client/subscriber.ts";
import { readSubscription, writeSubscription } from "../../../runtime/consumer-protocol.ts";

const held = [
  { topic: "t", partitions: [0, 3] },
  { topic: "u", partitions: [1] },
];

function member(memberId: string, more: Partial<Subscriber> = {}): Subscriber {
  const blank = { groupInstanceId: null, topics: ["t"], owned: [], generation: -1 };
  return { memberId, ...blank, ...more };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g)!, (pair) => Number.parseInt(pair, 16));
}

/** "t-0 t-3 u-1" */
function shown(assigned: Assigned, memberId: string): string {
  return (assigned.get(memberId) ?? [])
    .flatMap(({ topic, partitions }) => partitions.map((each) => `${topic}-${each}`))
    .sort()
    .join(" ");
}

test("assignRoundRobin() deals as Java does, and passes over who does not read the topic", () => {
  const members = [
    member("c1"),
    member("c2", { topics: ["t", "u"] }),
    member("c3", { topics: ["u"], groupInstanceId: "i" }),
  ];
  const partitionsOf = new Map([
    ["u", 2],
    ["t", 3],
  ]);
  const assigned = classicAssignors.roundrobin.assign(members, partitionsOf);
  assert.is(shown(assigned, "c1"), "t-0 t-2");
  assert.is(shown(assigned, "c2"), "t-1 u-0");
  assert.is(shown(assigned, "c3"), "u-1");
});

test("assignorOf() knows Kafka's names and kafkajs's", () => {
  for (const name of ["range", "roundrobin", "sticky", "cooperative-sticky"] as const) {
    assert.is(assignorOf(name), classicAssignors[name]);
  }
  assert.is(assignorOf("RoundRobinAssigner"), classicAssignors.roundrobin);
  assert.is(assignorOf("unheard-of"), undefined);
});

test("userData() and writeSubscription() write what Java writes", () => {
  const holding = { owned: held, generation: 7 };
  const sticky = hex(classicAssignors.sticky.userData(holding));
  const entries = "0001740000000200000000000000030001750000000100000001";
  assert.is(sticky, `00000002${entries}00000007`);
  const userData = classicAssignors["cooperative-sticky"].userData(holding);
  assert.is(hex(userData), "00000007");
  const written = writeSubscription({ topics: ["t", "u"], userData, ...holding });
  assert.is(hex(written), `000200000002000174000175000000040000000700000002${entries}00000007`);
});

test("subscriberOf() reads what Java's members hold, from whichever field has it", () => {
  const cooperative = classicAssignors["cooperative-sticky"];
  const read = (text: string, assignor = cooperative) =>
    subscriberOf({ memberId: "m", groupInstanceId: null, metadata: bytes(text) }, assignor);
  const entries = "0001740000000200000000000000030001750000000100000001";
  const newest = read(`000300000002000174000175000000040000000700000002${entries}0000000700027231`);
  assert.equal([newest.topics, newest.owned, newest.generation], [["t", "u"], held, 7]);
  // Version 1 has no generation of its own: it stands in the user data.
  const older = read(`000100000002000174000175000000040000000900000002${entries}`);
  assert.equal([older.owned, older.generation], [held, 9]);
  const data = `00000002${entries}00000007`;
  const length = (data.length / 2).toString(16).padStart(8, "0");
  const eager = read(`000100000001000174${length}${data}00000000`, classicAssignors.sticky);
  assert.equal([eager.owned, eager.generation], [held, 7]);
  assert.equal(read("ffff").topics, []);
  assert.is(readSubscription(bytes("0003")), undefined);
});

test("sticky: members keep what a balance allows, and the newest claim wins", () => {
  const { assign } = classicAssignors.sticky;
  const partitionsOf = new Map([["t", 6]]);
  const all = [{ topic: "t", partitions: [0, 1, 2, 3, 4, 5] }];
  const joined = assign([member("a", { owned: all, generation: 3 }), member("b")], partitionsOf);
  assert.is(shown(joined, "a"), "t-0 t-1 t-2");
  assert.is(shown(joined, "b"), "t-3 t-4 t-5");
  const claims = assign(
    [
      member("a", { owned: [{ topic: "t", partitions: [0, 1, 2] }], generation: 4 }),
      member("b", { owned: [{ topic: "t", partitions: [0, 1, 2] }], generation: 5 }),
    ],
    partitionsOf,
  );
  assert.is(shown(claims, "b"), "t-0 t-1 t-2");
});

test("cooperative: what moves is first given back, then given away", () => {
  const { assign } = classicAssignors["cooperative-sticky"];
  const partitionsOf = new Map([["t", 4]]);
  const all = [{ topic: "t", partitions: [0, 1, 2, 3] }];
  const first = assign([member("a", { owned: all, generation: 1 }), member("b")], partitionsOf);
  assert.is(shown(first, "a"), "t-0 t-1");
  assert.is(shown(first, "b"), "");
  const kept = [{ topic: "t", partitions: [0, 1] }];
  const second = assign([member("a", { owned: kept, generation: 2 }), member("b")], partitionsOf);
  assert.is(shown(second, "a"), "t-0 t-1");
  assert.is(shown(second, "b"), "t-2 t-3");
});

/** A generation after the other until nobody gives anything back; at no time has a partition two owners. */
function settle(members: Subscriber[], partitionsOf: ReadonlyMap<string, number>): Subscriber[] {
  const { assign } = classicAssignors["cooperative-sticky"];
  for (let generation = 1; generation < 5; generation++) {
    const assigned = assign(members, partitionsOf);
    let gaveBack = false;
    const next = members.map((each) => {
      const owned = assigned.get(each.memberId)!;
      const now = new Set(shown(assigned, each.memberId).split(" "));
      const before = shown(new Map([["m", [...each.owned]]]), "m").split(" ");
      gaveBack ||= before.some((place) => place !== "" && !now.has(place));
      return { ...each, owned, generation };
    });
    const places = next.flatMap((each) =>
      shown(assigned, each.memberId).split(" ").filter(Boolean),
    );
    assert.is(new Set(places).size, places.length);
    members = next;
    if (!gaveBack) return members;
  }
  throw new Error("the group does not settle");
}

test("cooperative: whoever comes and goes, the group settles with everything assigned evenly", () => {
  const partitionsOf = new Map([
    ["t", 7],
    ["u", 5],
  ]);
  const topics = ["t", "u"];
  let members: Subscriber[] = [];
  const steps = [["a"], ["a", "b"], ["a", "b", "c", "d", "e"], ["b", "e"], ["b", "e", "f"], ["f"]];
  for (const ids of steps) {
    members = ids.map(
      (id) => members.find(({ memberId }) => memberId === id) ?? member(id, { topics }),
    );
    members = settle(members, partitionsOf);
    const counts = members.map(({ owned }) =>
      owned.reduce((sum, { partitions }) => sum + partitions.length, 0),
    );
    assert.is(
      counts.reduce((sum, count) => sum + count, 0),
      12,
    );
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
  }
});

test.run();
