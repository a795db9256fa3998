// DescribeCluster: fenced brokers and endpoint types.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { BrokerRecord } from "../../../../cluster/control-plane.ts";
import { handleDescribeCluster } from "../../../../runtime/kafka/apis/describe-cluster.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

const record = (id: number, fenced = false): BrokerRecord => ({
  id,
  epoch: 1,
  host: "h",
  port: 9092 + id,
  rack: null,
  fenced,
  draining: false,
});

class TwoBrokers extends AdminBroker {
  override cluster() {
    const brokers = new Map([1, 2].map((id) => [id, record(id, id === 2)]));
    return { ...super.cluster(), brokers };
  }
}

const describe = (given: { endpointType?: number; includeFencedBrokers?: boolean } = {}) => {
  const request = {
    includeClusterAuthorizedOperations: false,
    endpointType: 1,
    includeFencedBrokers: false,
    ...given,
  };
  return answered(handleDescribeCluster(request, contextOf(new TwoBrokers(), 2)));
};

test("handleDescribeCluster() lists live brokers, fenced ones only when asked to", async () => {
  const live = await describe();
  assert.is(live.clusterId, "cluster");
  assert.is(live.controllerId, 1);
  assert.equal(live.brokers, [{ brokerId: 1, host: "h", port: 9093, rack: null, isFenced: false }]);
  const { brokers } = await describe({ includeFencedBrokers: true });
  assert.equal(
    brokers.map(({ brokerId, isFenced }) => [brokerId, isFenced]),
    [
      [1, false],
      [2, true],
    ],
  );
});

test("handleDescribeCluster() speaks for brokers, not for controllers", async () => {
  assert.is((await describe({ endpointType: 2 })).errorCode, 114);
  assert.is((await describe({ endpointType: 3 })).errorCode, 115);
});

test.run();
