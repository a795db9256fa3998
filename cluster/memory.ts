// The control plane in process: one broker alone, or the simulator's brokers. Changes are decided one after the
// other on the newest image, made durable (many share one sync), and only then shown in `state()` and told to
// watchers, in order. Without files everything lives as long as the process.

import {
  applyChange,
  type ClusterImage,
  describeChange,
  emptyImage,
  fenceAll,
  type ImageChange,
  newPartition,
} from "./cluster-image.ts";
import {
  type BrokerRecord,
  type ClusterChange,
  type ClusterState,
  type ConfigChanges,
  type ControlPlane,
  ControlPlaneError,
  type TopicRecord,
} from "./control-plane.ts";
import { type ClusterFiles, Journal } from "./journal.ts";
import { checkAssignments, decideLayout, PARTITIONS_MAX, placeReplicas } from "./placement.ts";

export type { ClusterFiles } from "./journal.ts";

export interface MemoryControlPlaneOptions {
  readonly random: { integer(below: number): number; bytes(length: number): Uint8Array };
  /** Where changes are kept; absent: nowhere. */
  readonly files?: ClusterFiles;
  /** For a new cluster. Of an existing one it must be the id it has. Default: random. */
  readonly clusterId?: string;
}

/** Opens or begins a cluster. Throws `ControlPlaneError` storage-failed, saying what to do. */
export function openMemoryControlPlane(options: MemoryControlPlaneOptions): ControlPlane {
  const { random, files, clusterId } = options;
  const newId = () => clusterId ?? randomId(random);
  const opened = files ? Journal.open(files, newId) : undefined;
  const image = fenceAll(opened?.image ?? emptyImage(newId()));
  if (clusterId !== undefined && clusterId !== image.clusterId) {
    files?.close();
    throw new ControlPlaneError(
      "storage-failed",
      `this folder belongs to cluster ${image.clusterId}, not to ${clusterId}`,
    );
  }
  return new MemoryControlPlane(image, opened?.journal, random);
}

/** Producer ids reserved by one durable change, so that few allocations wait for a disk. */
const PRODUCER_ID_BLOCK = 1000;
/** Configs of a broker or group that none were set for. */
const NO_CONFIGS: ReadonlyMap<string, string> = new Map();

interface Commit {
  readonly change: ImageChange;
  readonly before: ClusterImage;
  readonly after: ClusterImage;
}

class MemoryControlPlane implements ControlPlane {
  readonly #journal: Journal | undefined;
  readonly #random: MemoryControlPlaneOptions["random"];
  readonly #watchers = new Set<(change: ClusterChange) => void>();
  /** What readers see: durable. */
  #visible: ClusterImage;
  /** What the next change builds on: written, perhaps not durable yet. */
  #head: ClusterImage;
  #written: Commit[] = [];
  #writtenCount = 0;
  #durableCount = 0;
  #syncing: Promise<void> | undefined;
  /** Durable changes that watchers still have to hear of. */
  readonly #untold: Commit[] = [];
  #telling = false;
  #closed = false;
  #failure: ControlPlaneError | undefined;
  #nextProducerId: number;
  #reservedProducerIds: number;
  #reservation: Promise<void> = Promise.resolve();

  constructor(
    image: ClusterImage,
    journal: Journal | undefined,
    random: MemoryControlPlaneOptions["random"],
  ) {
    this.#visible = image;
    this.#head = image;
    this.#journal = journal;
    this.#random = random;
    this.#nextProducerId = image.nextProducerId;
    this.#reservedProducerIds = image.nextProducerId;
  }

  state(): ClusterState {
    return this.#visible;
  }

