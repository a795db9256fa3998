// JoinGroup (11): enters a group of the classic protocol, or says again what one speaks; the answer comes when the
// rebalance lets everybody in. v1 adds the rebalance timeout, v4 gives new members their id first (KIP-394), v5
// static members (KIP-345), v7 the protocol type, v8 a reason (KIP-800), v9 skipAssignment (KIP-814).

import { errorCodeOf } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { array, boolean, bytes, defineApi, int16, int32, string, struct } from "../schema.ts";

export const joinGroup = defineApi({
  key: 11,
  name: "JoinGroup",
  versions: { min: 0, max: 9 },
  flexibleSince: 6,
  request: struct({
    groupId: string(),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32({ since: 1, default: -1 }),
    memberId: string(),
    groupInstanceId: string({ since: 5, nullable: true, default: null }),
    protocolType: string(),
    protocols: array(struct({ name: string(), metadata: bytes() })),
    reason: string({ since: 8, nullable: true, default: null }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 2, default: 0 }),
    errorCode: int16(),
    generationId: int32({ default: -1 }),
    protocolType: string({ since: 7, nullable: true, default: null }),
    protocolName: string({ nullable: 7 }),
    leader: string(),
    skipAssignment: boolean({ since: 9, default: false }),
    memberId: string(),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({ since: 5, nullable: true, default: null }),
        metadata: bytes(),
      }),
      { default: [] },
    ),
  }),
});

const memberIdRequiredSince = 4;
const nullableProtocolSince = 7;
const skipAssignmentSince = 9;

export const handleJoinGroup: Handler<typeof joinGroup> = async (request, context) => {
  const { apiVersion, report, clientId, connection } = context;
  const { sessionTimeoutMs } = request;
  const isPatient = request.rebalanceTimeoutMs >= 0;
  // The bytes of the frame are gone by the time the group looks at them.
  const protocols = request.protocols.map((each) => ({
    name: each.name,
    metadata: each.metadata.slice(),
  }));
  const noName = apiVersion >= nullableProtocolSince ? null : "";
  try {
    const { generation, error, ...answer } = await context.broker.groups.join({
      groupId: request.groupId,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      clientId: clientId ?? "",
      clientHost: `/${connection.remoteAddress}`,
      sessionTimeoutMs,
      rebalanceTimeoutMs: isPatient ? request.rebalanceTimeoutMs : sessionTimeoutMs,
      protocolType: request.protocolType,
      protocols,
      needsMemberId: apiVersion >= memberIdRequiredSince,
      canSkipAssignment: apiVersion >= skipAssignmentSince,
    });
    const errorCode = errorCodeOf(error, "JoinGroup", report);
    const protocolName = answer.protocolName ?? noName;
    return { ...answer, errorCode, generationId: generation, protocolName };
  } catch (error) {
    const errorCode = errorCodeOf(error, "JoinGroup", report);
    return { errorCode, protocolName: noName, leader: "", memberId: request.memberId };
  }
};
