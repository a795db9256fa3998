// What the coordinator wrote into __consumer_offsets of each group, in order: every commit, and who owned what. It
// is read through the Kafka door, as anybody may.

import type { Client } from "../../../runtime/client/mod.ts";
import { readAssignment } from "../../../runtime/consumer-protocol.ts";
import { javaHash } from "../../../runtime/coordinator-partition.ts";
import type {
  StoredCurrentAssignment,
  StoredPartitions,
} from "../../../runtime/groups/consumer-group-records.ts";
import {
  decodeGroupRecord,
  type GroupRecord,
  type StoredClassicGroup,
} from "../../../runtime/groups/group-records.ts";
import type { Commit, GroupLog, Owner, Ownership } from "./history.ts";

const offsetsTopic = "__consumer_offsets";
const pollMsMax = 10_000;

export async function readGroupLog(client: Client, group: string): Promise<GroupLog> {
  const { partitions } = await client.admin().topic(offsetsTopic);
  const partition = Math.abs(javaHash(group)) % partitions.length;
  const scribe = new Scribe();
  const consumer = client.consumer();
  await consumer.assign([{ topic: offsetsTopic, partition, offset: "earliest" }]);
  for (;;) {
    const batch = await consumer.poll(pollMsMax);
    if (batch === null) throw new Error(`${offsetsTopic}-${partition} cannot be read to its end`);
    for (const { key, value } of batch.records) {
      const record = key === null ? undefined : decodeGroupRecord({ key, value });
      if (record?.groupId === group) scribe.hear(record);
    }
    if (batch.nextOffset >= batch.highWatermark) break;
  }
  await consumer.stop();
  return scribe;
}

/** Makes a group's story of its records. */
class Scribe implements GroupLog {
  readonly commits: Commit[] = [];
  readonly ownerships: Ownership[] = [];
  readonly #instances = new Map<string, string>();
  readonly #held = new Map<string, StoredCurrentAssignment>();

  hear(record: GroupRecord): void {
    if (record.kind === "offset" && record.value !== null) {
      const { offset, commitTimestampMs: atMs } = record.value;
      this.commits.push({ partition: record.partition, offset, atMs });
    } else if (record.kind === "classic-group" && record.value !== null) {
      this.#hearClassic(record.value);
    } else if (record.kind === "consumer-member") {
      const instance = record.value?.instanceId ?? null;
      if (instance !== null) this.#instances.set(record.memberId, instance);
    } else if (record.kind === "consumer-current") {
      if (record.value === null) this.#held.delete(record.memberId);
      else this.#hearConsumer(record.memberId, record.value);
    }
  }

  #hearClassic({ generation, members }: StoredClassicGroup): void {
    if (members.length === 0) return;
    const owners = members.map(({ groupInstanceId, memberId, assignment }): Owner => {
      const topics = readAssignment(assignment) ?? [];
      const partitions = topics.flatMap((each) => each.partitions);
      return { name: groupInstanceId ?? memberId, partitions };
    });
    this.ownerships.push({ generation, isWhole: true, members: owners });
  }

  /** Until a member has given back what it shall, it has it. */
  #hearConsumer(memberId: string, current: StoredCurrentAssignment): void {
    this.#held.set(memberId, current);
    const members = Array.from(this.#held, ([id, { assigned, pendingRevocation }]): Owner => {
      const partitions = [...numbers(assigned), ...numbers(pendingRevocation)];
      return { name: this.#instances.get(id) ?? id, partitions };
    });
    this.ownerships.push({ generation: current.memberEpoch, isWhole: false, members });
  }
}

function numbers(topics: StoredPartitions): number[] {
  return topics.flatMap(({ partitions }) => partitions);
}