  watch(changed: (change: ClusterChange) => void): () => void {
    const watcher = (change: ClusterChange) => changed(change);
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async register(request: Parameters<ControlPlane["register"]>[0]): Promise<BrokerRecord> {
    const { id, host, port, rack } = request;
    const known = this.#head.brokers.get(id)?.epoch ?? 0;
    const epoch = Math.max(known + 1, request.epochMin ?? 0);
    const broker: BrokerRecord = { id, epoch, host, port, rack, fenced: false };
    await this.#commit({ put: "broker", broker });
    return broker;
  }

  async createTopic(request: Parameters<ControlPlane["createTopic"]>[0]): Promise<TopicRecord> {
    const { name, layout } = request;
    if (this.#head.topics.has(name)) throw fault("topic-exists", `Topic '${name}' already exists.`);
    const replicas = decideLayout({
      layout,
      brokers: this.#liveBrokers(),
      start: (brokers) => this.#random.integer(brokers),
    });
    const topic: TopicRecord = {
      name,
      id: request.id ?? this.#newTopicId(),
      partitions: replicas.map((each, partition) =>
        newPartition(partition, each, request.leaderEpoch),
      ),
      configs: new Map(request.configs),
    };
    await this.#commit({ put: "topic", topic });
    return topic;
  }

  async deleteTopic(name: string): Promise<void> {
    this.#topic(name);
    await this.#commit({ put: "topic-removal", name });
  }

  async createPartitions(
    request: Parameters<ControlPlane["createPartitions"]>[0],
  ): Promise<TopicRecord> {
    const topic = this.#topic(request.name);
    const first = topic.partitions.length;
    const replicas = this.#growth(topic, request);
    const added = replicas.map((each, index) => newPartition(first + index, each));
    const grown: TopicRecord = { ...topic, partitions: [...topic.partitions, ...added] };
    await this.#commit({ put: "topic", topic: grown });
    return grown;
  }

  async alterTopicConfigs(name: string, changes: ConfigChanges): Promise<TopicRecord> {
    const topic = this.#topic(name);
    const altered: TopicRecord = { ...topic, configs: merged(topic.configs, changes) };
    await this.#commit({ put: "topic", topic: altered });
    return altered;
  }

  async alterBrokerConfigs(broker: number | null, changes: ConfigChanges): Promise<void> {
    const configs = merged(this.#head.brokerConfigs.get(broker) ?? NO_CONFIGS, changes);
    await this.#commit({ put: "broker-configs", broker, configs });
  }

  async alterGroupConfigs(groupId: string, changes: ConfigChanges): Promise<void> {
    const configs = merged(this.#head.groupConfigs.get(groupId) ?? NO_CONFIGS, changes);
    await this.#commit({ put: "group-configs", groupId, configs });
  }

  async allocateProducerIds(count: number): Promise<number> {
    if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`count is ${count}`);
    const first = this.#nextProducerId;
    this.#nextProducerId += count;
    if (this.#nextProducerId > this.#reservedProducerIds) {
      this.#reservedProducerIds = this.#nextProducerId + PRODUCER_ID_BLOCK;
      this.#reservation = this.#commit({ put: "producer-ids", next: this.#reservedProducerIds });
      this.#reservation.catch(() => {
        this.#reservedProducerIds = this.#head.nextProducerId;
      });
    }
    await this.#reservation;
    return first;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#written.length > 0) await this.#durable(this.#writtenCount).catch(() => undefined);
    this.#watchers.clear();
    this.#journal?.close();
  }

  /** Resolves when the change is durable, visible and told; rejects with storage-failed. */
  async #commit(change: ImageChange): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw fault("storage-failed", "the control plane is closed");
    const before = this.#head;
    const after = applyChange(before, change);
    this.#write(change);
    this.#head = after;
    if (!this.#journal) return this.#publish([{ change, before, after }]);
    this.#written.push({ change, before, after });
    await this.#durable(++this.#writtenCount);
  }

  #write(change: ImageChange): void {
    try {
      this.#journal?.append(change);
    } catch (error) {
      throw storageFailed("the change could not be written", error);
    }
  }

