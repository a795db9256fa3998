// One follower's side: what is asked, what is taken, what is dropped, and when it is asked again.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import { Fetcher } from "../../../runtime/replication/fetcher.ts";
import { FollowedPartition } from "../../../runtime/replication/followed-partition.ts";
import type {
  ReplicaFetched,
  ReplicaFetchRequest,
} from "../../../runtime/replication/replica-link.ts";
import { MemoryStorage } from "../../../runtime/storage/memory.ts";
import { LogFixture, platform, topicId } from "../../support/log-fixture.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const notLeader = new BrokerError("NOT_LEADER_OR_FOLLOWER", "broker 1 leads");
const leader = { id: 1, host: "h", port: 1 };

/** A follower of one partition whose leader is the test. */
class Follower {
  readonly clock = new ManualClock();
  readonly log: LogFixture;
  readonly partition;
  readonly requests: ReplicaFetchRequest[] = [];
  readonly reports: string[] = [];
  readonly fetcher: Fetcher;
  interrupts = 0;
  mayFetch = true;
  #answer: ((answer: readonly ReplicaFetched[]) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(storage = new MemoryStorage(Infinity)) {
    this.log = new LogFixture(storage, this.clock);
    this.partition = this.log.partition();
    this.partition.follow(notLeader);
    this.fetcher = new Fetcher(
      {
        clock: this.clock,
        brokerId: 2,
        brokerEpoch: () => 12,
        openLink: () => ({
          fetch: (request) => {
            this.requests.push(request);
            return new Promise((resolve, reject) => {
              this.#answer = resolve;
              this.#fail = reject;
            });
          },
          interrupt: () => {
            this.interrupts++;
          },
          close: () => {},
        }),
        settings: () => ({
          waitMsMax: 500,
          bytesMin: 1,
          bytesMax: 1 << 20,
          partitionBytesMax: 1 << 20,
          backoffMsMax: 1_000,
        }),
        mayFetch: () => this.mayFetch,
        fetched: () => {},
        report: (error, where) => this.reports.push(`${where}: ${error}`),
      },
      leader,
    );
  }

  follow(epoch: number): FollowedPartition {
    const followed = new FollowedPartition(this.partition, { id: 1, epoch });
    this.fetcher.add(followed);
    return followed;
  }

  /** Batches as a leader has them. */
  batches(epoch: number, from: number, ...values: string[]): Uint8Array {
    const { core } = platform;
    const all = values.map((value, i) => {
      const at = core.place(this.log.batch([value]));
      const { bytes } = headerAt(at, this.log.batch([value]).length);
      core.stamp(at, from + i, epoch);
      return core.bytes(at, bytes).slice();
    });
    return Uint8Array.from(all.flatMap((each) => [...each]));
  }

  async answer(given: Partial<ReplicaFetched>): Promise<void> {
    const one = {
      topicId,
      partition: 0,
      error: "NONE",
      highWatermark: -1,
      logStartOffset: 0,
      diverging: undefined,
      records: new Uint8Array(0),
    };
    this.#answer?.([{ ...one, ...given }]);
    await this.clock.turn();
  }

  async fail(): Promise<void> {
    this.#fail?.(new Error("hung up"));
    await this.clock.turn();
  }

  get ends(): number[] {
    return [this.partition.highWatermark, this.partition.log.endOffset];
  }
}

function headerAt(at: number, length: number) {
  const { core } = platform;
  core.check(at, length, { verifyCrc: false, walkRecords: false, requireKeys: false });
  return core.header;
}

async function follower(): Promise<Follower> {
  const made = new Follower();
  made.follow(3);
  await made.clock.turn();
  return made;
}

test("a fetch names the log's end and the epoch of its last record", async () => {
  const f = await follower();
  assert.equal(f.requests[0], {
    replicaId: 2,
    brokerEpoch: 12,
    waitMsMax: 500,
    bytesMin: 1,
    bytesMax: 1 << 20,
    items: [
      {
        ...{ topicId, partition: 0, leaderEpoch: 3, fetchOffset: 0, lastFetchedEpoch: -1 },
        ...{ logStartOffset: 0, highWatermark: 0, bytesMax: 1 << 20 },
      },
    ],
  });
  await f.answer({ records: f.batches(1, 0, "a", "b"), highWatermark: 1 });
  assert.equal(f.ends, [1, 2]);
  const next = f.requests[1]!.items[0]!;
  assert.equal([next.fetchOffset, next.lastFetchedEpoch, next.highWatermark], [2, 1, 1]);
  f.fetcher.close();
});

