// LeaveGroup (13): members go, and their partitions to the others at once. v3 takes several, by member or instance
// id (KIP-345), and answers each; v5 adds reasons.

import { errorCodeOf } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { array, defineApi, int16, int32, string, struct } from "../schema.ts";

export const leaveGroup = defineApi({
  key: 13,
  name: "LeaveGroup",
  versions: { min: 0, max: 5 },
  flexibleSince: 4,
  request: struct({
    groupId: string(),
    memberId: string({ until: 2, default: "" }),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({ nullable: true, default: null }),
        reason: string({ since: 5, nullable: true, default: null }),
      }),
      { since: 3, default: [] },
    ),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 1, default: 0 }),
    errorCode: int16(),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({ nullable: true, default: null }),
        errorCode: int16(),
      }),
      { since: 3, default: [] },
    ),
  }),
});

const severalSince = 3;

export const handleLeaveGroup: Handler<typeof leaveGroup> = async (request, context) => {
  const { apiVersion, report } = context;
  const isSingle = apiVersion < severalSince;
  const leaving = isSingle
    ? [{ memberId: request.memberId, groupInstanceId: null }]
    : request.members;
  try {
    const results = await context.broker.groups.leave(request.groupId, leaving);
    const codes = results.map((error) => errorCodeOf(error, "LeaveGroup", report));
    if (isSingle) return { errorCode: codes[0] ?? 0 };
    const members = leaving.map(({ memberId, groupInstanceId }, i) => ({
      memberId,
      groupInstanceId,
      errorCode: codes[i]!,
    }));
    return { errorCode: 0, members };
  } catch (error) {
    return { errorCode: errorCodeOf(error, "LeaveGroup", report) };
  }
};
