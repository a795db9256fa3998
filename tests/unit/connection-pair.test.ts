// connectionPair(): two ends that behave as a socket's.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { connectionPair } from "../../runtime/connection-pair.ts";

const from = { address: "here", port: 0 };
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("write() is received in order, and never before it returns", async () => {
  const [near, far] = connectionPair(from);
  const received: number[] = [];
  far.onData((chunk) => received.push(...chunk));
  near.write(Uint8Array.of(1, 2));
  near.write(Uint8Array.of(3));
  assert.equal(received, []);
  await turn();
  assert.equal(received, [1, 2, 3]);
});

test("write() asks for patience while the other end holds much, and says when that is over", async () => {
  const [near, far] = connectionPair(from);
  let bytes = 0;
  let drains = 0;
  far.onData((chunk) => {
    bytes += chunk.length;
  });
  near.onDrain(() => drains++);
  far.pause();
  assert.not(near.write(new Uint8Array(10)));
  far.resume();
  await turn();
  assert.is(drains, 1);
  assert.ok(near.write(new Uint8Array(10)));
  assert.not(near.write(new Uint8Array(300 * 1024)));
  await turn();
  assert.is(drains, 2);
  assert.is(bytes, 20 + 300 * 1024);
});

test("end() delivers what was written, then closes both", async () => {
  const [near, far] = connectionPair(from);
  const seen: string[] = [];
  far.onData((chunk) => seen.push(`${chunk.length} bytes`));
  far.onClose(() => seen.push("far"));
  near.onClose(() => seen.push("near"));
  near.write(new Uint8Array(5));
  near.end();
  await turn();
  assert.equal(seen.sort(), ["5 bytes", "far", "near"]);
});

test.run();
