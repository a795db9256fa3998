// The watch over what is inside names a replica that forgets, and none that is another copy by now.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PartitionView } from "../../runtime/broker.ts";
import { StateWatch, type WatchedBroker } from "./state-checks.ts";

const metadataPath = "t-0/partition.metadata";

/** One broker with one partition that a test may change between two looks. */
class Watched {
  readonly files = new Map<string, object>([[metadataPath, {}]]);
  readonly view = { leaderEpoch: 3, highWatermark: 14 };
  readonly watch: StateWatch;

  constructor() {
    const topic = {
      name: "t",
      id: "id",
      partitions: [{ partition: 0, leader: 1, leaderEpoch: 3 }],
    };
    const broker = {
      cluster: () => ({ topics: new Map([["t", topic]]) }),
      describePartition: () => this.view as PartitionView,
    };
    const host = { id: 1, name: "b1", incarnation: 1, server: { broker }, files: this };
    const running = [host as unknown as WatchedBroker];
    this.watch = new StateWatch({ after: () => {} }, { running });
  }

  rulesAfter(change: () => void): string[] {
    this.watch.look();
    change();
    this.watch.look();
    return this.watch.violations.map(({ rule }) => rule);
  }
}

test("look() names a high watermark and an epoch that go back", () => {
  const watched = new Watched();
  const rules = watched.rulesAfter(() => {
    watched.view.highWatermark = 13;
    watched.view.leaderEpoch = 2;
  });
  assert.equal(rules, ["epoch-went-back", "high-watermark-went-back"]);
});

test("look() takes a copy that was deleted and made anew between two looks for another one", () => {
  const watched = new Watched();
  const rules = watched.rulesAfter(() => {
    watched.files.set(metadataPath, {});
    watched.view.highWatermark = 0;
  });
  assert.equal(rules, []);
});

test.run();
