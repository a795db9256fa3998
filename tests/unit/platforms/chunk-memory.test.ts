// freeChunk(): memory of large chunks goes, and only theirs.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { freeChunk } from "../../../runtime/platforms/chunk-memory.ts";

test("freeChunk() empties a large chunk that has its memory for itself", () => {
  const chunk = new Uint8Array(65_536).fill(1);
  freeChunk(chunk);
  assert.is(chunk.length, 0);
  assert.is(chunk.buffer.byteLength, 0);
});

test("freeChunk() leaves a chunk that shares its memory with others", () => {
  const pool = new Uint8Array(65_536).fill(1);
  freeChunk(pool.subarray(0, 32_768));
  freeChunk(pool.subarray(16));
  assert.is(pool.length, 65_536);
  assert.is(pool[40_000], 1);
});

test("freeChunk() leaves small chunks to the collector", () => {
  const chunk = new Uint8Array(100);
  freeChunk(chunk);
  assert.is(chunk.length, 100);
});

test.run();
