// What members of the consumer protocol read: names as they say them, and topics that match their expressions. Which
// topics an expression matches is persisted (as Kafka does), and looked up anew when the cluster's topics change.

import type { TopicRecord } from "../../cluster/control-plane.ts";
import { internalTopics } from "../topic-name.ts";
import type { ConsumerRecord, StoredRegex } from "./consumer-group-records.ts";
import type { ConsumerMember, MemberDetails } from "./consumer-member.ts";
import { TopicPattern } from "./topic-pattern.ts";

export type KnownTopics = ReadonlyMap<string, TopicRecord>;

/** An expression and what it matches. */
interface Resolved extends StoredRegex {
  /** The topics it was compared with; null: read from the log, where that is not written. */
  readonly known: KnownTopics | null;
}

/** What all expressions of a group match. */
export type ResolvedTopics = ReadonlyMap<string, Resolved>;

export class Subscriptions {
  readonly #known: () => KnownTopics;
  #resolved: ResolvedTopics = new Map();

  constructor(known: () => KnownTopics) {
    this.#known = known;
  }

  /** Throws INVALID_REGULAR_EXPRESSION. */
  checkRegex(regex: string): void {
    new TopicPattern(regex);
  }

  /** What the expressions of these members match now, and what must be written for that. */
  resolve(
    members: Iterable<ConsumerMember>,
    { groupId, nowMs }: { groupId: string; nowMs: number },
  ): { readonly resolved: ResolvedTopics; readonly records: readonly ConsumerRecord[] } {
    const resolved = new Map<string, Resolved>();
    const records: ConsumerRecord[] = [];
    for (const { details } of members) {
      const regex = details.topicRegex;
      if (regex === null || resolved.has(regex)) continue;
      const before = this.#resolved.get(regex);
      const topics = this.#matching(regex, before);
      const isSame = before !== undefined && sameNames(before.topics, topics);
      const stored: StoredRegex = isSame
        ? before
        : { topics, version: (before?.version ?? 0) + 1, timestampMs: nowMs };
      resolved.set(regex, { ...stored, known: this.#known() });
      if (isSame) continue;
      records.push({ kind: "consumer-regex", groupId, regex, value: storedPart(stored) });
    }
    for (const regex of this.#resolved.keys()) {
      if (!resolved.has(regex)) {
        records.push({ kind: "consumer-regex", groupId, regex, value: null });
      }
    }
    return { resolved, records };
  }

  /** Puts in force what `resolve` said. */
  take(resolved: ResolvedTopics): void {
    this.#resolved = resolved;
  }

  replay(regex: string, value: StoredRegex | null): void {
    const resolved = new Map(this.#resolved);
    if (value === null) resolved.delete(regex);
    else resolved.set(regex, { ...value, known: null });
    this.#resolved = resolved;
  }

  tombstones(groupId: string): ConsumerRecord[] {
    return Array.from(this.#resolved.keys(), (regex) => ({
      kind: "consumer-regex",
      groupId,
      regex,
      value: null,
    }));
  }

  /** Topic ids and partition counts of the topics that a member reads and that exist. */
  topics(details: MemberDetails, resolved: ResolvedTopics): Map<string, number> {
    const known = this.#known();
    const topics = new Map<string, number>();
    for (const name of namesOf(details, resolved)) {
      const topic = known.get(name);
      if (topic) topics.set(topic.id, topic.partitions.length);
    }
    return topics;
  }

  names(members: Iterable<ConsumerMember>): ReadonlySet<string> {
    const names = new Set<string>();
    for (const { details } of members) {
      for (const name of namesOf(details, this.#resolved)) names.add(name);
    }
    return names;
  }

  /** Only topics that are new since the last time are compared: an expression can be slow, and topics many. */
  #matching(regex: string, before: Resolved | undefined): readonly string[] {
    const known = this.#known();
    if (before?.known === known) return before.topics;
    const pattern = new TopicPattern(regex);
    const matched = new Set(before?.topics);
    return [...known.keys()].filter((name) => {
      if (internalTopics.has(name)) return false;
      return before?.known?.has(name) ? matched.has(name) : pattern.matches(name);
    });
  }
}

function namesOf(
  { topicNames, topicRegex }: MemberDetails,
  resolved: ResolvedTopics,
): Iterable<string> {
  if (topicRegex === null) return topicNames;
  return [...topicNames, ...(resolved.get(topicRegex)?.topics ?? [])];
}

function storedPart({ topics, version, timestampMs }: StoredRegex): StoredRegex {
  return { topics, version, timestampMs };
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  const names = new Set(a);
  return b.every((name) => names.has(name));
}
