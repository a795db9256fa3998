// What clients saw, in the order in which they saw it: the only thing the checker believes.

export interface SendEntry {
  readonly producer: string;
  /** Grows by one with each send of this producer: the order it wants within a partition. */
  readonly number: number;
  /** Unique. */
  readonly value: string;
  readonly partition: number;
  readonly acks: -1 | 1;
  readonly isIdempotent: boolean;
  /** "fail": surely not written. "info": nobody knows, also while it is under way. */
  outcome: "ok" | "fail" | "info";
  /** -1: not told. */
  offset: number;
}

export interface ReadRecord {
  readonly offset: number;
  readonly value: string;
}

export interface PollEntry {
  readonly reader: string;
  /** One uninterrupted reading: what comes next must follow what came before. */
  readonly session: number;
  readonly partition: number;
  readonly records: readonly ReadRecord[];
}

export interface CommitEntry {
  readonly group: string;
  readonly partition: number;
  /** Whether the commit was acknowledged. */
  readonly outcome: "ok" | "info";
  /** The commit says that everything below it was consumed. */
  readonly offset: number;
  /** Position in `polls` when the answer came. */
  readonly atPoll: number;
}

export interface GroupEnd {
  readonly group: string;
  readonly partition: number;
  readonly committed: number;
}

export class History {
  readonly sends: SendEntry[] = [];
  readonly polls: PollEntry[] = [];
  readonly commits: CommitEntry[] = [];
  /** Everything that is in the log at the end. */
  readonly log = new Map<number, ReadRecord[]>();
  readonly groupEnds: GroupEnd[] = [];
}

export interface Violation {
  readonly rule: string;
  readonly what: string;
}
