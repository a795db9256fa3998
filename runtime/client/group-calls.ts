// GroupCalls: a group's offsets, stored and read at the broker that coordinates it. Admin and group consumers ask
// through it, and send whatever else concerns a group.

import type { TopicPartition } from "../broker.ts";
import { offsetCommit } from "../kafka/apis/offset-commit.ts";
import { offsetFetch } from "../kafka/apis/offset-fetch.ts";
import type { BrokerConnection } from "./broker-connection.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { Coordinators } from "./coordinators.ts";
import { type ClientError, errorFromCode } from "./error.ts";
import type { GroupOffset } from "./group-api.ts";

/** Names topics by id from here on; names are what we have. */
const topicIdsSince = 10;

export interface OffsetToCommit extends TopicPartition {
  readonly offset: number;
  readonly metadata?: string;
}

/** Who commits: nobody in particular, or a member of a generation (or member epoch). */
export interface Committer {
  readonly memberId: string;
  readonly generation: number;
  readonly groupInstanceId: string | null;
}

export const nobody: Committer = { memberId: "", generation: -1, groupInstanceId: null };

export class GroupCalls extends Coordinators {
  constructor(calls: ClusterCalls, pool: ConnectionPool) {
    super(calls, pool, "group");
  }

  /** One error per offset, in order. */
  commit(
    groupId: string,
    offsets: readonly OffsetToCommit[],
    committer: Committer = nobody,
  ): Promise<readonly (ClientError | null)[]> {
    const where = `Committing offsets of group ${groupId}`;
    return this.at(groupId, where, async (connection) => {
      const topics = byTopic(offsets, ({ partition, offset, metadata = "" }) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedMetadata: metadata,
      }));
      const message = {
        groupId,
        memberId: committer.memberId,
        groupInstanceId: committer.groupInstanceId,
        generationIdOrMemberEpoch: committer.generation,
        topics,
      };
      const answer = await connection.call(offsetCommit, message, {
        versionMax: topicIdsSince - 1,
      });
      const codes = new Map(
        answer.topics.flatMap(({ name, partitions }) =>
          partitions.map((each) => [`${name} ${each.partitionIndex}`, each.errorCode] as const),
        ),
      );
      return offsets.map(({ topic, partition }) => {
        const whole = `${where}, ${topic}-${partition}`;
        const error = errorFromCode(codes.get(`${topic} ${partition}`) ?? -1, whole);
        // The coordinator's trouble is everyone's: all is tried again.
        if (error?.retriable && error.code !== "UNKNOWN_TOPIC_OR_PARTITION") throw error;
        return error;
      });
    });
  }

  /**
   * Null: all that was committed. Partitions without an offset are left out. UNSTABLE_OFFSET_COMMIT while a
   * transaction commits some.
   */
  committed(
    groupId: string,
    partitions: readonly TopicPartition[] | null,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<readonly GroupOffset[]> {
    const where = `Fetching offsets of group ${groupId}`;
    const fetch = (connection: BrokerConnection) => this.#fetch(connection, groupId, partitions);
    return this.at(groupId, where, fetch, options.timeoutMs);
  }

  async #fetch(
    connection: BrokerConnection,
    groupId: string,
    partitions: readonly TopicPartition[] | null,
  ): Promise<readonly GroupOffset[]> {
    const where = `Fetching offsets of group ${groupId}`;
    const wanted = partitions && byTopic(partitions, ({ partition }) => partition);
    const topics =
      wanted?.map(({ name, partitions: partitionIndexes }) => ({ name, partitionIndexes })) ?? null;
    const group = { groupId, topics, memberId: null, memberEpoch: -1 };
    const message = { groupId, topics, groups: [group], requireStable: true };
    const answer = await connection.call(offsetFetch, message, { versionMax: topicIdsSince - 1 });
    const one = answer.groups[0] ?? answer;
    const error = errorFromCode(one.errorCode, where);
    if (error !== null) throw error;
    const found: GroupOffset[] = [];
    for (const { name: topic, partitions: answered } of one.topics) {
      for (const { partitionIndex: partition, errorCode, ...each } of answered) {
        const failure = errorFromCode(errorCode, `${where}, ${topic}-${partition}`);
        if (failure !== null) throw failure;
        const { committedOffset: offset, metadata } = each;
        if (offset >= 0) found.push({ topic, partition, offset, metadata: metadata ?? "" });
      }
    }
    return found;
  }
}

export function byTopic<T extends TopicPartition, R>(
  places: readonly T[],
  one: (place: T) => R,
): { name: string; partitions: R[] }[] {
  const topics = new Map<string, R[]>();
  for (const place of places) {
    const partitions = topics.get(place.topic) ?? [];
    topics.set(place.topic, partitions);
    partitions.push(one(place));
  }
  return Array.from(topics, ([name, partitions]) => ({ name, partitions }));
}
