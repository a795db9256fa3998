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
import type { Platform } from "../platform.ts";
import type { DescribedPartition, RoutableBroker } from "../routable-broker.ts";
import { inBrokersWords } from "../router/brokers-words.ts";
import { ConditionalAppends } from "./conditional-appends.ts";
import { Feeds } from "./feeds.ts";
import { GatewayConfigs } from "./gateway-configs.ts";
import { GatewayGroups } from "./gateway-groups.ts";
import { GatewayTopics } from "./gateway-topics.ts";
import type { Upstream } from "./upstream.ts";

export class GatewayBroker implements RoutableBroker {
  readonly brokerId = -1;
  readonly groups: GatewayGroups;
  readonly feeds: Feeds;
  readonly #upstream: Upstream;
  readonly configs: GatewayConfigs;
  readonly #topics: GatewayTopics;
  readonly #conditional: ConditionalAppends;

  constructor({ clock, core }: Pick<Platform, "clock" | "core">, upstream: Upstream) {
    this.#upstream = upstream;
    const host = { clock, core, upstream };
    this.configs = new GatewayConfigs(host);
    upstream.configsOf = (topicId) => this.configs.of(topicId);
    this.#conditional = new ConditionalAppends(host);
    this.#topics = new GatewayTopics(clock, upstream, this.configs);
    this.groups = new GatewayGroups(upstream);
    this.feeds = new Feeds({
      clock,
      topicId: (topic) => this.cluster().topics.get(topic)?.id,
      read: (asked, how) => upstream.read(asked, how),
    });
  }

  close(): void {
    this.feeds.close();
    this.configs.close();
    this.#upstream.close();
  }

  /** Before another Kafka than Timberline's brokers. */
  get doorsKeepStreams(): boolean {
    return this.#upstream.isOther;
  }

  cluster(): ClusterState {
    return this.#upstream.view.cluster();
  }

  // ---- records ----

  append(request: AppendRequest): Promise<Appended> {
    // It may have to be sent again, and the caller's buffer is not ours then.
    const own = { ...request, batch: request.batch.slice() };
    const { expectedOffset } = own;
    if (own.fence !== undefined) return this.#appendFenced(own);
    if (expectedOffset === undefined) return this.#upstream.append(own);
    return this.#conditional.append({ ...own, expectedOffset });
  }

  async #appendFenced(request: AppendRequest): Promise<Appended> {
    if (!(await this.#upstream.isTimberline())) throw noFences();
    return this.#upstream.append(request);
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

  async takeFence(request: TakeFenceRequest): Promise<number> {
    if (!(await this.#upstream.isTimberline())) throw noFences();
    return this.#upstream.takeFence(request);
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

function noFences(): BrokerError {
  const what = "the upstream cluster knows no fences: only Timberline brokers do";
  return new BrokerError("UNSUPPORTED_VERSION", what);
}

function unknownPartition({ topic, partition }: TopicPartition): BrokerError {
  return new BrokerError(
    "UNKNOWN_TOPIC_OR_PARTITION",
    `there is no partition ${topic}-${partition}`,
  );
}
