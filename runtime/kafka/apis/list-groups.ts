// ListGroups (16): the groups this broker coordinates. v4 tells and filters by state, v5 by type (KIP-848).

import { errorCodeOf } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { array, defineApi, int16, int32, string, struct } from "../schema.ts";

export const listGroups = defineApi({
  key: 16,
  name: "ListGroups",
  versions: { min: 0, max: 5 },
  flexibleSince: 3,
  request: struct({
    statesFilter: array(string(), { since: 4, default: [] }),
    typesFilter: array(string(), { since: 5, default: [] }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 1, default: 0 }),
    errorCode: int16(),
    groups: array(
      struct({
        groupId: string(),
        protocolType: string(),
        groupState: string({ since: 4, default: "" }),
        groupType: string({ since: 5, default: "" }),
      }),
    ),
  }),
});

export const handleListGroups: Handler<typeof listGroups> = (request, context) => {
  const states = folded(request.statesFilter);
  const types = folded(request.typesFilter);
  try {
    const groups = context.broker.groups
      .list()
      .filter(({ state }) => states.size === 0 || states.has(state.toLowerCase()))
      .filter(({ type }) => types.size === 0 || types.has(type))
      .map(({ groupId, protocolType, state, type }) => ({
        groupId,
        protocolType,
        groupState: state,
        groupType: type,
      }));
    return { errorCode: 0, groups };
  } catch (error) {
    return { errorCode: errorCodeOf(error, "ListGroups", context.report), groups: [] };
  }
};

function folded(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()));
}
