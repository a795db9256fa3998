// What members write and say: entries of the metadata log, their packing and their course; questions; sessions.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { emptyImage, type ImageChange } from "../../../cluster/cluster-image.ts";
import {
  chainOf,
  decodeEntry,
  encodeEntry,
  packChanges,
  sizedChanges,
} from "../../../cluster/entry-codec.ts";
import { MetadataCourse } from "../../../cluster/metadata-course.ts";
import { newPartition } from "../../../cluster/partition-record.ts";
import { checkedQuestion } from "../../../cluster/questions.ts";
import { Sessions } from "../../../cluster/sessions.ts";

const partition = {
  ...newPartition(3, [1, 2], { leaderEpoch: 5, isr: [2] }),
  elr: [1],
  lastKnownLeader: 1,
  adding: [2],
  removing: [1],
};
const broker = {
  ...{ id: 1, epoch: 4, host: "h", port: 9092, rack: "r", incarnation: "i" },
  fenced: true,
  draining: true,
};
const changes: readonly ImageChange[] = [
  { put: "member", broker },
  {
    put: "topic",
    topic: {
      name: "t",
      id: "id",
      partitions: [newPartition(0, [1]), { ...partition, partition: 1 }],
      configs: new Map([["retention.ms", "5"]]),
    },
  },
  { put: "partitions", topicId: "id", partitions: [partition] },
  { put: "topic-removal", name: "t" },
  { put: "member-removal", id: 7 },
  { put: "broker-configs", broker: null, configs: new Map([["a", "b"]]) },
  { put: "producer-ids", next: 1000 },
];

function entry(version: number, chain: number, more: readonly ImageChange[] = []) {
  const numbers = { clusterId: "c", controllerId: 1, controllerEpoch: 2, version, chain };
  return { ...numbers, changes: more };
}

test("decodeEntry() gives back what encodeEntry() was given", () => {
  const part = { index: 1, count: 3, isRestored: true };
  for (const each of [entry(7, 8, changes), { ...entry(7, 8, changes), part }]) {
    assert.equal(decodeEntry(encodeEntry(each)), each);
  }
});

test("decodeEntry() refuses in one sentence what no Timberline wrote", () => {
  for (const text of ["", "{}", "[]", "null", '{"format":1}', "\u0000"]) {
    assert.throws(
      () => decodeEntry(new TextEncoder().encode(text)),
      /holds an entry that no Timberline wrote/,
      text,
    );
  }
});

test("packChanges() keeps what one decision changes together, and splits what is too long", () => {
  const put = (size: number): ImageChange => ({
    put: "partitions",
    topicId: "t",
    partitions: Array.from({ length: size }, (_, index) => newPartition(index, [1, 2, 3])),
  });
  const small = [put(10), put(10)];
  const bytesMax = 2_000;
  const sized = [small, small, [], [put(500)], small].map((each) => sizedChanges(each, bytesMax));
  const packs = packChanges(sized, bytesMax);
  for (const pack of packs) assert.ok(encodeEntry(entry(1, 0, pack)).length <= bytesMax);
  assert.equal(packs[0]!.slice(0, 2), small);
  assert.is(packs[0]!.length % 2, 0, "nothing of a decision stands alone");
  const all = packs
    .flat()
    .flatMap((change) => (change.put === "partitions" ? change.partitions : []));
  assert.is(all.length, 560);
  assert.equal(packChanges([], bytesMax), []);
  const configs = new Map([["note", "x".repeat(bytesMax)]]);
  assert.throws(
    () => sizedChanges([{ put: "broker-configs", broker: 1, configs }], bytesMax),
    /The change is too long for the metadata service: 20\d\d bytes, at most 1488/,
  );
});

test("MetadataCourse takes the next entry, knows the ones before, and sees gaps and forks", () => {
  const course = new MetadataCourse({ image: emptyImage(""), chain: 0 });
  const first = encodeEntry(entry(1, 0));
  const take = (bytes: Uint8Array) => course.take(decodeEntry(bytes), bytes).kind;
  assert.is(take(first), "applied");
  assert.is(course.image.clusterId, "c");
  const second = encodeEntry(entry(2, chainOf(first)));
  assert.is(take(second), "applied");
  assert.is(take(first), "known");
  assert.is(take(second), "known");
  assert.is(take(encodeEntry(entry(4, 0))), "gap");
  assert.is(take(encodeEntry(entry(3, 0))), "refused");
  const fork = encodeEntry(entry(2, chainOf(first), [{ put: "producer-ids", next: 1 }]));
  assert.is(take(fork), "refused");
  assert.is(take(encodeEntry({ ...entry(3, chainOf(second)), clusterId: "d" })), "refused");
  assert.is(course.image.version, 2);
});

