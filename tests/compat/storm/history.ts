// What a member of the storm did, as it wrote it down itself: one JSON line per event, in a file of its own that
// survives the member's death. What stands in the file counts as done: a member writes what it has read before it
// commits it.

import { readFileSync } from "node:fs";

export type MemberEvent =
  /** From now on it holds these partitions. The generation is null where the client does not tell it. */
  | {
      readonly kind: "holds";
      readonly atMs: number;
      readonly memberId: string;
      readonly generation: number | null;
      readonly partitions: readonly number[];
    }
  /** It read the records `from` up to, not including, `to`; the first of them at `atMs`. */
  | {
      readonly kind: "read";
      readonly atMs: number;
      readonly partition: number;
      readonly from: number;
      readonly to: number;
    }
  /** The broker answered that this is committed; -1: nothing. */
  | {
      readonly kind: "told";
      readonly atMs: number;
      readonly offsets: readonly (readonly [partition: number, offset: number])[];
    }
  /** The broker acknowledged these commits, sent at `sentMs`. */
  | {
      readonly kind: "committed";
      readonly atMs: number;
      readonly sentMs: number;
      readonly offsets: readonly (readonly [partition: number, offset: number])[];
    };

export type End = "leave" | "crash" | "gave up" | "late";

/** One process, from its start to its end. */
export interface Life {
  /** Who owns what it holds: a name that outlives it for static members. */
  readonly owner: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly end: End;
  readonly events: readonly MemberEvent[];
}

/** The events in a file. A last line that a kill cut off was never written. */
export function readEvents(path: string): MemberEvent[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as MemberEvent);
}

/** What the coordinator wrote down of one group, in the order of its log. */
export interface GroupLog {
  readonly commits: readonly Commit[];
  readonly ownerships: readonly Ownership[];
}

export interface Commit {
  readonly atMs: number;
  readonly partition: number;
  readonly offset: number;
}

/** Who holds what from here on, all members together. */
export interface Ownership {
  readonly generation: number;
  /** Eager groups share all partitions out at once, others step by step. */
  readonly isWhole: boolean;
  readonly members: readonly Owner[];
}

/** What somebody who asked was told. */
export interface Sight {
  readonly atMs: number;
  readonly members: readonly Owner[];
}

export interface Owner {
  readonly name: string;
  readonly partitions: readonly number[];
}

export interface GroupHistory {
  readonly group: string;
  /**
   * The client takes one more record when it is told to leave, commits it and throws it away. kcat does, with any
   * broker; nobody else may.
   */
  readonly leavesOneUnread: boolean;
  /**
   * The client may go on before what it was told is committed, and so read again. @platformatic/kafka does, when an
   * assignment comes while it prepares a fetch. What it was told must be right nevertheless.
   */
  readonly goesBack: boolean;
  readonly lives: readonly Life[];
  readonly log: GroupLog;
  readonly sights: readonly Sight[];
  /** What the group has committed in the end, by partition; -1: nothing. */
  readonly committed: readonly number[];
}
