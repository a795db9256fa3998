// What clients saw, in the order in which they saw it: the only thing the checker believes.

export interface SendEntry {
  readonly producer: string;
  /** Grows by one with each send of this producer: the order it wants within a partition. */
  readonly number: number;
  /** Unique. */
  readonly value: string;
  readonly partition: number;
  readonly key?: string;
  readonly acks: -1 | 1;
  readonly isIdempotent: boolean;
  /** "fail": surely not written. "info": nobody knows, also while it is under way. */
  outcome: "ok" | "fail" | "info";
  /** -1: not told. */
  offset: number;
}

export interface ReadRecord {
  readonly offset: number;
  readonly key?: string;
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

/** Records that count together or not at all. */
export interface TransactionEntry {
  /** Grows by one with each transaction of a transactional id, whoever begins it. */
  readonly number: number;
  readonly values: { readonly partition: number; readonly value: string }[];
  /** "open": a commit was not asked for. "info": it was, and nobody knows what became of it. */
  outcome: "open" | "aborted" | "committed" | "info";
}

/** What was seen of one more topic, by readers of committed records. */
export class TopicHistory {
  readonly polls: PollEntry[] = [];
  /** Everything that is in the log at the end. */
  readonly log = new Map<number, ReadRecord[]>();
}

export class History extends TopicHistory {
  readonly sends: SendEntry[] = [];
  readonly commits: CommitEntry[] = [];
  readonly groupEnds: GroupEnd[] = [];
  /** Written in transactions. */
  readonly transfers = new (class extends TopicHistory {
    readonly transactions: TransactionEntry[] = [];
    /** Read while its transaction was open. */
    readonly early: string[] = [];
  })();
  /** Compacted: only the newest of each key is kept. */
  readonly balances = new (class extends TopicHistory {
    readonly sends: SendEntry[] = [];
  })();
}

export interface Violation {
  readonly rule: string;
  readonly what: string;
}