test("the high watermark is raised after a cut, and never beyond what is here", async () => {
  const f = await follower();
  await f.answer({ records: f.batches(1, 0, "a", "b", "c"), highWatermark: 1 });
  await f.answer({ diverging: { epoch: 1, endOffset: 2 }, highWatermark: 9 });
  assert.equal(f.ends, [1, 2], "cut first; 9 would name records that are gone");
  await f.answer({ records: f.batches(3, 2, "d"), highWatermark: 9 });
  assert.equal(f.ends, [3, 3]);
  f.fetcher.close();
});

test("an answer to an earlier leader epoch is dropped: it could cut what is committed by now", async () => {
  const f = await follower();
  await f.answer({ records: f.batches(1, 0, "a", "b"), highWatermark: 2 });
  f.follow(4);
  await f.answer({ diverging: { epoch: 1, endOffset: 0 } });
  assert.equal(f.ends, [2, 2]);
  assert.is(f.requests.at(-1)?.items[0]?.leaderEpoch, 4);
  f.fetcher.close();
});

test("an answer for a partition that is not followed any more is dropped", async () => {
  const f = new Follower();
  const followed = f.follow(3);
  await f.clock.turn();
  f.fetcher.remove(followed);
  await f.answer({ records: f.batches(1, 0, "a") });
  assert.equal(f.ends, [0, 0]);
  assert.is(f.requests.length, 1);
});

test("a partition that is added interrupts the fetch under way", async () => {
  const f = await follower();
  f.follow(4);
  await f.clock.turn();
  assert.is(f.interrupts, 1);
  await f.fail();
  assert.is(f.requests.length, 2, "and is asked for at once");
  assert.equal(f.reports, []);
  f.fetcher.close();
});

test("damaged batches change nothing, and are said once", async () => {
  const f = await follower();
  const records = f.batches(1, 0, "a", "b");
  records[records.length - 1]! ^= 1;
  await f.answer({ records, highWatermark: 2 });
  assert.equal(f.ends, [0, 0]);
  assert.is(f.reports.length, 1);
  await f.clock.advance(20);
  assert.is(f.requests.length, 2, "asked again after a while");
  await f.answer({ records });
  assert.is(f.reports.length, 1);
  f.fetcher.close();
});

test("a write error fails the partition and nothing is reported as here", async () => {
  const f = await follower();
  await f.answer({ records: f.batches(1, 0, "a"), highWatermark: 1 });
  f.partition.takeOffline(new BrokerError("KAFKA_STORAGE_ERROR", "the disk failed"));
  await f.answer({ records: f.batches(1, 1, "b"), highWatermark: 2 });
  assert.equal(f.ends, [1, 1]);
  f.fetcher.close();
});

test("below the leader's start everything is forgotten and begun there", async () => {
  const f = await follower();
  await f.answer({ records: f.batches(1, 0, "a"), highWatermark: 1 });
  await f.answer({ error: "OFFSET_OUT_OF_RANGE", logStartOffset: 40, highWatermark: 50 });
  assert.equal(f.ends, [40, 40]);
  assert.is(f.requests.at(-1)?.items[0]?.fetchOffset, 40);
  assert.is(f.requests.at(-1)?.items[0]?.lastFetchedEpoch, -1);
  f.fetcher.close();
});

test("a leader that does not know of its epoch yet is asked again soon, without a word", async () => {
  const f = await follower();
  await f.answer({ error: "UNKNOWN_LEADER_EPOCH" });
  assert.is(f.requests.length, 1);
  await f.clock.advance(15);
  assert.is(f.requests.length, 2);
  assert.equal(f.reports, []);
  f.fetcher.close();
});

test("a connection that fails is tried again, later and later", async () => {
  const f = await follower();
  for (let i = 0; i < 12; i++) {
    await f.fail();
    await f.clock.advance(1_000);
  }
  assert.is(f.requests.length, 13);
  assert.is(f.reports.length, 1);
  f.fetcher.close();
});

test("a throttled partition waits", async () => {
  const f = new Follower();
  f.mayFetch = false;
  f.follow(3);
  await f.clock.turn();
  assert.is(f.requests.length, 0);
  f.mayFetch = true;
  await f.clock.advance(1_000);
  assert.is(f.requests.length, 1);
  f.fetcher.close();
});

test.run();
