// What a leader knows of its followers, and what follows from it: the high watermark, and who joins or leaves the
// in-sync replicas. Pure: time comes as a number, wishes go out as lists, `leader.ts` carries them out.

/** In-sync replicas as the control plane knows them. */
export interface CommittedIsr {
  readonly partitionEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

export interface LeaderStart extends CommittedIsr {
  readonly self: number;
  readonly leaderEpoch: number;
  /** Where the log ended when this leadership began. */
  readonly startOffset: number;
  readonly highWatermark: number;
  readonly nowMs: number;
}

/** A follower's fetch: it has everything below `offset`. */
export interface FollowerFetch {
  readonly replicaId: number;
  readonly brokerEpoch: number;
  /** The follower's idea of who leads. */
  readonly leaderEpoch: number;
  readonly offset: number;
  readonly nowMs: number;
  /** Where this leader's log ends. */
  readonly leaderEnd: number;
}

/** Whether the control plane says that this very incarnation may be in sync. */
export type IsEligible = (replicaId: number, brokerEpoch: number) => boolean;

interface Follower {
  brokerEpoch: number;
  /** -1: not heard of in this leadership. */
  logEnd: number;
  lastFetchMs: number;
  /** Where the leader's log ended at its last fetch: who has that now was caught up then. */
  leaderEndAtFetch: number;
  caughtUpMs: number;
}

export interface IsrWish {
  readonly isr: readonly { readonly id: number; readonly epoch: number }[];
  readonly adds: number | null;
}

export class LeaderState {
  readonly leaderEpoch: number;
  readonly startOffset: number;
  readonly #self: number;
  readonly #followers = new Map<number, Follower>();
  #committed: CommittedIsr;
  /** Asked of the control plane, perhaps done: who is added counts already, who is removed still counts. */
  #pending: IsrWish | null = null;
  #ownEnd = -1;
  #highWatermark: number;

  constructor(start: LeaderStart) {
    this.leaderEpoch = start.leaderEpoch;
    this.startOffset = start.startOffset;
    this.#self = start.self;
    this.#highWatermark = start.highWatermark;
    this.#committed = start;
    for (const id of start.replicas) this.#addFollower(id, start.isr.includes(id), start.nowMs);
  }

  get highWatermark(): number {
    return this.#highWatermark;
  }

  get partitionEpoch(): number {
    return this.#committed.partitionEpoch;
  }

  get inSyncCount(): number {
    return this.#committed.isr.length;
  }

  get pending(): IsrWish | null {
    return this.#pending;
  }

  /** Whether it is known up to where records are on all replicas that may have been in sync before. */
  get isSettled(): boolean {
    return this.#highWatermark >= this.startOffset;
  }

  isInSync(replicaId: number): boolean {
    return this.#committed.isr.includes(replicaId);
  }

