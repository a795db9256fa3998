// The control plane of a broker that is one of several: follows the metadata log, attends to the controller or is it,
// and asks the controller for every change. What runs where: the view follows, the controller writes, the attendance
// keeps one alive.

import { Attendance } from "./attendance.ts";
import { ChangeAsker } from "./change-asker.ts";
import { beginCluster } from "./cluster-beginning.ts";
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
import { Controller, unavailable } from "./controller.ts";
import {
  DEFAULT_MEMBER_SETTINGS,
  type MemberOptions,
  type MemberSettings,
} from "./member-parts.ts";
import { MetadataView } from "./metadata-view.ts";
import { OwnRegistration } from "./own-registration.ts";
import { ProducerIds } from "./producer-ids.ts";
import { type CopyAnswer, checkedQuestion } from "./questions.ts";
import { newIdBeside } from "./random-id.ts";
import type { ChangeRequest } from "./requests.ts";
import { restoreMetadata } from "./restoration.ts";
import { encodeSnapshot, FORMAT_MEMBER } from "./snapshot.ts";

export type { MemberOptions, MemberSettings } from "./member-parts.ts";

export interface ClusterMember extends ControlPlane {
  /** Answers a question of another member. Rejects with ControlPlaneError for what is none. */
  answer(question: unknown, fromPeer: number): Promise<unknown>;
  /** Until `ready` this broker stays fenced: it leads nothing while its logs are being opened. Before `register`. */
  hold(): void;
  ready(): void;
}

/**
 * Resolves when the metadata has been read, or the cluster begun. Rejects with ControlPlaneError: unavailable when the
 * metadata service does not answer in time, storage-failed for a damaged or foreign copy, broker-refused when the
 * service holds another cluster than this folder's.
 */
export async function openClusterMember(options: MemberOptions): Promise<ClusterMember> {
  const settings = { ...DEFAULT_MEMBER_SETTINGS, ...options.settings };
  const view = new MetadataView(options);
  view.start();
  try {
    await beginCluster(options, settings, view);
  } catch (error) {
    view.close();
    throw error;
  }
  return new Member(options, settings, view);
}

class Member implements ClusterMember {
  readonly #options: MemberOptions;
  readonly #view: MetadataView;
  readonly #controller: Controller;
  readonly #attendance: Attendance;
  readonly #registration: OwnRegistration;
  readonly #asker: ChangeAsker;
  readonly #producerIds: ProducerIds;
  #isClosed = false;

