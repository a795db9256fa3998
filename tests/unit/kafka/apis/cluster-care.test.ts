// The APIs that move leaders and replicas: what they ask of the broker, and how refusals are told.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ControlPlane, PartitionOutcome } from "../../../../cluster/control-plane.ts";
import { ControlPlaneError } from "../../../../cluster/control-plane.ts";
import { clusterCare } from "../../../../runtime/cluster-care.ts";
import { handleAlterPartitionReassignments } from "../../../../runtime/kafka/apis/alter-partition-reassignments.ts";
import { handleAlterReplicaLogDirs } from "../../../../runtime/kafka/apis/alter-replica-log-dirs.ts";
import { handleDescribeQuorum } from "../../../../runtime/kafka/apis/describe-quorum.ts";
import { handleElectLeaders } from "../../../../runtime/kafka/apis/elect-leaders.ts";
import { handleListPartitionReassignments } from "../../../../runtime/kafka/apis/list-partition-reassignments.ts";
import { handleUnregisterBroker } from "../../../../runtime/kafka/apis/unregister-broker.ts";
import { errorCodes } from "../../../../runtime/kafka/error-codes.ts";
import type { HandlerContext } from "../../../../runtime/kafka/handler.ts";
import { topicRecord } from "../fakes.ts";
import { answered } from "./admin-broker.ts";
import { setUp } from "./handler-context.ts";

const done = { fault: null, message: "" };

function caring(plane: Partial<ControlPlane>): HandlerContext {
  const { broker, context } = setUp(1);
  const moving = topicRecord("moving", 2);
  const [first, second] = moving.partitions;
  const replicas = [3, 1, 2];
  broker.add({
    ...moving,
    partitions: [first!, { ...second!, replicas, adding: [3], removing: [2] }],
  });
  return {
    ...context,
    broker: Object.assign(broker.broker, { care: clusterCare(plane as ControlPlane) }),
  };
}

test("handleElectLeaders() answers every partition with its own outcome", async () => {
  const asked: unknown[] = [];
  const context = caring({
    async electLeaders(request) {
      asked.push(request);
      const outcomes: PartitionOutcome[] = [
        { topic: "t", partition: 0, ...done },
        { topic: "t", partition: 1, fault: "election-not-needed", message: "leads already" },
      ];
      return outcomes;
    },
  });
  const topicPartitions = [{ topic: "t", partitions: [0, 1, 1] }];
  const request = { electionType: 0, topicPartitions, timeoutMs: 1 };
  const { errorCode, replicaElectionResults } = await answered(
    handleElectLeaders(request, context),
  );
  const partitions = [0, 1].map((partition) => ({ topic: "t", partition }));
  assert.equal(asked, [{ kind: "preferred", partitions }]);
  assert.is(errorCode, 0);
  assert.equal(
    replicaElectionResults[0]!.partitionResult.map((each) => each.errorCode),
    [errorCodes.NONE, errorCodes.ELECTION_NOT_NEEDED],
  );
});

test("handleElectLeaders() tells every partition when nobody could decide", async () => {
  const context = caring({
    async electLeaders() {
      throw new ControlPlaneError("unavailable", "no controller");
    },
  });
  const topicPartitions = [{ topic: "t", partitions: [1] }];
  for (const [electionType, expected] of [
    [1, errorCodes.REQUEST_TIMED_OUT],
    [7, errorCodes.INVALID_REQUEST],
  ] as const) {
    const request = { electionType, topicPartitions, timeoutMs: 1 };
    const answer = await answered(handleElectLeaders(request, context));
    assert.is(answer.errorCode, expected);
    assert.is(answer.replicaElectionResults[0]!.partitionResult[0]!.errorCode, expected);
  }
});

