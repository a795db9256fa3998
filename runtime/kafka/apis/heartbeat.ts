// Heartbeat (12): a member of a classic group lives; REBALANCE_IN_PROGRESS tells it to join again. v3 adds static
// members.

import { errorCodeOf } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { defineApi, int16, int32, string, struct } from "../schema.ts";

export const heartbeat = defineApi({
  key: 12,
  name: "Heartbeat",
  versions: { min: 0, max: 4 },
  flexibleSince: 4,
  request: struct({
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ since: 3, nullable: true, default: null }),
  }),
  response: struct({ throttleTimeMs: int32({ since: 1, default: 0 }), errorCode: int16() }),
});

export const handleHeartbeat: Handler<typeof heartbeat> = ({ generationId, ...rest }, context) => {
  try {
    context.broker.groups.heartbeat({ ...rest, generation: generationId });
    return { errorCode: 0 };
  } catch (error) {
    return { errorCode: errorCodeOf(error, "Heartbeat", context.report) };
  }
};
