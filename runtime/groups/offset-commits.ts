// Offset commits: who may commit, read and delete a group's offsets, and which are no longer kept. Writes go to
// the log first and count from then on; answers wait until they are durable. Used by `coordinator.ts` only.

import type { ClusterState } from "../../cluster/control-plane.ts";
import type { TopicPartition } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type {
  CommitRequest,
  FetchedOffset,
  FetchOffsetsRequest,
  OffsetToCommit,
} from "../group-coordinator.ts";
import type { Clock } from "../platform.ts";
import { offsetsTopic } from "../topic-name.ts";
import { unknownMember } from "./classic-members.ts";
import { memberEpochsSince } from "./consumer-group-state.ts";
import type { GroupRecord, OffsetRecord } from "./group-records.ts";
import type { GroupEntry, GroupTable } from "./group-table.ts";
import type { OffsetsLog, TransactionalProducer } from "./offsets-log.ts";

export interface OffsetCommitsOptions {
  readonly table: GroupTable;
  readonly log: OffsetsLog;
  readonly clock: Clock;
  cluster(): ClusterState;
  metadataBytesMax(): number;
  retentionMs(): number;
  committed(count: number): void;
}

type Results = readonly (BrokerError | null)[];

export class OffsetCommits {
  readonly #options: OffsetCommitsOptions;

  constructor(options: OffsetCommitsOptions) {
    this.#options = options;
  }

  /** With `producer`: held back until its transaction ends. */
  async commit(request: CommitRequest, producer?: TransactionalProducer): Promise<Results> {
    const entry = this.#admit(request, producer !== undefined);
    const results = request.offsets.map((offset) => this.#complaint(offset));
    const nowMs = this.#options.clock.nowMs();
    const expireTimestampMs = request.retentionMs < 0 ? -1 : nowMs + request.retentionMs;
    const records: OffsetRecord[] = [];
    for (const [i, offset] of request.offsets.entries()) {
      if (results[i] !== null) continue;
      const { topic, partition, leaderEpoch, metadata } = offset;
      const topicId = this.#options.cluster().topics.get(topic)!.id;
      const times = { commitTimestampMs: nowMs, expireTimestampMs };
      const value = { offset: offset.offset, leaderEpoch, metadata, ...times };
      records.push({ kind: "offset", groupId: request.groupId, topic, topicId, partition, value });
    }
    if (records.length > 0) await this.#store(entry, records, producer);
    return results;
  }

  fetch(request: FetchOffsetsRequest): readonly FetchedOffset[] {
    const entry = this.#options.table.get(request.groupId);
    const isMember = request.memberId !== null || request.memberEpoch >= 0;
    if (isMember && entry?.group)
      entry.group.checkFetch(request.memberId ?? "", request.memberEpoch);
    const asked = request.partitions ?? [...(entry?.offsets.entries() ?? [])];
    return asked.map(({ topic, partition }) => {
      const place = { topic, partition };
      if (request.requireStable && entry?.offsets.isPending(place)) {
        const error = new BrokerError("UNSTABLE_OFFSET_COMMIT", "a transaction commits it now");
        return { ...place, ...noOffset, error };
      }
      const found = entry?.offsets.get(place);
      if (found === undefined) return { ...place, ...noOffset };
      const { offset, leaderEpoch, metadata } = found;
      return { ...place, error: null, offset, leaderEpoch, metadata };
    });
  }

  /** Refused for topics that members of the group read. */
  async delete(entry: GroupEntry, partitions: readonly TopicPartition[]): Promise<Results> {
    const { group } = entry;
    if (group?.type === "classic" && group.state !== "Empty" && !group.isConsumerGroup) {
      throw new BrokerError("NON_EMPTY_GROUP", `group '${entry.groupId}' has members`);
    }
    const results = partitions.map(({ topic }) =>
      group && group.state !== "Empty" && group.subscribedTopics?.has(topic) !== false
        ? new BrokerError("GROUP_SUBSCRIBED_TO_TOPIC", `members of the group read '${topic}'`)
        : null,
    );
    await this.#forget(
      entry,
      partitions.filter((each, i) => results[i] === null && entry.offsets.get(each)),
    );
    return results;
  }

