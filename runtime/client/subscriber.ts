// Subscriber: a member of a classic group as the group's leader sees it, and the order leaders take members in. Pure.

import type { TopicPartitions } from "../consumer-protocol.ts";

export interface Subscriber {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly topics: readonly string[];
  /** What it holds, or held before it gave all back; in `generation`, -1 if unknown. */
  readonly owned: readonly TopicPartitions[];
  readonly generation: number;
}

/** What a member has to tell: the same, about itself. */
export type Holding = Pick<Subscriber, "owned" | "generation">;

/** By member id. */
export type Assigned = Map<string, TopicPartitions[]>;

/** Static members first, by their instance; the others by id: a restart under a new id changes nothing. */
export function inMemberOrder(members: readonly Subscriber[]): Subscriber[] {
  return [...members].sort((a, b) => {
    if ((a.groupInstanceId === null) !== (b.groupInstanceId === null)) {
      return a.groupInstanceId === null ? 1 : -1;
    }
    const [x, y] = [a.groupInstanceId ?? a.memberId, b.groupInstanceId ?? b.memberId];
    return x < y ? -1 : x > y ? 1 : 0;
  });
}
