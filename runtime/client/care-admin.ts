// Looking after a cluster: what `admin().care` offers. Changes go to the controller; in Timberline, as in Kafka's
// KRaft mode, any broker passes them on.

import { alterPartitionReassignments } from "../kafka/apis/alter-partition-reassignments.ts";
import { describeCluster } from "../kafka/apis/describe-cluster.ts";
import { describeConfigs } from "../kafka/apis/describe-configs.ts";
import { describeQuorum } from "../kafka/apis/describe-quorum.ts";
import { electLeaders } from "../kafka/apis/elect-leaders.ts";
import { listPartitionReassignments } from "../kafka/apis/list-partition-reassignments.ts";
import { unregisterBroker } from "../kafka/apis/unregister-broker.ts";
import { resourceType } from "../kafka/config-resources.ts";
import { errorCodes } from "../kafka/error-codes.ts";
import { byTopic } from "../kafka/partition-places.ts";
import type {
  CareAdmin,
  CareOutcome,
  ClusterMembers,
  MetadataProgress,
  Reassignment,
} from "./care-api.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { errorFromCode } from "./error.ts";

/** Under this name Kafka's brokers answer for the cluster's metadata. */
const metadataTopic = "__cluster_metadata";
const electionTypes = { preferred: 0, unclean: 1 } as const;

export class ClusterCareAdmin implements CareAdmin {
  readonly #calls: ClusterCalls;

  constructor(calls: ClusterCalls) {
    this.#calls = calls;
  }

  members(): Promise<ClusterMembers> {
    const where = "Describing the cluster";
    const message = { includeClusterAuthorizedOperations: false, includeFencedBrokers: true };
    return this.#calls.anywhere(where, { api: describeCluster, message }, (answer) => {
      throwCode(answer, where);
      const { clusterId, controllerId } = answer;
      const brokers = answer.brokers
        .map(({ brokerId: id, host, port, rack, isFenced }) => ({ id, host, port, rack, isFenced }))
        .sort((a, b) => a.id - b.id);
      return { clusterId, controllerId, brokers };
    });
  }

  metadataProgress(): Promise<MetadataProgress> {
    const where = "Asking for the controller";
    const partitions = [{ partitionIndex: 0 }];
    const message = { topics: [{ topicName: metadataTopic, partitions }] };
    return this.#calls.anywhere(where, { api: describeQuorum, message }, (answer) => {
      throwCode(answer, where);
      const quorum = answer.topics[0]?.partitions[0];
      if (quorum === undefined || quorum.errorCode === errorCodes.LEADER_NOT_AVAILABLE) {
        return { controllerId: -1, controllerEpoch: -1, version: -1 };
      }
      throwCode(quorum, where);
      const { leaderId, leaderEpoch, highWatermark } = quorum;
      return { controllerId: leaderId, controllerEpoch: leaderEpoch, version: highWatermark };
    });
  }

  topicConfigs(topics: readonly string[], name: string): Promise<ReadonlyMap<string, string>> {
    const where = `Describing ${name} of topics`;
    const resources = topics.map((resourceName) => {
      return { resourceType: resourceType.topic, resourceName, configurationKeys: [name] };
    });
    const message = { resources, includeSynonyms: false, includeDocumentation: false };
    return this.#calls.anywhere(where, { api: describeConfigs, message }, ({ results }) => {
      const values = new Map<string, string>();
      for (const { errorCode, resourceName, configs } of results) {
        const value = configs.find((config) => config.name === name)?.value;
        // A topic that was deleted meanwhile has none.
        if (errorCode === errorCodes.NONE && value) values.set(resourceName, value);
      }
      return values;
    });
  }

  electLeaders(request: Parameters<CareAdmin["electLeaders"]>[0]): Promise<CareOutcome[]> {
    const where = "Electing leaders";
    const { kind, partitions } = request;
    const topicPartitions =
      partitions &&
      byTopic(partitions).map(([topic, places]) => {
        return { topic, partitions: places.map(({ partition }) => partition) };
      });
    const message = {
      ...{ electionType: electionTypes[kind], topicPartitions, timeoutMs: this.#timeoutMs },
    };
    return this.#calls.atController(where, async (connection) => {
      const answer = await connection.call(electLeaders, message);
      throwCode(answer, where);
      return answer.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
        partitionResult.map(({ partitionId: partition, errorCode, errorMessage }) => {
          const what = `Electing the leader of ${topic}-${partition}`;
          return { topic, partition, error: errorFromCode(errorCode, what, errorMessage) };
        }),
      );
    });
  }

  reassign(moves: Parameters<CareAdmin["reassign"]>[0]): Promise<CareOutcome[]> {
    const where = "Moving partitions";
    const topics = byTopic(moves).map(([name, places]) => ({
      name,
      partitions: places.map(({ partition: partitionIndex, replicas }) => {
        return { partitionIndex, replicas };
      }),
    }));
    return this.#calls.atController(where, async (connection) => {
      const message = { timeoutMs: this.#timeoutMs, topics };
      const answer = await connection.call(alterPartitionReassignments, message);
      throwCode(answer, where);
      return answer.responses.flatMap(({ name: topic, partitions }) =>
        partitions.map(({ partitionIndex: partition, errorCode, errorMessage }) => {
          const what = `Moving ${topic}-${partition}`;
          return { topic, partition, error: errorFromCode(errorCode, what, errorMessage) };
        }),
      );
    });
  }

  reassignments(): Promise<Reassignment[]> {
    const where = "Listing moves of partitions";
    return this.#calls.atController(where, async (connection) => {
      const message = { timeoutMs: this.#timeoutMs, topics: null };
      const answer = await connection.call(listPartitionReassignments, message);
      throwCode(answer, where);
      return answer.topics.flatMap(({ name: topic, partitions }) =>
        partitions.map((moving) => ({
          topic,
          partition: moving.partitionIndex,
          replicas: moving.replicas,
          adding: moving.addingReplicas,
          removing: moving.removingReplicas,
        })),
      );
    });
  }

  unregister(broker: number): Promise<void> {
    const where = `Forgetting broker ${broker}`;
    return this.#calls.atController(where, async (connection) => {
      throwCode(await connection.call(unregisterBroker, { brokerId: broker }), where);
    });
  }

  /** What the controller may take to carry out a change. */
  get #timeoutMs(): number {
    return this.#calls.context.settings.requestTimeoutMs;
  }
}

function throwCode(
  {
    errorCode,
    errorMessage,
  }: { readonly errorCode: number; readonly errorMessage?: string | null },
  where: string,
): void {
  const error = errorFromCode(errorCode, where, errorMessage ?? null);
  if (error !== null) throw error;
}