test("handleAlterPartitionReassignments() begins what may be, in the order asked", async () => {
  const context = caring({
    reassign: async (requests) => requests.map((each) => ({ ...each, ...done })),
  });
  const partitions = [
    { partitionIndex: 1, replicas: [1, 2, 3] },
    { partitionIndex: 0, replicas: [2] },
    { partitionIndex: 5, replicas: null },
  ];
  const codes = async (allowReplicationFactorChange: boolean) => {
    const topics = [{ name: "moving", partitions }];
    const request = { timeoutMs: 1, allowReplicationFactorChange, topics };
    const answer = await answered(handleAlterPartitionReassignments(request, context));
    return answer.responses[0]!.partitions.map((each) => [each.partitionIndex, each.errorCode]);
  };
  assert.equal(
    await codes(true),
    [1, 0, 5].map((each) => [each, 0]),
  );
  const { INVALID_REPLICATION_FACTOR } = errorCodes;
  assert.equal(await codes(false), [
    [1, INVALID_REPLICATION_FACTOR],
    [0, 0],
    [5, 0],
  ]);
});

test("handleListPartitionReassignments() lists only what is moving", async () => {
  const context = caring({});
  const list = async (topics: { name: string; partitionIndexes: number[] }[] | null) =>
    (await answered(handleListPartitionReassignments({ timeoutMs: 1, topics }, context))).topics;
  const moving = {
    partitionIndex: 1,
    replicas: [3, 1, 2],
    addingReplicas: [3],
    removingReplicas: [2],
  };
  assert.equal(await list(null), [{ name: "moving", partitions: [moving] }]);
  const asked = (...partitionIndexes: number[]) => [{ name: "moving", partitionIndexes }];
  assert.equal(await list(asked(1)), [{ name: "moving", partitions: [moving] }]);
  assert.equal(await list([...asked(0), { name: "nowhere", partitionIndexes: [0] }]), []);
});

test("handleUnregisterBroker() says why a broker cannot be forgotten", async () => {
  const context = caring({
    async unregister(id) {
      if (id !== 1) throw new ControlPlaneError("broker-unknown", `Broker ${id} is unknown.`);
    },
  });
  const code = async (brokerId: number) =>
    (await answered(handleUnregisterBroker({ brokerId }, context))).errorCode;
  assert.equal([await code(1), await code(4)], [0, errorCodes.BROKER_ID_NOT_REGISTERED]);
});

test("handleDescribeQuorum() knows one quorum, and none while nobody decides", async () => {
  const quorumOf = async (controllerId: number, topicName = "__cluster_metadata") => {
    const status = { controllerId, controllerEpoch: 4, version: 17 };
    const context = caring({
      status: () => ({ ...status, isConnected: true, ageMs: 0, alarm: null }),
    });
    const topics = [{ topicName, partitions: [{ partitionIndex: 0 }] }];
    return (await answered(handleDescribeQuorum({ topics }, context))).topics[0]!.partitions[0]!;
  };
  const { leaderId, leaderEpoch, highWatermark, currentVoters } = await quorumOf(1);
  assert.equal([leaderId, leaderEpoch, highWatermark], [1, 4, 17]);
  assert.equal(
    currentVoters.map(({ replicaId }) => replicaId),
    [1],
  );
  assert.is((await quorumOf(-1)).errorCode, errorCodes.LEADER_NOT_AVAILABLE);
  assert.is((await quorumOf(1, "t")).errorCode, errorCodes.UNKNOWN_TOPIC_OR_PARTITION);
});

test("handleAlterReplicaLogDirs() knows the one folder there is", async () => {
  const { broker, context } = setUp(2);
  const dir = { path: "/d", error: null, totalBytes: 1, usableBytes: 1 };
  const partitions = [{ topic: "t", partition: 0, sizeBytes: 1 }];
  Object.assign(broker, { describeLogDirs: () => [{ ...dir, partitions }] });
  const codes = async (path: string, partition: number) => {
    const dirs = [{ path, topics: [{ name: "t", partitions: [partition] }] }];
    const { results } = await answered(handleAlterReplicaLogDirs({ dirs }, context));
    return results[0]!.partitions[0]!.errorCode;
  };
  const { LOG_DIR_NOT_FOUND, REPLICA_NOT_AVAILABLE } = errorCodes;
  assert.equal(
    [await codes("/d", 0), await codes("/d", 1), await codes("/e", 0)],
    [0, REPLICA_NOT_AVAILABLE, LOG_DIR_NOT_FOUND],
  );
});

test.run();
