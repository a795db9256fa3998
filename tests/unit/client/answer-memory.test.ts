// AnswerMemory: which memory an answer gets, and from when on it is used for another.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { AnswerMemory } from "../../../runtime/client/answer-memory.ts";

const kib = 1024;
const mib = 1024 * kib;

test("take() gives memory again that its last user has released, and not before", () => {
  const memory = new AnswerMemory();
  const answer = memory.take(mib);
  const [one, other] = [answer.subarray(0, 10), answer.subarray(10, 20)];
  memory.hold(one);
  memory.hold(other);
  memory.release(one);
  assert.is.not(memory.take(mib).buffer, answer.buffer);
  memory.release(other);
  assert.is(memory.take(mib - 5).buffer, answer.buffer);
  assert.is.not(memory.take(mib).buffer, answer.buffer);
});

test("take() gives as many bytes as are asked for, whatever memory they lie in", () => {
  const memory = new AnswerMemory();
  const large = memory.take(2 * mib);
  memory.hold(large);
  memory.release(large);
  const small = memory.take(100 * kib);
  assert.is(small.buffer, large.buffer);
  assert.is(small.length, 100 * kib);
  memory.hold(small);
  memory.release(small);
  assert.is(memory.take(2 * mib).length, 2 * mib);
});

test("release() of what nobody holds, or of memory of its own, changes nothing", () => {
  const memory = new AnswerMemory();
  const small = memory.take(kib);
  assert.is(small.buffer.byteLength, kib);
  memory.hold(small);
  memory.release(small);
  memory.release(new Uint8Array(mib));
  assert.is.not(memory.take(kib).buffer, small.buffer);
  const answer = memory.take(mib);
  memory.hold(answer);
  memory.release(answer);
  memory.release(answer);
  assert.is(memory.take(mib).buffer, answer.buffer);
  assert.is.not(memory.take(mib).buffer, answer.buffer);
});

test("idle memory is bounded: the longest unused goes", () => {
  const memory = new AnswerMemory();
  const answers = Array.from({ length: 5 }, () => memory.take(10 * mib));
  for (const answer of answers) memory.hold(answer);
  for (const answer of answers) memory.release(answer);
  const buffers = Array.from({ length: 5 }, () => memory.take(10 * mib).buffer);
  const again = answers.map(({ buffer }) => buffers.includes(buffer));
  assert.equal(again, [false, false, true, true, true]);
});

test.run();
