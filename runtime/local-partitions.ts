// The partitions of this process, kept in step with the control plane: opened when a topic appears, grown,
// reconfigured and deleted with it. Used by `local-broker.ts` only.

import type {
  BrokerRecord,
  ClusterChange,
  ControlPlane,
  PartitionRecord,
  TopicRecord,
} from "../cluster/control-plane.ts";
import type { TopicPartition } from "./broker.ts";
import { type BrokerConfig, findTopicKey, resolveTopicConfig } from "./config.ts";
import { BrokerError } from "./errors.ts";
import { partitionFolder } from "./log/log-files.ts";
import type { FoundPartition, LogFolder } from "./log/log-folder.ts";
import type { Partition } from "./log/partition.ts";
import type { Clock, Timer } from "./platform.ts";
import type { OpenLink } from "./replication/replica-link.ts";
import { Replicas } from "./replication/replicas.ts";
import { StorageError } from "./storage/storage.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import { reservedTopics } from "./topic-name.ts";

/** A topic may have thousands of partitions: their files are made in slices, between which others are served. */
const sliceMsMax = 10;

/** A partition, or why it could not be opened. */
type Slot = Partition | BrokerError;

export interface LocalPartitionsOptions {
  readonly platform: { readonly clock: Clock };
  readonly controlPlane: ControlPlane;
  readonly folder: LogFolder;
  readonly brokerId: number;
  readonly config: BrokerConfig;
  readonly metrics: Metrics;
  /** How leaders are reached; absent on a broker that is alone. */
  readonly openLink?: OpenLink;
  /** Told of background work that failed and is tried again. */
  readonly report?: (error: unknown, where: string) => void;
}

export class LocalPartitions {
  /** Its part in partitions that other brokers have copies of. */
  readonly replicas: Replicas;
  readonly #isAlone: boolean;
  /** What the control plane last said of each partition that is open here. */
  readonly #records = new Map<Partition, PartitionRecord>();
  readonly #controlPlane: ControlPlane;
  readonly #folder: LogFolder;
  readonly #brokerId: number;
  readonly #topics = new Map<string, (Slot | undefined)[]>();
  readonly #metrics: Metrics;
  readonly #clock: Clock;
  /** Topics some of whose partitions have no files yet; whoever asks for such a one opens it. */
  readonly #growing = new Set<string>();
  #nextSlice: Timer | undefined;
  readonly #waiting: (() => void)[] = [];
  #config: BrokerConfig;
  #stopWatching: () => void = () => {};

