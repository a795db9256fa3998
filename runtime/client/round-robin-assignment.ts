// The round robin assignment of classic groups: all partitions of all topics in one row, dealt out like cards; who
// does not read a topic is passed over. Pure.

import type { TopicPartitions } from "../consumer-protocol.ts";
import { type Assigned, inMemberOrder, type Subscriber } from "./subscriber.ts";

/** `partitionsOf`: partition count by topic. All members are in the answer. */
export function assignRoundRobin(
  members: readonly Subscriber[],
  partitionsOf: ReadonlyMap<string, number>,
): Assigned {
  const ordered = inMemberOrder(members).map((member) => ({
    topics: new Set(member.topics),
    shares: [] as TopicPartitions[],
    memberId: member.memberId,
  }));
  let turn = 0;
  for (const topic of [...partitionsOf.keys()].sort()) {
    if (!ordered.some(({ topics }) => topics.has(topic))) continue;
    for (let partition = 0; partition < partitionsOf.get(topic)!; partition++) {
      while (!ordered[turn % ordered.length]!.topics.has(topic)) turn++;
      deal(ordered[turn++ % ordered.length]!.shares, topic, partition);
    }
  }
  return new Map(ordered.map(({ memberId, shares }) => [memberId, shares]));
}

/** Topics come one after the other: the last share is the topic's, if any is. */
function deal(shares: TopicPartitions[], topic: string, partition: number): void {
  const last = shares.at(-1);
  if (last?.topic === topic)
    shares[shares.length - 1] = { topic, partitions: [...last.partitions, partition] };
  else shares.push({ topic, partitions: [partition] });
}
