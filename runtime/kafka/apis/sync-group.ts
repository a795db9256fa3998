// SyncGroup (14): a member fetches what the group's leader assigned to it; the leader brings the assignments. v3
// adds static members, v5 checks that both mean the same protocol.

import { errorCodeOf } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { array, bytes, defineApi, int16, int32, string, struct } from "../schema.ts";

export const syncGroup = defineApi({
  key: 14,
  name: "SyncGroup",
  versions: { min: 0, max: 5 },
  flexibleSince: 4,
  request: struct({
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ since: 3, nullable: true, default: null }),
    protocolType: string({ since: 5, nullable: true, default: null }),
    protocolName: string({ since: 5, nullable: true, default: null }),
    assignments: array(struct({ memberId: string(), assignment: bytes() })),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 1, default: 0 }),
    errorCode: int16(),
    protocolType: string({ since: 5, nullable: true, default: null }),
    protocolName: string({ since: 5, nullable: true, default: null }),
    assignment: bytes(),
  }),
});

export const handleSyncGroup: Handler<typeof syncGroup> = async (request, context) => {
  const { generationId, assignments, ...rest } = request;
  // The bytes of the frame are gone by the time the group looks at them.
  const own = assignments.map(({ memberId, assignment }) => ({
    memberId,
    assignment: assignment.slice(),
  }));
  try {
    const sync = { ...rest, generation: generationId, assignments: own };
    return { errorCode: 0, ...(await context.broker.groups.sync(sync)) };
  } catch (error) {
    const errorCode = errorCodeOf(error, "SyncGroup", context.report);
    return { errorCode, assignment: new Uint8Array(0) };
  }
};
