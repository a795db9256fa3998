// FollowerSession: a follower's side of a fetch session (KIP-227): the leader remembers what is fetched, so that a
// request names only what changed. A thousand idle partitions then cost next to nothing. Pure.

import { placeKey } from "./followed-partition.ts";
import type { ReplicaFetchItem } from "./replica-link.ts";

export interface SessionStep {
  readonly sessionId: number;
  /** 0 begins one. */
  readonly sessionEpoch: number;
  /** What the leader does not know yet, or knows otherwise. */
  readonly named: readonly ReplicaFetchItem[];
  /** What it may forget. */
  readonly forgotten: readonly ReplicaFetchItem[];
}

const epochMax = 0x7fffffff;

export class FollowerSession {
  #id = 0;
  #epoch = 0;
  #known = new Map<string, ReplicaFetchItem>();

  /** What to send for these items. Answered, it is what the leader knows. */
  next(items: readonly ReplicaFetchItem[]): SessionStep {
    const before = this.#epoch === 0 ? new Map<string, ReplicaFetchItem>() : this.#known;
    const now = new Map<string, ReplicaFetchItem>();
    const named: ReplicaFetchItem[] = [];
    for (const item of items) {
      const key = placeKey(item.topicId, item.partition);
      now.set(key, item);
      if (!isSame(before.get(key), item)) named.push(item);
    }
    const forgotten = [...before].filter(([key]) => !now.has(key)).map(([, item]) => item);
    this.#known = now;
    return { sessionId: this.#id, sessionEpoch: this.#epoch, named, forgotten };
  }

  /** The leader answered; 0: it keeps no session for this follower. */
  answered(sessionId: number): void {
    this.#epoch = sessionId === 0 ? 0 : this.#epoch === epochMax ? 1 : this.#epoch + 1;
    this.#id = sessionId;
  }

  /** Nobody knows what the leader remembers: the next request begins a new session in the place of the old one. */
  reset(): void {
    this.#epoch = 0;
  }
}

/** The high watermark is for the leader's information only. */
function isSame(known: ReplicaFetchItem | undefined, item: ReplicaFetchItem): boolean {
  return (
    known !== undefined &&
    known.fetchOffset === item.fetchOffset &&
    known.leaderEpoch === item.leaderEpoch &&
    known.lastFetchedEpoch === item.lastFetchedEpoch &&
    known.logStartOffset === item.logStartOffset &&
    known.bytesMax === item.bytesMax
  );
}
