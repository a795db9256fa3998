// Pages of messages: moved together in the memory they were read from, or put into other memory where that is too small.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { PageBody } from "../../../../runtime/http/durable-streams/page-body.ts";
import { type RecordInput, RecordReader } from "../../../../storage-wasm/core.ts";
import { platform } from "../door.ts";

const headerBytes = 61;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where the records of a batch of `values` begin in fresh memory, behind the batch's header. */
function batchOf(values: readonly (string | null)[]): Uint8Array {
  const records = values.map((value): RecordInput => {
    return { key: null, value: value === null ? null : encoder.encode(value), timestampMs: 1 };
  });
  return platform.core.encode(records, { compression: null });
}

function readerOf(batch: Uint8Array, count: number): RecordReader {
  const origin = { baseOffset: 0, lastOffset: count - 1, count, baseTimestamp: 1 };
  return new RecordReader(batch.subarray(headerBytes), { ...origin, appendTimeMs: null });
}

function addAll(body: PageBody, batch: Uint8Array, count: number): void {
  for (const reader = readerOf(batch, count); reader.advance(); ) body.add(reader);
}

test("PageBody moves messages together in the memory that they were read from", () => {
  const values = ["1", "", `"${"x".repeat(300)}"`, null, "[2,3]"];
  const present = values.filter((value) => value !== null);
  for (const isJson of [true, false]) {
    const batch = batchOf(values);
    const body = new PageBody({ isJson });
    body.offer(batch);
    addAll(body, batch, values.length);
    const expected = isJson ? `[${present.join(",")}]` : present.join("");
    assert.is(decoder.decode(body.bytes()), expected);
    assert.is(decoder.decode(body.bytes()), expected, "asked again");
    assert.is(body.bytes().buffer, batch.buffer);
    assert.is(body.count, present.length);
  }
});

test("PageBody takes memory of its own before it overwrites what was not read yet", () => {
  // What came from elsewhere, as out of a compressed batch, is longer than what was read of the offered memory.
  const offered = batchOf(Array.from({ length: 50 }, (_, i) => `${i}`));
  const other = batchOf(["first".repeat(30)]);
  const body = new PageBody({ isJson: true });
  body.offer(offered);
  const reader = readerOf(offered, 50);
  addAll(body, other, 1);
  while (reader.advance()) body.add(reader);
  addAll(body, other, 1);
  const numbers = Array.from({ length: 50 }, (_, i) => i).join(",");
  const text = "first".repeat(30);
  assert.is(decoder.decode(body.bytes()), `[${text},${numbers},${text}]`);
});

test("PageBody of an unoffered memory leaves it as it is, and is empty without messages", () => {
  const batch = batchOf(["a", "b"]);
  const before = batch.slice();
  const body = new PageBody({ isJson: false });
  assert.is(body.bytes().length, 0);
  assert.is(decoder.decode(new PageBody({ isJson: true }).bytes()), "[]");
  addAll(body, batch, 2);
  assert.is(decoder.decode(body.bytes()), "ab");
  assert.equal(batch, before);
});

test.run();
