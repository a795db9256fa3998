// A control plane that several brokers of one test share, with no log, no heartbeats and no delay: changes are the
// pure decisions of `cluster/decisions`, seen by all at once. The test says who is fenced.

import {
  applyChanges,
  type ClusterImage,
  emptyImage,
  type ImageChange,
} from "../../cluster/cluster-image.ts";
import type {
  BrokerRecord,
  ClusterChange,
  ControlPlane,
  IsrChange,
  PartitionOutcome,
  TopicRecord,
} from "../../cluster/control-plane.ts";
import {
  decideDrain,
  decideFencing,
  decideRegistration,
  decideRemoval,
  decideUnfencing,
} from "../../cluster/decisions/brokers.ts";
import { decideElections } from "../../cluster/decisions/elections.ts";
import { decideIsrChanges } from "../../cluster/decisions/isr-changes.ts";
import { decideReassignments } from "../../cluster/decisions/reassignment.ts";
import {
  decideBrokerConfigs,
  decideGroupConfigs,
  decideGrowth,
  decideTopic,
  decideTopicConfigs,
  decideTopicRemoval,
} from "../../cluster/decisions/topics.ts";
import { newIdBeside, type Random } from "../../cluster/random-id.ts";
import { Watchers } from "../../cluster/watchers.ts";

export class SharedPlane {
  image: ClusterImage = emptyImage("c2hhcmVkLXBsYW5lLXRlc3Q");
  readonly random: Random;
  /** ISR changes as they were asked. */
  readonly isrChanges: IsrChange[] = [];
  readonly #watchers = new Map<number, Watchers>();
  #incarnations = 0;
  #nextProducerId = 0;

  constructor(random: Random) {
    this.random = random;
  }

  /** The view of one broker. */
  open(brokerId: number): ControlPlane {
    const watchers = new Watchers();
    this.#watchers.set(brokerId, watchers);
    return new PlaneOfBroker(this, brokerId, watchers);
  }

  fence(...ids: number[]): void {
    this.commit(decideFencing(this.image, new Set(ids)));
  }

  unfence(...ids: number[]): void {
    this.commit(decideUnfencing(this.image, new Set(ids)));
  }

  commit(changes: readonly ImageChange[]): void {
    if (changes.length === 0) return;
    const before = this.image;
    const after = applyChanges(before, changes);
    const live = [...after.brokers.values()].find(({ fenced }) => !fenced);
    // Clients ask for the controller; here nobody is, so any live broker will do.
    this.image = { ...after, controllerId: live?.id ?? -1 };
    const commit = { changes, before, after: this.image };
    for (const watchers of this.#watchers.values()) watchers.tell(commit);
  }

  register(request: Parameters<ControlPlane["register"]>[0]): BrokerRecord {
    const incarnation = String(this.#incarnations++);
    const { changes } = decideRegistration(this.image, { ...request, incarnation });
    this.commit(changes);
    this.unfence(request.id);
    return this.image.brokers.get(request.id)!;
  }

  producerIds(count: number): number {
    this.#nextProducerId += count;
    return this.#nextProducerId - count;
  }
}

class PlaneOfBroker implements ControlPlane {
  readonly #plane: SharedPlane;
  readonly #brokerId: number;
  readonly #watchers: Watchers;

  constructor(plane: SharedPlane, brokerId: number, watchers: Watchers) {
    this.#plane = plane;
    this.#brokerId = brokerId;
    this.#watchers = watchers;
  }

  state() {
    return this.#plane.image;
  }

  watch(changed: (change: ClusterChange) => void): () => void {
    return this.#watchers.add(changed);
  }

  async register(request: Parameters<ControlPlane["register"]>[0]): Promise<BrokerRecord> {
    return this.#plane.register(request);
  }

  async createTopic(request: Parameters<ControlPlane["createTopic"]>[0]): Promise<TopicRecord> {
    const { image, random } = this.#plane;
    const id = request.id ?? newIdBeside(image.topicsById, random);
    const { topic, changes } = decideTopic(image, { ...request, id }, random);
    this.#plane.commit(changes);
    return topic;
  }

  async deleteTopic(name: string): Promise<void> {
    this.#plane.commit(decideTopicRemoval(this.#plane.image, name));
  }

  async createPartitions(request: Parameters<ControlPlane["createPartitions"]>[0]) {
    const { topic, changes } = decideGrowth(this.#plane.image, request);
    this.#plane.commit(changes);
    return topic;
  }

  async alterTopicConfigs(name: string, changes: ReadonlyMap<string, string | null>) {
    const decision = decideTopicConfigs(this.#plane.image, name, changes);
    this.#plane.commit(decision.changes);
    return decision.topic;
  }

  async alterBrokerConfigs(broker: number | null, changes: ReadonlyMap<string, string | null>) {
    this.#plane.commit(decideBrokerConfigs(this.#plane.image, broker, changes));
  }

  async alterGroupConfigs(groupId: string, changes: ReadonlyMap<string, string | null>) {
    this.#plane.commit(decideGroupConfigs(this.#plane.image, groupId, changes));
  }

  async allocateProducerIds(count: number): Promise<number> {
    return this.#plane.producerIds(count);
  }

  async alterIsr(changes: readonly IsrChange[]): Promise<readonly PartitionOutcome[]> {
    this.#plane.isrChanges.push(...changes);
    const decision = decideIsrChanges(this.#plane.image, this.#brokerId, changes);
    this.#plane.commit(decision.changes);
    return decision.outcomes;
  }

  async electLeaders(request: Parameters<ControlPlane["electLeaders"]>[0]) {
    const decision = decideElections(this.#plane.image, request);
    this.#plane.commit(decision.changes);
    return decision.outcomes;
  }

  async reassign(requests: Parameters<ControlPlane["reassign"]>[0]) {
    const decision = decideReassignments(this.#plane.image, requests);
    this.#plane.commit(decision.changes);
    return decision.outcomes;
  }

  async drain(): Promise<void> {
    this.#plane.commit(decideDrain(this.#plane.image, this.#brokerId));
  }

  async unregister(brokerId: number): Promise<void> {
    this.#plane.commit(decideRemoval(this.#plane.image, brokerId));
  }

  status() {
    const { controllerId, controllerEpoch, version } = this.#plane.image;
    return { controllerId, controllerEpoch, version, isConnected: true, ageMs: 0, alarm: null };
  }

  snapshot(): Uint8Array {
    throw new Error("a shared plane has no snapshots");
  }

  async restore(): Promise<void> {
    throw new Error("a shared plane has no snapshots");
  }

  async close(): Promise<void> {
    this.#watchers.clear();
  }
}
