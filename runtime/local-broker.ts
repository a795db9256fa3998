// LocalBroker: the Broker on this process's own logs. Reads and writes go to partitions, topics and configs to
// the control plane; this file only connects the two and turns their refusals into Kafka's errors.

import type {
  BrokerRecord,
  ClusterState,
  ControlPlane,
  TopicRecord,
} from "../cluster/control-plane.ts";
import type {
  Appended,
  AppendRequest,
  Broker,
  ConfigEntry,
  ConfigOperation,
  ConfigResource,
  CreatedTopic,
  CreateTopicRequest,
  EpochEndOffset,
  FetchedPartition,
  FetchPartition,
  FetchRequest,
  ListedOffset,
  LogDirView,
  OffsetSpec,
  PartitionView,
  ProducerView,
  TakeFenceRequest,
  TopicPartition,
} from "./broker.ts";
import { type ClusterCare, clusterCare } from "./cluster-care.ts";
import type { BrokerConfig } from "./config.ts";
import { controlPlaneRefusal } from "./control-plane-refusal.ts";
import { BrokerError } from "./errors.ts";
import { fetchLocally } from "./fetch-wait.ts";
import { Coordinator, type GroupEvent } from "./groups/coordinator.ts";
import { answerLeaderQuestion } from "./leader-questions.ts";
import { LocalConfigs } from "./local-configs.ts";
import { checkConditions, lookUp } from "./local-offsets.ts";
import { LocalPartitions } from "./local-partitions.ts";
import { fetchAsReplica, inEpoch, nearestReader } from "./local-replica-fetch.ts";
import {
  appendInTransaction,
  appendTerms,
  isTransactional,
  localCoordinator,
  transactionalOffsets,
} from "./local-transactions.ts";
import { describeEach, logDirView, partitionView } from "./local-views.ts";
import { takeFence } from "./log/fence.ts";
import type { FoundPartition, LogFolder } from "./log/log-folder.ts";
import type { Partition } from "./log/partition.ts";
import {
  checkNewTopic,
  createdTopic,
  offsetsTopicRequest,
  partitionsMax,
  plannedTopic,
  transactionsTopicRequest,
} from "./new-topic.ts";
import type { Platform } from "./platform.ts";
import type { OpenLink } from "./replication/replica-link.ts";
import type { DescribedPartition } from "./routable-broker.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import { internalTopics, offsetsTopic } from "./topic-name.ts";
import type { Coordinator as TransactionCoordinator } from "./transactions/coordinator.ts";
import { type AskBroker, answerTransactions } from "./transactions/peer-questions.ts";

export interface LocalBrokerOptions {
  readonly platform: Pick<Platform, "clock" | "core" | "codecs" | "random">;
  readonly controlPlane: ControlPlane;
  readonly folder: LogFolder;
  readonly brokerId: number;
  readonly config: BrokerConfig;
  readonly metrics: Metrics;
  /** How leaders are reached; absent on a broker that is alone. */
  readonly openLink?: OpenLink;
  /** How other brokers are asked; absent on a broker that is alone. */
  readonly askBroker?: AskBroker;
  /** Told of background work that failed and is tried again. */
  readonly report?: (error: unknown, where: string) => void;
  /** What becomes of consumer groups: how far they are read, what could not be stored. */
  readonly reportGroups?: (event: GroupEvent) => void;
}

