// GroupConsumer: a consumer that shares the partitions of its topics with the others of its group. What it owns is
// decided by a membership (classic or consumer protocol); this file reads what is owned, keeps the positions,
// commits them, and hands out records.

import type { TopicPartition } from "../broker.ts";
import type { Assignment, ConsumedBatch, ConsumedRecord } from "./api.ts";
import { ClassicMembership } from "./classic-membership.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { PartitionConsumer } from "./consumer.ts";
import { ConsumerMembership } from "./consumer-membership.ts";
import { closedError } from "./context.ts";
import { asClientError, ClientError } from "./error.ts";
import type { GroupBatch, GroupConsumer, GroupConsumerOptions } from "./group-api.ts";
import { type Committer, GroupCalls } from "./group-calls.ts";
import { type Membership, type Owner, placeKey, without } from "./membership.ts";
import { TopicChoice } from "./topic-choice.ts";
import type { GroupMember } from "./transaction-api.ts";

const autoCommitMsDefault = 5_000;
/** How long the iteration waits for records before it looks whether something else happened. */
const pollMs = 200;

/** A partition for as long as it is owned without a break. */
interface Hold extends TopicPartition {
  /** Where reading goes on after what was read; null: nothing was read yet. */
  position: number | null;
}

interface Polled {
  readonly batch: ConsumedBatch;
  readonly hold: Hold;
}

export class SharedConsumer implements GroupConsumer, Owner {
  readonly #calls: ClusterCalls;
  readonly #options: GroupConsumerOptions;
  /** Requests that wait for others have connections of their own: heartbeats and commits must not wait behind. */
  readonly #pools: { readonly soon: ConnectionPool; readonly joining: ConnectionPool };
  readonly #groups: GroupCalls;
  readonly #reader: PartitionConsumer;
  readonly #membership: Membership;
  readonly #held = new Map<string, Hold>();
  /** No longer read, but nobody else's yet: the program may still commit them. */
  #going: readonly Hold[] = [];
  #failure: ClientError | null = null;
  #isStopped = false;
  #isCommitting: Promise<void> | null = null;
  #committedMs: number;
  /** Changes of what is owned, one after the other. */
  #changing: Promise<void> = Promise.resolve();

