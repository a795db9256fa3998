// The sticky assignments of classic groups: everybody keeps as much as a balance allows. The cooperative one leaves
// out what another member still holds: it gets it in the next generation, once that member has given it back
// (KIP-429). Pure.

import type { TopicPartitions } from "../consumer-protocol.ts";
import { assignUniformly } from "../groups/uniform-assignor.ts";
import type { Assigned, Subscriber } from "./subscriber.ts";

/** `partitionsOf`: partition count by topic. All members are in the answer. */
export function assignSticky(
  members: readonly Subscriber[],
  partitionsOf: ReadonlyMap<string, number>,
): Assigned {
  if (members.length === 0) return new Map();
  const owners = rightfulOwners(members);
  const shares = assignUniformly(
    members.map(({ memberId, groupInstanceId, topics, owned }) => ({
      memberId,
      instanceId: groupInstanceId,
      topicIds: new Set(topics.filter((topic) => partitionsOf.has(topic))),
      target: new Map(
        owned.map(({ topic, partitions }) => {
          const own = partitions.filter((each) => owners.get(`${topic} ${each}`) === memberId);
          return [topic, new Set(own)];
        }),
      ),
    })),
    partitionsOf,
  );
  return new Map(
    members.map(({ memberId }) => {
      const topics = Array.from(shares.get(memberId) ?? [], ([topic, partitions]) => ({
        topic,
        partitions: [...partitions].sort((a, b) => a - b),
      }));
      return [memberId, topics];
    }),
  );
}

/** Takes out of each share what another member says it holds. */
export function withholdMoving(members: readonly Subscriber[], assigned: Assigned): Assigned {
  const holders = new Map<string, Set<string>>();
  for (const { memberId, place } of claims(members)) {
    const known = holders.get(place) ?? new Set<string>();
    holders.set(place, known.add(memberId));
  }
  const isFree = (memberId: string, place: string) => {
    const held = holders.get(place);
    return held === undefined || (held.size === 1 && held.has(memberId));
  };
  return new Map(
    Array.from(assigned, ([memberId, topics]) => {
      const kept: TopicPartitions[] = [];
      for (const { topic, partitions } of topics) {
        const free = partitions.filter((each) => isFree(memberId, `${topic} ${each}`));
        if (free.length > 0) kept.push({ topic, partitions: free });
      }
      return [memberId, kept];
    }),
  );
}

/** Who held a place last: of several the one of the newest generation; nobody if that is not one. */
function rightfulOwners(members: readonly Subscriber[]): Map<string, string | null> {
  const owners = new Map<string, { memberId: string | null; generation: number }>();
  for (const { memberId, generation, place } of claims(members)) {
    const known = owners.get(place);
    if (known === undefined || generation > known.generation) {
      owners.set(place, { memberId, generation });
    } else if (generation === known.generation) known.memberId = null;
  }
  return new Map(Array.from(owners, ([place, { memberId }]) => [place, memberId]));
}

function* claims(members: readonly Subscriber[]) {
  for (const { memberId, generation, owned } of members) {
    for (const { topic, partitions } of owned) {
      for (const each of partitions) yield { memberId, generation, place: `${topic} ${each}` };
    }
  }
}
