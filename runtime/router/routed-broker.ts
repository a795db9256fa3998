// RoutedBroker: the Broker of an HTTP door in a cluster: what is led here is done here, the rest by its leader. A
// change of leaders only costs time: whatever an old leader refuses, or can no longer answer, is asked of the next. A
// batch whose fate nobody knows is stored again, so it may be there twice, as with a producer that retries.

import type { ClusterState, PartitionRecord, TopicRecord } from "../../cluster/control-plane.ts";
import type { Appended, AppendRequest, Broker, ListedOffset, TopicPartition } from "../broker.ts";
import type { ClientPlatform } from "../client/api.ts";
import { BrokerError } from "../errors.ts";
import type { Clock } from "../platform.ts";
import { type Leader, LeaderCalls } from "./leader-calls.ts";
import { isStale, untilLedElsewhere, wait } from "./leader-changes.ts";
import { RoutedFetch } from "./routed-fetch.ts";

/** How long a request waits for a leader that answers. */
export const leaderWaitMsMax = 10_000;
const retryMs = 20;
const retryMsMax = 200;

export class RoutedBroker implements Broker {
  readonly #local: Broker;
  readonly #clock: Clock;
  readonly #calls: LeaderCalls;

  constructor(platform: ClientPlatform, local: Broker) {
    this.#local = local;
    this.#clock = platform.clock;
    this.#calls = new LeaderCalls(platform, local.brokerId);
  }

  close(): void {
    this.#calls.close();
  }

  append(request: AppendRequest): Appended | Promise<Appended> {
    // Unknown topics and internal ones are refused here.
    if (this.#record(request) === undefined) return this.#local.append(request);
    // It may have to be sent again, and the caller's buffer is not ours then.
    const own = { ...request, batch: request.batch.slice() };
    return this.#atLeader(request, ({ leader, topic }) =>
      leader === null
        ? this.#local.append(own)
        : this.#calls.append(leader, { ...own, topicId: topic.id }),
    );
  }

  fetch(request: Parameters<Broker["fetch"]>[0]): ReturnType<Broker["fetch"]> {
    const isHere = (place: TopicPartition) => {
      const leader = this.#record(place)?.leader;
      return leader === undefined || leader === this.brokerId;
    };
    if (request.waitMsMax === 0 && request.partitions.every(isHere)) {
      return this.#local.fetch(request);
    }
    return new RoutedFetch(
      { clock: this.#clock, local: this.#local, calls: this.#calls },
      request,
      leaderWaitMsMax,
    ).run();
  }

  async listOffsets(request: Parameters<Broker["listOffsets"]>[0]): Promise<ListedOffset> {
    if (this.#record(request) === undefined) return this.#local.listOffsets(request);
    try {
      return await this.#atLeader(request, async ({ leader }) => {
        if (leader !== null) return this.#calls.listOffsets(leader, request);
        const found = await this.#local.listOffsets(request);
        if (found.error !== null) throw found.error;
        return found;
      });
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return { error, offset: -1, timestampMs: -1, leaderEpoch: -1 };
    }
  }

  async deleteRecords(request: TopicPartition & { offset: number }): Promise<number> {
    if (this.#record(request) === undefined) return this.#local.deleteRecords(request);
    return this.#atLeader(request, ({ leader }) =>
      leader === null
        ? this.#local.deleteRecords(request)
        : this.#calls.deleteRecords(leader, request),
    );
  }

  // ---- what any broker can do, or says of itself ----

  get brokerId() {
    return this.#local.brokerId;
  }
  get care() {
    return this.#local.care;
  }
  get groups() {
    return this.#local.groups;
  }
  get transactions() {
    return this.#local.transactions;
  }
  cluster(): ClusterState {
    return this.#local.cluster();
  }
  self() {
    return this.#local.self();
  }
  epochEndOffset(request: Parameters<Broker["epochEndOffset"]>[0]) {
    return this.#local.epochEndOffset(request);
  }
  initProducerId(request: Parameters<Broker["initProducerId"]>[0]) {
    return this.#local.initProducerId(request);
  }
  createTopic(request: Parameters<Broker["createTopic"]>[0]) {
    return this.#local.createTopic(request);
  }
  autoCreateTopic(name: string) {
    return this.#local.autoCreateTopic(name);
  }
  deleteTopic(name: string) {
    return this.#local.deleteTopic(name);
  }
  createPartitions(request: Parameters<Broker["createPartitions"]>[0]) {
    return this.#local.createPartitions(request);
  }
  describeConfigs(...given: Parameters<Broker["describeConfigs"]>) {
    return this.#local.describeConfigs(...given);
  }
  alterConfigs(...given: Parameters<Broker["alterConfigs"]>) {
    return this.#local.alterConfigs(...given);
  }
  replaceConfigs(...given: Parameters<Broker["replaceConfigs"]>) {
    return this.#local.replaceConfigs(...given);
  }
  describePartition(request: TopicPartition) {
    return this.#local.describePartition(request);
  }
  describeProducers(request: TopicPartition) {
    return this.#local.describeProducers(request);
  }
  describeLogDirs() {
    return this.#local.describeLogDirs();
  }

  // ---- finding leaders ----

  #record({ topic, partition }: TopicPartition): PartitionRecord | undefined {
    return this.cluster().topics.get(topic)?.partitions[partition];
  }

  /** Asks the leader, and whoever leads next. `leader: null`: this broker. */
  async #atLeader<T>(
    place: TopicPartition,
    ask: (at: { leader: Leader | null; topic: TopicRecord }) => T | Promise<T>,
  ): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    for (let pauseMs = retryMs; ; pauseMs = Math.min(2 * pauseMs, retryMsMax)) {
      try {
        return await this.#askNow(place, ask);
      } catch (error) {
        const isLate = this.#clock.monotonicMs() + pauseMs - startMs > leaderWaitMsMax;
        if (isLate || !isStale(error) || this.#record(place) === undefined) throw error;
        await wait(this.#clock, pauseMs);
      }
    }
  }

  #askNow<T>(
    place: TopicPartition,
    ask: (at: { leader: Leader | null; topic: TopicRecord }) => T | Promise<T>,
  ): T | Promise<T> {
    const { topics, brokers } = this.cluster();
    const topic = topics.get(place.topic);
    const id = topic?.partitions[place.partition]?.leader ?? -1;
    const leader = brokers.get(id);
    if (topic === undefined || leader === undefined) throw noLeader(place);
    if (id === this.brokerId) return ask({ leader: null, topic });
    const answer = Promise.resolve(ask({ leader, topic }));
    return untilLedElsewhere(this.#clock, answer, () => this.#record(place)?.leader === id);
  }
}

function noLeader({ topic, partition }: TopicPartition): BrokerError {
  const what = `${topic}-${partition} has no leader now`;
  return new BrokerError("LEADER_NOT_AVAILABLE", what);
}
