// GatewayBroker: the broker of an HTTP door that leads nothing. Records go to and come from the upstream's leaders,
// topics and configs are its controller's, groups its coordinators'.

import type { ClusterState } from "../../cluster/control-plane.ts";
import type {
  Appended,
  AppendRequest,
  Broker,
  FetchedPartition,
  FetchRequest,
  ListedOffset,
  TakeFenceRequest,
  TopicPartition,
} from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { Clock } from "../platform.ts";
import type { DescribedPartition, RoutableBroker } from "../routable-broker.ts";
import { inBrokersWords } from "../router/brokers-words.ts";
import { Feeds } from "./feeds.ts";
import { GatewayGroups } from "./gateway-groups.ts";
import { GatewayTopics } from "./gateway-topics.ts";
import type { Upstream } from "./upstream.ts";

export class GatewayBroker implements RoutableBroker {
  readonly brokerId = -1;
  readonly groups: GatewayGroups;
  readonly feeds: Feeds;
  readonly #upstream: Upstream;
  readonly #topics: GatewayTopics;

  constructor(clock: Clock, upstream: Upstream) {
    this.#upstream = upstream;
    this.#topics = new GatewayTopics(clock, upstream);
    this.groups = new GatewayGroups(upstream);
    this.feeds = new Feeds({
      clock,
      topicId: (topic) => this.cluster().topics.get(topic)?.id,
      read: (asked, how) => upstream.read(asked, how),
    });
  }

  close(): void {
    this.feeds.close();
    this.#upstream.close();
  }

  cluster(): ClusterState {
    return this.#upstream.view.cluster();
  }

  // ---- records ----

  append(request: AppendRequest): Promise<Appended> {
    if (request.expectedOffset !== undefined || request.fence !== undefined) throw noConditions();
    // It may have to be sent again, and the caller's buffer is not ours then.
    return this.#upstream.append({ ...request, batch: request.batch.slice() });
  }

  fetch(request: FetchRequest): Promise<readonly FetchedPartition[]> {
    return this.feeds.fetch(request);
  }

  listOffsets(request: Parameters<Broker["listOffsets"]>[0]): Promise<ListedOffset> {
    return this.#upstream.listOffsets(request);
  }

  deleteRecords(request: TopicPartition & { offset: number }): Promise<number> {
    return this.#upstream.deleteRecords(request);
  }

  async takeFence(_: TakeFenceRequest): Promise<number> {
    throw noConditions();
  }

  endOffset(): undefined {
    return undefined;
  }

  /** What a Kafka broker tells of a partition: sizes and segments it does not (-1). */
  async describePartitions(
    places: readonly TopicPartition[],
  ): Promise<readonly DescribedPartition[]> {
    if (places.length === 0) return [];
    const { admin } = this.#upstream;
    const asked = (spec: "earliest" | "latest") =>
      this.#upstream.ask(() => admin.listOffsets(places.map((place) => ({ ...place, spec }))));
    const [starts, ends] = await Promise.all([asked("earliest"), asked("latest")]);
    return places.map(({ topic, partition }, i) => {
      const record = this.#upstream.leaders.record({ topic, partition });
      const error = starts[i]!.error ?? ends[i]!.error;
      if (error !== null) return inBrokersWords(error);
      if (record === undefined) return unknownPartition({ topic, partition });
      const { leader, leaderEpoch, replicas, isr } = record;
      const offsets = { logStartOffset: starts[i]!.offset, highWatermark: ends[i]!.offset };
      const ofLog = { ...offsets, logEndOffset: ends[i]!.offset, sizeBytes: -1, segments: -1 };
      return { topic, partition, leader, leaderEpoch, replicas, isr, ...ofLog };
    });
  }

  // ---- topics and configs ----

  createTopic(request: Parameters<Broker["createTopic"]>[0]) {
    return this.#topics.create(request);
  }
  autoCreateTopic(name: string) {
    return this.#topics.autoCreate(name);
  }
  deleteTopic(name: string) {
    return this.#topics.delete(name);
  }
  createPartitions(request: Parameters<Broker["createPartitions"]>[0]) {
    return this.#topics.createPartitions(request);
  }
  describeConfigs(...asked: Parameters<Broker["describeConfigs"]>) {
    return this.#topics.describeConfigs(...asked);
  }
  alterConfigs(...asked: Parameters<Broker["alterConfigs"]>) {
    return this.#topics.alterConfigs(...asked);
  }
}

function noConditions(): BrokerError {
  const what = "the upstream cluster knows no conditional appends: only Timberline brokers do";
  return new BrokerError("UNSUPPORTED_VERSION", what);
}

function unknownPartition({ topic, partition }: TopicPartition): BrokerError {
  return new BrokerError(
    "UNKNOWN_TOPIC_OR_PARTITION",
    `there is no partition ${topic}-${partition}`,
  );
}
