// A consumer instance as it stands in the log: who it is, what it reads, and how far it is. All there is to know of
// it, so that any node serves it. Pure; `instance-table.ts` keeps it. Persisted: members keep their names.

import type { OffsetSpec, TopicPartition } from "../../broker.ts";
import type { EmbeddedFormat } from "./media-type.ts";

/** Persisted: instances are found in it after an update. */
export const instancesTopic = "__timberline_rest_consumers";

/** A partition it reads. */
export interface Held extends TopicPartition {
  /** Tells a topic from a later one of its name. */
  readonly topicId: string;
  /** Next offset to read; null: not looked up yet. */
  readonly offset: number | null;
  /** What it committed itself, as auto commit goes; null: nothing yet. */
  readonly committed: number | null;
}

/** Records of one partition in one answer. */
export interface Span extends TopicPartition {
  readonly from: number;
  /** After the last one. */
  readonly to: number;
}

/** An answer that may not have reached its client. */
export interface Handed {
  readonly id: string;
  readonly spans: readonly Span[];
}

export interface InstanceId {
  readonly group: string;
  readonly name: string;
}

export interface Instance extends InstanceId {
  readonly format: EmbeddedFormat;
  readonly autoCommit: boolean;
  readonly reset: Extract<OffsetSpec, "earliest" | "latest"> | "none";
  readonly bytesMin: number;
  /** How long a read waits that does not say. */
  readonly waitMs: number;
  /** In its group; its own from the beginning. */
  readonly memberId: string;
  /** 0: not in the group. */
  readonly epoch: number;
  readonly topics: readonly string[];
  readonly pattern: string | null;
  /** It was told its partitions, and is no member. */
  readonly isManual: boolean;
  readonly held: readonly Held[];
  readonly handed: Handed | null;
  /** ms since 1970: it was used then, or some time later. */
  readonly usedMs: number;
}

export function isSubscribed({ topics, pattern }: Instance): boolean {
  return topics.length > 0 || pattern !== null;
}

export function keyOf({ group, name }: InstanceId): string {
  return JSON.stringify([group, name]);
}

export function samePlace(a: TopicPartition, b: TopicPartition): boolean {
  return a.partition === b.partition && a.topic === b.topic;
}

/** It holds these from now on, and goes on where it was in those it had. */
export function holding(
  instance: Instance,
  places: readonly (TopicPartition & { readonly topicId: string })[],
): readonly Held[] {
  const before = new Map(instance.held.map((each) => [placeText(each), each]));
  return places.map(({ topic, topicId, partition }) => {
    const old = before.get(placeText({ topic, partition }));
    if (old?.topicId === topicId) return old;
    return { topic, topicId, partition, offset: null, committed: null };
  });
}

export function sameHeld(a: readonly Held[], b: readonly Held[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

/** It reads on there. */
export function movedTo(
  held: readonly Held[],
  positions: readonly (TopicPartition & { readonly offset: number })[],
): readonly Held[] {
  const moved = new Map(positions.map((each) => [placeText(each), each.offset]));
  return held.map((each) => {
    const offset = moved.get(placeText(each));
    return offset === undefined || offset === each.offset ? each : { ...each, offset };
  });
}

/** The answer did not arrive: its records are read again, unless somebody moved the position meanwhile. */
export function takenBack(instance: Instance): Instance {
  const { handed } = instance;
  if (handed === null) return instance;
  const back = handed.spans.filter((span) =>
    instance.held.some((each) => samePlace(each, span) && each.offset === span.to),
  );
  const positions = back.map(({ topic, partition, from }) => ({ topic, partition, offset: from }));
  return { ...instance, handed: null, held: movedTo(instance.held, positions) };
}

export function placeText({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
