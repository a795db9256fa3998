// GroupConsumer: a consumer that shares the partitions of its topics with the others of its group. What it owns is
// decided by a membership (classic or consumer protocol); this file reads what is owned, keeps the positions,
// commits them, and hands out records.

import type { TopicPartition } from "../broker.ts";
import type { Assignment, ConsumedRecord } from "./api.ts";
import { ClassicMembership } from "./classic-membership.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { PartitionConsumer } from "./consumer.ts";
import { ConsumerMembership } from "./consumer-membership.ts";
import { asClientError, type ClientError } from "./error.ts";
import type { GroupConsumer, GroupConsumerOptions } from "./group-api.ts";
import { type Committer, GroupCalls } from "./group-calls.ts";
import { type Membership, type Owner, placeKey } from "./membership.ts";

const autoCommitMsDefault = 5_000;
/** How long the iteration waits for records before it looks whether something else happened. */
const pollMs = 200;

export class SharedConsumer implements GroupConsumer, Owner {
  readonly #calls: ClusterCalls;
  readonly #options: GroupConsumerOptions;
  readonly #pool: ConnectionPool;
  readonly #groups: GroupCalls;
  readonly #reader: PartitionConsumer;
  readonly #membership: Membership;
  /** Read so far, by partition: what a commit stores. */
  readonly #positions = new Map<string, TopicPartition & { offset: number }>();
  /** Where reading began, for partitions of which nothing was read yet. */
  readonly #begins = new Map<string, number>();
  #owned: readonly TopicPartition[] = [];
  /** Rises when partitions come or go. */
  #version = 0;
  #failure: ClientError | null = null;
  #isStopped = false;
  #stopped: Promise<void> | undefined;
  #isCommitting: Promise<void> | null = null;
  #committedMs: number;
  /** Changes of what is owned, one after the other. */
  #changing: Promise<void> = Promise.resolve();

