// connectionPair(): what one end writes the other receives; a paused end holds its peer back; both hear of the end once.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { connectionPair } from "../../runtime/connection-pair.ts";
import type { Connection } from "../../runtime/platform.ts";

const from = { address: "10.0.0.1", port: 7 };
const soon = () => new Promise<void>((resolve) => setImmediate(resolve));

function watch(connection: Connection) {
  const seen = { bytes: [] as number[], closed: 0, drained: 0 };
  connection.onData((chunk) => seen.bytes.push(...chunk));
  connection.onClose(() => seen.closed++);
  connection.onDrain(() => seen.drained++);
  return seen;
}

test("connectionPair() carries bytes both ways and tells the far end who is near", async () => {
  const [near, far] = connectionPair(from);
  assert.equal([far.remoteAddress, far.remotePort], [from.address, from.port]);
  const [atNear, atFar] = [watch(near), watch(far)];
  assert.ok(near.write(Uint8Array.of(1, 2)));
  assert.ok(far.write(Uint8Array.of(3)));
  assert.equal([atFar.bytes, atNear.bytes], [[], []], "not before write() has returned");
  await soon();
  assert.equal([atFar.bytes, atNear.bytes], [[1, 2], [3]]);
});

test("connectionPair() keeps what comes before anybody listens, and what a paused end does not take", async () => {
  const [near, far] = connectionPair(from);
  let written = 0;
  near.write(Uint8Array.of(1), () => written++);
  const atNear = watch(near);
  await soon();
  const atFar = watch(far);
  await soon();
  assert.equal([atFar.bytes, written], [[1], 1]);
  far.pause();
  assert.not(near.write(Uint8Array.of(2), () => written++));
  await soon();
  assert.equal([atFar.bytes, written], [[1], 1], "its memory is still in use");
  far.resume();
  await soon();
  assert.equal([atFar.bytes, written, atNear.drained], [[1, 2], 2, 1]);
});

test("end() lets a paused peer take what was written, destroy() does not", async () => {
  for (const isKind of [true, false]) {
    const [near, far] = connectionPair(from);
    const [atNear, atFar] = [watch(near), watch(far)];
    let written = 0;
    far.pause();
    near.write(Uint8Array.of(1), () => written++);
    if (isKind) near.end();
    else near.destroy();
    await soon();
    assert.is(atFar.closed, isKind ? 0 : 1);
    far.resume();
    await soon();
    assert.equal([atFar.bytes, atFar.closed, atNear.closed], [isKind ? [1] : [], 1, 1]);
    assert.is(written, 1, "memory is given back either way");
    near.destroy();
    far.write(Uint8Array.of(2), () => written++);
    await soon();
    assert.equal([atNear.bytes, atNear.closed, written], [[], 1, 2]);
  }
});

test.run();