  /** The control plane's newer record. What was asked is answered by it, one way or the other. */
  commit(record: CommittedIsr, nowMs: number): void {
    if (record.partitionEpoch <= this.#committed.partitionEpoch) return;
    this.#committed = record;
    this.#pending = null;
    for (const id of record.replicas) {
      const isNew = id !== this.#self && !this.#followers.has(id);
      if (isNew) this.#addFollower(id, record.isr.includes(id), nowMs);
    }
    for (const id of this.#followers.keys()) {
      if (!record.replicas.includes(id)) this.#followers.delete(id);
    }
  }

  /** The wish was refused for good: it is certain that it was not carried out. */
  refused(wish: IsrWish): void {
    if (this.#pending === wish) this.#pending = null;
  }

  ownEndMoved(offset: number): void {
    this.#ownEnd = Math.max(this.#ownEnd, offset);
  }

  /**
   * Counts a fetch. False: it says nothing about this leadership (another leader epoch, an incarnation before the
   * one already heard of, no replica of this partition).
   */
  fetched(fetch: FollowerFetch): boolean {
    const follower = this.#followers.get(fetch.replicaId);
    if (follower === undefined || fetch.leaderEpoch !== this.leaderEpoch) return false;
    if (fetch.brokerEpoch < follower.brokerEpoch) return false;
    if (fetch.brokerEpoch > follower.brokerEpoch) {
      follower.brokerEpoch = fetch.brokerEpoch;
      follower.caughtUpMs = Number.NEGATIVE_INFINITY;
    }
    const { offset, nowMs, leaderEnd } = fetch;
    if (offset >= leaderEnd) follower.caughtUpMs = nowMs;
    else if (offset >= follower.leaderEndAtFetch) {
      follower.caughtUpMs = Math.max(follower.caughtUpMs, follower.lastFetchMs);
    }
    follower.logEnd = offset;
    follower.lastFetchMs = nowMs;
    follower.leaderEndAtFetch = leaderEnd;
    return true;
  }

  /** Moves the high watermark as far as it may go; true when it moved. `inSyncMin` ≤ the number of replicas. */
  advance(inSyncMin: number): boolean {
    if (this.inSyncCount < inSyncMin) return false;
    let lowest = this.#ownEnd;
    for (const id of this.#maximalIsr()) {
      if (id !== this.#self) lowest = Math.min(lowest, this.#followers.get(id)?.logEnd ?? -1);
    }
    if (lowest <= this.#highWatermark) return false;
    this.#highWatermark = lowest;
    return true;
  }

  /**
   * The wish to let a follower in that has caught up, or null. It must have all that is committed, and all that was
   * here when this leadership began: the high watermark may still be behind what the last leader acknowledged.
   */
  joining(replicaId: number, isEligible: IsEligible): IsrWish | null {
    if (this.#pending !== null || this.isInSync(replicaId)) return null;
    const follower = this.#followers.get(replicaId);
    if (follower === undefined || follower.logEnd < this.#highWatermark) return null;
    if (follower.logEnd < this.startOffset) return null;
    if (!isEligible(replicaId, follower.brokerEpoch)) return null;
    return this.#wish([...this.#committed.isr, replicaId], replicaId);
  }

  /** The wish to go on without those that have been behind for too long, or null. */
  lagging(nowMs: number, lagMsMax: number): IsrWish | null {
    if (this.#pending !== null) return null;
    const kept = this.#committed.isr.filter(
      (id) => id === this.#self || !this.#isBehind(id, nowMs - lagMsMax),
    );
    return kept.length < this.#committed.isr.length ? this.#wish(kept, null) : null;
  }

  /** From now on the wish counts as if it could have been carried out. */
  asked(wish: IsrWish): void {
    this.#pending = wish;
  }

  /** For people and for choosing where to read: what each follower was last known to have. */
  logEndOf(replicaId: number): number {
    return this.#followers.get(replicaId)?.logEnd ?? -1;
  }

  /** Those heard of in this leadership, and where their logs ended. */
  *followers(): Generator<readonly [id: number, logEnd: number]> {
    for (const [id, { logEnd }] of this.#followers) if (logEnd >= 0) yield [id, logEnd];
  }

  isAlive(replicaId: number, sinceMs: number): boolean {
    return (this.#followers.get(replicaId)?.lastFetchMs ?? Number.NEGATIVE_INFINITY) >= sinceMs;
  }

  #maximalIsr(): readonly number[] {
    const adds = this.#pending?.adds ?? null;
    const { isr } = this.#committed;
    return adds === null || isr.includes(adds) ? isr : [...isr, adds];
  }

  #isBehind(id: number, caughtUpSinceMs: number): boolean {
    const follower = this.#followers.get(id);
    if (follower === undefined) return true;
    // An idle partition has nobody behind; whoever died is the control plane's business.
    if (follower.logEnd >= this.#ownEnd) return false;
    return follower.caughtUpMs < caughtUpSinceMs;
  }

  #wish(ids: readonly number[], adds: number | null): IsrWish {
    const isr = ids.map((id) => ({ id, epoch: this.#followers.get(id)?.brokerEpoch ?? -1 }));
    return { isr, adds };
  }

  #addFollower(id: number, isInSync: boolean, nowMs: number): void {
    if (id === this.#self) return;
    this.#followers.set(id, {
      brokerEpoch: -1,
      logEnd: -1,
      lastFetchMs: Number.NEGATIVE_INFINITY,
      leaderEndAtFetch: Number.POSITIVE_INFINITY,
      caughtUpMs: isInSync ? nowMs : Number.NEGATIVE_INFINITY,
    });
  }
}
