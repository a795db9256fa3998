// The watch over what is committed names a replica that lacks it, and whoever says less of it than there is.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PartitionRecord } from "../../cluster/control-plane.ts";
import { CommittedWatch, type LookedAt, type WatchedBrokers } from "./committed-checks.ts";

const batchBytes = 70;
const record = { partition: 0, leader: 1, leaderEpoch: 1, partitionEpoch: 5, isr: [1, 2], elr: [] };

/** Two brokers with a copy of one partition, whose log is two records of epoch 1; both are committed. */
class Watched {
  readonly copies = [1, 2].map(() => ({ logEndOffset: 2, highWatermark: 2, segments: 1 }));
  readonly logs = [1, 2].map(() => logOf(1, 1));
  latest = 2;
  hasGoneBack = false;
  readonly fenced: number[] = [];
  record = record;
  readonly brokers: WatchedBrokers = {
    running: [1, 2].map((id) => this.#host(id)),
    onHeard: undefined,
    onCut: undefined,
    onCrash: undefined,
  };
  readonly watch: CommittedWatch;
  #next: (() => void)[] = [];

  constructor() {
    const isBack = () => this.hasGoneBack;
    this.watch = new CommittedWatch(
      {
        after: () => {},
        beforeNext: (run) => void this.#next.push(run),
        get hasGoneBack() {
          return isBack();
        },
      },
      this.brokers,
    );
  }

  async rulesAfter(change: () => void): Promise<string[]> {
    this.watch.look();
    change();
    this.watch.look();
    await Promise.resolve();
    return this.rules();
  }

  /** What is found before the next event. */
  rulesBeforeNext(): string[] {
    for (const run of this.#next.splice(0)) run();
    return this.rules();
  }

  say(latest: number): void {
    this.latest = latest;
  }

  rules(): string[] {
    return [...new Set(this.watch.violations.map(({ rule }) => rule))];
  }

  #host(id: number): LookedAt {
    const topics = () =>
      new Map([["t", { name: "t", configs: new Map(), partitions: [this.record] }]]);
    const brokers = () =>
      new Map([1, 2].map((each) => [each, { id: each, fenced: this.fenced.includes(each) }]));
    const broker = {
      cluster: () => ({ topics: topics(), brokers: brokers() }),
      describePartition: () => this.copies[id - 1],
      listOffsets: () => Promise.resolve({ error: null, offset: this.latest }),
    };
    const bytes = () => this.logs[id - 1]!;
    const files = {
      get files() {
        return new Map([
          ["t-0/00000000000000000000.log", { bytes: bytes(), size: bytes().length }],
        ]);
      },
    };
    return { id, name: `b${id}`, server: { broker }, files } as unknown as LookedAt;
  }
}

/** One batch of one record for each epoch: as much of it as is looked at. */
function logOf(...epochs: number[]): Uint8Array {
  const bytes = new Uint8Array(epochs.length * batchBytes);
  for (const [offset, epoch] of epochs.entries()) {
    const view = new DataView(bytes.buffer, offset * batchBytes);
    view.setBigInt64(0, BigInt(offset));
    view.setInt32(8, batchBytes - 12);
    view.setInt32(12, epoch);
  }
  return bytes;
}

test("nothing is wrong while all have what is committed", async () => {
  const watched = new Watched();
  assert.equal(await watched.rulesAfter(() => {}), []);
});

test("who is in sync and has less, or something else, is named", async () => {
  const shorter = new Watched();
  const cut = () => Object.assign(shorter.copies[1]!, { logEndOffset: 1, highWatermark: 1 });
  assert.equal(await shorter.rulesAfter(cut), ["in-sync-lacks"]);
  const other = new Watched();
  assert.equal(await other.rulesAfter(() => other.logs.splice(1, 1, logOf(1, 0))), [
    "in-sync-lacks",
  ]);
});

test("who may lead must have it too, anybody else need not", async () => {
  const cut = (watched: Watched, newer: Partial<PartitionRecord>) => {
    Object.assign(watched.copies[1]!, { logEndOffset: 1, highWatermark: 1 });
    watched.record = { ...record, partitionEpoch: 6, isr: [1], ...newer } as typeof record;
  };
  const eligible = new Watched();
  assert.equal(await eligible.rulesAfter(() => cut(eligible, { elr: [2] })), ["eligible-lacks"]);
  const outside = new Watched();
  assert.equal(await outside.rulesAfter(() => cut(outside, {})), []);
  const back = new Watched();
  back.hasGoneBack = true;
  assert.equal(await back.rulesAfter(() => cut(back, { isr: [1, 2] })), []);
});

test("who is fenced is not in sync, and nobody's high watermark is beyond the log", async () => {
  const fenced = new Watched();
  assert.equal(await fenced.rulesAfter(() => fenced.fenced.push(2)), ["fenced-in-sync"]);
  const beyond = new Watched();
  const raise = () => Object.assign(beyond.copies[0]!, { highWatermark: 3 });
  assert.ok((await beyond.rulesAfter(raise)).includes("high-watermark-beyond-end"));
});

test("a leader that says less than what is committed is named", async () => {
  const watched = new Watched();
  assert.equal(await watched.rulesAfter(() => watched.say(1)), ["latest-went-back"]);
});

test("a log that is cut is looked at before anything can mend it", () => {
  const watched = new Watched();
  watched.watch.start();
  Object.assign(watched.copies[1]!, { logEndOffset: 1, highWatermark: 1 });
  watched.brokers.onCut!({ topic: "t", partition: 0 });
  assert.equal(watched.rules(), []);
  assert.equal(watched.rulesBeforeNext(), ["in-sync-lacks"]);
});

test("what a broker that dies called committed is not forgotten", () => {
  const watched = new Watched();
  const [leader, follower] = watched.copies;
  Object.assign(leader!, { logEndOffset: 1, highWatermark: 1 });
  Object.assign(follower!, { logEndOffset: 1, highWatermark: 1 });
  watched.watch.start();
  Object.assign(leader!, { logEndOffset: 2, highWatermark: 2 });
  watched.brokers.onCrash!(watched.brokers.running[0]!);
  Object.assign(leader!, { logEndOffset: 1, highWatermark: 1 });
  watched.watch.look();
  assert.ok(watched.rules().includes("in-sync-lacks"));
});

test.run();
