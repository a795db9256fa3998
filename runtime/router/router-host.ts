// RouterHost: what the parts of the router stand on: this broker, who leads what, and how leaders are asked.

import {
  type About,
  type Answer,
  type Asked,
  answerHere,
  type LeadingBroker,
} from "../leader-questions.ts";
import type { Leader, LeaderCalls } from "./leader-calls.ts";
import type { Leaders } from "./leaders.ts";

export interface RouterHost<Calls extends keyof LeaderCalls = "ask"> {
  readonly local: LeadingBroker;
  readonly leaders: Leaders;
  readonly calls: Pick<LeaderCalls, Calls>;
}

/** `leader: null`: this broker. */
export function askLeader<A extends About>(
  { local, calls }: RouterHost,
  leader: Leader | null,
  about: A,
  asked: Asked<A>,
): Promise<Answer<A>> {
  return leader === null ? answerHere(local, about, asked) : calls.ask(leader, about, asked);
}

export function groupBy<T, K>(all: readonly T[], keyOf: (each: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const each of all) {
    const key = keyOf(each);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [each]);
    else group.push(each);
  }
  return groups;
}
