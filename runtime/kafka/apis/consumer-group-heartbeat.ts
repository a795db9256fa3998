// ConsumerGroupHeartbeat (68): the whole life of a member of the consumer protocol (KIP-848): it joins with epoch
// 0, reports, says what it holds, is told what to hold, and leaves with epoch −1 (−2: a static member that comes
// back). v1 adds regular expressions; its clients choose their member ids, those of v0 may get one from us.

import { BrokerError } from "../../errors.ts";
import { hasConsumerProtocol } from "../../features.ts";
import type { Handler } from "../handler.ts";
import { itemError } from "../item-error.ts";
import { array, defineApi, int16, int32, string, struct, uuid } from "../schema.ts";

const topicPartitions = struct({ topicId: uuid(), partitions: array(int32()) });

export const consumerGroupHeartbeat = defineApi({
  key: 68,
  name: "ConsumerGroupHeartbeat",
  versions: { min: 0, max: 1 },
  flexibleSince: 0,
  request: struct({
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    instanceId: string({ nullable: true, default: null }),
    rackId: string({ nullable: true, default: null }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    subscribedTopicNames: array(string(), { nullable: true }),
    subscribedTopicRegex: string({ since: 1, nullable: true, default: null }),
    serverAssignor: string({ nullable: true, default: null }),
    topicPartitions: array(topicPartitions, { nullable: true }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: true, default: null }),
    memberId: string({ nullable: true, default: null }),
    memberEpoch: int32({ default: 0 }),
    heartbeatIntervalMs: int32({ default: 0 }),
    assignment: struct({ topicPartitions: array(topicPartitions) }, { nullable: true }),
  }),
});

const ownIdSince = 1;

export const handleConsumerGroupHeartbeat: Handler<typeof consumerGroupHeartbeat> = async (
  request,
  context,
) => {
  const { apiVersion, platform, connection, clientId } = context;
  const isNew = request.memberId === "" && request.memberEpoch === 0 && apiVersion < ownIdSince;
  try {
    if (!hasConsumerProtocol(context.broker.cluster())) {
      throw new BrokerError("UNSUPPORTED_VERSION", "group.version is 0: see kafka-features");
    }
    const { assignment, ...answer } = await context.broker.groups.consumerHeartbeat({
      groupId: request.groupId,
      memberId: isNew ? hexId(platform.random.bytes(16)) : request.memberId,
      memberEpoch: request.memberEpoch,
      instanceId: request.instanceId,
      rackId: request.rackId,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      topicNames: request.subscribedTopicNames,
      topicRegex: request.subscribedTopicRegex,
      serverAssignor: request.serverAssignor,
      owned: request.topicPartitions,
      clientId: clientId ?? "",
      clientHost: `/${connection.remoteAddress}`,
    });
    const told = assignment && { topicPartitions: assignment };
    return { errorCode: 0, ...answer, assignment: told };
  } catch (error) {
    return { ...itemError(error, context, "ConsumerGroupHeartbeat"), assignment: null };
  }
};

function hexId(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
