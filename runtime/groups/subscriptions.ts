// What members of the consumer protocol read: names as they say them, and topics that match their expressions,
// looked up once per change of the cluster's topics.

import type { TopicRecord } from "../../cluster/control-plane.ts";
import { internalTopics } from "../topic-name.ts";
import type { ConsumerMember, MemberDetails } from "./consumer-member.ts";
import { TopicPattern } from "./topic-pattern.ts";

export type KnownTopics = ReadonlyMap<string, TopicRecord>;

export class Subscriptions {
  readonly #known: () => KnownTopics;
  /** Names of topics by expression. */
  readonly #matches = new Map<string, readonly string[]>();

  constructor(known: () => KnownTopics) {
    this.#known = known;
  }

  topicsChanged(): void {
    this.#matches.clear();
  }

  /** Throws INVALID_REGULAR_EXPRESSION. */
  checkRegex(regex: string): void {
    new TopicPattern(regex);
  }

  /** Topic ids and partition counts of the topics that a member reads and that exist. */
  topics(details: MemberDetails): Map<string, number> {
    const known = this.#known();
    const topics = new Map<string, number>();
    for (const name of this.#namesOf(details)) {
      const topic = known.get(name);
      if (topic) topics.set(topic.id, topic.partitions.length);
    }
    return topics;
  }

  names(members: Iterable<ConsumerMember>): ReadonlySet<string> {
    const names = new Set<string>();
    for (const { details } of members) for (const name of this.#namesOf(details)) names.add(name);
    return names;
  }

  #namesOf({ topicNames, topicRegex }: MemberDetails): Iterable<string> {
    return topicRegex === null ? topicNames : [...topicNames, ...this.#matching(topicRegex)];
  }

  #matching(regex: string): readonly string[] {
    let matches = this.#matches.get(regex);
    if (matches === undefined) {
      const pattern = new TopicPattern(regex);
      matches = [...this.#known().keys()].filter(
        (name) => !internalTopics.has(name) && pattern.matches(name),
      );
      this.#matches.set(regex, matches);
    }
    return matches;
  }
}
