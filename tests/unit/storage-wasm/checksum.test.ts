// CRC-32C against the bitwise definition: every tier, every alignment, seeds and splits.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { newCore, randomBytes } from "./core-under-test.ts";
import { crc32cReference } from "./crc-reference.ts";

const core = newCore();
const data = randomBytes(1 << 20, 1);

test("crc32c() gives the published check value", () => {
  assert.is(core.crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assert.is(core.crc32c(new Uint8Array(0)), 0);
  assert.is(core.crc32c(new Uint8Array(32)), 0x8a9136aa);
});

test("crc32cAt() equals the reference at every length up to 1,400 and around the tiers' edges", () => {
  const edges = [2047, 2048, 8192, 8480, 20479, 20480, 20481, 21888, 22000, 37000, 65536, 70001];
  const lengths = Array.from({ length: 1400 }, (_, i) => i);
  for (const edge of edges) for (let i = -2; i <= 17; i += 3) lengths.push(edge + i);
  const at = core.alloc(80_000);
  for (const length of lengths) {
    const shift = (length * 7) & 63;
    const seed = (length * 2654435761) >>> 0;
    const bytes = data.subarray(shift, shift + length);
    core.bytes(at + shift, length).set(bytes);
    const got = core.crc32cAt(at + shift, length, seed);
    assert.is(got, crc32cReference(bytes, seed), `length ${length}, seed ${seed}`);
  }
  core.free(at);
});

test("crc32c() of parts chains to the CRC of the whole", () => {
  for (let i = 0; i < 40; i++) {
    const length = (i * 26_003) % data.length;
    const cut = (i * 7919) % (length + 1);
    const whole = core.crc32c(data.subarray(0, length));
    const parts = core.crc32c(data.subarray(cut, length), core.crc32c(data.subarray(0, cut)));
    assert.is(parts, whole, `length ${length}, cut ${cut}`);
  }
});

test("crc32c() of bytes larger than a piece equals the reference", () => {
  assert.is(core.crc32c(data), crc32cReference(data));
});

test("crc32c() does not depend on what was summed before", () => {
  const zeros = new Uint8Array(30_000);
  const first = core.crc32c(zeros);
  for (const length of [300, 3000, 30_000]) core.crc32c(data.subarray(0, length));
  assert.is(core.crc32c(zeros), first);
});

test("crc32c() changes with any single bit", () => {
  const bytes = data.slice(0, 24_000);
  const right = core.crc32c(bytes);
  for (let i = 0; i < bytes.length; i += 997) {
    bytes[i]! ^= 1 << (i & 7);
    assert.is.not(core.crc32c(bytes), right, `bit in byte ${i}`);
    bytes[i]! ^= 1 << (i & 7);
  }
});

test.run();
