// The assignors of the classic protocol, by the names that members agree on, as data: how each shares the partitions,
// and what it tells the next leader of what it has. Pure.

import {
  readGeneration,
  readStickyData,
  readSubscription,
  writeGeneration,
  writeStickyData,
} from "../consumer-protocol.ts";
import type { AssignorName } from "./group-api.ts";
import { assignRange } from "./range-assignment.ts";
import { assignRoundRobin } from "./round-robin-assignment.ts";
import { assignSticky, withholdMoving } from "./sticky-assignment.ts";
import type { Assigned, Holding, Subscriber } from "./subscriber.ts";

export interface ClassicAssignor {
  /** On the wire; the first is Kafka's. kafkajs has a name of its own for one of them. */
  readonly protocolNames: readonly string[];
  /** Members keep what they have while the group rebalances, and give back only what moves (KIP-429). */
  readonly isCooperative: boolean;
  userData(holding: Holding): Uint8Array;
  /** From the subscription's fields, or what `userData` wrote. */
  holding(subscription: { readonly userData: Uint8Array } & Holding): Holding;
  /** `partitionsOf`: partition count by topic, of all topics there are. All members are in the answer. */
  assign(members: readonly Subscriber[], partitionsOf: ReadonlyMap<string, number>): Assigned;
}

const nothing = new Uint8Array(0);
const plain = {
  isCooperative: false,
  userData: () => nothing,
  holding: () => ({ owned: [], generation: -1 }),
};

export const classicAssignors: Readonly<Record<AssignorName, ClassicAssignor>> = {
  range: { ...plain, protocolNames: ["range"], assign: assignRange },
  roundrobin: {
    ...plain,
    protocolNames: ["roundrobin", "RoundRobinAssigner"],
    assign: assignRoundRobin,
  },
  sticky: {
    protocolNames: ["sticky"],
    isCooperative: false,
    userData: ({ owned, generation }) =>
      owned.length === 0 ? nothing : writeStickyData(owned, generation),
    holding({ userData }) {
      const { topics, generation } = readStickyData(userData);
      return { owned: topics, generation };
    },
    assign: assignSticky,
  },
  "cooperative-sticky": {
    protocolNames: ["cooperative-sticky"],
    isCooperative: true,
    userData: ({ generation }) => writeGeneration(generation),
    holding({ userData, owned, generation }) {
      return { owned, generation: generation >= 0 ? generation : readGeneration(userData) };
    },
    assign: (members, partitionsOf) => withholdMoving(members, assignSticky(members, partitionsOf)),
  },
};

export function assignorOf(protocolName: string): ClassicAssignor | undefined {
  return Object.values(classicAssignors).find(({ protocolNames }) =>
    protocolNames.includes(protocolName),
  );
}

/** A member's subscription as its assignor reads it; one that cannot be read reads nothing. */
export function subscriberOf(
  member: { memberId: string; groupInstanceId: string | null; metadata: Uint8Array },
  assignor: ClassicAssignor,
): Subscriber {
  const { memberId, groupInstanceId, metadata } = member;
  const subscription = readSubscription(metadata);
  if (subscription === undefined) {
    return { memberId, groupInstanceId, topics: [], owned: [], generation: -1 };
  }
  const { topics } = subscription;
  return { memberId, groupInstanceId, topics, ...assignor.holding(subscription) };
}
