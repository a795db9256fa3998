// ConsumerGroupDescribe (69): groups of the consumer protocol (KIP-848), with what each member holds and shall
// hold. v1 tells members that still speak the classic protocol. A group of the classic protocol is
// GROUP_ID_NOT_FOUND: clients then ask DescribeGroups.

import type { TopicIdPartitions } from "../../group-coordinator.ts";
import { notRequested, operations } from "../authorized-operations.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { itemError } from "../item-error.ts";
import {
  array,
  boolean,
  defineApi,
  int8,
  int16,
  int32,
  type ResponseInput,
  string,
  struct,
  uuid,
} from "../schema.ts";

const assignment = struct({
  topicPartitions: array(
    struct({ topicId: uuid(), topicName: string(), partitions: array(int32()) }),
  ),
});

export const consumerGroupDescribe = defineApi({
  key: 69,
  name: "ConsumerGroupDescribe",
  versions: { min: 0, max: 1 },
  flexibleSince: 0,
  request: struct({
    groupIds: array(string()),
    includeAuthorizedOperations: boolean(),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    groups: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
        groupId: string(),
        groupState: string(),
        groupEpoch: int32(),
        assignmentEpoch: int32(),
        assignorName: string(),
        members: array(
          struct({
            memberId: string(),
            instanceId: string({ nullable: true, default: null }),
            rackId: string({ nullable: true, default: null }),
            memberEpoch: int32(),
            clientId: string(),
            clientHost: string(),
            subscribedTopicNames: array(string()),
            subscribedTopicRegex: string({ nullable: true, default: null }),
            assignment,
            targetAssignment: assignment,
            memberType: int8({ since: 1, default: -1 }),
          }),
        ),
        authorizedOperations: int32({ default: notRequested }),
      }),
    ),
  }),
});

type Answer = ResponseInput<typeof consumerGroupDescribe>["groups"][number];

const memberTypes = { classic: 0, consumer: 1 };

export const handleConsumerGroupDescribe: Handler<typeof consumerGroupDescribe> = (
  request,
  context,
) => {
  const allowed = request.includeAuthorizedOperations ? operations.group : notRequested;
  return { groups: request.groupIds.map((groupId) => describe(groupId, allowed, context)) };
};

function describe(groupId: string, authorizedOperations: number, context: HandlerContext): Answer {
  try {
    const view = context.broker.groups.describeConsumer(groupId);
    return {
      errorCode: errorCodes.NONE,
      groupId,
      groupState: view.state,
      groupEpoch: view.groupEpoch,
      assignmentEpoch: view.assignmentEpoch,
      assignorName: view.assignor,
      members: view.members.map((member) => ({
        memberId: member.memberId,
        instanceId: member.instanceId,
        rackId: member.rackId,
        memberEpoch: member.memberEpoch,
        clientId: member.clientId,
        clientHost: member.clientHost,
        subscribedTopicNames: member.topicNames,
        subscribedTopicRegex: member.topicRegex,
        assignment: named(member.assigned, context),
        targetAssignment: named(member.target, context),
        memberType: member.isClassic ? memberTypes.classic : memberTypes.consumer,
      })),
      authorizedOperations,
    };
  } catch (error) {
    const nothing = { groupState: "", groupEpoch: 0, assignmentEpoch: 0, assignorName: "" };
    const failure = itemError(error, context, "ConsumerGroupDescribe");
    return { ...failure, ...nothing, groupId, members: [] };
  }
}

/** A topic deleted meanwhile has no name any more and is left out. */
function named(topics: readonly TopicIdPartitions[], { broker }: HandlerContext) {
  const known = broker.cluster().topicsById;
  return {
    topicPartitions: topics.flatMap(({ topicId, partitions }) => {
      const topicName = known.get(topicId)?.name;
      return topicName === undefined ? [] : [{ topicId, topicName, partitions }];
    }),
  };
}