  constructor(options: MemberOptions, settings: MemberSettings, view: MetadataView) {
    this.#options = options;
    this.#view = view;
    const controller = new Controller(options, settings, view, (isActive) => {
      this.#attendance.controllerChanged(isActive);
    });
    this.#controller = controller;
    const parts = { options, settings, view, controller };
    this.#asker = new ChangeAsker({ ...parts, epoch: () => this.#registration.epoch });
    this.#attendance = new Attendance({
      ...parts,
      self: () => this.#registration.heartbeat,
      isStale: () => this.#registration.stale(),
    });
    this.#producerIds = new ProducerIds(async (count) =>
      Number(await this.#asker.change({ do: "allocate-producer-ids", count })),
    );
    this.#registration = new OwnRegistration({
      ...parts,
      change: (request) => this.#asker.change(request),
      attend: () => this.#attendance.start(),
    });
  }

  state(): ClusterState {
    return this.#view.image;
  }

  watch(changed: (change: ClusterChange) => void): () => void {
    return this.#view.watch(changed);
  }

  async register(
    ...[request, waiting]: Parameters<ControlPlane["register"]>
  ): Promise<BrokerRecord> {
    const broker = await this.#registration.register(request, waiting);
    this.#producerIds.reserveAhead();
    return broker;
  }

  async createTopic(request: Parameters<ControlPlane["createTopic"]>[0]): Promise<TopicRecord> {
    const id = request.id ?? newIdBeside(this.#view.image.topicsById, this.#options.random);
    const configs = [...request.configs];
    return this.#changeTopic({ do: "create-topic", ...request, id, configs });
  }

  async deleteTopic(name: string): Promise<void> {
    const id = this.#view.image.topics.get(name)?.id ?? null;
    await this.#asker.change({ do: "delete-topic", name, id });
  }

  createPartitions(request: Parameters<ControlPlane["createPartitions"]>[0]): Promise<TopicRecord> {
    return this.#changeTopic({ do: "create-partitions", ...request });
  }

  alterTopicConfigs(name: string, changes: ConfigChanges): Promise<TopicRecord> {
    return this.#changeTopic({ do: "alter-topic-configs", name, changes: [...changes] });
  }

  async alterBrokerConfigs(broker: number | null, changes: ConfigChanges): Promise<void> {
    await this.#asker.change({ do: "alter-broker-configs", broker, changes: [...changes] });
  }

  async alterGroupConfigs(groupId: string, changes: ConfigChanges): Promise<void> {
    await this.#asker.change({ do: "alter-group-configs", groupId, changes: [...changes] });
  }

  async allocateProducerIds(count: number): Promise<number> {
    return this.#producerIds.take(count);
  }

  alterIsr(changes: readonly IsrChange[]): Promise<readonly PartitionOutcome[]> {
    return this.#changePartitions({ do: "alter-isr", changes });
  }

  electLeaders(
    request: Parameters<ControlPlane["electLeaders"]>[0],
  ): Promise<readonly PartitionOutcome[]> {
    return this.#changePartitions({ do: "elect-leaders", ...request });
  }

  reassign(
    requests: Parameters<ControlPlane["reassign"]>[0],
  ): Promise<readonly PartitionOutcome[]> {
    return this.#changePartitions({ do: "reassign", requests });
  }

  async drain(): Promise<void> {
    await this.#asker.change({ do: "drain" });
  }

  async unregister(brokerId: number): Promise<void> {
    await this.#asker.change({ do: "unregister", id: brokerId });
  }

  status(): ControlPlaneStatus {
    const { image, isConnected, ageMs, alarm } = this.#view;
    const { controllerId, controllerEpoch, version } = image;
    return { controllerId, controllerEpoch, version, isConnected, ageMs, alarm };
  }

  snapshot(): Uint8Array {
    const { image, chain } = this.#view;
    return encodeSnapshot(image, { format: FORMAT_MEMBER, chain });
  }

  restore(snapshot: Uint8Array): Promise<void> {
    return restoreMetadata(this.#options, this.#view, snapshot);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#registration.close();
    this.#asker.close();
    this.#attendance.close();
    this.#controller.close();
    this.#view.close();
  }

  hold(): void {
    this.#registration.hold();
  }

  ready(): void {
    this.#registration.ready();
  }

  async answer(value: unknown, fromPeer: number): Promise<unknown> {
    if (this.#isClosed) throw unavailable("this broker is stopping");
    const question = checkedQuestion(value);
    if (question.ask === "identify") return this.#registration.identity;
    if (question.ask === "heartbeat") return this.#attendance.answer(question);
    if (question.ask === "copy") return this.#copy;
    if (question.ask === "snapshot") return new TextDecoder().decode(this.snapshot());
    if (question.ask === "restore") {
      await this.restore(new TextEncoder().encode(question.snapshot));
      return this.#copy;
    }
    if (question.asker.id === fromPeer) {
      return this.#asker.answer(question.request, question.asker);
    }
    throw new ControlPlaneError("broker-refused", "A broker may ask for itself only.");
  }

  get #copy(): CopyAnswer {
    const { image, isConnected, isBehind, alarm } = this.#view;
    const { clusterId, controllerEpoch, version } = image;
    const { brokerId } = this.#options;
    const all = [...image.topics.values()];
    const partitions = all.reduce((sum, topic) => sum + topic.partitions.length, 0);
    const counts = { topics: all.length, partitions };
    const place = { brokerId, clusterId, controllerEpoch, version };
    return { ...place, isConnected, isBehind, alarm, ...counts };
  }

  async #changeTopic(request: ChangeRequest & { readonly name: string }): Promise<TopicRecord> {
    // Somebody may change or delete it before this member's turn comes again.
    const seen = new Map<string, TopicRecord>();
    const end = this.watch((change) => {
      if (change.kind === "topic-created" || change.kind === "topic-changed") {
        if (change.topic.name === request.name) seen.set(change.topic.id, change.topic);
      }
    });
    const id = String(await this.#asker.change(request).finally(end));
    const topic = this.#view.image.topicsById.get(id) ?? seen.get(id);
    if (topic) return topic;
    throw new ControlPlaneError("topic-unknown", "The topic was deleted at the same time.");
  }

  async #changePartitions(request: ChangeRequest): Promise<readonly PartitionOutcome[]> {
    return (await this.#asker.change(request)) as readonly PartitionOutcome[];
  }
}
