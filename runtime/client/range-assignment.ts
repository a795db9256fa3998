// The range assignment that leaders of classic groups make: each topic's partitions in runs, in the order of the
// members that read it. The same on every client, so that mixed groups agree. Pure.

import type { TopicPartitions } from "../consumer-protocol.ts";
import { type Assigned, inMemberOrder, type Subscriber } from "./subscriber.ts";

/** `partitionsOf`: partition count by topic; topics without are left out. All members are in the answer. */
export function assignRange(
  members: readonly Subscriber[],
  partitionsOf: ReadonlyMap<string, number>,
): Assigned {
  const ordered = inMemberOrder(members);
  const assigned = new Map(members.map(({ memberId }) => [memberId, [] as TopicPartitions[]]));
  for (const [topic, count] of partitionsOf) {
    const readers = ordered.filter(({ topics }) => topics.includes(topic));
    const each = Math.floor(count / readers.length);
    const extra = count % readers.length;
    let next = 0;
    for (const [i, { memberId }] of readers.entries()) {
      const size = each + (i < extra ? 1 : 0);
      const first = next;
      next += size;
      if (size === 0) continue;
      const partitions = Array.from({ length: size }, (_, at) => first + at);
      assigned.get(memberId)?.push({ topic, partitions });
    }
  }
  return assigned;
}
