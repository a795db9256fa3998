// Allocation, the limit, growth under views, and place().

import { test } from "uvu";
import * as assert from "uvu/assert";
import { CoreMemoryFull } from "../../../storage-wasm/core.ts";
import { writeBatch } from "./batch-writer.ts";
import { newCore, randomBytes } from "./core-under-test.ts";

const MiB = 1024 * 1024;
const isFull = (error: unknown) => error instanceof CoreMemoryFull;

test("alloc() gives areas that do not overlap, whatever was freed in between", () => {
  const core = newCore();
  const live = new Map<number, { length: number; mark: number }>();
  const dice = randomBytes(24_000, 11);
  for (let i = 0; i < 6000; i++) {
    const roll = dice[i * 4]! | (dice[i * 4 + 1]! << 8);
    if (dice[i * 4 + 2]! < 120 && live.size > 0) {
      const at = [...live.keys()][roll % live.size]!;
      assertMarked(core.bytes(at, live.get(at)!.length), live.get(at)!.mark);
      core.free(at);
      live.delete(at);
    } else {
      const length = dice[i * 4 + 3]! < 20 ? roll * 3 : roll % 700;
      const at = core.alloc(length);
      assert.is(at % 16, 0);
      const mark = i & 255;
      core.bytes(at, length).fill(mark);
      live.set(at, { length, mark });
    }
  }
  for (const [at, { length, mark }] of live) {
    assertMarked(core.bytes(at, length), mark);
    core.free(at);
  }
  const before = core.memoryBytes;
  core.free(core.alloc(before - 700_000));
  assert.is(core.memoryBytes, before, "freed neighbours are one again");
});

test("alloc() throws CoreMemoryFull at the limit, and the core goes on", () => {
  const core = newCore({ memoryBytesMax: 4 * MiB });
  assert.throws(() => core.alloc(5 * MiB), isFull);
  assert.throws(() => core.alloc(2 ** 40), isFull);
  const areas: number[] = [];
  assert.throws(() => {
    for (let i = 0; i < 100; i++) areas.push(core.alloc(256 * 1024));
  }, isFull);
  assert.ok(areas.length >= 10, `${areas.length} areas`);
  assert.ok(core.memoryBytes <= 4 * MiB);
  for (const at of areas) core.free(at);
  core.free(core.alloc(3 * MiB));
  assert.throws(() => core.place(new Uint8Array(8 * MiB)), isFull);
  assert.is(core.crc32c(new Uint8Array(8 * MiB)), newCore().crc32c(new Uint8Array(8 * MiB)));
});

test("an index that finds no memory throws CoreMemoryFull and keeps its entries", () => {
  const core = newCore({ memoryBytesMax: 2 * MiB });
  const index = core.newOffsetIndex();
  assert.throws(() => {
    for (let i = 1; i < 1_000_000; i++) index.append(i, i);
  }, isFull);
  const { entries } = index;
  assert.ok(entries > 10_000);
  assert.is(index.lookup(entries), entries);
  assert.throws(() => core.loadTimeIndex(new Uint8Array(1_800_000).fill(1)), isFull);
});

test("free() of what is not in use traps instead of corrupting", () => {
  const core = newCore();
  const at = core.alloc(100);
  core.free(at);
  assert.throws(() => core.free(at), WebAssembly.RuntimeError);
  assert.throws(() => core.free(core.alloc(100) + 4), WebAssembly.RuntimeError);
});

test("bytes(), header, rows and indexes survive growth of the memory", () => {
  const core = newCore();
  const batch = writeBatch([{ value: Uint8Array.of(1, 2, 3) }], { baseOffset: 7n });
  const at = core.alloc(batch.length);
  core.bytes(at, batch.length).set(batch);
  const index = core.newOffsetIndex();
  index.append(5, 50);
  core.scan(at, batch.length, { verifyCrc: true });
  const stale = core.bytes(at, batch.length);
  const memoryBytes = core.memoryBytes;
  core.alloc(20 * MiB);
  assert.ok(core.memoryBytes > memoryBytes);
  assert.is(stale.length, 0);
  assert.equal(core.bytes(at, batch.length).slice(), batch);
  core.row(0);
  assert.is(core.header.baseOffset, 7);
  assert.equal(index.fileBytes().slice(), Uint8Array.of(0, 0, 0, 5, 0, 0, 0, 50));
  const rules = { verifyCrc: true, walkRecords: true, requireKeys: false };
  assert.is(core.check(at, batch.length, rules), 0);
});

test("place() leaves the core's own bytes where they are and copies others", () => {
  const core = newCore();
  const at = core.alloc(100);
  assert.is(core.place(core.bytes(at + 10, 20)), at + 10);
  const foreign = randomBytes(1000, 2);
  const placed = core.place(foreign.subarray(3));
  assert.equal(core.bytes(placed, 997).slice(), foreign.slice(3));
});

test("place() holds its bytes through other calls, until the next place()", () => {
  const core = newCore();
  const bytes = randomBytes(5000, 3);
  const at = core.place(bytes);
  const encoded = core.encode([{ key: null, value: bytes, timestampMs: 1 }], { compression: null });
  core.decode(encoded, (_, stored) => stored);
  core.crc32c(randomBytes(200_000, 4));
  core.findBytes(at, 5000, Uint8Array.of(1, 2, 3, 4));
  core.loadOffsetIndex(new Uint8Array(80));
  assert.equal(core.bytes(at, 5000).slice(), bytes);
});

test("place() gives a large scratch area back", () => {
  const core = newCore({ memoryBytesMax: 40 * MiB });
  core.place(new Uint8Array(30 * MiB));
  core.place(new Uint8Array(10));
  core.free(core.alloc(30 * MiB));
});

test("a core starts small", () => {
  assert.ok(newCore().memoryBytes <= 2 * MiB);
});

function assertMarked(bytes: Uint8Array, mark: number): void {
  assert.ok(
    bytes.every((byte) => byte === mark),
    `area marked ${mark} was overwritten`,
  );
}

test.run();
