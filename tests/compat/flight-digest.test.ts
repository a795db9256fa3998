// The measure of the proof is proved itself: it must see every kind of difference between two streams.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { FlightAccount, FlightDigest, type SeenRecord } from "./flight-digest.ts";

const records = ["a1", "b1", "a2", "a3", "b2"].map((text, i) => record(text, i));

function record(text: string, timestampMs: number): SeenRecord {
  const key = text.slice(0, 1);
  return { partition: key === "a" ? 0 : 1, key, timestampMs, value: Buffer.from(text) };
}

function digestOf(list: readonly SeenRecord[], withTime = true): FlightDigest {
  const digest = new FlightDigest({ withTime });
  for (const each of list) digest.add(each);
  return digest;
}

test("expectSame() takes other orders between keys, and no other difference", () => {
  const [a1, b1, a2, a3, b2] = records as [
    SeenRecord,
    SeenRecord,
    SeenRecord,
    SeenRecord,
    SeenRecord,
  ];
  digestOf(records).expectSame(digestOf([b1, a1, b2, a2, a3]), "another order of keys");
  const wrong: Record<string, SeenRecord[]> = {
    lost: [a1, b1, a2, b2],
    twice: [a1, b1, a2, a3, a3, b2],
    swapped: [a2, b1, a1, a3, b2],
    changed: [a1, b1, a2, { ...a3, value: Buffer.from("aX") }, b2],
    "at another time": [a1, b1, { ...a2, timestampMs: 9 }, a3, b2],
    "cut elsewhere": [
      { ...a1, value: Buffer.from("a1a") },
      { ...a2, value: Buffer.from("2") },
      a3,
      b1,
      b2,
    ],
    "of another key": [a1, b1, a2, a3, b2, record("c1", 1)],
  };
  for (const [name, list] of Object.entries(wrong)) {
    assert.throws(() => digestOf(records).expectSame(digestOf(list), name), /keys differ/, name);
  }
  assert.throws(() => digestOf([a1, { ...a2, partition: 1 }]), /on partition 1 and on 0/);
});

test("FlightAccount takes out what was sent again, and only that", () => {
  const sent = ["a1", "a2", "a3", "a4"].map((text, i) => record(text, i));
  const [a1, a2, a3, a4] = sent as [SeenRecord, SeenRecord, SeenRecord, SeenRecord];
  const pass = (stored: readonly SeenRecord[], acknowledged: number): FlightDigest => {
    const digest = new FlightDigest({ withTime: true });
    const account = new FlightAccount(digest, [{ wanted: 4, acknowledged, stored: stored.length }]);
    for (const each of stored) account.add(each);
    return digest;
  };
  digestOf(sent).expectSame(pass([a1, a2, a3, a2, a3, a4], 1), "two of them sent again");
  digestOf(sent).expectSame(pass(sent, 4), "nothing sent again");
  assert.throws(() => pass([a1, a2, a3, a3, a2, a4], 1), /not the record that was sent again/);
  assert.throws(
    () => pass([a1, a3, a4], 2),
    /2 records were acknowledged before the cut, but only 1/,
  );
});

test.run();
