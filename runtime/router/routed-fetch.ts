// RoutedFetch: one fetch of partitions with several leaders. Each leader is asked for its own; as long as nobody has
// anything, all are asked again. A partition whose leader changes is empty until the next one answers.

import type { FetchedPartition, FetchPartition, FetchRequest } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { Clock } from "../platform.ts";
import { noRecords } from "../records.ts";
import { isStale, untilLedElsewhere, wait } from "./leader-changes.ts";
import { leaderWaitMsMax } from "./leaders.ts";
import { groupBy, type RouterHost } from "./router-host.ts";

/** With several leaders nobody is waited for longer: another one may have records meanwhile. */
const sharedWaitMs = 50;
const retryMs = 20;

type Fetched = readonly FetchedPartition[];

export class RoutedFetch {
  readonly #clock: Clock;
  readonly #host: RouterHost<"fetch">;
  readonly #request: FetchRequest;

  constructor(clock: Clock, host: RouterHost<"fetch">, request: FetchRequest) {
    this.#clock = clock;
    this.#host = host;
    this.#request = request;
  }

  async run(): Promise<Fetched> {
    const clock = this.#clock;
    const { waitMsMax, bytesMin, signal } = this.#request;
    const startMs = clock.monotonicMs();
    for (;;) {
      const elapsedMs = clock.monotonicMs() - startMs;
      const answers = await this.#askAll(Math.max(0, waitMsMax - elapsedMs));
      const passedMs = clock.monotonicMs() - startMs;
      const isOut = signal?.aborted === true || passedMs >= leaderWaitMsMax;
      const changing = answers.filter(({ error }) => isStale(error));
      const bytes = answers.reduce((sum, { records }) => sum + records.length, 0);
      if (isOut || answers.some(({ error }) => error !== null && !isStale(error))) return answers;
      if (bytes > 0 && bytes >= bytesMin) return answers.map(withoutChange);
      if (changing.length === 0 && passedMs >= waitMsMax) return answers;
      for (const { records } of answers) records.release();
      if (changing.length > 0) await wait(clock, retryMs);
    }
  }

  async #askAll(leftMs: number): Promise<Fetched> {
    // Partitions that do not exist are this broker's to refuse.
    const leaderOf = (asked: FetchPartition) => this.#leaderOf(asked) ?? this.#host.local.brokerId;
    const byLeader = groupBy(this.#request.partitions, leaderOf);
    const waitMsMax = Math.floor(byLeader.size > 1 ? Math.min(leftMs, sharedWaitMs) : leftMs);
    const found = new Map<FetchPartition, FetchedPartition>();
    await Promise.all(
      Array.from(byLeader, async ([leader, partitions]) => {
        const answers = await this.#askOne(leader, { ...this.#request, partitions, waitMsMax });
        for (const [i, asked] of partitions.entries()) found.set(asked, answers[i]!);
      }),
    );
    return this.#request.partitions.map((asked) => found.get(asked)!);
  }

  /** -1: there is none now. */
  #leaderOf(place: FetchPartition): number | undefined {
    return this.#host.leaders.record(place)?.leader;
  }

  async #askOne(id: number, request: FetchRequest): Promise<Fetched> {
    const { local, calls } = this.#host;
    if (id === local.brokerId) return local.fetch(request);
    const { brokers, topics } = local.cluster();
    const leader = brokers.get(id);
    try {
      if (leader === undefined) throw new BrokerError("LEADER_NOT_AVAILABLE", "there is none now");
      const partitions = request.partitions.map((asked) => ({
        ...asked,
        topicId: topics.get(asked.topic)!.id,
      }));
      const isLeader = () => request.partitions.every((asked) => this.#leaderOf(asked) === id);
      return await untilLedElsewhere(
        this.#clock,
        calls.fetch(leader, { ...request, partitions }),
        isLeader,
      );
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return request.partitions.map((asked) => ({ ...nothing(asked), error }));
    }
  }
}

function nothing({ topic, partition }: FetchPartition): FetchedPartition {
  const unknown = { highWatermark: -1, lastStableOffset: -1, logStartOffset: -1 };
  return { topic, partition, error: null, ...unknown, abortedTransactions: [], records: noRecords };
}

/** Others have records: this one has none yet. */
function withoutChange(answer: FetchedPartition): FetchedPartition {
  return isStale(answer.error) ? { ...answer, error: null } : answer;
}
