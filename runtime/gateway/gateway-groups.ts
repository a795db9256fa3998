// GatewayGroups: consumer groups as the upstream's coordinators know them.

import { errorFromCode } from "../client/error.ts";
import { ClusterGroups } from "../client/groups.ts";
import type { BrokerError } from "../errors.ts";
import type {
  CommitRequest,
  ConsumerHeartbeat,
  ConsumerHeartbeatAnswer,
  FetchedOffset,
  FetchOffsetsRequest,
  GroupListing,
  GroupSummary,
} from "../group-coordinator.ts";
import { consumerGroupHeartbeat } from "../kafka/apis/consumer-group-heartbeat.ts";
import type { RoutableGroups } from "../routable-broker.ts";
import { inBrokersWords } from "../router/brokers-words.ts";
import type { Upstream } from "./upstream.ts";

export class GatewayGroups implements RoutableGroups {
  readonly #upstream: Upstream;
  readonly #groups: ClusterGroups;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
    this.#groups = new ClusterGroups(upstream.groups);
  }

  find(groupId: string): Promise<number> {
    const where = `Looking for the coordinator of group ${groupId}`;
    return this.#upstream.ask(() =>
      this.#upstream.groups.at(groupId, where, async (_, brokerId) => brokerId),
    );
  }

  list(): Promise<readonly GroupListing[]> {
    return this.#upstream.ask(() => this.#groups.list());
  }

  /** The epoch is -1: Kafka tells it to members only. */
  async summary(groupId: string): Promise<GroupSummary> {
    const found = await this.#upstream.ask(() => this.#groups.describe(groupId));
    const { protocolType, state, type, members } = found;
    return { groupId, protocolType, state, type, members, epoch: -1 };
  }

  async fetchOffsets({
    groupId,
    partitions,
  }: FetchOffsetsRequest): Promise<readonly FetchedOffset[]> {
    const found = await this.#upstream.ask(() =>
      this.#upstream.groups.committed(groupId, partitions),
    );
    const told = found.map((each) => ({ ...each, error: null, leaderEpoch: -1 }));
    if (partitions === null) return told;
    const byPlace = new Map(told.map((each) => [`${each.topic} ${each.partition}`, each]));
    return partitions.map(
      ({ topic, partition }) =>
        byPlace.get(`${topic} ${partition}`) ?? {
          ...{ topic, partition, error: null },
          ...{ offset: -1, leaderEpoch: -1, metadata: "" },
        },
    );
  }

  async commitOffsets(request: CommitRequest): Promise<readonly (BrokerError | null)[]> {
    const { groupId, memberId, generation, groupInstanceId, offsets } = request;
    const committer = { memberId, generation, groupInstanceId };
    const results = await this.#upstream.ask(() =>
      this.#upstream.groups.commit(groupId, offsets, committer),
    );
    return results.map((error) => error && inBrokersWords(error));
  }

  delete(groupId: string): Promise<void> {
    return this.#upstream.ask(() => this.#groups.delete(groupId));
  }

  consumerHeartbeat(request: ConsumerHeartbeat): Promise<ConsumerHeartbeatAnswer> {
    const { groupId, topicNames, topicRegex, owned, ...member } = request;
    const where = `Heartbeat of group ${groupId}`;
    const message = {
      ...{ groupId, subscribedTopicNames: topicNames, subscribedTopicRegex: topicRegex },
      ...{ topicPartitions: owned, memberId: member.memberId, memberEpoch: member.memberEpoch },
      ...{ instanceId: member.instanceId, rackId: member.rackId },
      ...{ rebalanceTimeoutMs: member.rebalanceTimeoutMs, serverAssignor: member.serverAssignor },
    };
    return this.#upstream.ask(() =>
      this.#upstream.groups.at(groupId, where, async (connection) => {
        const answer = await connection.call(consumerGroupHeartbeat, message);
        const error = errorFromCode(answer.errorCode, where, answer.errorMessage);
        if (error !== null) throw error;
        const { memberEpoch, heartbeatIntervalMs } = answer;
        const memberId = answer.memberId ?? request.memberId;
        const assignment = answer.assignment?.topicPartitions ?? null;
        return { memberId, memberEpoch, heartbeatIntervalMs, assignment };
      }),
    );
  }
}
