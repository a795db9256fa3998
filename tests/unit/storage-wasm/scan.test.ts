// scan(), findOffset(), findTimestamp() and findBytes() on whole, torn and rotten chunks.

import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BatchFault } from "../../../storage-wasm/core.ts";
import { type WrittenHeader, withCrc, writeBatch } from "./batch-writer.ts";
import { newCore, randomBytes } from "./core-under-test.ts";

const core = newCore();
const text = (value: string) => new TextEncoder().encode(value);

function batch(baseOffset: number, count: number, header: WrittenHeader = {}): Uint8Array {
  const records = Array.from({ length: count }, (_, i) => ({ value: text(`value ${i}`) }));
  return writeBatch(records, { baseOffset: BigInt(baseOffset), ...header });
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function scan(bytes: Uint8Array, options: { rowsMax?: number; verifyCrc?: boolean } = {}) {
  return core.scan(core.place(bytes), bytes.length, { verifyCrc: true, ...options });
}

const three = [batch(0, 3), batch(3, 1), batch(10, 5)];
const log = joined(...three);
const ends = [three[0]!.length, three[0]!.length + three[1]!.length, log.length];

test("scan() finds every batch of a sound chunk", () => {
  assert.equal(scan(log), { rows: 3, validBytes: log.length, fault: BatchFault.none });
  assert.equal(scan(new Uint8Array(0)), { rows: 0, validBytes: 0, fault: BatchFault.none });
});

test("row() loads position and header of each batch", () => {
  scan(log);
  const seen = [0, 1, 2].map((i) => [core.row(i), core.header.baseOffset, core.header.lastOffset]);
  assert.equal(seen, [
    [0, 0, 2],
    [ends[0], 3, 3],
    [ends[1], 10, 14],
  ]);
  assert.throws(() => core.row(3), /no row 3/);
});

test("scan() keeps whole batches of a chunk cut anywhere", () => {
  for (let length = 0; length < log.length; length++) {
    const whole = ends.filter((end) => end <= length);
    const validBytes = whole.at(-1) ?? 0;
    const fault = length === validBytes ? BatchFault.none : BatchFault.incomplete;
    assert.equal(scan(log.subarray(0, length)), { rows: whole.length, validBytes, fault });
  }
});

test("scan() stops at any flipped bit under the CRC, and before zeros", () => {
  const property = fc.property(fc.nat(log.length - 1), fc.nat(7), (at, bit) => {
    const rotten = log.slice();
    rotten[at]! ^= 1 << bit;
    const hit = ends.findIndex((end) => at < end);
    const { rows, validBytes, fault } = scan(rotten);
    const inBatch = at - (ends[hit - 1] ?? 0);
    // Base offset and leader epoch lie outside the CRC: the log above knows what they must be.
    if (inBatch < 8 || (inBatch >= 12 && inBatch < 16)) return;
    assert.is.not(fault, BatchFault.none);
    assert.equal([rows, validBytes], [hit, ends[hit - 1] ?? 0]);
  });
  fc.assert(property, { numRuns: 1500 });
  const padded = joined(log, new Uint8Array(4096));
  assert.equal(scan(padded), { rows: 3, validBytes: log.length, fault: BatchFault.magic });
  assert.is(scan(joined(log, randomBytes(500, 9))).validBytes, log.length);
});

test("scan() skips the CRC only where told to", () => {
  const rotten = log.slice();
  rotten[log.length - 1]! ^= 1;
  assert.is(scan(rotten).fault, BatchFault.crc);
  assert.is(scan(rotten, { verifyCrc: false }).fault, BatchFault.none);
});

test("scan() stops where offsets do not grow", () => {
  const faultOf = (...parts: Uint8Array[]) => {
    const { rows, fault } = scan(joined(...parts));
    return [rows, fault];
  };
  assert.equal(faultOf(batch(5, 2), batch(6, 1)), [1, BatchFault.offsets]);
  assert.equal(faultOf(batch(5, 2), batch(5, 2)), [1, BatchFault.offsets]);
  assert.equal(faultOf(batch(5, 2), batch(0, 2)), [1, BatchFault.offsets]);
  assert.equal(faultOf(batch(-1, 1)), [0, BatchFault.offsets]);
  assert.equal(faultOf(batch(5, 2), batch(7, 1)), [2, BatchFault.none]);
  const last = Number.MAX_SAFE_INTEGER;
  assert.equal(faultOf(batch(last - 1, 2)), [1, BatchFault.none]);
  assert.equal(faultOf(batch(last, 2)), [0, BatchFault.offsets]);
});

test("scan() accepts compacted batches and attributes it does not know", () => {
  const compacted = batch(0, 2, { lastOffsetDelta: 9, attributes: 0x40 });
  const empty = batch(10, 0, { lastOffsetDelta: 4, attributes: 0x80 });
  assert.equal(scan(joined(compacted, empty, batch(15, 1))).rows, 3);
  assert.is(scan(batch(0, 3, { lastOffsetDelta: 1 })).fault, BatchFault.count);
  assert.is(scan(batch(0, 0, { lastOffsetDelta: -1 })).fault, BatchFault.count);
});

test("scan() stops after rowsMax and can be continued", () => {
  const first = scan(log, { rowsMax: 2 });
  assert.equal(first, { rows: 2, validBytes: ends[1], fault: BatchFault.none });
  assert.is(scan(log.subarray(first.validBytes)).rows, 1);
});

test("scan() does not end in random bytes", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 300, size: "max" }), (bytes) => {
    assert.is(scan(bytes).validBytes, 0);
  });
  fc.assert(property, { numRuns: 500 });
});

test("findOffset() returns the first batch whose last offset is ≥ the target", () => {
  const at = core.place(log);
  const wanted = new Map([
    [0, 0],
    [2, 0],
    [3, ends[0]],
    [4, ends[1]],
    [14, ends[1]],
    [15, -1],
  ]);
  for (const [offset, position] of wanted) {
    assert.is(core.findOffset(at, log.length, offset), position, `offset ${offset}`);
  }
  assert.is(core.findOffset(at, log.length - 1, 12), -1);
});

test("findTimestamp() returns the first batch with maxTimestamp ≥ the target", () => {
  const times = [500n, 400n, 900n].map((maxTimestamp, i) => batch(i, 1, { maxTimestamp }));
  const bytes = joined(...times);
  const at = core.place(bytes);
  const find = (timestampMs: number) => core.findTimestamp(at, bytes.length, timestampMs);
  const size = times[0]!.length;
  assert.equal([-1, 500, 501, 900, 901].map(find), [0, 0, size * 2, size * 2, -1]);
});

test("findBytes() finds what indexOf finds", () => {
  const haystack = fc.uint8Array({ max: 3, maxLength: 200, size: "max" });
  const needle = fc.uint8Array({ max: 3, maxLength: 6 });
  const property = fc.property(haystack, needle, fc.nat(40), (hay, wanted, shift) => {
    const chunk = joined(new Uint8Array(shift).fill(9), hay);
    const at = core.place(chunk);
    // What lies behind the chunk must not be found.
    core.bytes(at + chunk.length, 8).set(wanted);
    const index = Buffer.from(chunk).indexOf(Buffer.from(wanted));
    assert.is(core.findBytes(at, chunk.length, wanted), index);
  });
  fc.assert(property, { numRuns: 2000 });
});

test("findBytes() takes a needle in the core's memory, and one longer than the chunk", () => {
  const at = core.place(withCrc(log));
  assert.is(core.findBytes(at, log.length, core.bytes(at + 70, 9)), 70);
  assert.is(core.findBytes(at, 4, text("hello")), -1);
});

test.run();
