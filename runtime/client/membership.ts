// Membership: how a group consumer comes to its partitions. Two protocols implement it; the consumer does not see
// which.

import type { TopicPartition } from "../broker.ts";
import type { ClientError } from "./error.ts";
import type { GroupConsumerOptions } from "./group-api.ts";
import type { GroupCalls } from "./group-calls.ts";
import type { TopicChoice } from "./topic-choice.ts";

export interface Membership {
  readonly memberId: string;
  /** Generation or member epoch; -1: none. */
  readonly generation: number;
  /** Joins in the background; what fails for good goes to the owner. */
  start(): void;
  /** Leaves the group. Never rejects. */
  stop(): Promise<void>;
}

/** Who owns what the membership brings. */
export interface Owner {
  owned(): readonly TopicPartition[];
  /** Resolves when the partitions may go to others. `isLost`: others have them already. */
  revoke(partitions: readonly TopicPartition[], options: { isLost: boolean }): Promise<void>;
  assign(partitions: readonly TopicPartition[]): Promise<void>;
  fail(error: ClientError): void;
}

export interface MembershipParts {
  readonly groups: GroupCalls;
  /** The same, for requests whose answers wait for other members. */
  readonly joining: GroupCalls;
  readonly choice: TopicChoice;
  readonly options: GroupConsumerOptions;
  readonly owner: Owner;
}

export const rebalanceTimeoutMsDefault = 300_000;

export function placeKey({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`;
}

/** Those of `places` that are not among `others`. */
export function without(
  places: readonly TopicPartition[],
  others: readonly TopicPartition[],
): TopicPartition[] {
  const taken = new Set(others.map(placeKey));
  return places.filter((place) => !taken.has(placeKey(place)));
}