test("MetadataCourse takes a whole image only when it is whole", () => {
  const course = new MetadataCourse({ image: emptyImage("c"), chain: 0 });
  const part = (index: number) => ({ index, count: 2, isRestored: false });
  const names = ["a", "b"].map(
    (name): ImageChange => ({
      put: "topic",
      topic: { name, id: name, partitions: [newPartition(0, [1])], configs: new Map() },
    }),
  );
  const first = encodeEntry({ ...entry(11, 99, [names[0]!]), part: part(0) });
  const second = encodeEntry({ ...entry(12, chainOf(first), [names[1]!]), part: part(1) });
  const take = (bytes: Uint8Array) => course.take(decodeEntry(bytes), bytes).kind;
  assert.is(take(second), "gap");
  assert.is(take(first), "collected");
  assert.is(course.image.version, 0);
  assert.is(take(encodeEntry(entry(12, chainOf(first)))), "gap", "its writer was replaced");
  assert.is(take(first), "collected");
  assert.is(take(second), "applied");
  assert.equal([...course.image.topics.keys()], ["a", "b"]);
  assert.is(course.image.version, 12);
});

test("checkedQuestion() lets through what members ask", () => {
  const asker = { id: 1, epoch: 2, isRepeat: false };
  const request = { do: "elect-leaders", kind: "preferred", partitions: null };
  const questions = [
    { ask: "identify" },
    { ask: "heartbeat", id: 1, epoch: 2, incarnation: "i", version: 3, isReady: true },
    { ask: "change", asker, request },
  ];
  for (const question of questions) assert.equal(checkedQuestion(question), question);
});

test("checkedQuestion() refuses in one sentence what it does not understand", () => {
  const asker = { id: 1, epoch: 2, isRepeat: false };
  const change = (request: unknown) => ({ ask: "change", asker, request });
  const wrong = [
    null,
    [],
    "identify",
    {},
    { ask: "toString" },
    { ask: "heartbeat", id: "1" },
    { ask: "change" },
    change(null),
    change({ do: "toString" }),
    change({ do: "register", broker: { id: 1 } }),
    change({ do: "create-topic", name: "t", id: "i", layout: {}, configs: [] }),
    change({ do: "create-topic", name: "t", id: "i", layout: { assignments: [1] }, configs: [] }),
    change({ do: "delete-topic", name: 1, id: null }),
    change({ do: "alter-topic-configs", name: "t", changes: [["a", 1]] }),
    change({ do: "alter-isr", changes: [{ topicId: "t" }] }),
    change({ do: "elect-leaders", kind: "any", partitions: null }),
    change({ do: "reassign", requests: [{ topic: "t", partition: 0, replicas: [1.5] }] }),
    change({ do: "allocate-producer-ids", count: 0 }),
    change({ do: "unregister" }),
  ];
  for (const question of wrong) {
    assert.throws(
      () => checkedQuestion(question),
      /^This broker does not understand .*: run the same version/,
      JSON.stringify(question),
    );
  }
});

test("Sessions: who is silent for a whole session is expired, once told in order", () => {
  const sessions = new Sessions({ sessionMs: 1_000, intervalMs: 100 }, 0);
  for (const id of [3, 1, 2]) sessions.heard(id, 0);
  for (let nowMs = 100; nowMs <= 900; nowMs += 100) assert.equal(sessions.expired(nowMs), []);
  sessions.heard(2, 900);
  assert.equal(sessions.expired(1_000), [1, 3]);
  sessions.forget(1);
  assert.equal(sessions.expired(1_100), [3]);
});

test("Sessions: a look that comes late blames nobody", () => {
  const sessions = new Sessions({ sessionMs: 1_000, intervalMs: 100 }, 0);
  sessions.heard(1, 0);
  assert.equal(sessions.expired(100), []);
  assert.equal(sessions.expired(5_000), []);
  for (let nowMs = 5_100; nowMs < 6_000; nowMs += 100) assert.equal(sessions.expired(nowMs), []);
  assert.equal(sessions.expired(6_000), [1]);
});

test.run();
