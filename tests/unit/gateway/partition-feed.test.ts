// What the tails of a partition share, without sockets.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { FetchedPartition } from "../../../runtime/broker.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import { bytesOf, PartitionFeed, wholeBatches } from "../../../runtime/gateway/partition-feed.ts";
import { readBatchFacts } from "../../../runtime/http/batch-facts.ts";
import { noRecords } from "../../../runtime/records.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const batchBytes = 70;

/** Of `count` records from `offset` on; nothing looks into them. */
function batch(offset: number, count = 1): Uint8Array {
  const bytes = new Uint8Array(batchBytes);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(offset));
  view.setInt32(8, batchBytes - 12);
  view.setInt32(23, count - 1);
  return bytes;
}

function answer(bytes: Uint8Array, more: Partial<FetchedPartition> = {}): FetchedPartition {
  return {
    ...{ topic: "t", partition: 0, error: null, highWatermark: 0, lastStableOffset: 0 },
    ...{ logStartOffset: 0, abortedTransactions: [] },
    records: { length: bytes.length, parts: [bytes], release() {} },
    ...more,
  };
}

function joined(...all: Uint8Array[]): Uint8Array {
  return Uint8Array.from(all.flatMap((each) => [...each]));
}

/** A feed at offset 10 whose upstream answers what the test says. */
function feedAt10(bytesMax = 1000) {
  const clock = new ManualClock();
  const asked: number[] = [];
  let answered: (found: FetchedPartition) => void = () => {};
  let ends = 0;
  const budget = { bytesMax: 10_000, bytes: 0 };
  const feed = new PartitionFeed({
    ...{ clock, budget, bytesMax, offset: 10 },
    first: answer(new Uint8Array(0), { records: noRecords }),
    poll: (offset) => {
      asked.push(offset);
      return new Promise((resolve) => {
        answered = resolve;
      });
    },
    ended: () => ends++,
  });
  const tell = async (found: FetchedPartition) => {
    answered(found);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { feed, clock, asked, budget, tell, ends: () => ends };
}

const offsetsOf = (found: FetchedPartition | null) =>
  found?.records.parts.map((part) => readBatchFacts(part as Uint8Array).baseOffset);

test("PartitionFeed asks once for all who wait, and wakes them", async () => {
  const { feed, asked, tell } = feedAt10();
  let woken = 0;
  for (let i = 0; i < 200; i++) feed.wait(10, () => woken++);
  assert.equal(asked, [10]);
  await tell(answer(batch(10, 3)));
  assert.is(woken, 200);
  assert.equal(asked, [10, 13]);
  assert.equal(offsetsOf(feed.read(10, 1000)), [10]);
  assert.equal(feed.read(13, 1000)?.records.length, 0);
});

test("PartitionFeed leaves what it does not keep to the upstream", async () => {
  const { feed, tell, budget } = feedAt10(2 * batchBytes);
  for (const offset of [10, 11, 12]) await tell(answer(batch(offset)));
  assert.is(feed.read(10, 1000), null);
  assert.is(feed.read(99, 1000), null);
  assert.equal(offsetsOf(feed.read(11, 1000)), [11, 12]);
  assert.equal(offsetsOf(feed.read(11, 10)), [11]);
  assert.is(budget.bytes, 2 * batchBytes);
});

test("PartitionFeed begins at the reader's batch, unless transactions were aborted before it", async () => {
  const { feed, tell } = feedAt10();
  await tell(answer(joined(batch(10), batch(11))));
  assert.equal(offsetsOf(feed.read(11, 1000)), [11]);
  const abortedTransactions = [{ producerId: 1, firstOffset: 12 }];
  await tell(answer(joined(batch(12), batch(13)), { abortedTransactions }));
  assert.is(feed.read(13, 1000), null);
  assert.equal(feed.read(12, 1000)?.abortedTransactions, abortedTransactions);
});

test("PartitionFeed ends with the first error, and tells its readers to look for themselves", async () => {
  const { feed, tell, ends, budget } = feedAt10();
  await tell(answer(batch(10)));
  let woken = 0;
  feed.wait(11, () => woken++);
  const error = new BrokerError("OFFSET_OUT_OF_RANGE", "gone");
  await tell(answer(new Uint8Array(0), { error }));
  assert.is(woken, 1);
  assert.is(ends(), 1);
  assert.is(feed.read(10, 1000), null);
  assert.is(budget.bytes, 0);
});

test("wholeBatches() leaves out what Kafka cut off", () => {
  const bytes = joined(batch(1, 5), batch(6).subarray(0, 65));
  const whole = wholeBatches(bytes);
  assert.is(whole.bytes.length, batchBytes);
  assert.is(whole.end, 6);
  assert.equal(wholeBatches(batch(1).subarray(0, 20)), { bytes: new Uint8Array(0), end: -1 });
  assert.is(bytesOf(answer(bytes)), bytes);
});

test.run();
