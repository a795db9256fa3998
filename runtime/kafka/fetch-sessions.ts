// Fetch sessions (KIP-227): the broker remembers which partitions a consumer fetches, so that a request names
// only what changed and an answer holds only partitions with news. Sessions belong to the door, not to a
// connection; a client that lost one is told so and starts a new one with a full fetch.

import type { TopicId } from "../../cluster/control-plane.ts";
import type { Clock, Random } from "../platform.ts";
import { errorCodes } from "./error-codes.ts";

export interface FetchSessionLimits {
  readonly sessionsMax: number;
  /** Of all sessions together; above it fetches go on without a session. */
  readonly partitionsMax: number;
  /** A session unused for so long, or older and smaller than a new one, may make room. */
  readonly evictionMsMin: number;
}

/** Kafka's max.incremental.fetch.session.cache.slots and its two minutes. */
export const defaultFetchSessionLimits: FetchSessionLimits = {
  sessionsMax: 1_000,
  partitionsMax: 500_000,
  evictionMsMin: 120_000,
};

/** One partition as a request names it: by name, or by id with an empty name. */
export interface AskedPartition {
  readonly topic: string;
  readonly topicId: TopicId;
  readonly partition: number;
  readonly offset: number;
  readonly bytesMax: number;
  readonly currentLeaderEpoch: number;
  /** Of a replica. */
  readonly lastFetchedEpoch: number;
  /** Of a replica, when it begins a session; later on the session knows what it was told. */
  readonly highWatermark: number;
}

export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  /** Named by topic id (version 13 and newer). */
  readonly byId: boolean;
  readonly asked: readonly AskedPartition[];
  readonly forgotten: readonly Pick<AskedPartition, "topic" | "topicId" | "partition">[];
}

/** What the client was last told of a partition. */
export interface News {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly recordsBytes: number;
  /** It says something else that must not be held back: where logs differ, which replica to read from. */
  readonly mustBeTold?: boolean;
}

/** One fetch as the sessions see it. */
export interface FetchTurn {
  /** Not 0: nothing is fetched and the answer holds only this. */
  readonly errorCode: number;
  readonly partitions: readonly AskedPartition[];
  /** The high watermark that the client knows of one of them. */
  highWatermarkKnown(index: number): number;
  /**
   * Call once with the answers, in the order of `partitions`: returns the session id of the answer, and which
   * of them it must hold.
   */
  finish(news: readonly News[]): { sessionId: number; included: (index: number) => boolean };
}

interface Tracked {
  asked: AskedPartition;
  highWatermark: number;
  logStartOffset: number;
}

interface Session {
  readonly id: number;
  readonly byId: boolean;
  readonly createdMs: number;
  lastUsedMs: number;
  /** The epoch the next request must bring. */
  epoch: number;
  /** In the order in which they are served: who got data goes to the end. */
  readonly partitions: Map<string, Tracked>;
}

const initialEpoch = 0;
const finalEpoch = -1;
const epochMax = 0x7fffffff;
const everything = () => true;

export class FetchSessions {
  readonly #limits: FetchSessionLimits;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Least recently used first. */
  readonly #sessions = new Map<number, Session>();
  #partitions = 0;

  constructor(
    platform: { readonly clock: Clock; readonly random: Random },
    limits: FetchSessionLimits = defaultFetchSessionLimits,
  ) {
    this.#clock = platform.clock;
    this.#random = platform.random;
    this.#limits = limits;
  }

  get stats(): { sessions: number; partitions: number } {
    return { sessions: this.#sessions.size, partitions: this.#partitions };
  }

  begin(request: SessionRequest): FetchTurn {
    const { sessionEpoch } = request;
    if (sessionEpoch === finalEpoch || sessionEpoch === initialEpoch) {
      this.#remove(this.#sessions.get(request.sessionId));
      return sessionEpoch === finalEpoch ? sessionless(request.asked) : this.#full(request);
    }
    const session = this.#sessions.get(request.sessionId);
    if (!session) return refusal(errorCodes.FETCH_SESSION_ID_NOT_FOUND);
    if (session.epoch !== sessionEpoch) return refusal(errorCodes.INVALID_FETCH_SESSION_EPOCH);
    if (session.byId !== request.byId) return refusal(errorCodes.FETCH_SESSION_TOPIC_ID_ERROR);
    return this.#incremental(session, request);
  }

  #full(request: SessionRequest): FetchTurn {
    return {
      errorCode: errorCodes.NONE,
      partitions: request.asked,
      highWatermarkKnown: (i) => request.asked[i]!.highWatermark,
      finish: (news) => {
        const sessionId = this.#create(request, news);
        return { sessionId, included: everything };
      },
    };
  }

