// The range assignment that leaders of classic groups make: each topic's partitions in runs, in the order of the
// members that read it. The same on every client, so that mixed groups agree. Pure.

import type { TopicPartitions } from "../consumer-protocol.ts";

export interface Subscriber {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly topics: readonly string[];
}

/** `partitionsOf`: partition count by topic; topics without are left out. All members are in the answer. */
export function assignRange(
  members: readonly Subscriber[],
  partitionsOf: ReadonlyMap<string, number>,
): Map<string, TopicPartitions[]> {
  const ordered = [...members].sort(inOrder);
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

/** Static members first, by their instance; the others by id. */
function inOrder(a: Subscriber, b: Subscriber): number {
  if ((a.groupInstanceId === null) !== (b.groupInstanceId === null)) {
    return a.groupInstanceId === null ? 1 : -1;
  }
  const [x, y] = [a.groupInstanceId ?? a.memberId, b.groupInstanceId ?? b.memberId];
  return x < y ? -1 : x > y ? 1 : 0;
}
