// Fetches on real partitions in memory; time passes only when the test says so.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { FetchedPartition, FetchRequest } from "../../runtime/broker.ts";
import { BrokerError } from "../../runtime/errors.ts";
import { fetchLocally } from "../../runtime/fetch-wait.ts";
import type { Partition } from "../../runtime/log/partition.ts";
import { LogFixture } from "../support/log-fixture.ts";

const waits = { waits: true };

class Fetching {
  readonly log = new LogFixture();
  readonly partitions: Map<string, Partition>;
  readonly counters = { waitingFetches: 0 };

  constructor() {
    this.partitions = new Map(["a", "b"].map((topic) => [topic, this.log.partition({}, topic)]));
  }

  append(topic: string, value: string): void {
    this.partitions.get(topic)!.append(this.log.batch([value]), waits);
  }

  /** What the event loop does after the appends of one turn. */
  turn(): Promise<void> {
    return this.log.clock.turn();
  }

  fetch(
    offsets: Record<string, number>,
    options: Partial<FetchRequest> = {},
  ): readonly FetchedPartition[] | Promise<readonly FetchedPartition[]> {
    const find = ({ topic }: { topic: string }) => {
      const partition = this.partitions.get(topic);
      if (partition) return partition;
      throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", topic);
    };
    return fetchLocally(find, this.log.clock, this.counters, {
      partitions: Object.entries(offsets).map(([topic, offset]) => ({
        topic,
        partition: 0,
        offset,
        bytesMax: 1000,
        currentLeaderEpoch: -1,
      })),
      waitMsMax: 500,
      bytesMin: 1,
      bytesMax: 10_000,
      isolation: "read_uncommitted",
      ...options,
    });
  }
}

/** Whether the fetch has answered by now. */
async function settled(answer: unknown): Promise<boolean> {
  const pending = Symbol();
  return (await Promise.race([answer, Promise.resolve(pending)])) !== pending;
}

const lengths = (answer: readonly FetchedPartition[]) => answer.map((one) => one.records.length);

test("fetch answers at once when there is enough, in the order asked", () => {
  const fetching = new Fetching();
  fetching.append("b", "x");
  const answer = fetching.fetch({ a: 0, b: 0 });
  assert.ok(Array.isArray(answer));
  assert.equal(
    answer.map((one) => [one.topic, one.records.length > 0, one.highWatermark]),
    [
      ["a", false, 0],
      ["b", true, 1],
    ],
  );
});

test("fetch waits for the first record and stops watching then", async () => {
  const fetching = new Fetching();
  const answer = fetching.fetch({ a: 0, b: 0 });
  assert.not(await settled(answer));
  assert.is(fetching.counters.waitingFetches, 1);
  fetching.append("a", "x");
  await fetching.turn();
  assert.ok(lengths(await answer)[0]! > 0);
  assert.is(fetching.counters.waitingFetches, 0);
});

test("fetch answers once with all that was appended in one turn", async () => {
  const fetching = new Fetching();
  const one = fetching.log.batch(["x"]).length;
  const answer = fetching.fetch({ a: 0, b: 0 });
  for (const topic of ["a", "a", "b"]) fetching.append(topic, "x");
  await fetching.turn();
  assert.equal(lengths(await answer), [2 * one, one]);
});

test("fetch waits for bytesMin over all partitions together", async () => {
  const fetching = new Fetching();
  const one = fetching.log.batch(["x"]).length;
  const answer = fetching.fetch({ a: 0, b: 0 }, { bytesMin: one + 1 });
  fetching.append("a", "x");
  await fetching.turn();
  assert.not(await settled(answer));
  fetching.append("b", "x");
  await fetching.turn();
  assert.equal(lengths(await answer), [one, one]);
});

test("fetch answers with what there is when the time is up", async () => {
  const fetching = new Fetching();
  const answer = fetching.fetch({ a: 0 }, { bytesMin: 5000 });
  fetching.append("a", "x");
  await fetching.log.clock.advance(499);
  assert.not(await settled(answer));
  await fetching.log.clock.advance(1);
  assert.ok(lengths(await answer)[0]! > 0);
});

test("fetch does not wait when one partition fails: the client must hear of it", async () => {
  const fetching = new Fetching();
  const answer = await fetching.fetch({ a: 0, nowhere: 0, b: 7 });
  assert.equal(
    answer.map((one) => one.error?.code ?? null),
    [null, "UNKNOWN_TOPIC_OR_PARTITION", "OFFSET_OUT_OF_RANGE"],
  );
});

test("fetch ends with an error when its partition goes away meanwhile", async () => {
  const fetching = new Fetching();
  const answer = fetching.fetch({ a: 0 });
  const partition = fetching.partitions.get("a")!;
  fetching.partitions.delete("a");
  fetching.log.folder.delete(partition);
  await fetching.turn();
  assert.is((await answer)[0]!.error?.code, "UNKNOWN_TOPIC_OR_PARTITION");
});

test("fetch ends when the client is gone", async () => {
  const fetching = new Fetching();
  const client = new AbortController();
  const answer = fetching.fetch({ a: 0 }, { signal: client.signal });
  client.abort();
  assert.equal(lengths(await answer), [0]);
  assert.is(fetching.counters.waitingFetches, 0);
});

test("fetch shares bytesMax: the first batch is whole, later partitions get the rest", () => {
  const fetching = new Fetching();
  fetching.append("a", "x".repeat(700));
  fetching.append("b", "x".repeat(700));
  const [a, b] = lengths(fetching.fetch({ a: 0, b: 0 }, { bytesMax: 100 }) as FetchedPartition[]);
  assert.ok(a! > 700);
  assert.is(b, 0);
});

test.run();