  #incremental(session: Session, request: SessionRequest): FetchTurn {
    session.epoch = session.epoch === epochMax ? 1 : session.epoch + 1;
    session.lastUsedMs = this.#clock.monotonicMs();
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
    this.#update(session, request);
    if (session.partitions.size === 0) {
      this.#remove(session);
      return sessionless([]);
    }
    const tracked = Array.from(session.partitions.values());
    return {
      errorCode: errorCodes.NONE,
      partitions: tracked.map(({ asked }) => asked),
      highWatermarkKnown: (i) => tracked[i]!.highWatermark,
      finish: (news) => {
        const changed = tracked.map((partition, i) => isNews(partition, news[i]!));
        rotate(session, tracked, news);
        return { sessionId: session.id, included: (i) => changed[i]! };
      },
    };
  }

  #update(session: Session, { asked, forgotten }: SessionRequest): void {
    const before = session.partitions.size;
    for (const partition of asked) {
      const key = keyOf(partition);
      const known = session.partitions.get(key);
      if (known) known.asked = partition;
      else session.partitions.set(key, track(partition));
    }
    for (const partition of forgotten) session.partitions.delete(keyOf(partition));
    this.#partitions += session.partitions.size - before;
  }

  /** Id of the new session, 0 if there is no room. */
  #create(request: SessionRequest, news: readonly News[]): number {
    const { asked, byId } = request;
    if (asked.length === 0 || !this.#makeRoom(asked.length)) return 0;
    const now = this.#clock.monotonicMs();
    const partitions = new Map<string, Tracked>();
    for (const [i, partition] of asked.entries()) {
      const tracked = track(partition);
      isNews(tracked, news[i]!);
      partitions.set(keyOf(partition), tracked);
    }
    const id = this.#newId();
    const session = { id, byId, createdMs: now, lastUsedMs: now, epoch: 1, partitions };
    this.#sessions.set(id, session);
    this.#partitions += partitions.size;
    return id;
  }

  #newId(): number {
    for (;;) {
      const id = 1 + this.#random.integer(epochMax);
      if (!this.#sessions.has(id)) return id;
    }
  }

  #makeRoom(size: number): boolean {
    const { sessionsMax, partitionsMax } = this.#limits;
    const fits = () =>
      this.#sessions.size < sessionsMax && this.#partitions + size <= partitionsMax;
    if (size > partitionsMax) return false;
    while (!fits()) {
      const victim = this.#victim(size);
      if (!victim) return false;
      this.#remove(victim);
    }
    return true;
  }

  /** The longest unused session if it is stale, else a smaller one that had its time. */
  #victim(size: number): Session | undefined {
    const before = this.#clock.monotonicMs() - this.#limits.evictionMsMin;
    for (const oldest of this.#sessions.values()) {
      if (oldest.lastUsedMs < before) return oldest;
      break;
    }
    let smallest: Session | undefined;
    for (const session of this.#sessions.values()) {
      if (session.createdMs >= before || session.partitions.size >= size) continue;
      if (!smallest || session.partitions.size < smallest.partitions.size) smallest = session;
    }
    return smallest;
  }

  #remove(session: Session | undefined): void {
    if (session && this.#sessions.delete(session.id)) this.#partitions -= session.partitions.size;
  }
}

function keyOf({
  topic,
  topicId,
  partition,
}: Pick<AskedPartition, "topic" | "topicId" | "partition">) {
  return `${topic || topicId}/${partition}`;
}

function track(asked: AskedPartition): Tracked {
  return { asked, highWatermark: -1, logStartOffset: -1 };
}

/** Whether the client must be told; remembers what it was told. An error is told every time, and its end too. */
function isNews(tracked: Tracked, news: News): boolean {
  if (news.errorCode !== errorCodes.NONE) {
    tracked.highWatermark = -1;
    return true;
  }
  const changed =
    news.recordsBytes > 0 ||
    news.mustBeTold === true ||
    news.highWatermark !== tracked.highWatermark ||
    news.logStartOffset !== tracked.logStartOffset;
  tracked.highWatermark = news.highWatermark;
  tracked.logStartOffset = news.logStartOffset;
  return changed;
}

/** Partitions that gave data go to the end, so that a byte limit does not starve those behind them. */
function rotate(session: Session, served: readonly Tracked[], news: readonly News[]): void {
  for (const [i, tracked] of served.entries()) {
    if (news[i]!.recordsBytes === 0) continue;
    const key = keyOf(tracked.asked);
    if (session.partitions.delete(key)) session.partitions.set(key, tracked);
  }
}

function sessionless(partitions: readonly AskedPartition[]): FetchTurn {
  return {
    errorCode: errorCodes.NONE,
    partitions,
    highWatermarkKnown: (i) => partitions[i]!.highWatermark,
    finish: () => ({ sessionId: 0, included: everything }),
  };
}

function refusal(errorCode: number): FetchTurn {
  return { ...sessionless([]), errorCode };
}
