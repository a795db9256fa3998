// Feeds: fetches of the gateway's clients. What lies behind is read from the upstream; who waits at a partition's end
// shares one upstream fetch with all others who do.

import type { FetchedPartition, FetchPartition, FetchRequest } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { Clock } from "../platform.ts";
import { noRecords } from "../records.ts";
import {
  bytesOf,
  type FeedBudget,
  PartitionFeed,
  pollBytesMax,
  pollWaitMs,
  wholeBatches,
} from "./partition-feed.ts";

const MiB = 1024 * 1024;
/** Partitions tailed at once, each with a connection that waits; readers of more ask the upstream in turns. */
const feedsMax = 256;
const feedBytesMax = 4 * MiB;
const allFeedsBytesMax = 64 * MiB;
/** How often who shares no feed looks again. */
const lookAgainMs = 250;
/** Bytes of a partition asked for at least, however many share an answer. */
const partitionBytesMin = 64 * 1024;

export interface FeedsHost {
  readonly clock: Clock;
  /** Undefined: there is no such topic. */
  topicId(topic: string): string | undefined;
  /** One partition from its leader, or from the next one; errors that stay are told in the answer. */
  read(asked: FetchPartition, how: ReadHow): Promise<FetchedPartition>;
}

export type ReadHow = Pick<FetchRequest, "waitMsMax" | "bytesMin" | "isolation">;

export interface FeedCounts {
  /** Feeds that read now. */
  feeds: number;
  /** Upstream fetches, of feeds and of single readers. */
  polls: number;
  reads: number;
  /** Answers that needed no upstream fetch. */
  shared: number;
}

export class Feeds {
  readonly counts: FeedCounts = { feeds: 0, polls: 0, reads: 0, shared: 0 };
  readonly #host: FeedsHost;
  readonly #feeds = new Map<string, PartitionFeed>();
  readonly #budget: FeedBudget = { bytesMax: allFeedsBytesMax, bytes: 0 };

  constructor(host: FeedsHost) {
    this.#host = host;
  }

  get bytes(): number {
    return this.#budget.bytes;
  }

  close(): void {
    for (const feed of [...this.#feeds.values()]) feed.close();
  }

  /** As `Broker.fetch`. */
  async fetch(request: FetchRequest): Promise<readonly FetchedPartition[]> {
    const { clock } = this.#host;
    const { waitMsMax, bytesMin, signal } = request;
    const endMs = clock.monotonicMs() + waitMsMax;
    for (;;) {
      const answers = await this.#readAll(request);
      const bytes = answers.reduce((sum, { records }) => sum + records.length, 0);
      const leftMs = endMs - clock.monotonicMs();
      if (leftMs <= 0 || isGone(signal)) return answers;
      if (bytes > 0 && bytes >= bytesMin) return answers;
      if (answers.some(({ error }) => error !== null)) return answers;
      await this.#wait(request, answers, leftMs);
      if (isGone(signal)) return answers.map(withoutRecords);
    }
  }

  async #readAll(request: FetchRequest): Promise<FetchedPartition[]> {
    const share = Math.floor(request.bytesMax / request.partitions.length);
    const bytesMax = Math.max(share, partitionBytesMin);
    return Promise.all(
      request.partitions.map((asked) =>
        this.#readOne({ ...asked, bytesMax: Math.min(asked.bytesMax, bytesMax) }, request),
      ),
    );
  }

  #readOne(
    asked: FetchPartition,
    request: FetchRequest,
  ): FetchedPartition | Promise<FetchedPartition> {
    const shared = this.#feedOf(asked, request)?.read(asked.offset, asked.bytesMax) ?? null;
    if (shared === null) return this.#readUpstream(asked, request);
    this.counts.shared++;
    return shared;
  }

  async #readUpstream(asked: FetchPartition, { isolation }: FetchRequest) {
    this.counts.reads++;
    const found = await this.#host.read(asked, { waitMsMax: 0, bytesMin: 1, isolation });
    const { bytes } = wholeBatches(bytesOf(found));
    return { ...found, records: { length: bytes.length, parts: [bytes], release() {} } };
  }

  /** Until one of the partitions has news, the time is over, or the client is gone. */
  #wait(
    request: FetchRequest,
    answers: readonly FetchedPartition[],
    leftMs: number,
  ): Promise<void> {
    const { clock } = this.#host;
    return new Promise((resolve) => {
      const stops: (() => void)[] = [];
      const done = () => {
        for (const stop of stops.splice(0)) stop();
        resolve();
      };
      let isShared = true;
      for (const [i, asked] of request.partitions.entries()) {
        const feed = this.#feedFor(asked, request, answers[i]!);
        if (feed === null) isShared = false;
        else stops.push(feed.wait(asked.offset, done));
      }
      const waitMs = isShared ? leftMs : Math.min(leftMs, lookAgainMs);
      const timer = clock.after(waitMs, done);
      stops.push(() => timer.cancel());
      const { signal } = request;
      if (isGone(signal)) return done();
      signal?.addEventListener("abort", done, { once: true });
      stops.push(() => signal?.removeEventListener("abort", done));
    });
  }

  #feedOf(asked: FetchPartition, request: FetchRequest): PartitionFeed | undefined {
    const id = this.#host.topicId(asked.topic);
    return id === undefined ? undefined : this.#feeds.get(keyOf(id, asked, request));
  }

  /** The feed to wait at; begun here by the first who waits. Null: there are too many, or no topic any more. */
  #feedFor(
    asked: FetchPartition,
    request: FetchRequest,
    answer: FetchedPartition,
  ): PartitionFeed | null {
    const id = this.#host.topicId(asked.topic);
    if (id === undefined || answer.records.length > 0) return null;
    const key = keyOf(id, asked, request);
    const known = this.#feeds.get(key);
    if (known !== undefined) return known;
    if (this.#feeds.size >= feedsMax) return null;
    const feed = this.#begin(key, { id, asked, first: answer, isolation: request.isolation });
    if (!feed.isOver) this.#feeds.set(key, feed);
    this.counts.feeds = this.#feeds.size;
    return feed;
  }

  #begin(key: string, { id, asked, first, isolation }: Beginning): PartitionFeed {
    const { topic, partition, offset } = asked;
    const place = { topic, partition, bytesMax: pollBytesMax, currentLeaderEpoch: -1 };
    const how = { waitMsMax: pollWaitMs, bytesMin: 1, isolation };
    return new PartitionFeed({
      clock: this.#host.clock,
      budget: this.#budget,
      bytesMax: feedBytesMax,
      offset,
      first,
      poll: (from) => {
        this.counts.polls++;
        if (this.#host.topicId(topic) === id)
          return this.#host.read({ ...place, offset: from }, how);
        throw new BrokerError("UNKNOWN_TOPIC_ID", `topic ${topic} is another one by now`);
      },
      ended: () => {
        this.#feeds.delete(key);
        this.counts.feeds = this.#feeds.size;
      },
    });
  }
}

interface Beginning {
  readonly id: string;
  readonly asked: FetchPartition;
  readonly first: FetchedPartition;
  readonly isolation: FetchRequest["isolation"];
}

function keyOf(id: string, { partition }: FetchPartition, { isolation }: FetchRequest): string {
  return `${id} ${partition} ${isolation}`;
}

function isGone(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function withoutRecords(answer: FetchedPartition): FetchedPartition {
  return { ...answer, records: noRecords };
}