  /** A topic is gone: so are its offsets, before another of its name comes. */
  async forgetTopic(topic: string): Promise<void> {
    for (const entry of [...this.#options.table.all()]) {
      const places = [...entry.offsets.entries()].filter((each) => each.topic === topic);
      await this.#forget(entry, places);
    }
  }

  /** Drops what retention no longer keeps; returns how many. */
  async expire(entry: GroupEntry): Promise<number> {
    const { group, offsets } = entry;
    const isIdle = group === undefined || group.state === "Empty";
    // Members of who knows what protocol: what they read is not known, so nothing expires.
    if (!isIdle && group.subscribedTopics === undefined) return 0;
    const gone = offsets.expired({
      nowMs: this.#options.clock.nowMs(),
      retentionMs: this.#options.retentionMs(),
      idleSinceMs: isIdle ? group?.stateSinceMs : undefined,
      subscribed: isIdle ? undefined : group.subscribedTopics,
    });
    await this.#forget(entry, gone);
    return gone.length;
  }

  tombstones(entry: GroupEntry): GroupRecord[] {
    return [...entry.offsets.entries()].map(({ topic, partition }) =>
      tombstone(entry.groupId, { topic, partition }),
    );
  }

  #admit(request: CommitRequest, isTransactional: boolean): GroupEntry {
    const { table } = this.#options;
    const entry = table.get(request.groupId);
    const isKnown =
      entry?.group !== undefined || entry?.offsets.hasPending || (entry?.offsets.size ?? 0) > 0;
    if (!isKnown && request.generation >= 0) {
      throw request.version >= memberEpochsSince && !isTransactional
        ? new BrokerError("GROUP_ID_NOT_FOUND", `there is no group '${request.groupId}'`)
        : new BrokerError("ILLEGAL_GENERATION", `there is no group '${request.groupId}'`);
    }
    // A group that only ever committed has no members.
    if (entry?.group === undefined && request.generation >= 0) {
      throw unknownMember(request.memberId);
    }
    try {
      entry?.group?.checkCommit(request, { isTransactional, version: request.version });
    } catch (error) {
      const isStale = error instanceof BrokerError && error.code === "STALE_MEMBER_EPOCH";
      // TxnOffsetCommit knows generations only, in all its versions.
      if (!isStale || !isTransactional) throw error;
      throw new BrokerError("ILLEGAL_GENERATION", error.message, { cause: error });
    }
    return table.obtain(request.groupId);
  }

  #complaint({ topic, partition, metadata }: OffsetToCommit): BrokerError | null {
    if (this.#options.cluster().topics.get(topic)?.partitions[partition] === undefined) {
      return new BrokerError(
        "UNKNOWN_TOPIC_OR_PARTITION",
        `there is no partition ${partition} of topic '${topic}'`,
      );
    }
    const bytesMax = this.#options.metadataBytesMax();
    if (metadata.length <= bytesMax) return null;
    return new BrokerError(
      "OFFSET_METADATA_TOO_LARGE",
      `metadata of ${metadata.length} characters, offset.metadata.max.bytes is ${bytesMax}`,
    );
  }

  async #store(
    entry: GroupEntry,
    records: readonly OffsetRecord[],
    producer: TransactionalProducer | undefined,
  ): Promise<void> {
    const { baseOffset, durable } = this.#append(entry, records, producer);
    for (const [i, { topic, partition, value }] of records.entries()) {
      if (value === null) continue;
      if (producer === undefined) entry.offsets.set(topic, partition, value, baseOffset + i);
      else {
        const place = { topic, partition };
        entry.offsets.addPending(producer.producerId, place, value, baseOffset + i);
      }
    }
    this.#options.committed(records.length);
    await durable;
  }

  #append(
    entry: GroupEntry,
    records: readonly OffsetRecord[],
    producer: TransactionalProducer | undefined,
  ) {
    try {
      return this.#options.log.append(entry.partition, records, { producer });
    } catch (cause) {
      throw commitError(cause);
    }
  }

  async #forget(entry: GroupEntry, places: readonly TopicPartition[]): Promise<void> {
    if (places.length === 0) return;
    const records = places.map((place) => tombstone(entry.groupId, place));
    const { durable } = this.#options.log.append(entry.partition, records, { maySplit: true });
    for (const place of places) entry.offsets.delete(place);
    await durable;
  }
}

const noOffset = { error: null, offset: -1, leaderEpoch: -1, metadata: "" };

function tombstone(groupId: string, { topic, partition }: TopicPartition): OffsetRecord {
  return { kind: "offset", groupId, topic, partition, value: null };
}

/** What a failed append is to those who commit: Kafka's translation. */
function commitError(cause: unknown): unknown {
  if (!(cause instanceof BrokerError)) return cause;
  const { code, message } = cause;
  if (code === "MESSAGE_TOO_LARGE" || code === "RECORD_LIST_TOO_LARGE") {
    return new BrokerError("INVALID_COMMIT_OFFSET_SIZE", message, { cause });
  }
  if (code === "NOT_LEADER_OR_FOLLOWER" || code === "KAFKA_STORAGE_ERROR") {
    return new BrokerError("NOT_COORDINATOR", message, { cause });
  }
  if (code === "UNKNOWN_TOPIC_OR_PARTITION" || code === "NOT_ENOUGH_REPLICAS") {
    const what = `${offsetsTopic} cannot be written: ${message}`;
    return new BrokerError("COORDINATOR_NOT_AVAILABLE", what, { cause });
  }
  return cause;
}
