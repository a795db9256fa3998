// freeChunk(): memory of large chunks goes, and only theirs. keepFreedMemory(): the process keeps what was freed.

import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { freeChunk } from "../../../runtime/platforms/chunk-memory.ts";
import { projectFolder } from "../../support/project.ts";

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

/** Pages the system had to provide for one of 40 rounds in which 8 MiB are allocated, written and freed. */
const rounds = `
  const { freeChunk, keepFreedMemory } = await import("./runtime/platforms/chunk-memory.ts");
  if (process.argv[1] === "keep") keepFreedMemory();
  const round = () => {
    const chunks = Array.from({ length: 8 }, () => new Uint8Array(1_048_576).fill(1));
    for (const chunk of chunks) freeChunk(chunk);
  };
  for (let i = 0; i < 10; i++) round();
  const before = process.resourceUsage().minorPageFault;
  for (let i = 0; i < 40; i++) round();
  const faults = (process.resourceUsage().minorPageFault - before) / 40;
  console.log(JSON.stringify({ faults, glibc: process.report.getReport().header.glibcVersionRuntime }));`;

test("keepFreedMemory() lets glibc use freed memory again", () => {
  const [kept, returned] = ["keep", "return"].map((way) => {
    const flags = ["--import", "tsx", "--input-type=module", "-e", rounds, way];
    const { stdout, stderr } = spawnSync(process.execPath, flags, {
      cwd: projectFolder,
      encoding: "utf8",
      timeout: 20_000,
    });
    assert.ok(stdout.startsWith("{"), stderr);
    return JSON.parse(stdout) as { faults: number; glibc?: string };
  });
  // Others keep or return memory by rules of their own.
  if (kept?.glibc === undefined) return;
  assert.ok(kept.faults < returned!.faults / 4, JSON.stringify({ kept, returned }));
});

test.run();