  constructor(calls: ClusterCalls, options: GroupConsumerOptions) {
    this.#calls = calls;
    this.#options = options;
    this.#pool = new ConnectionPool(calls.context);
    this.#groups = new GroupCalls(calls, this.#pool);
    this.#reader = new PartitionConsumer(calls, { ...options, offsetReset: this.#reset });
    this.#committedMs = calls.context.nowMs();
    const parts = { groups: this.#groups, options, owner: this };
    this.#membership =
      options.protocol === "consumer"
        ? new ConsumerMembership(parts)
        : new ClassicMembership(parts);
  }

  get partitions(): readonly TopicPartition[] {
    return this.#owned;
  }

  get memberId(): string {
    return this.#membership.memberId;
  }

  get generation(): number {
    return this.#membership.generation;
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<ConsumedRecord> {
    this.#membership.start();
    while (!this.#isStopped) {
      if (this.#failure !== null) throw this.#failure;
      await this.#changing;
      this.#commitIfDue();
      const batch = await this.#reader.poll(pollMs);
      if (batch === null) continue;
      const { topic, partition } = batch;
      const version = this.#version;
      for (const record of batch.records) {
        // Partitions may have moved while the last record was worked on: what is kept is read again from there.
        if (this.#isStopped || version !== this.#version) break;
        yield { topic, partition, ...record };
        if (this.#owns(batch)) this.#note({ topic, partition }, record.offset + 1);
        this.#commitIfDue();
      }
      // Only who was given all of the batch has read beyond its last record.
      if (!this.#isStopped && version === this.#version) {
        this.#note({ topic, partition }, batch.nextOffset);
      }
    }
  }

  commit(): Promise<void> {
    const places = [...this.#positions.values()];
    this.#committedMs = this.#calls.context.nowMs();
    if (places.length === 0 || this.#membership.generation < 0) return Promise.resolve();
    return this.#store(places);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    await this.#reader.stop();
    await this.#changing.catch(() => {});
    if (this.#commitsItself) await this.commit().catch(() => {});
    await this.#membership.stop();
    this.#pool.close();
  }

  // ---- what the membership says ----

  owned(): readonly TopicPartition[] {
    return this.#owned;
  }

  /** Partitions go: their positions are committed before anybody else gets them. */
  revoke(partitions: readonly TopicPartition[], options: { isLost: boolean }): Promise<void> {
    return this.#change(async () => {
      if (partitions.length === 0) return;
      const gone = new Set(partitions.map(placeKey));
      const kept = this.#owned.filter((place) => !gone.has(placeKey(place)));
      this.#owned = kept;
      this.#version++;
      if (!options.isLost) {
        await this.#options.revoked?.(partitions);
        const places = [...this.#positions.values()].filter((each) => gone.has(placeKey(each)));
        if (this.#commitsItself && places.length > 0) await this.#store(places).catch(() => {});
      }
      for (const key of gone) {
        this.#positions.delete(key);
        this.#begins.delete(key);
      }
      await this.#read(kept, []);
    });
  }

  assign(partitions: readonly TopicPartition[]): Promise<void> {
    return this.#change(async () => {
      const known = new Set(this.#owned.map(placeKey));
      const added = partitions.filter((place) => !known.has(placeKey(place)));
      if (added.length === 0) return;
      const starts = await this.#starts(added);
      await this.#options.assigned?.(added);
      const before = this.#owned;
      this.#owned = [...before, ...added];
      await this.#read(before, starts);
    });
  }

  fail(error: ClientError): void {
    this.#failure = error;
  }

  // ---- reading ----

  get #reset(): "earliest" | "latest" | "error" {
    return this.#options.offsetReset ?? "latest";
  }

  get #commitsItself(): boolean {
    return this.#options.autoCommitMs !== 0;
  }

  #change(run: () => Promise<void>): Promise<void> {
    const changed = this.#changing.catch(() => {}).then(run);
    this.#changing = changed;
    changed.catch((error: unknown) => this.fail(asClientError(error, "Changing partitions")));
    return changed;
  }

  /** Reads on with the kept ones where they are, and with the others from their start. */
  async #read(kept: readonly TopicPartition[], starts: readonly Assignment[]): Promise<void> {
    if (this.#isStopped) return;
    this.#version++;
    const going = kept.map(({ topic, partition }) => {
      const key = placeKey({ topic, partition });
      const offset = this.#positions.get(key)?.offset ?? this.#begins.get(key) ?? 0;
      return { topic, partition, offset };
    });
    await this.#reader.assign([...going, ...starts]);
    for (const place of starts) {
      this.#begins.set(placeKey(place), this.#reader.position(place) ?? 0);
    }
  }

  async #starts(places: readonly TopicPartition[]): Promise<readonly Assignment[]> {
    const { groupId } = this.#options;
    const found = await this.#groups.committed(groupId, places, this.#committer());
    const offsets = new Map(found.map((each) => [placeKey(each), each.offset]));
    return places.map(({ topic, partition }) => {
      const committed = offsets.get(placeKey({ topic, partition }));
      if (committed !== undefined) return { topic, partition, offset: committed };
      if (this.#reset !== "error") return { topic, partition, offset: this.#reset };
      const what = `Group ${groupId} has committed nothing of ${topic}-${partition}.`;
      throw asClientError(Object.assign(new Error(what), { code: "OFFSET_NOT_AVAILABLE" }), what);
    });
  }

  #owns({ topic, partition }: TopicPartition): boolean {
    return this.#owned.some((each) => each.partition === partition && each.topic === topic);
  }

  // ---- committing ----

  #note(place: TopicPartition, offset: number): void {
    this.#positions.set(placeKey(place), { ...place, offset });
  }

  #commitIfDue(): void {
    const everyMs = this.#options.autoCommitMs ?? autoCommitMsDefault;
    const isDue = this.#calls.context.nowMs() - this.#committedMs >= everyMs;
    if (everyMs === 0 || !isDue || this.#isCommitting !== null) return;
    this.#isCommitting = this.commit()
      // A rebalance is under way, or the coordinator moves: the next one commits the same and more.
      .catch(() => {})
      .finally(() => {
        this.#isCommitting = null;
      });
  }

  async #store(places: readonly (TopicPartition & { offset: number })[]): Promise<void> {
    const { groupId } = this.#options;
    const errors = await this.#groups.commit(groupId, places, this.#committer());
    const failed = errors.find((error) => error !== null);
    if (failed) throw failed;
  }

  #committer(): Committer {
    const { memberId, generation } = this.#membership;
    return { memberId, generation, groupInstanceId: this.#options.groupInstanceId ?? null };
  }
}
