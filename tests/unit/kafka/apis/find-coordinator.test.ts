// FindCoordinator: groups are where the broker says; old versions ask for one key, new ones for many.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { BrokerRecord } from "../../../../cluster/control-plane.ts";
import { BrokerError } from "../../../../runtime/errors.ts";
import { handleFindCoordinator } from "../../../../runtime/kafka/apis/find-coordinator.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

class OneBroker extends AdminBroker {
  override readonly brokerId = 7;
  /** The group "away" has no coordinator now. */
  readonly groups = {
    async find(groupId: string) {
      if (groupId !== "away") return 7;
      throw new BrokerError("COORDINATOR_NOT_AVAILABLE", "nobody leads it");
    },
  };
  override cluster() {
    return { ...super.cluster(), brokers: new Map([[7, this.self()]]) };
  }
  readonly asked: string[] = [];
  readonly transactions = {
    find: async (id: string) => {
      this.asked.push(id);
      return 7;
    },
  };

  self(): BrokerRecord {
    return { id: 7, epoch: 1, host: "h", port: 9099, rack: null, fenced: false, draining: false };
  }
}

const broker = new OneBroker();
const { id: nodeId, host, port } = broker.self();

const find = (given: { key?: string; keyType?: number; coordinatorKeys?: string[] }, version = 6) =>
  answered(
    handleFindCoordinator(
      { key: "", keyType: 0, coordinatorKeys: [], ...given },
      contextOf(broker, version),
    ),
  );

test("handleFindCoordinator() names this broker for groups and transactional ids", async () => {
  for (const keyType of [0, 1]) {
    const one = await find({ key: "g", keyType }, 0);
    assert.equal([one.errorCode, one.nodeId, one.host, one.port], [0, nodeId, host, port]);
    const many = await find({ coordinatorKeys: ["a", "b"], keyType });
    const here = { nodeId, host, port, errorCode: 0, errorMessage: null };
    assert.equal(many.coordinators, [
      { key: "a", ...here },
      { key: "b", ...here },
    ]);
  }
  assert.equal(broker.asked, ["g", "a", "b"], "the first question makes the topic of transactions");
});

test("handleFindCoordinator() tells for each group whether it can be found", async () => {
  const { coordinators } = await find({ coordinatorKeys: ["away", "g"] });
  assert.equal(
    coordinators?.map(({ errorCode, nodeId: found }) => [errorCode, found]),
    [
      [15, -1],
      [0, nodeId],
    ],
  );
});

test("handleFindCoordinator() knows no coordinator for other kinds of keys", async () => {
  const { coordinators } = await find({ coordinatorKeys: ["s"], keyType: 2 });
  assert.equal(
    coordinators?.map(({ errorCode, nodeId: found }) => [errorCode, found]),
    [[42, -1]],
  );
});

test.run();
