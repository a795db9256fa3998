// The control plane in process: one broker alone, or the simulator's brokers. Changes are decided one after the
// other on the newest image, made durable (many share one sync), and only then shown in `state()` and told to
// watchers, in order. Without files everything lives as long as the process.

import {
  applyChanges,
  type ClusterImage,
  changesOf,
  emptyImage,
  fenceAll,
  type ImageChange,
} from "./cluster-image.ts";
import {
  type BrokerRecord,
  type ClusterChange,
  type ClusterState,
  type ConfigChanges,
  type ControlPlane,
  ControlPlaneError,
  type ControlPlaneStatus,
  type IsrChange,
  type PartitionOutcome,
  type TopicRecord,
} from "./control-plane.ts";
import { decideRemoval } from "./decisions/brokers.ts";
import { decideElections } from "./decisions/elections.ts";
import { decideIsrChanges, type PartitionsDecision } from "./decisions/isr-changes.ts";
import { decideReassignments } from "./decisions/reassignment.ts";
import { decideRestore } from "./decisions/restore.ts";
import {
  decideBrokerConfigs,
  decideGroupConfigs,
  decideGrowth,
  decideTopic,
  decideTopicConfigs,
  decideTopicRemoval,
  type TopicDecision,
} from "./decisions/topics.ts";
import { type ClusterFiles, Journal } from "./journal.ts";
import { newIdBeside, type Random, randomId } from "./random-id.ts";
import { decodeSnapshot, encodeSnapshot, FORMAT_ALONE, failed } from "./snapshot.ts";
import { Watchers } from "./watchers.ts";

export type { ClusterFiles } from "./journal.ts";

export interface MemoryControlPlaneOptions {
  readonly random: Random;
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

interface Commit {
  readonly changes: readonly ImageChange[];
  readonly before: ClusterImage;
  readonly after: ClusterImage;
}

class MemoryControlPlane implements ControlPlane {
  readonly #journal: Journal | undefined;
  readonly #random: Random;
  readonly #watchers = new Watchers();
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

  constructor(image: ClusterImage, journal: Journal | undefined, random: Random) {
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
    return this.#watchers.add(changed);
  }

  async register(request: Parameters<ControlPlane["register"]>[0]): Promise<BrokerRecord> {
    const { id, host, port, rack } = request;
    const known = this.#head.brokers.get(id)?.epoch ?? 0;
    const epoch = Math.max(known + 1, request.epochMin ?? 0);
    const broker: BrokerRecord = { id, epoch, host, port, rack, fenced: false, draining: false };
    await this.#commit([{ put: "broker", broker }]);
    return broker;
  }

  async createTopic(request: Parameters<ControlPlane["createTopic"]>[0]): Promise<TopicRecord> {
    const id = request.id ?? newIdBeside(this.#head.topicsById, this.#random);
    return this.#commitTopic(decideTopic(this.#head, { ...request, id }, this.#random));
  }

  async deleteTopic(name: string): Promise<void> {
    await this.#commit(decideTopicRemoval(this.#head, name));
  }

  async createPartitions(
    request: Parameters<ControlPlane["createPartitions"]>[0],
  ): Promise<TopicRecord> {
    return this.#commitTopic(decideGrowth(this.#head, request));
  }

  async alterTopicConfigs(name: string, changes: ConfigChanges): Promise<TopicRecord> {
    return this.#commitTopic(decideTopicConfigs(this.#head, name, changes));
  }

  async alterBrokerConfigs(broker: number | null, changes: ConfigChanges): Promise<void> {
    await this.#commit(decideBrokerConfigs(this.#head, broker, changes));
  }

  async alterGroupConfigs(groupId: string, changes: ConfigChanges): Promise<void> {
    await this.#commit(decideGroupConfigs(this.#head, groupId, changes));
  }

  async allocateProducerIds(count: number): Promise<number> {
    if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`count is ${count}`);
    const first = this.#nextProducerId;
    this.#nextProducerId += count;
    if (this.#nextProducerId > this.#reservedProducerIds) {
      this.#reservedProducerIds = this.#nextProducerId + PRODUCER_ID_BLOCK;
      this.#reservation = this.#commit([{ put: "producer-ids", next: this.#reservedProducerIds }]);
      this.#reservation.catch(() => {
        this.#reservedProducerIds = this.#head.nextProducerId;
      });
    }
    await this.#reservation;
    return first;
  }

  async alterIsr(changes: readonly IsrChange[]): Promise<readonly PartitionOutcome[]> {
    return this.#commitPartitions(decideIsrChanges(this.#head, this.#head.controllerId, changes));
  }

  async electLeaders(
    request: Parameters<ControlPlane["electLeaders"]>[0],
  ): Promise<readonly PartitionOutcome[]> {
    return this.#commitPartitions(decideElections(this.#head, request));
  }

  async reassign(
    requests: Parameters<ControlPlane["reassign"]>[0],
  ): Promise<readonly PartitionOutcome[]> {
    return this.#commitPartitions(decideReassignments(this.#head, requests));
  }

  /** Nobody else could lead. */
  async drain(): Promise<void> {}

  async unregister(brokerId: number): Promise<void> {
    await this.#commit(decideRemoval(this.#head, brokerId));
  }

  status(): ControlPlaneStatus {
    const { controllerId, controllerEpoch, version } = this.#visible;
    const alarm = this.#failure?.message ?? null;
    return { controllerId, controllerEpoch, version, isConnected: true, ageMs: 0, alarm };
  }

  snapshot(): Uint8Array {
    return encodeSnapshot(this.#visible, { format: FORMAT_ALONE });
  }

  async restore(snapshot: Uint8Array): Promise<void> {
    const { image } = decodeSnapshot(snapshot);
    if (image.clusterId !== this.#head.clusterId) {
      throw failed(`the snapshot is of cluster ${image.clusterId}, not of ${this.#head.clusterId}`);
    }
    const restored = decideRestore(this.#head, image);
    this.#nextProducerId = Math.max(this.#nextProducerId, restored.nextProducerId);
    this.#reservedProducerIds = this.#nextProducerId;
    await this.#commit([...changesOf(restored)]);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#written.length > 0) await this.#durable(this.#writtenCount).catch(() => undefined);
    this.#watchers.clear();
    this.#journal?.close();
  }

  async #commitTopic({ topic, changes }: TopicDecision): Promise<TopicRecord> {
    await this.#commit(changes);
    return topic;
  }

  async #commitPartitions({ changes, outcomes }: PartitionsDecision) {
    await this.#commit(changes);
    return outcomes;
  }

  /** Resolves when the changes are durable, visible and told; rejects with storage-failed. */
  async #commit(changes: readonly ImageChange[]): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw failed("the control plane is closed");
    if (changes.length === 0) return;
    const before = this.#head;
    const after = applyChanges(before, changes);
    for (const change of changes) this.#write(change);
    this.#head = after;
    if (!this.#journal) return this.#publish([{ changes, before, after }]);
    this.#written.push({ changes, before, after });
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
      this.#watchers.tell(next);
    }
    this.#telling = false;
  }
}

function storageFailed(what: string, cause: unknown): ControlPlaneError {
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new ControlPlaneError("storage-failed", `${what}${why}`, { cause });
}
