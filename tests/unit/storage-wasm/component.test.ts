// The component as any host sees it, through the glue: lists in, results out; and that what is built is what
// the sources say.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { build, distFolder, isUpToDate } from "../../../storage-wasm/build.ts";
import { instantiate } from "../../../storage-wasm/dist/core.js";
import { corePacked } from "../../../storage-wasm/dist/core-inline.js";
import { createInstance, rawCore } from "../../../storage-wasm/instance.ts";
import { readBatch } from "./batch-reader.ts";
import { writeBatch } from "./batch-writer.ts";
import { coreModule, randomBytes } from "./core-under-test.ts";
import { crc32cReference } from "./crc-reference.ts";

let exports: WebAssembly.Exports = {};
const component = instantiate(
  () => coreModule,
  {},
  (module, imports) => {
    const instance = new WebAssembly.Instance(module, imports);
    exports = instance.exports;
    return instance;
  },
);
const raw = rawCore(exports);

const is = (fault: string) => (thrown: unknown) => String(thrown) === fault;

test("checksums.crc32c takes a list", () => {
  for (const length of [0, 1, 5000]) {
    const bytes = randomBytes(length, length);
    assert.is(component.checksums.crc32c(bytes, 0) >>> 0, crc32cReference(bytes));
  }
});

test("batches.inspect returns a header record or names the fault", () => {
  const bytes = writeBatch([{ value: Uint8Array.of(1) }, {}], {
    baseOffset: 40n,
    producerId: 9n,
    producerEpoch: 2,
    baseSequence: 5,
  });
  const wanted = readBatch(bytes, { verifyCrc: true });
  const { records, lastOffsetDelta, ...header } = wanted;
  assert.equal(component.batches.inspect(bytes), {
    ...header,
    lastOffset: wanted.baseOffset + BigInt(lastOffsetDelta),
  });
  assert.is(records.length, 2);
  assert.throws(() => component.batches.inspect(bytes.subarray(0, 70)), is("incomplete"));
  bytes[70]! ^= 1;
  assert.throws(() => component.batches.inspect(bytes), is("crc"));
});

test("lists passed to the component are given back", () => {
  const megabyte = new Uint8Array(1 << 20);
  for (let i = 0; i < 3; i++) component.checksums.crc32c(megabyte, 0);
  const { byteLength } = raw.memory.buffer;
  for (let i = 0; i < 50; i++) component.checksums.crc32c(megabyte, 0);
  assert.is(raw.memory.buffer.byteLength, byteLength);
});

test("the glue's numbers are the raw exports' numbers", () => {
  assert.is(component.batches.headerRowAt(), raw.headerRowAt());
  assert.equal(Object.keys(createInstance(coreModule)), Object.keys(raw));
});

test("the inline core is the core", () => {
  const inline = gunzipSync(Buffer.from(corePacked, "base64"));
  assert.ok(inline.equals(readFileSync(join(distFolder, "core.wasm"))));
});

test("dist is built from the sources as they are", () => {
  assert.ok(isUpToDate(), "run npm run prepare");
});

test("build() gives the same bytes every time", async () => {
  const folder = mkdtempSync(join(tmpdir(), "timberline-core-"));
  try {
    await build(folder);
    for (const name of readdirSync(distFolder).filter((entry) => entry.includes("."))) {
      assert.ok(
        readFileSync(join(folder, name)).equals(readFileSync(join(distFolder, name))),
        `${name} differs`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the glue and the wrapper reach for nothing around them", () => {
  const glue = readFileSync(join(distFolder, "core.js"), "utf8");
  for (const banned of [
    /\bprocess\b\??\./,
    /\bDeno\b/,
    /\bBun\b/,
    /node:/,
    /\bfetch\(/,
    /^import /m,
  ]) {
    assert.not.ok(banned.test(glue), String(banned));
  }
});

test.run();
