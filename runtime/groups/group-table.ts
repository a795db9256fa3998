// GroupTable: the groups this broker coordinates, by id, each with its membership and its committed offsets, and
// which partition of __consumer_offsets it is kept in. Replays that log at start. Knows no requests.

import { coordinatorPartition } from "../coordinator-partition.ts";
import { BrokerError } from "../errors.ts";
import type { ClassicGroup } from "./classic-group.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { GroupRecord } from "./group-records.ts";
import { GroupOffsets } from "./offsets.ts";
import type { Loaded } from "./offsets-log.ts";

export type Membership = ClassicGroup | ConsumerGroup;

export interface GroupEntry {
  readonly groupId: string;
  readonly partition: number;
  /** Undefined: somebody commits offsets, nobody ever joined. */
  group: Membership | undefined;
  readonly offsets: GroupOffsets;
}

export interface GroupMakers {
  classic(groupId: string): ClassicGroup;
  consumer(groupId: string): ConsumerGroup;
}

export class GroupTable {
  readonly #makers: GroupMakers;
  readonly #entries = new Map<string, GroupEntry>();
  #partitions = 0;

  constructor(makers: GroupMakers) {
    this.#makers = makers;
  }

  /** Partitions of the offsets topic; 0 while there is none. */
  get partitions(): number {
    return this.#partitions;
  }

  set partitions(count: number) {
    this.#partitions = count;
  }

  partitionOf(groupId: string): number {
    return this.#partitions === 0 ? -1 : coordinatorPartition(groupId, this.#partitions);
  }

  get(groupId: string): GroupEntry | undefined {
    return this.#entries.get(groupId);
  }

  all(): Iterable<GroupEntry> {
    return this.#entries.values();
  }

  /** The entry, made if there is none: nothing is persisted by that. */
  obtain(groupId: string): GroupEntry {
    let entry = this.#entries.get(groupId);
    if (entry === undefined) {
      const partition = this.partitionOf(groupId);
      entry = { groupId, partition, group: undefined, offsets: new GroupOffsets() };
      this.#entries.set(groupId, entry);
    }
    return entry;
  }

  remove(groupId: string): void {
    this.#entries.delete(groupId);
  }

  /** Forgets the groups of a partition that is no longer ours; who waits is told so. */
  forget(partition: number): void {
    const error = new BrokerError("NOT_COORDINATOR", "the group's coordinator has moved");
    for (const entry of this.#entries.values()) {
      if (entry.partition !== partition) continue;
      entry.group?.close(error);
      this.#entries.delete(entry.groupId);
    }
  }

  /** Takes in what the log says. */
  replay(loaded: Loaded): void {
    if (loaded.kind === "transaction-end") {
      const { producerId, outcome } = loaded;
      for (const { offsets } of this.#entries.values()) offsets.endTransaction(producerId, outcome);
      return;
    }
    const { record, place } = loaded;
    if (record.kind === "offset") this.#replayOffset(record, place);
    else if (record.kind === "classic-group") this.#replayClassic(record);
    else this.#consumer(record.groupId).replay(record);
  }

  /** After a partition was read: its groups live on, and what is nothing any more goes. */
  resume(partition: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.partition !== partition) continue;
      if (entry.group?.isForgotten) entry.group = undefined;
      if (entry.group) entry.group.resume();
      else if (entry.offsets.size === 0 && !entry.offsets.hasPending) this.remove(entry.groupId);
    }
  }

  #replayOffset(
    record: Extract<GroupRecord, { kind: "offset" }>,
    { offset, producerId }: { offset: number; producerId: number },
  ): void {
    const { topic, partition, value } = record;
    const { offsets } = this.obtain(record.groupId);
    if (value === null) offsets.delete({ topic, partition });
    else if (producerId >= 0) offsets.addPending(producerId, { topic, partition }, value, offset);
    else offsets.set(topic, partition, value, offset);
  }

  #replayClassic(record: Extract<GroupRecord, { kind: "classic-group" }>): void {
    const entry = this.obtain(record.groupId);
    if (record.value === null) {
      // A tombstone of the other protocol's: the group was converted.
      if (entry.group?.type === "classic") entry.group = undefined;
      return;
    }
    const group = this.#makers.classic(record.groupId);
    group.restore(record.value);
    entry.group = group;
  }

  #consumer(groupId: string): ConsumerGroup {
    const entry = this.obtain(groupId);
    if (entry.group?.type === "consumer") return entry.group;
    const group = this.#makers.consumer(groupId);
    // Tombstones of a group that became a classic one must not push that aside.
    if (entry.group === undefined) entry.group = group;
    return group;
  }
}
