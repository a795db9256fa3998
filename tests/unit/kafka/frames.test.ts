// FrameAssembler and ByteBudget: every way a stream can be cut gives the same frames, memory comes back.

import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ByteBudget } from "../../../runtime/kafka/byte-budget.ts";
import { FrameAssembler } from "../../../runtime/kafka/frames.ts";
import { MalformedRequest } from "../../../runtime/kafka/malformed-request.ts";
import { concat, hex } from "./bytes.ts";
import { FakeMemory } from "./fakes.ts";

function frame(length: number, fill: number): Uint8Array {
  const bytes = new Uint8Array(4 + length).fill(fill);
  new DataView(bytes.buffer).setInt32(0, length);
  return bytes;
}

function assembler(given: { budgetBytes?: number; max?: number; goOn?: () => boolean } = {}) {
  const memory = new FakeMemory();
  const budget = new ByteBudget(given.budgetBytes ?? 1_000_000);
  const seen: string[] = [];
  let ready = 0;
  const frames = new FrameAssembler({
    memory,
    budget,
    requestBytesMax: given.max ?? 10_000,
    handle(reader) {
      seen.push(hex(reader.bytes.subarray(reader.at, reader.end)));
      return given.goOn?.() ?? true;
    },
    ready: () => ready++,
  });
  return { frames, memory, budget, seen, ready: () => ready };
}

const three = [frame(8, 1), frame(100, 2), frame(9, 3)];
const expected = three.map((bytes) => hex(bytes.subarray(4)));

test("push() gives the same frames for every pair of cuts", () => {
  const stream = concat(three);
  for (let a = 0; a <= stream.length; a++) {
    for (let b = a; b <= stream.length; b += 3) {
      const { frames, memory, budget, seen } = assembler();
      for (const piece of [stream.subarray(0, a), stream.subarray(a, b), stream.subarray(b)]) {
        const chunk = piece.slice();
        frames.push(chunk);
        chunk.fill(0xee);
      }
      assert.equal(seen, expected);
      assert.is(memory.live.size + budget.used + budget.kept, 0);
    }
  }
});

test("push() gives the same frames byte by byte, and when stopped after every frame", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 }), (sizes) => {
      const { frames, memory, budget, seen } = assembler({ goOn: () => false });
      const stream = concat(three);
      let at = 0;
      for (const size of [...sizes, stream.length]) {
        frames.push(stream.slice(at, at + size));
        at += size;
        if (size % 2 === 0) frames.resume();
      }
      for (let i = 0; i < 5; i++) frames.resume();
      assert.equal(seen, expected);
      assert.is(memory.live.size + budget.used + budget.kept, 0);
    }),
    { numRuns: 200 },
  );
});

test("a frame inside a chunk is handled in place, a cut one in the core's memory", () => {
  const memory = new FakeMemory();
  const buffers: ArrayBufferLike[] = [];
  const frames = new FrameAssembler({
    memory,
    budget: new ByteBudget(1000),
    requestBytesMax: 1000,
    handle: (reader) => buffers.push(reader.bytes.buffer) > 0,
    ready: () => {},
  });
  const chunk = frame(20, 1);
  frames.push(chunk);
  frames.push(chunk.subarray(0, 9));
  memory.grow();
  frames.push(chunk.subarray(9));
  assert.equal(
    buffers.map((buffer) => [buffer === chunk.buffer, buffer === memory.memory.buffer]),
    [
      [true, false],
      [false, true],
    ],
  );
});

test("push() refuses sizes that are negative, too small or too large, and says so", () => {
  const size = (value: number) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value);
    return bytes;
  };
  for (const value of [-1, -2147483648, 0, 7, 10_001, 2147483647]) {
    const { frames } = assembler();
    assert.throws(() => frames.push(size(value)), new RegExp(`of ${value} bytes`));
  }
  const http = new TextEncoder().encode("GET / HTTP/1.1\r\n");
  assert.throws(() => assembler().frames.push(http), /this is HTTP/);
});

test("push() gives memory and budget back when handling throws", () => {
  const memory = new FakeMemory();
  const budget = new ByteBudget(1000);
  const frames = new FrameAssembler({
    memory,
    budget,
    requestBytesMax: 1000,
    handle() {
      throw new MalformedRequest("bad");
    },
    ready: () => {},
  });
  const bytes = frame(20, 1);
  frames.push(bytes.subarray(0, 10));
  assert.is(budget.used, 20);
  assert.throws(() => frames.push(bytes.subarray(10)), /bad/);
  assert.is(memory.live.size + budget.used, 0);
});

test("close() in the middle of a frame gives memory and budget back", () => {
  const { frames, memory, budget } = assembler();
  frames.push(frame(20, 1).subarray(0, 10));
  assert.is(memory.live.size, 1);
  frames.close();
  frames.close();
  frames.push(frame(20, 1));
  assert.is(memory.live.size + budget.used + budget.kept, 0);
});

test("without budget a connection waits and goes on when bytes come back", () => {
  const budget = new ByteBudget(150);
  const memory = new FakeMemory();
  const make = (seen: number[], ready: () => void) =>
    new FrameAssembler({
      memory,
      budget,
      requestBytesMax: 1000,
      handle: (reader) => seen.push(reader.remaining) > 0,
      ready,
    });
  const first: number[] = [];
  const second: number[] = [];
  const a = make(first, () => {});
  const b: FrameAssembler = make(second, () => queueMicrotask(() => b.resume()));
  a.push(frame(100, 1).subarray(0, 50));
  b.push(frame(100, 2).subarray(0, 50));
  assert.is(b.stopped, true);
  b.push(frame(100, 2).subarray(50));
  b.resume();
  assert.equal(second, []);
  a.push(frame(100, 1).subarray(50));
  return Promise.resolve().then(() => {
    assert.equal([first, second], [[100], [100]]);
    assert.is(memory.live.size + budget.used + budget.kept, 0);
  });
});

test("a frame larger than the whole budget is let through alone", () => {
  const { frames, seen } = assembler({ budgetBytes: 10 });
  const bytes = frame(100, 1);
  frames.push(bytes.subarray(0, 50));
  frames.push(bytes.subarray(50));
  assert.is(seen.length, 1);
});

test("take() serves waiters in order and skips those who gave up", () => {
  const budget = new ByteBudget(10);
  const granted: string[] = [];
  assert.is(
    budget.take(10, () => {}),
    undefined,
  );
  const cancel = budget.take(8, () => granted.push("a"));
  budget.take(5, () => granted.push("b"));
  budget.take(6, () => granted.push("c"));
  cancel?.();
  budget.give(10);
  assert.equal(granted, ["b"]);
  budget.give(5);
  assert.equal(granted, ["b", "c"]);
  budget.give(6);
  assert.is(budget.used, 0);
});

test.run();
