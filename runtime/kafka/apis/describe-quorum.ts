// DescribeQuorum (55): who decides for the cluster, as far as brokers know: the controller leads, every broker that is
// heard of may take over and counts as a voter, the others observe. There is no Raft quorum among brokers: the epoch is
// the controller's, offsets are versions of the metadata as this broker sees them; how far another broker got is not
// known here. v1 adds times, v2 addresses and messages (KIP-853). All versions are flexible.

import type { BrokerRecord } from "../../../cluster/control-plane.ts";
import { errorCodes, noError } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { addressOf } from "../leaders.ts";
import { array, defineApi, int16, int32, int64, string, struct, uint16, uuid } from "../schema.ts";
import { zeroUuid } from "../uuid.ts";

const replica = struct({
  replicaId: int32(),
  replicaDirectoryId: uuid({ since: 2, default: zeroUuid }),
  logEndOffset: int64(),
  lastFetchTimestamp: int64({ since: 1, default: -1 }),
  lastCaughtUpTimestamp: int64({ since: 1, default: -1 }),
});

export const describeQuorum = defineApi({
  key: 55,
  name: "DescribeQuorum",
  versions: { min: 0, max: 2 },
  flexibleSince: 0,
  request: struct({
    topics: array(
      struct({ topicName: string(), partitions: array(struct({ partitionIndex: int32() })) }),
    ),
  }),
  response: struct({
    errorCode: int16(),
    errorMessage: string({ since: 2, nullable: true, default: null }),
    topics: array(
      struct({
        topicName: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            errorMessage: string({ since: 2, nullable: true, default: null }),
            leaderId: int32(),
            leaderEpoch: int32(),
            highWatermark: int64(),
            currentVoters: array(replica),
            observers: array(replica),
          }),
        ),
      }),
    ),
    nodes: array(
      struct({
        nodeId: int32(),
        listeners: array(struct({ name: string(), host: string(), port: uint16() })),
      }),
      { since: 2, default: [] },
    ),
  }),
});

/** The name under which Kafka's tools ask for the cluster's metadata. */
const metadataTopic = "__cluster_metadata";

export const handleDescribeQuorum: Handler<typeof describeQuorum> = (request, context) => {
  const topics = request.topics.map(({ topicName, partitions }) => ({
    topicName,
    partitions: partitions.map(({ partitionIndex }) =>
      topicName === metadataTopic && partitionIndex === 0
        ? metadataQuorum(context)
        : noQuorum(partitionIndex, errorCodes.UNKNOWN_TOPIC_OR_PARTITION),
    ),
  }));
  const { brokers } = context.broker.cluster();
  const { listener } = context.connection;
  const nodes = Array.from(brokers.values(), (record) => {
    const { host, port } = addressOf(record, context);
    return { nodeId: record.id, listeners: [{ name: listener, host, port }] };
  });
  return { ...noError, topics, nodes };
};

function metadataQuorum({ broker, platform }: HandlerContext) {
  const { controllerId, controllerEpoch, version } = broker.care.status();
  if (controllerId < 0) return noQuorum(0, errorCodes.LEADER_NOT_AVAILABLE);
  const nowMs = platform.clock.nowMs();
  const seen = ({ id }: BrokerRecord) => {
    // Of the controller and itself this broker knows that they are up to date.
    const isCurrent = id === controllerId || id === broker.brokerId;
    const timeMs = isCurrent ? nowMs : -1;
    return {
      replicaId: id,
      logEndOffset: version,
      lastFetchTimestamp: timeMs,
      lastCaughtUpTimestamp: timeMs,
    };
  };
  const all = [...broker.cluster().brokers.values()];
  const isVoter = ({ id, fenced }: BrokerRecord) => id === controllerId || !fenced;
  return {
    partitionIndex: 0,
    ...noError,
    leaderId: controllerId,
    leaderEpoch: controllerEpoch,
    highWatermark: version,
    currentVoters: all.filter(isVoter).map(seen),
    observers: all
      .filter((record) => !isVoter(record))
      .map((record) => ({ ...seen(record), logEndOffset: -1 })),
  };
}

function noQuorum(partitionIndex: number, errorCode: number) {
  return {
    partitionIndex,
    errorCode,
    leaderId: -1,
    leaderEpoch: -1,
    highWatermark: -1,
    currentVoters: [],
    observers: [],
  };
}