  constructor(options: LocalPartitionsOptions) {
    this.#controlPlane = options.controlPlane;
    this.#folder = options.folder;
    this.#brokerId = options.brokerId;
    this.#config = options.config;
    this.#metrics = options.metrics;
    this.#clock = options.platform.clock;
    this.#isAlone = options.openLink === undefined;
    this.replicas = new Replicas({
      ...options,
      clock: options.platform.clock,
      openLink: options.openLink,
      config: () => this.#config,
      report: options.report ?? (() => {}),
    });
    // Alone, it is registered before its partitions are opened, and fetches from nobody.
    if (this.#isAlone) this.replicas.begin({ host: "", port: 0 });
  }

  /** The broker's config with what is set dynamically for all brokers and for this one. */
  get config(): BrokerConfig {
    return this.#config;
  }

  /**
   * Opens what the control plane knows. Folders of topics it does not know are adopted when the directory was
   * written by Kafka, and set aside otherwise.
   */
  async open(options: { adopt: boolean; found: readonly FoundPartition[] }): Promise<void> {
    this.#readConfig();
    const { adopt, found } = options;
    if (adopt) await this.#adopt(found);
    const { topics } = this.#controlPlane.state();
    this.#setStraysAside(found);
    for (const topic of topics.values()) this.#openTopic(topic);
    this.#stopWatching = this.#controlPlane.watch((change) => this.#apply(change));
    this.replicas.start();
  }

  /** In a cluster: this incarnation is registered, and may lead. */
  begin(self: BrokerRecord): void {
    this.replicas.begin(self);
    this.#records.clear();
    for (const topic of this.#controlPlane.state().topics.values()) this.#assignTopic(topic);
  }

  /** Partitions that have no files yet get them at the next start. */
  close(): void {
    this.#stopWatching();
    this.replicas.close();
    this.#nextSlice?.cancel();
    this.#growing.clear();
    this.#goOn();
  }

  /**
   * A partition that this broker leads. Throws UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, or why it is
   * offline.
   */
  get(place: TopicPartition): Partition {
    const partition = this.getReplica(place);
    if (partition.isLeader) return partition;
    throw this.#absent(place);
  }

  /** The same for one that it leads or has a copy of. */
  getReplica(place: TopicPartition): Partition {
    const slot = this.#topics.get(place.topic)?.[place.partition] ?? this.#openAsked(place);
    if (slot === undefined) throw this.#absent(place);
    return slot instanceof BrokerError ? this.#openAgain(place, slot) : slot;
  }

  /** Until the partitions have files; undefined when they have. Spares who asks for many at once. */
  whenOpen({ topic }: { topic: string }): Promise<void> | undefined {
    if (!this.#growing.has(topic)) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Whether it is new and has no files yet. */
  isComing({ topic, partition }: TopicPartition): boolean {
    if (!this.#growing.has(topic) || this.#topics.get(topic)?.[partition]) return false;
    return this.#controlPlane.state().topics.get(topic)?.partitions[partition] !== undefined;
  }

  all(): Iterable<Partition> {
    return this.#folder.partitions.values();
  }

  #absent({ topic, partition }: TopicPartition): BrokerError {
    const known = this.#controlPlane.state().topics.get(topic)?.partitions[partition];
    return known === undefined
      ? new BrokerError(
          "UNKNOWN_TOPIC_OR_PARTITION",
          `there is no partition ${partition} of topic '${topic}'`,
        )
      : new BrokerError(
          "NOT_LEADER_OR_FOLLOWER",
          `broker ${this.#brokerId} does not lead ${topic}-${partition}, broker ${known.leader} does`,
        );
  }

  #apply(change: ClusterChange): void {
    if (change.kind === "topic-created") this.#grow(change.topic.name);
    else if (change.kind === "topic-changed") this.#changeTopic(change.topic);
    else if (change.kind === "topic-deleted") this.#deleteTopic(change.topic);
    else if (change.kind === "broker-configs-changed") this.#readConfig();
    else if (change.kind === "broker-changed") this.replicas.brokerChanged(change.broker);
  }

  /** At the start: with the files it has. */
  #openTopic(topic: TopicRecord): void {
    const slots = this.#slots(topic.name);
    for (const { partition, replicas } of topic.partitions) {
      if (!replicas.includes(this.#brokerId)) continue;
      slots[partition] = this.#openPartition(topic, partition, false);
    }
    this.#assignTopic(topic);
  }

  /** Gives the topic's partitions here the roles that the control plane says they have. */
  #assignTopic(topic: TopicRecord): void {
    for (const slot of this.#topics.get(topic.name) ?? []) {
      if (slot === undefined || slot instanceof BrokerError) continue;
      const record = topic.partitions[slot.partition];
      if (record !== undefined) this.#assign(slot, record);
    }
  }

  #assign(partition: Partition, record: PartitionRecord): void {
    const before = this.#records.get(partition);
    if (before === record) return;
    this.#records.set(partition, record);
    if (before) this.#metrics.leadership.note(before, record, this.#brokerId);
    this.replicas.assign(partition, record);
  }

  /**
   * Folders that belong to nothing this broker should have. A cluster's view may be behind while its metadata cannot
   * be reached: then they are left alone.
   */
  #setStraysAside(found: readonly FoundPartition[]): void {
    const { isConnected, alarm } = this.#controlPlane.status();
    if (!isConnected || alarm !== null) return;
    const { topics } = this.#controlPlane.state();
    for (const { topic, partition } of found) {
      const replicas = topics.get(topic)?.partitions[partition]?.replicas;
      if (replicas?.includes(this.#brokerId) || reservedTopics.has(topic)) continue;
      this.#folder.setAside(partitionFolder(topic, partition));
    }
  }

  /** A topic is new or has new partitions: few of them are open at once, many a little later. */
  #grow(name: string): void {
    this.#growing.add(name);
    if (this.#nextSlice === undefined) this.#openSlice();
  }

  #openSlice(): void {
    this.#nextSlice = undefined;
    const endMs = this.#clock.monotonicMs() + sliceMsMax;
    for (const name of this.#growing) {
      const topic = this.#controlPlane.state().topics.get(name);
      const slots = this.#slots(name);
      for (const { partition, replicas } of topic?.partitions ?? []) {
        if (slots[partition] !== undefined || !replicas.includes(this.#brokerId)) continue;
        if (this.#clock.monotonicMs() >= endMs) {
          this.#nextSlice = this.#clock.after(0, () => this.#openSlice());
          return;
        }
        this.#openNew(topic!, partition);
      }
      this.#growing.delete(name);
    }
    this.#goOn();
  }

  #goOn(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Somebody asks for a partition before its slice. */
  #openAsked({ topic: name, partition }: TopicPartition): Slot | undefined {
    if (!this.#growing.has(name)) return undefined;
    const topic = this.#controlPlane.state().topics.get(name);
    if (!topic?.partitions[partition]?.replicas.includes(this.#brokerId)) return undefined;
    return this.#openNew(topic, partition);
  }

  /** In a cluster a topic that is new to this view may have been here before. */
  #openNew(topic: TopicRecord, partition: number): Slot {
    const slot = this.#openPartition(topic, partition, this.#isAlone);
    this.#slots(topic.name)[partition] = slot;
    if (!(slot instanceof BrokerError)) this.#assign(slot, topic.partitions[partition]!);
    return slot;
  }

  #slots(name: string): (Slot | undefined)[] {
    let slots = this.#topics.get(name);
    if (slots === undefined) {
      slots = [];
      this.#topics.set(name, slots);
    }
    return slots;
  }

  /** A disk that was full may have space by now; any other reason needs a person. */
  #openAgain({ topic: name, partition }: TopicPartition, error: BrokerError): Partition {
    const wasFull = error.cause instanceof StorageError && error.cause.fault === "full";
    const topic = wasFull ? this.#controlPlane.state().topics.get(name) : undefined;
    if (topic === undefined) throw error;
    const slot = this.#openPartition(topic, partition, false);
    this.#topics.get(name)![partition] = slot;
    if (slot instanceof BrokerError) throw slot;
    this.#assign(slot, topic.partitions[partition]!);
    return slot;
  }

  #openPartition(topic: TopicRecord, partition: number, isNew: boolean): Slot {
    try {
      return this.#folder.open({
        topic: topic.name,
        partition,
        topicId: topic.id,
        config: resolveTopicConfig(topic.configs, this.#config),
        decompressedBytesMax: this.#config.number("timberline.decompressed.bytes.max"),
        isNew,
        isReplicated: (topic.partitions[partition]?.replicas.length ?? 1) > 1,
      });
    } catch (cause) {
      if (cause instanceof BrokerError) return cause;
      if (!(cause instanceof StorageError)) throw cause;
      return new BrokerError(
        "KAFKA_STORAGE_ERROR",
        `${topic.name}-${partition} could not be opened: ${cause.message}`,
        { cause },
      );
    }
  }

  #changeTopic(topic: TopicRecord): void {
    const config = resolveTopicConfig(topic.configs, this.#config);
    for (const slot of this.#topics.get(topic.name) ?? []) {
      if (slot !== undefined && !(slot instanceof BrokerError)) slot.config = config;
    }
    this.#dropMoved(topic);
    this.#grow(topic.name);
    this.#assignTopic(topic);
  }

  /** A reassignment took this broker out of the replicas: its copy goes. */
  #dropMoved(topic: TopicRecord): void {
    const slots = this.#topics.get(topic.name) ?? [];
    let hasDropped = false;
    for (const [partition, slot] of slots.entries()) {
      const isHere = topic.partitions[partition]?.replicas.includes(this.#brokerId);
      if (slot === undefined || isHere) continue;
      delete slots[partition];
      hasDropped = true;
      if (!(slot instanceof BrokerError)) this.#delete(slot);
    }
    if (hasDropped) this.#folder.checkpoint();
  }

  #delete(partition: Partition): void {
    this.replicas.forget(partition);
    this.#records.delete(partition);
    this.#folder.delete(partition);
  }