  constructor(calls: ClusterCalls, options: GroupConsumerOptions) {
    const choice = new TopicChoice(options);
    this.#calls = calls;
    this.#options = options;
    const { context } = calls;
    this.#pools = { soon: new ConnectionPool(context), joining: new ConnectionPool(context) };
    this.#groups = new GroupCalls(calls, this.#pools.soon);
    const joining = new GroupCalls(calls, this.#pools.joining);
    this.#reader = new PartitionConsumer(calls, { ...options, offsetReset: this.#reset });
    this.#committedMs = context.nowMs();
    const parts = { groups: this.#groups, joining, options, choice, owner: this };
    this.#membership =
      options.protocol === "consumer"
        ? new ConsumerMembership(parts)
        : new ClassicMembership(parts);
  }

  get partitions(): readonly TopicPartition[] {
    return Array.from(this.#held.values(), ({ topic, partition }) => ({ topic, partition }));
  }

  get groupId(): string {
    return this.#options.groupId;
  }

  get memberId(): string {
    return this.#membership.memberId;
  }

  get generation(): number {
    return this.#membership.generation;
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<ConsumedRecord> {
    for await (const { batch, hold } of this.#polled()) {
      const { topic, partition } = hold;
      for (const record of batch) {
        // The partition may have gone while the last record was worked on: who has it now reads on from there.
        if (this.#isStopped || !this.#isHeld(hold)) break;
        const { offset, timestampMs, key, value, headers } = record;
        yield { topic, partition, offset, timestampMs, key, value, headers };
        hold.position = offset + 1;
        this.#commitIfDue();
      }
      if (!this.#isStopped && this.#isHeld(hold)) hold.position = batch.nextOffset;
    }
  }

  async *batches(): AsyncIterableIterator<GroupBatch> {
    for await (const { batch, hold } of this.#polled()) {
      yield Object.assign(batch, { member: this.#memberFor(hold) });
      hold.position = batch.nextOffset;
    }
  }

  commit(): Promise<void> {
    this.#committedMs = this.#calls.context.nowMs();
    return this.#membership.generation < 0
      ? Promise.resolve()
      : this.#store([...this.#held.values(), ...this.#going]);
  }

  rewind(): Promise<void> {
    return this.#change(async () => {
      const places = this.partitions;
      await this.#begin(places, places, await this.#starts(places));
    });
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    await this.#reader.stop();
    await this.#changing.catch(() => {});
    if (this.#commitsItself) await this.commit().catch(() => {});
    await this.#membership.stop();
    this.#pools.soon.close();
    this.#pools.joining.close();
  }

  // ---- what the membership says ----

  owned(): readonly TopicPartition[] {
    return this.partitions;
  }

  /** Partitions go: their positions are committed before anybody else gets them. */
  revoke(partitions: readonly TopicPartition[], options: { isLost: boolean }): Promise<void> {
    return this.#change(async () => {
      if (partitions.length === 0) return;
      const gone = partitions.flatMap((place) => this.#held.get(placeKey(place)) ?? []);
      for (const place of partitions) this.#held.delete(placeKey(place));
      await this.#reader.change({ gone: partitions, added: [] });
      if (options.isLost) {
        await this.#options.lost?.(partitions);
        return;
      }
      this.#going = gone;
      try {
        await this.#options.revoked?.(partitions);
        if (this.#commitsItself) await this.#store(gone).catch(() => {});
      } finally {
        this.#going = [];
      }
    });
  }

  assign(partitions: readonly TopicPartition[]): Promise<void> {
    return this.#change(async () => {
      const added = without(partitions, this.partitions);
      if (added.length === 0) return;
      const starts = await this.#starts(added);
      await this.#options.assigned?.(added);
      await this.#begin(added, [], starts);
    });
  }

  fail(error: ClientError): void {
    this.#failure = error;
  }

  // ---- reading ----

  async *#polled(): AsyncGenerator<Polled> {
    this.#membership.start();
    while (!this.#isStopped) {
      if (this.#failure !== null) throw this.#failure;
      this.#commitIfDue();
      const batch = await this.#reader.poll(pollMs);
      const hold = batch && this.#held.get(placeKey(batch));
      if (batch && hold) yield { batch, hold };
    }
  }

  get #reset(): "earliest" | "latest" | "error" {
    return this.#options.offsetReset ?? "latest";
  }

  get #commitsItself(): boolean {
    return this.#options.autoCommitMs !== 0;
  }

  #isHeld(hold: Hold): boolean {
    return this.#held.get(placeKey(hold)) === hold;
  }

  #change(run: () => Promise<void>): Promise<void> {
    const changed = this.#changing.catch(() => {}).then(run);
    this.#changing = changed;
    changed.catch((error: unknown) => this.fail(asClientError(error, "Changing partitions")));
    return changed;
  }

  /** Reading begins; what `gone` names is no longer read from where it was. */
  async #begin(
    places: readonly TopicPartition[],
    gone: readonly TopicPartition[],
    added: readonly Assignment[],
  ): Promise<void> {
    if (this.#isStopped) return;
    await this.#reader.change({ gone, added });
    for (const place of places) this.#held.set(placeKey(place), { ...place, position: null });
  }

  /** Waits, if need be, for a transaction that commits them, and for a coordinator. */
  async #starts(places: readonly TopicPartition[]): Promise<readonly Assignment[]> {
    const { groupId } = this.#options;
    const { context } = this.#calls;
    const where = `Fetching offsets of group ${groupId}`;
    const retry = (error: ClientError) => error.retriable && !this.#isStopped;
    const found = await context.retry({ where, timeoutMs: Number.POSITIVE_INFINITY, retry }, () =>
      this.#isStopped
        ? Promise.reject(closedError(where))
        : this.#groups.committed(groupId, places, { timeoutMs: 0 }),
    );
    const offsets = new Map(found.map((each) => [placeKey(each), each.offset]));
    return places.map(({ topic, partition }) => {
      const committed = offsets.get(placeKey({ topic, partition }));
      if (committed !== undefined) return { topic, partition, offset: committed };
      if (this.#reset !== "error") return { topic, partition, offset: this.#reset };
      const what = `Group ${groupId} has committed nothing of ${topic}-${partition}. Commit, or set offsetReset.`;
      throw new ClientError("OFFSET_OUT_OF_RANGE", what);
    });
  }

  // ---- committing ----

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

  async #store(holds: readonly Hold[]): Promise<void> {
    const places = holds.flatMap(({ topic, partition, position }) =>
      position === null ? [] : [{ topic, partition, offset: position }],
    );
    if (places.length === 0) return;
    const errors = await this.#groups.commit(this.groupId, places, this.#committer());
    const failed = errors.find((error) => error !== null);
    if (failed) throw failed;
  }

  #committer(): Committer {
    const { memberId, generation } = this.#membership;
    return { memberId, generation, groupInstanceId: this.#options.groupInstanceId ?? null };
  }

  /** In the newest generation as long as the partition is held without a break, else in that of the reading. */
  #memberFor(hold: Hold): GroupMember {
    const read = this.#committer();
    const now = () => (this.#isHeld(hold) ? this.#committer() : read);
    return {
      groupId: this.groupId,
      groupInstanceId: read.groupInstanceId,
      get memberId() {
        return now().memberId;
      },
      get generation() {
        return now().generation;
      },
    };
  }
}