export class LocalBroker implements Broker {
  readonly brokerId: number;
  readonly care: ClusterCare;
  readonly groups: Coordinator;
  readonly transactions: TransactionCoordinator;
  readonly #platform: LocalBrokerOptions["platform"];
  readonly #controlPlane: ControlPlane;
  readonly #folder: LogFolder;
  readonly #partitions: LocalPartitions;
  readonly #configs: LocalConfigs;
  readonly #metrics: Metrics;
  /** Topics that are decided but not visible yet. */
  readonly #creating = new Map<string, Promise<unknown>>();
  readonly #find = (asked: FetchPartition): Partition =>
    inEpoch(this.#partitions.get(asked), asked.currentLeaderEpoch);
  /** For readers: before this broker is registered it leads nothing, and its copies are all there is. */
  readonly #findReadable = (asked: FetchPartition): Partition =>
    this.#servesReadersOnly ? this.#findReplica(asked) : this.#find(asked);
  #servesReadersOnly = false;
  readonly #findReplica = (asked: FetchPartition): Partition =>
    inEpoch(this.#partitions.getReplica(asked), asked.currentLeaderEpoch);

  constructor(options: LocalBrokerOptions) {
    this.brokerId = options.brokerId;
    this.#platform = options.platform;
    this.#controlPlane = options.controlPlane;
    this.care = clusterCare(options.controlPlane);
    this.#folder = options.folder;
    this.#metrics = options.metrics;
    this.#partitions = new LocalPartitions(options);
    this.#configs = new LocalConfigs(options.controlPlane, () => this.config);
    const { report = () => {} } = options;
    const partitions = this.#partitions;
    this.groups = new Coordinator({
      ...options,
      metrics: options.metrics.groups,
      config: () => this.config,
      partition: (partition) => partitions.get({ topic: offsetsTopic, partition }),
      createOffsetsTopic: () =>
        this.#createIfAbsent(offsetsTopicRequest(this.config, this.cluster())),
      report: options.reportGroups ?? (() => {}),
    });
    const createStateTopic = () =>
      this.#createIfAbsent(transactionsTopicRequest(this.config, this.cluster()));
    const groups = transactionalOffsets(this.groups, () => this.cluster());
    const parts = { ...options, partitions, groups, createStateTopic, report };
    this.transactions = localCoordinator(parts);
  }

  /**
   * Opens the partitions, and starts to load the groups. `adopt`: folders without a topic are Kafka's and become
   * topics.
   */
  async open(options: { adopt: boolean; found: readonly FoundPartition[] }): Promise<void> {
    await this.#partitions.open(options);
    this.groups.open();
  }

  /** In a cluster: this incarnation is registered, and leads what the control plane says. */
  begin(self: BrokerRecord): void {
    this.#servesReadersOnly = false;
    this.#partitions.begin(self);
    this.groups.follow();
    void this.transactions.follow();
  }

  /** In a cluster that forgot this broker: its copies, below their high watermarks, may be read until `begin`. */
  serveReaders(): void {
    this.#servesReadersOnly = true;
  }

  /** What another broker asks this one; undefined: it is not for the broker. */
  answerPeer(question: unknown): undefined | Promise<unknown> {
    return answerTransactions(question, this.transactions) ?? answerLeaderQuestion(question, this);
  }

  /** Until it has read its topic, the coordinator of transactions answers COORDINATOR_LOAD_IN_PROGRESS. */
  loadTransactions(
    progress?: Parameters<TransactionCoordinator["load"]>[0],
  ): Promise<{ transactions: number }> {
    return this.transactions.load(progress);
  }

  /** Stops following the control plane; the partitions are closed by the log folder. */
  close(): void {
    this.transactions.close();
    this.groups.close();
    this.#partitions.close();
  }

  /** The broker's configuration, dynamic changes included. */
  get config(): BrokerConfig {
    return this.#partitions.config;
  }

  cluster(): ClusterState {
    return this.#controlPlane.state();
  }

  self(): BrokerRecord {
    return this.cluster().brokers.get(this.brokerId)!;
  }

  append(request: AppendRequest): Appended | Promise<Appended> {
    if (internalTopics.has(request.topic)) {
      const message = `topic '${request.topic}' is written by the broker only`;
      throw new BrokerError("INVALID_TOPIC_EXCEPTION", message);
    }
    const partition = this.#partitions.get(request);
    checkConditions(request, partition);
    if (isTransactional(request.batch)) {
      return appendInTransaction(this.transactions, partition, request);
    }
    return partition.append(request.batch, appendTerms(request));
  }

  fetch(request: FetchRequest): readonly FetchedPartition[] | Promise<readonly FetchedPartition[]> {
    const { clock } = this.#platform;
    const { load } = this.#metrics;
    const { replica, rack } = request;
    if (replica === undefined && rack === undefined) {
      return fetchLocally(this.#findReadable, clock, load, request);
    }
    const { replicas } = this.#partitions;
    if (replica === undefined) {
      const read = rack ? nearestReader(replicas, rack) : undefined;
      return fetchLocally(this.#findReplica, clock, load, request, read);
    }
    const host = { find: this.#find, clock, counters: load, replicas };
    return fetchAsReplica(host, { ...request, replica });
  }

  async listOffsets(
    request: TopicPartition & {
      spec: OffsetSpec;
      currentLeaderEpoch: number;
      isolation: FetchRequest["isolation"];
    },
  ): Promise<ListedOffset> {
    try {
      await this.#partitions.whenOpen(request);
      const partition = this.#findReadable({ ...request, offset: -1, bytesMax: 0 });
      if (partition.fault) throw partition.fault;
      return { error: null, ...lookUp(this.#platform, partition, request) };
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return { error, offset: -1, timestampMs: -1, leaderEpoch: -1 };
    }
  }

  epochEndOffset(
    request: TopicPartition & { leaderEpoch: number; currentLeaderEpoch: number },
  ): EpochEndOffset {
    try {
      const { epochs, log } = this.#find({ ...request, offset: -1, bytesMax: 0 });
      const end = epochs.endOffset(request.leaderEpoch, log.endOffset);
      return { error: null, leaderEpoch: end?.epoch ?? -1, endOffset: end?.endOffset ?? -1 };
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return { error, leaderEpoch: -1, endOffset: -1 };
    }
  }

  async deleteRecords(request: TopicPartition & { offset: number }): Promise<number> {
    return this.#partitions.get(request).deleteRecords(request.offset);
  }

  async takeFence(request: TakeFenceRequest): Promise<number> {
    return takeFence(this.#partitions.get(request), request.token);
  }

  endOffset(place: TopicPartition): number {
    return this.#partitions.get(place).log.endOffset;
  }

  async initProducerId(request: {
    transactionalId: string | null;
    transactionTimeoutMs: number;
    producerId: number;
    producerEpoch: number;
  }): Promise<{ producerId: number; producerEpoch: number }> {
    const { transactionalId } = request;
    if (transactionalId !== null) {
      return this.transactions.initProducer({ ...request, transactionalId });
    }
    const producerId = await this.#asked(this.#controlPlane.allocateProducerIds(1));
    return { producerId, producerEpoch: 0 };
  }

  async createTopic(request: CreateTopicRequest): Promise<CreatedTopic> {
    const topic = checkNewTopic(request, this.cluster(), this.config);
    if (request.validateOnly) return plannedTopic(topic, this.config);
    const creating = this.#asked(this.#controlPlane.createTopic(topic));
    // Only the first of several: the others are told that it exists.
    if (!this.#creating.has(topic.name)) {
      const forget = () => this.#creating.delete(topic.name);
      this.#creating.set(topic.name, creating.then(forget, forget));
    }
    return createdTopic(await creating, this.config);
  }

  async autoCreateTopic(name: string): Promise<void> {
    if (!this.config.flag("auto.create.topics.enable")) {
      throw new BrokerError(
        "UNKNOWN_TOPIC_OR_PARTITION",
        `there is no topic '${name}', and auto.create.topics.enable is false`,
      );
    }
    await this.#createIfAbsent(
      name === offsetsTopic
        ? offsetsTopicRequest(this.config, this.cluster())
        : { name, partitions: -1, replicationFactor: -1, configs: new Map() },
    );
  }

  async deleteTopic(name: string): Promise<void> {
    if (!this.config.flag("delete.topic.enable")) {
      throw new BrokerError("TOPIC_DELETION_DISABLED", "delete.topic.enable is false");
    }
    await this.#asked(this.#controlPlane.deleteTopic(name));
  }

  async createPartitions(request: {
    name: string;
    partitions: number;
    assignments?: readonly (readonly number[])[];
    validateOnly?: boolean;
  }): Promise<void> {
    const topic = this.#topic(request.name);
    const now = topic.partitions.length;
    if (request.partitions <= now || request.partitions > partitionsMax) {
      throw new BrokerError(
        "INVALID_PARTITIONS",
        `topic '${request.name}' has ${now} partitions: ask for more than that, up to ${partitionsMax}`,
      );
    }
    if (request.validateOnly) return;
    await this.#asked(this.#controlPlane.createPartitions(request));
  }

  describeConfigs(
    resource: ConfigResource,
    names: readonly string[] | null,
  ): readonly ConfigEntry[] {
    return this.#configs.describeConfigs(resource, names);
  }

  alterConfigs(
    resource: ConfigResource,
    operations: readonly ConfigOperation[],
    options: { validateOnly: boolean },
  ): Promise<void> {
    return this.#configs.alterConfigs(resource, operations, options);
  }

  replaceConfigs(
    resource: ConfigResource,
    configs: ReadonlyMap<string, string>,
    options: { validateOnly: boolean },
  ): Promise<void> {
    return this.#configs.replaceConfigs(resource, configs, options);
  }

  describePartition(request: TopicPartition): PartitionView {
    const isComing = this.#partitions.isComing(request);
    const open = isComing ? undefined : this.#partitions.getReplica(request);
    return partitionView(request, this.#record(request), open);
  }

  describePartitions(places: readonly TopicPartition[]): readonly DescribedPartition[] {
    return describeEach(places, (place) => this.describePartition(place));
  }

  describeProducers(request: TopicPartition): readonly ProducerView[] {
    return this.#partitions.get(request).producerViews();
  }

  describeLogDirs(): readonly LogDirView[] {
    return [logDirView(this.#folder, this.#partitions.all())];
  }

  /** Per follower, how many records it lacks at most of a partition led here. */
  replicaLags(): ReadonlyMap<number, number> {
    return this.#partitions.replicas.lags();
  }

  /** Two clients may ask for the same new topic at once: both wait until it is there. */
  async #createIfAbsent(request: CreateTopicRequest): Promise<void> {
    try {
      await this.createTopic(request);
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code !== "TOPIC_ALREADY_EXISTS") throw error;
      await this.#creating.get(request.name);
    }
  }

  #topic(name: string): TopicRecord {
    const topic = this.cluster().topics.get(name);
    if (topic) return topic;
    throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `there is no topic '${name}'`);
  }

  #record({ topic, partition }: TopicPartition) {
    return this.#topic(topic).partitions[partition]!;
  }

  async #asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (cause) {
      throw controlPlaneRefusal(cause);
    }
  }
}