  /** Resolves after a sync that began after the given write; callers in between share it. */
  async #durable(count: number): Promise<void> {
    while (this.#durableCount < count) {
      this.#syncing ??= this.#syncOnce().finally(() => {
        this.#syncing = undefined;
      });
      await this.#syncing;
    }
  }

  async #syncOnce(): Promise<void> {
    const journal = this.#journal!;
    // One turn later, so that changes asked for together are synced together.
    await Promise.resolve();
    const count = this.#written.length;
    try {
      await journal.sync();
    } catch (error) {
      // After a failed sync nobody knows what the disk holds: no further change is taken.
      this.#failure = storageFailed("the cluster metadata could not be synced to disk", error);
      throw this.#failure;
    }
    this.#durableCount += count;
    this.#publish(this.#written.splice(0, count));
    if (this.#written.length === 0 && journal.needsCompaction) this.#compact(journal);
  }

  #compact(journal: Journal): void {
    try {
      journal.compact(this.#head);
    } catch (error) {
      this.#failure = storageFailed("the cluster snapshot could not be written", error);
    }
  }

  /** Watchers may cause further changes: those wait until all have heard of this one. */
  #publish(commits: readonly Commit[]): void {
    this.#untold.push(...commits);
    if (this.#telling) return;
    this.#telling = true;
    for (let next = this.#untold.shift(); next; next = this.#untold.shift()) {
      this.#visible = next.after;
      const change = describeChange(next.before, next.change);
      if (change) for (const watcher of [...this.#watchers]) tell(watcher, change);
    }
    this.#telling = false;
  }

  #topic(name: string): TopicRecord {
    const topic = this.#head.topics.get(name);
    if (!topic) throw fault("topic-unknown", `Topic '${name}' does not exist.`);
    return topic;
  }

  #growth(topic: TopicRecord, request: Parameters<ControlPlane["createPartitions"]>[0]) {
    const now = topic.partitions.length;
    const added = request.partitions - now;
    if (!Number.isInteger(added) || added < 1 || request.partitions > PARTITIONS_MAX) {
      throw fault(
        "invalid-partitions",
        `Topic '${topic.name}' has ${now} partitions: the new total must be above that and at most ` +
          `${PARTITIONS_MAX}, not ${request.partitions}.`,
      );
    }
    const brokers = this.#liveBrokers();
    const { assignments } = request;
    if (assignments) return checkAssignments(assignments, { brokers, count: added });
    const replicationFactor = topic.partitions[0]!.replicas.length;
    const start = Math.max(0, brokers.indexOf(topic.partitions[0]!.replicas[0]!));
    return placeReplicas({
      brokers,
      partitions: added,
      replicationFactor,
      start,
      firstPartition: now,
    });
  }

  #liveBrokers(): number[] {
    const live = [...this.#head.brokers.values()].filter((broker) => !broker.fenced);
    return live.map((broker) => broker.id).sort((a, b) => a - b);
  }

  /** A seeded source of randomness may begin again after a restart: then the next ids are taken. */
  #newTopicId(): string {
    for (let attempt = 0; attempt <= this.#head.topics.size; attempt++) {
      const id = randomId(this.#random);
      if (!this.#head.topicsById.has(id)) return id;
    }
    throw new Error("the source of randomness repeats itself");
  }
}

function merged(configs: ReadonlyMap<string, string>, changes: ConfigChanges) {
  const result = new Map(configs);
  for (const [name, value] of changes) {
    if (value === null) result.delete(name);
    else result.set(name, value);
  }
  return result;
}

/** A watcher that throws is a bug of its own: it neither stops the others nor the change, and is not hidden. */
function tell(watcher: (change: ClusterChange) => void, change: ClusterChange): void {
  try {
    watcher(change);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** 16 random bytes as 22 characters of URL-safe base64, the first not "-", which tools take for an option. */
function randomId(random: MemoryControlPlaneOptions["random"]): string {
  const bytes = random.bytes(16);
  // The first six bits 111110 would be "-".
  if (bytes[0]! >>> 2 === 0x3e) bytes[0] = bytes[0]! & 0x7f;
  const base64 = btoa(String.fromCharCode(...bytes));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fault(name: ControlPlaneError["fault"], message: string): ControlPlaneError {
  return new ControlPlaneError(name, message);
}

function storageFailed(what: string, cause: unknown): ControlPlaneError {
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new ControlPlaneError("storage-failed", `${what}${why}`, { cause });
}