  #deleteTopic(topic: TopicRecord): void {
    const slots = this.#topics.get(topic.name) ?? [];
    this.#topics.delete(topic.name);
    this.#growing.delete(topic.name);
    this.#metrics.forgetTopic(topic.name);
    for (const slot of slots) {
      if (slot !== undefined && !(slot instanceof BrokerError)) this.#delete(slot);
    }
    this.#folder.checkpoint();
  }

  #readConfig(): void {
    const { brokerConfigs, topics } = this.#controlPlane.state();
    this.#config = this.#config.withDynamic({
      cluster: brokerConfigs.get(null) ?? new Map(),
      broker: brokerConfigs.get(this.#brokerId) ?? new Map(),
    });
    const decompressedBytesMax = this.#config.number("timberline.decompressed.bytes.max");
    for (const topic of topics.values()) {
      for (const slot of this.#topics.get(topic.name) ?? []) {
        if (slot === undefined || slot instanceof BrokerError) continue;
        slot.config = resolveTopicConfig(topic.configs, this.#config);
        slot.decompressedBytesMax = decompressedBytesMax;
      }
    }
  }

  /** Makes topics of the folders that Kafka left, with the ids and configs they have. */
  async #adopt(found: readonly FoundPartition[]): Promise<void> {
    const topics = new Map<string, { count: number; id: string | undefined }>();
    for (const { topic, partition, topicId } of found) {
      if (reservedTopics.has(topic) || this.#controlPlane.state().topics.has(topic)) continue;
      const known = topics.get(topic) ?? { count: 0, id: undefined };
      known.count = Math.max(known.count, partition + 1);
      known.id ??= topicId;
      topics.set(topic, known);
    }
    const configs = this.#folder.kafkaTopicConfigs();
    for (const [name, { count, id }] of topics) {
      await this.#controlPlane.createTopic({
        name,
        ...(id === undefined ? {} : { id }),
        // At least the newest epoch on disk: the server saw to that when it registered.
        leaderEpoch: this.#controlPlane.state().brokers.get(this.#brokerId)!.epoch,
        layout: { partitions: count, replicationFactor: 1 },
        configs: adoptedConfigs(configs?.get(name)),
      });
    }
  }
}

/** Kafka's own, as far as this broker knows their names. Where they are lost, nothing is deleted by age or size. */
function adoptedConfigs(found: ReadonlyMap<string, string> | undefined): Map<string, string> {
  const keepAll = { "retention.ms": "-1", "retention.bytes": "-1" };
  const known = found ?? new Map(Object.entries(keepAll));
  return new Map([...known].filter(([name]) => findTopicKey(name) !== undefined));
}
