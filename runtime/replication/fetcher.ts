// Fetcher: copies all partitions that this broker follows from one leader, with one request under way at a time.
// Errors of one partition hold up that partition only; errors of the connection are tried again, first at once.

import type { PeerAddress } from "../../cluster/peer.ts";
import type { Clock, Timer } from "../platform.ts";
import { type FollowedPartition, isPassing, placeKey } from "./followed-partition.ts";
import type { OpenLink, ReplicaFetched, ReplicaFetchItem, ReplicaLink } from "./replica-link.ts";

export interface FetcherSettings {
  readonly waitMsMax: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly partitionBytesMax: number;
  readonly backoffMsMax: number;
}

export interface FetcherHost {
  readonly clock: Clock;
  readonly brokerId: number;
  readonly openLink: OpenLink;
  /** Epoch of this broker's registration. */
  brokerEpoch(): number;
  settings(): FetcherSettings;
  /** Whether the follower's throttle lets this partition be fetched now; told of the bytes that came. */
  mayFetch(followed: FollowedPartition): boolean;
  fetched(followed: FollowedPartition, bytes: number): void;
  report(error: unknown, where: string): void;
}

/** First wait after a connection failed. */
const backoffMsMin = 10;
const doublingsMax = 10;
/** A throttle that holds everything back is asked again this often: it lets little through at a time. */
const throttleLookMs = 20;
/** A leader that stops takes its connections along: only what goes on is worth a word. */
const failuresTold = 8;

export class Fetcher {
  readonly leader: PeerAddress;
  readonly #host: FetcherHost;
  readonly #link: ReplicaLink;
  readonly #followed = new Map<string, FollowedPartition>();
  /** Index of the partition that the next request names first: a byte limit must not starve the last. */
  #turn = 0;
  #failures = 0;
  #isRunning = false;
  #isFetching = false;
  #wasInterrupted = false;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(host: FetcherHost, leader: PeerAddress) {
    this.#host = host;
    this.leader = leader;
    this.#link = host.openLink(leader);
  }

  get size(): number {
    return this.#followed.size;
  }

  /** From the next request on, which is made now: it may not wait until the one under way is answered. */
  add(followed: FollowedPartition): void {
    this.#followed.set(followed.key, followed);
    if (!this.#isRunning) {
      this.#isRunning = true;
      // Several are added in one turn: they go into one request.
      this.#host.clock.soon(() => void this.#run());
    } else if (this.#isFetching && !this.#wasInterrupted) {
      this.#wasInterrupted = true;
      this.#host.clock.soon(() => this.#wasInterrupted && this.#link.interrupt());
    } else this.#wake?.();
  }

  /** What is still on its way for it is dropped. */
  remove(followed: FollowedPartition): void {
    if (this.#followed.get(followed.key) === followed) this.#followed.delete(followed.key);
  }

  close(): void {
    this.#isClosed = true;
    this.#followed.clear();
    this.#link.close();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    while (this.#followed.size > 0 && !this.#isClosed) {
      const asked = this.#due();
      if (asked.length > 0) await this.#round(asked);
      else await this.#sleep(this.#msUntilDue());
    }
    this.#isRunning = false;
  }

  async #round(asked: readonly FollowedPartition[]): Promise<void> {
    const settings = this.#host.settings();
    const items = asked.map((followed) => followed.next(settings.partitionBytesMax));
    let answers: readonly ReplicaFetched[];
    this.#isFetching = true;
    this.#wasInterrupted = false;
    try {
      answers = await this.#link.fetch({
        replicaId: this.#host.brokerId,
        brokerEpoch: this.#host.brokerEpoch(),
        waitMsMax: settings.waitMsMax,
        bytesMin: settings.bytesMin,
        bytesMax: settings.bytesMax,
        items,
      });
      this.#failures = 0;
    } catch (error) {
      this.#isFetching = false;
      if (!this.#wasInterrupted) await this.#backOff(error, settings);
      return;
    }
    this.#isFetching = false;
    await this.#take(items, answers);
  }

  /** Unsynced data is not asked on from: under flush=group the next request waits for the disk. */
  async #take(
    items: readonly ReplicaFetchItem[],
    answers: readonly ReplicaFetched[],
  ): Promise<void> {
    const asked = new Map(items.map((item) => [placeKey(item.topicId, item.partition), item]));
    const waits: Promise<void>[] = [];
    for (const answer of answers) {
      const key = placeKey(answer.topicId, answer.partition);
      const item = asked.get(key);
      const followed = this.#followed.get(key);
      // Another leader epoch has begun meanwhile: this answer could cut what is committed by now.
      if (item === undefined || followed?.leaderEpoch !== item.leaderEpoch) continue;
      if (answer.records.length > 0) this.#host.fetched(followed, answer.records.length);
      try {
        const taken = followed.take(item, answer);
        if (taken) waits.push(taken.catch((error) => this.#failed(followed, error)));
      } catch (error) {
        this.#failed(followed, error);
      }
    }
    if (waits.length > 0) await Promise.all(waits);
  }

  #failed(followed: FollowedPartition, error: unknown): void {
    if (this.#followed.get(followed.key) !== followed) return;
    const { clock, report, settings } = this.#host;
    const isFirst = followed.backOff(clock.monotonicMs(), settings().backoffMsMax);
    if (!isFirst || isPassing(error)) return;
    const { topic, partition } = followed.partition;
    report(error, `copying ${topic}-${partition} from broker ${this.leader.id}`);
  }

  #due(): FollowedPartition[] {
    const nowMs = this.#host.clock.monotonicMs();
    const all = [...this.#followed.values()];
    this.#turn = (this.#turn + 1) % Math.max(1, all.length);
    const turned = [...all.slice(this.#turn), ...all.slice(0, this.#turn)];
    return turned.filter((each) => each.dueInMs(nowMs) <= 0 && this.#host.mayFetch(each));
  }

  #msUntilDue(): number {
    const nowMs = this.#host.clock.monotonicMs();
    let untilMs = this.#host.settings().backoffMsMax;
    for (const followed of this.#followed.values()) {
      const dueInMs = followed.dueInMs(nowMs);
      untilMs = Math.min(untilMs, dueInMs > 0 ? dueInMs : throttleLookMs);
    }
    return untilMs;
  }

  async #backOff(error: unknown, { backoffMsMax }: FetcherSettings): Promise<void> {
    if (this.#isClosed) return;
    const waitMs = backoffMsMin * 2 ** Math.min(this.#failures++, doublingsMax);
    if (this.#failures === failuresTold) {
      this.#host.report(error, `fetching from broker ${this.leader.id}`);
    }
    await this.#sleep(Math.min(waitMs, backoffMsMax));
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer = this.#host.clock.after(delayMs, () => this.#wake?.());
      this.#wake = () => {
        this.#wake = undefined;
        timer.cancel();
        resolve();
      };
    });
  }
}
