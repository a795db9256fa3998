// The clients of a run: what each of them sends and reads goes into one history, in the order in which it was told.
// Every send is "info" until it is acknowledged: a client that gives up does not know.

import type { CommitEntry, History, PollEntry, SendEntry } from "../sim/history.ts";

export interface LoadPlace {
  readonly bootstrap: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  /** Pause between two rounds of sends of one producer. */
  readonly pauseMs: number;
  /** Clients keep their own time limits and retries; else they give up a silent broker after 5 s. */
  readonly isDefault?: boolean;
}

/** A producer, or readers, at work since it was made. */
export interface LoadClient {
  readonly name: string;
  /** No more is sent; resolves when all that was sent is answered, or rejects after a minute or so. */
  stop(): Promise<void>;
}

/** Where clients write down what happens to them. */
export class Notebook {
  readonly history: History;
  /** When which error reached a program, as its client put it. */
  readonly errors: { readonly atMs: number; readonly client: string; readonly what: string }[] = [];
  /** When each acknowledgement came, by client and in its order: the stalls can be read from it. */
  readonly acknowledgedAtMs: number[] = [];
  acknowledged = 0;

  constructor(history: History) {
    this.history = history;
  }

  /** What the client sends next to that partition. */
  send(producer: string, number: number, partition: number): SendEntry {
    const entry: SendEntry = {
      ...{ producer, number, partition, value: valueOfSend(producer, number) },
      ...{ acks: -1, isIdempotent: true, outcome: "info", offset: -1 },
    };
    this.history.sends.push(entry);
    return entry;
  }

  acknowledge(entry: SendEntry, offset: number): void {
    entry.outcome = "ok";
    entry.offset = offset;
    this.acknowledged++;
    this.acknowledgedAtMs.push(performance.now());
  }

  poll(entry: PollEntry): void {
    if (entry.records.length > 0) this.history.polls.push(entry);
  }

  commit(commit: Omit<CommitEntry, "atPoll">): void {
    this.history.commits.push({ ...commit, atPoll: this.history.polls.length });
  }

  error(client: string, error: unknown): void {
    const what = error instanceof Error ? error.message : String(error);
    this.errors.push({ atMs: performance.now(), client, what });
  }

  /** The longest time without any acknowledgement, of all clients together. */
  longestStallMs(): number {
    let longest = 0;
    for (const [index, atMs] of this.acknowledgedAtMs.entries()) {
      longest = Math.max(longest, atMs - (this.acknowledgedAtMs[index - 1] ?? atMs));
    }
    return Math.round(longest);
  }
}

export function valueOfSend(producer: string, number: number): string {
  return `${producer}:${number}`;
}
