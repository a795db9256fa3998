// The range assignor: each topic's partitions in consecutive runs, in the order of the members, so that equal
// partitions of topics that belong together come to the same member.

import { type AssignedMember, type Assignor, inStableOrder } from "./assignor.ts";

export const assignRanges: Assignor = (members, partitionsOf) => {
  const ordered = inStableOrder(members);
  const assigned = new Map(
    members.map(({ memberId }) => [memberId, new Map<string, Set<number>>()]),
  );
  for (const [topicId, count] of partitionsOf) {
    const readers = ordered.filter(({ topicIds }) => topicIds.has(topicId));
    for (const [reader, partitions] of ranges(readers, count)) {
      if (partitions.size > 0) assigned.get(reader.memberId)?.set(topicId, partitions);
    }
  }
  return assigned;
};

function* ranges(
  readers: readonly AssignedMember[],
  count: number,
): Generator<[AssignedMember, Set<number>]> {
  const each = Math.floor(count / readers.length);
  const extra = count % readers.length;
  let next = 0;
  for (const [i, reader] of readers.entries()) {
    const size = each + (i < extra ? 1 : 0);
    yield [reader, new Set(Array.from({ length: size }, (_, at) => next + at))];
    next += size;
  }
}
