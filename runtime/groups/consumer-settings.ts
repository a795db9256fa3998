// The assignors there are, by the names members ask for, and which one a group uses. Pure.

import type { Assignor } from "./assignor.ts";
import type { MemberDetails } from "./consumer-member.ts";
import { assignRanges } from "./range-assignor.ts";
import { assignUniformly } from "./uniform-assignor.ts";

export const assignors: Readonly<Record<string, Assignor>> = {
  uniform: assignUniformly,
  range: assignRanges,
};

/** The assignor most members ask for; the first that is configured if none asks. */
export function chooseAssignor(
  members: readonly MemberDetails[],
  configured: readonly string[],
): string {
  const votes = new Map<string, number>();
  for (const { serverAssignor } of members) {
    if (serverAssignor === null) continue;
    votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1);
  }
  let chosen = configured[0] ?? "uniform";
  let most = 0;
  for (const [name, count] of votes) {
    if (count <= most || !configured.includes(name)) continue;
    chosen = name;
    most = count;
  }
  return chosen;
}
