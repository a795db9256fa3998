// What a follower or client is told of past leaders.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { LeaderEpochs } from "../../../runtime/log/leader-epochs.ts";

const epochs = () =>
  new LeaderEpochs([
    { epoch: 0, startOffset: 0 },
    { epoch: 2, startOffset: 10 },
    { epoch: 5, startOffset: 30 },
  ]);

test("endOffset() of the newest epoch is the log's end", () => {
  assert.equal(epochs().endOffset(5, 44), { epoch: 5, endOffset: 44 });
});

test("endOffset() of an older epoch is where the next one begins", () => {
  assert.equal(epochs().endOffset(0, 44), { epoch: 0, endOffset: 10 });
  assert.equal(epochs().endOffset(2, 44), { epoch: 2, endOffset: 30 });
});

test("endOffset() of an epoch that never wrote answers for the largest below it", () => {
  assert.equal(epochs().endOffset(1, 44), { epoch: 0, endOffset: 10 });
  assert.equal(epochs().endOffset(4, 44), { epoch: 2, endOffset: 30 });
});

test("endOffset() is unknown for later epochs, negative ones and an empty cache", () => {
  assert.is(epochs().endOffset(6, 44), undefined);
  assert.is(epochs().endOffset(-1, 44), undefined);
  assert.is(new LeaderEpochs().endOffset(0, 0), undefined);
});

test("endOffset() before the first known epoch is where that one begins", () => {
  const late = new LeaderEpochs([{ epoch: 3, startOffset: 7 }]);
  assert.equal(late.endOffset(1, 20), { epoch: 1, endOffset: 7 });
});

test("assign() drops what contradicts the new epoch", () => {
  const cache = epochs();
  assert.ok(cache.assign(7, 20));
  assert.equal(cache.entries(), [
    { epoch: 0, startOffset: 0 },
    { epoch: 2, startOffset: 10 },
    { epoch: 7, startOffset: 20 },
  ]);
  assert.not(cache.assign(7, 25), "the same epoch again changes nothing");
});

test("truncateEnd() and truncateStart() keep what covers the log", () => {
  const cache = epochs();
  cache.truncateEnd(30);
  assert.is(cache.latest(), 2);
  cache.truncateStart(15);
  assert.equal(cache.entries(), [{ epoch: 2, startOffset: 15 }]);
  assert.is(cache.epochAt(15), 2);
  assert.is(cache.epochAt(14), -1);
});

test.run();
