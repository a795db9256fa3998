// DescribeGroups (15): groups of the classic protocol with their members. v3 adds authorized operations, v4
// instance ids, v6 says GROUP_ID_NOT_FOUND where older versions show a dead group.

import { notRequested, operations } from "../authorized-operations.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { itemError } from "../item-error.ts";
import {
  array,
  boolean,
  bytes,
  defineApi,
  int16,
  int32,
  type ResponseInput,
  string,
  struct,
} from "../schema.ts";

export const describeGroups = defineApi({
  key: 15,
  name: "DescribeGroups",
  versions: { min: 0, max: 6 },
  flexibleSince: 5,
  request: struct({
    groups: array(string()),
    includeAuthorizedOperations: boolean({ since: 3, default: false }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 1, default: 0 }),
    groups: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ since: 6, nullable: true, default: null }),
        groupId: string(),
        groupState: string(),
        protocolType: string(),
        protocolData: string(),
        members: array(
          struct({
            memberId: string(),
            groupInstanceId: string({ since: 4, nullable: true, default: null }),
            clientId: string(),
            clientHost: string(),
            memberMetadata: bytes(),
            memberAssignment: bytes(),
          }),
        ),
        authorizedOperations: int32({ since: 3, default: notRequested }),
      }),
    ),
  }),
});

type Answer = ResponseInput<typeof describeGroups>["groups"][number];

const notFoundSince = 6;

export const handleDescribeGroups: Handler<typeof describeGroups> = (request, context) => {
  const allowed = request.includeAuthorizedOperations ? operations.group : notRequested;
  return { groups: request.groups.map((groupId) => describe(groupId, allowed, context)) };
};

function describe(groupId: string, authorizedOperations: number, context: HandlerContext): Answer {
  try {
    const { state, protocolType, protocolName, members } =
      context.broker.groups.describeClassic(groupId);
    return {
      errorCode: errorCodes.NONE,
      groupId,
      groupState: state,
      protocolType,
      protocolData: protocolName,
      members: members.map(({ metadata, assignment, ...member }) => ({
        ...member,
        memberMetadata: metadata,
        memberAssignment: assignment,
      })),
      authorizedOperations,
    };
  } catch (error) {
    const failure = itemError(error, context, "DescribeGroups");
    const isAbsent = failure.errorCode === errorCodes.GROUP_ID_NOT_FOUND;
    const isDead = isAbsent && context.apiVersion < notFoundSince;
    return {
      ...(isDead ? { errorCode: errorCodes.NONE } : failure),
      groupId,
      groupState: isAbsent ? "Dead" : "",
      protocolType: "",
      protocolData: "",
      members: [],
    };
  }
}
