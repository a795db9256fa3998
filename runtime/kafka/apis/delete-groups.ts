// DeleteGroups (42): forgets empty groups with their offsets, each on its own. A group with members is
// NON_EMPTY_GROUP.

import { errorCodeOf } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { array, defineApi, int16, int32, string, struct } from "../schema.ts";

export const deleteGroups = defineApi({
  key: 42,
  name: "DeleteGroups",
  versions: { min: 0, max: 2 },
  flexibleSince: 2,
  request: struct({ groupsNames: array(string()) }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    results: array(struct({ groupId: string(), errorCode: int16() })),
  }),
});

export const handleDeleteGroups: Handler<typeof deleteGroups> = async (request, context) => {
  const results = [];
  for (const groupId of new Set(request.groupsNames)) {
    let fault: unknown = null;
    try {
      await context.broker.groups.delete(groupId);
    } catch (error) {
      fault = error;
    }
    results.push({ groupId, errorCode: errorCodeOf(fault, "DeleteGroups", context.report) });
  }
  return { results };
};
