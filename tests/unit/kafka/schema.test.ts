// The schema engine: inferred types, versions, flexible encoding, and what hostile bytes do to it.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { MalformedRequest } from "../../../runtime/kafka/malformed-request.ts";
import { Reader } from "../../../runtime/kafka/reader.ts";
import {
  array,
  boolean,
  bytes,
  defineApi,
  int8,
  int16,
  int32,
  int64,
  type RequestInput,
  type RequestOf,
  records,
  string,
  struct,
  uuid,
} from "../../../runtime/kafka/schema.ts";
import { Writer } from "../../../runtime/kafka/writer.ts";
import { hex, joined, unhex } from "./bytes.ts";

const sample = defineApi({
  key: 99,
  name: "Sample",
  versions: { min: 0, max: 3 },
  flexibleSince: 2,
  request: struct({
    name: string(),
    note: string({ nullable: 1, since: 1 }),
    old: int16({ until: 1, default: -1 }),
    items: array(
      struct({ id: int32(), big: int64(), tags: array(string(), { nullable: true, default: [] }) }),
    ),
    topicId: uuid({ since: 3 }),
    flag: boolean({ since: 1, default: true }),
    extra: bytes({ since: 2, tag: 0, default: new Uint8Array(0) }),
    cursor: struct({ at: int8() }, { since: 3, nullable: true, default: null }),
    late: int32({ since: 2, tag: 5, tagSince: 3, default: 7 }),
  }),
  response: struct({ data: records() }),
});

// Compile-time: what is inferred. A wrong inference does not compile.
const typed: RequestInput<typeof sample> = { name: "n", note: null, items: [], topicId: "" };
const readName = (request: RequestOf<typeof sample>): string => request.name;
const readNote = (request: RequestOf<typeof sample>): string | null => request.note;
// @ts-expect-error a nullable field is not a string
const wrongNote = (request: RequestOf<typeof sample>): string => request.note;
// @ts-expect-error name has no default
const lacking: RequestInput<typeof sample> = { note: null, items: [], topicId: "" };
void [typed, readName, readNote, wrongNote, lacking];

const message = {
  name: "ab",
  note: null,
  old: 5,
  items: [{ id: -1, big: -(2 ** 40), tags: ["x", "é"] }],
  topicId: "AAECAwQFBgcICQoLDA0ODw",
  flag: false,
  cursor: { at: 3 },
  late: 9,
};

function encoded(version: number, value: RequestInput<typeof sample> = message): Uint8Array {
  const writer = new Writer();
  sample.encodeRequest(version, value, writer);
  return joined(writer);
}

test("encodeRequest() writes a non-flexible version byte for byte", () => {
  assert.is(
    hex(encoded(1)),
    "0002 6162 ffff 0005 00000001 ffffffff ffffff0000000000 00000002 0001 78 0002 c3a9 00".replaceAll(
      " ",
      "",
    ),
  );
});

test("encodeRequest() writes a flexible version byte for byte", () => {
  const expected =
    "03 6162 00 02 ffffffff ffffff0000000000 03 02 78 03 c3a9 00 000102030405060708090a0b0c0d0e0f 00 01 03 00 01 05 04 00000009";
  assert.is(hex(encoded(3)), expected.replaceAll(" ", ""));
});

test("decodeRequest() gives absent fields their defaults", () => {
  const request = sample.decodeRequest(0, new Reader(encoded(0)));
  assert.is(request.note, null);
  assert.is(request.flag, true);
  assert.is(request.cursor, null);
  assert.is(request.late, 7);
  assert.is(request.topicId, "AAAAAAAAAAAAAAAAAAAAAA");
  assert.is(request.old, 5);
  assert.is(sample.decodeRequest(2, new Reader(encoded(2))).old, -1);
});

test("decodeRequest() reads back every version", () => {
  const request = sample.decodeRequest(3, new Reader(encoded(3)));
  assert.equal(request.items, message.items);
  assert.equal(request.cursor, { at: 3 });
  assert.is(request.late, 9);
  assert.is(request.topicId, message.topicId);
  assert.is(sample.decodeRequest(2, new Reader(encoded(2))).late, 9);
});

test("decodeRequest() skips unknown tagged fields", () => {
  const plain = encoded(2, { name: "", note: "", items: [], topicId: "" });
  assert.is(hex(plain), "010101010000000700");
  const withUnknown = unhex(`${hex(plain).slice(0, -2)}0109020102`);
  assert.is(sample.decodeRequest(2, new Reader(withUnknown)).late, 7);
});

test("decodeRequest() refuses every truncation and every trailing byte", () => {
  for (let version = 0; version <= 3; version++) {
    const whole = encoded(version);
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.slice(0, length);
      assert.throws(() => sample.decodeRequest(version, new Reader(cut)), isMalformed);
    }
    const longer = new Uint8Array(whole.length + 1);
    longer.set(whole);
    assert.throws(() => sample.decodeRequest(version, new Reader(longer)), isMalformed);
  }
});

test("decodeRequest() refuses counts that cannot fit before it allocates", () => {
  const huge = unhex("0000 0000 7fffffff".replaceAll(" ", ""));
  assert.throws(() => sample.decodeRequest(0, new Reader(huge)), /2147483647 elements/);
  const negative = unhex("0000 0000 fffffffe".replaceAll(" ", ""));
  assert.throws(() => sample.decodeRequest(0, new Reader(negative)), isMalformed);
  const nullArray = unhex("0000 0000 ffffffff".replaceAll(" ", ""));
  assert.throws(() => sample.decodeRequest(0, new Reader(nullArray)), isMalformed);
});

test("decodeRequest() refuses null and negative lengths where null is not allowed", () => {
  assert.throws(() => sample.decodeRequest(0, new Reader(unhex("ffff000000000000"))), isMalformed);
  assert.throws(() => sample.decodeRequest(2, new Reader(unhex("0000000000"))), isMalformed);
});

test("uvarint() refuses what does not fit 32 bits", () => {
  assert.is(new Reader(unhex("ffffffff0f")).uvarint(), 2 ** 32 - 1);
  assert.throws(() => new Reader(unhex("ffffffff10")).uvarint(), isMalformed);
  assert.throws(() => new Reader(unhex("808080808001")).uvarint(), isMalformed);
});

test("int64() round-trips what a double can hold and never throws", () => {
  for (const value of [0, -1, 1, 2 ** 53, -(2 ** 53), 2 ** 32, -(2 ** 31), 1e12]) {
    const writer = new Writer();
    writer.int64(value);
    assert.is(new Reader(joined(writer)).int64(), value);
  }
  assert.is(new Reader(unhex("7fffffffffffffff")).int64(), 2 ** 63);
});

test("records are attached without a copy and read without a copy", () => {
  const batch = new Uint8Array(5000).fill(7);
  const writer = new Writer();
  sample.encodeResponse(3, { data: batch }, writer);
  assert.is(writer.chunks()[1], batch);
  assert.is(writer.length, 2 + 5000 + 1);
  const frame = joined(writer);
  const decoded = sample.decodeResponse(3, new Reader(frame)).data;
  assert.is(decoded?.buffer, frame.buffer);
  assert.is(decoded?.length, 5000);
});

function isMalformed(error: unknown): boolean {
  return error instanceof MalformedRequest;
}

test.run();
