// Admin: topics, partitions, configs, offsets, log folders and producers, each method one Kafka request sent to
// the broker that has to answer it. What fails rejects; only `listOffsets` and `logDirs` answer item by item.

import type { ConfigEntry, ProducerView, TopicPartition } from "../broker.ts";
import { createPartitions } from "../kafka/apis/create-partitions.ts";
import { createTopics } from "../kafka/apis/create-topics.ts";
import { deleteRecords } from "../kafka/apis/delete-records.ts";
import { deleteTopics } from "../kafka/apis/delete-topics.ts";
import { describeConfigs } from "../kafka/apis/describe-configs.ts";
import { describeLogDirs } from "../kafka/apis/describe-log-dirs.ts";
import { describeProducers } from "../kafka/apis/describe-producers.ts";
import { incrementalAlterConfigs } from "../kafka/apis/incremental-alter-configs.ts";
import { resourceType } from "../kafka/config-resources.ts";
import type { ResponseOf } from "../kafka/schema.ts";
import { zeroUuid } from "../kafka/uuid.ts";
import type {
  Admin,
  ClusterInfo,
  ConfigOperation,
  ConfigResource,
  ConsumerOptions,
  LogDirInfo,
  NewTopic,
  OffsetSpec,
  PartitionOffset,
  TopicInfo,
} from "./api.ts";
import { ClusterCareAdmin } from "./care-admin.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { configEntry } from "./config-entries.ts";
import { ClientError, errorFromCode } from "./error.ts";
import type { TopicMetadata } from "./metadata.ts";
import { ClusterCopies } from "./metadata-copies.ts";
import { askOffsets } from "./offsets.ts";
import { ClusterTransactions } from "./transaction-admin.ts";

/** How long a new topic may take until all its partitions have leaders. */
const leadersWaitMsMax = 10_000;
const configOperations = { set: 0, delete: 1, append: 2, subtract: 3 } as const;

export class ClusterAdmin implements Admin {
  readonly #calls: ClusterCalls;

  readonly transactions: ClusterTransactions;
  readonly care: ClusterCareAdmin;
  readonly copies: ClusterCopies;

  constructor(calls: ClusterCalls) {
    this.#calls = calls;
    this.transactions = new ClusterTransactions(calls);
    this.care = new ClusterCareAdmin(calls);
    this.copies = new ClusterCopies(calls);
  }

  // ---- topics ----

  async createTopic(
    topic: NewTopic,
    { validateOnly = false }: { readonly validateOnly?: boolean } = {},
  ): Promise<TopicInfo> {
    const where = `Creating topic ${topic.name}`;
    await this.#calls.atController(where, async (connection) => {
      const { timeoutMs } = this;
      const message = { topics: [newTopic(topic)], timeoutMs, validateOnly };
      const { topics } = await connection.call(createTopics, message);
      assertDone(topics[0], where);
    });
    if (validateOnly) return { name: topic.name, id: zeroUuid, isInternal: false, partitions: [] };
    return this.#withLeaders(topic.name);
  }

  async deleteTopic(name: string): Promise<void> {
    const where = `Deleting topic ${name}`;
    await this.#calls.atController(where, async (connection) => {
      const { timeoutMs } = this;
      const topics = [{ name, topicId: zeroUuid }];
      const message = { topics, topicNames: [name], timeoutMs };
      const { responses } = await connection.call(deleteTopics, message);
      assertDone(responses[0], where);
    });
    this.#calls.metadata.invalidate(name);
  }

  async topics(names?: readonly string[]): Promise<readonly TopicInfo[]> {
    const { context, metadata } = this.#calls;
    const timeoutMs = context.settings.operationTimeoutMs;
    const retry = (error: ClientError) =>
      error.retriable && error.code !== "UNKNOWN_TOPIC_OR_PARTITION";
    const found = await context.retry({ where: "Listing topics", timeoutMs, retry }, () =>
      metadata.fetch(names ?? null),
    );
    return found.map(topicInfo);
  }

  async topic(name: string): Promise<TopicInfo> {
    const [topic] = await this.topics([name]);
    if (topic !== undefined) return topic;
    const what = `Topic ${name}: the broker's answer leaves it out. Does it exist?`;
    throw new ClientError("UNKNOWN_TOPIC_OR_PARTITION", what);
  }

  async createPartitions(topic: string, partitions: number): Promise<void> {
    const where = `Adding partitions to ${topic}`;
    await this.#calls.atController(where, async (connection) => {
      const { timeoutMs } = this;
      const topics = [{ name: topic, count: partitions, assignments: null }];
      const message = { topics, timeoutMs, validateOnly: false };
      const { results } = await connection.call(createPartitions, message);
      assertDone(results[0], where);
    });
    this.#calls.metadata.invalidate(topic);
  }

  // ---- configs ----

  describeConfigs(
    resource: ConfigResource,
    options: { readonly names?: readonly string[]; readonly documentation?: boolean } = {},
  ): Promise<readonly ConfigEntry[]> {
    const where = `Describing configs of ${resourceText(resource)}`;
    const wanted = { ...wireResource(resource), configurationKeys: options.names ?? null };
    const message = {
      resources: [wanted],
      includeSynonyms: true,
      includeDocumentation: options.documentation ?? false,
    };
    const check = ({ results }: ResponseOf<typeof describeConfigs>) => {
      const result = results[0];
      assertDone(result, where);
      return result.configs.map(configEntry);
    };
    if (resource.kind !== "broker" || resource.broker === null) {
      return this.#calls.anywhere(where, { api: describeConfigs, message }, check);
    }
    return this.#calls.atBroker(resource.broker, where, async (connection) =>
      check(await connection.call(describeConfigs, message)),
    );
  }

  alterConfigs(
    resource: ConfigResource,
    operations: readonly ConfigOperation[],
    { validateOnly = false }: { readonly validateOnly?: boolean } = {},
  ): Promise<void> {
    const where = `Altering configs of ${resourceText(resource)}`;
    const configs = operations.map((operation) => ({
      name: operation.name,
      configOperation: configOperations[operation.op],
      value: operation.op === "delete" ? null : operation.value,
    }));
    const message = { resources: [{ ...wireResource(resource), configs }], validateOnly };
    const check = ({ responses }: ResponseOf<typeof incrementalAlterConfigs>) =>
      assertDone(responses[0], where);
    if (resource.kind !== "broker" || resource.broker === null) {
      return this.#calls.anywhere(where, { api: incrementalAlterConfigs, message }, check);
    }
    return this.#calls.atBroker(resource.broker, where, async (connection) =>
      check(await connection.call(incrementalAlterConfigs, message)),
    );
  }

  // ---- partitions ----

  listOffsets(
    asked: readonly (TopicPartition & { readonly spec: OffsetSpec })[],
    options: { readonly isolation?: ConsumerOptions["isolation"] } = {},
  ): Promise<readonly PartitionOffset[]> {
    return askOffsets(this.#calls, asked, options.isolation);
  }

  deleteRecords({ topic, partition }: TopicPartition, offset: number): Promise<number> {
    const where = `Deleting records of ${topic}-${partition}`;
    return this.#calls.atLeader({ topic, partition }, where, async (connection) => {
      const partitions = [{ partitionIndex: partition, offset }];
      const message = { topics: [{ name: topic, partitions }], timeoutMs: this.timeoutMs };
      const { topics } = await connection.call(deleteRecords, message);
      const answer = topics[0]?.partitions[0];
      assertDone(answer, where);
      return answer.lowWatermark;
    });
  }

  producers({ topic, partition }: TopicPartition): Promise<readonly ProducerView[]> {
    const where = `Describing producers of ${topic}-${partition}`;
    return this.#calls.atLeader({ topic, partition }, where, async (connection) => {
      const message = { topics: [{ name: topic, partitionIndexes: [partition] }] };
      const { topics } = await connection.call(describeProducers, message);
      const answer = topics[0]?.partitions[0];
      assertDone(answer, where);
      return answer.activeProducers.map((producer) => ({
        producerId: producer.producerId,
        producerEpoch: producer.producerEpoch,
        lastSequence: producer.lastSequence,
        lastTimestampMs: producer.lastTimestamp,
        coordinatorEpoch: producer.coordinatorEpoch,
        transactionStartOffset: producer.currentTxnStartOffset,
      }));
    });
  }

  // ---- cluster ----

  async cluster(): Promise<ClusterInfo> {
    const { context, metadata } = this.#calls;
    const timeoutMs = context.settings.operationTimeoutMs;
    await context.retry({ where: "Describing the cluster", timeoutMs }, () => metadata.fetch([]));
    const { clusterId, controllerId, brokers } = metadata;
    return { clusterId, controllerId, brokers: [...brokers.values()] };
  }

  async logDirs(broker?: number): Promise<readonly LogDirInfo[]> {
    const ids =
      broker === undefined ? (await this.cluster()).brokers.map(({ id }) => id) : [broker];
    const found = await Promise.all(ids.map((id) => this.#logDirsOf(id)));
    return found.flat();
  }

  #logDirsOf(broker: number): Promise<readonly LogDirInfo[]> {
    const where = `Describing log folders of broker ${broker}`;
    return this.#calls.atBroker(broker, where, async (connection) => {
      const answer = await connection.call(describeLogDirs, { topics: null });
      const error = errorFromCode(answer.errorCode, where);
      if (error !== null) throw error;
      return answer.results.map((dir) => ({
        broker,
        path: dir.logDir,
        error: errorFromCode(dir.errorCode, where),
        totalBytes: dir.totalBytes,
        usableBytes: dir.usableBytes,
        partitions: dir.topics.flatMap(({ name: topic, partitions }) =>
          partitions.map(({ partitionIndex: partition, partitionSize: sizeBytes }) => ({
            topic,
            partition,
            sizeBytes,
          })),
        ),
      }));
    });
  }

  /** What brokers may take to carry out a change. */
  private get timeoutMs(): number {
    return this.#calls.context.settings.requestTimeoutMs;
  }

  #withLeaders(name: string): Promise<TopicInfo> {
    const { context, metadata } = this.#calls;
    const where = `Waiting for the leaders of ${name}`;
    const retry = (error: ClientError) => error.retriable;
    return context.retry({ where, timeoutMs: leadersWaitMsMax, retry }, async () => {
      const [topic] = await metadata.fetch([name]);
      if (topic !== undefined && topic.available.length === topic.partitions.length) {
        return topicInfo(topic);
      }
      throw new ClientError("LEADER_NOT_AVAILABLE", `${where}: some partitions have none yet.`);
    });
  }
}

/** Throws the error an item carries, or that the item is not there. */
function assertDone<T extends { readonly errorCode: number }>(
  item: T | undefined,
  where: string,
): asserts item is T {
  if (item === undefined) {
    throw new ClientError("UNKNOWN_SERVER_ERROR", `${where}: the broker's answer leaves it out.`);
  }
  const message = "errorMessage" in item ? item.errorMessage : null;
  const error = errorFromCode(item.errorCode, where, typeof message === "string" ? message : null);
  if (error !== null) throw error;
}

function newTopic({ name, configs = {}, ...topic }: NewTopic) {
  const isAssigned = topic.assignments !== undefined;
  return {
    name,
    numPartitions: isAssigned ? -1 : (topic.partitions ?? -1),
    replicationFactor: isAssigned ? -1 : (topic.replicationFactor ?? -1),
    assignments: (topic.assignments ?? []).map((brokerIds, partitionIndex) => ({
      partitionIndex,
      brokerIds,
    })),
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  };
}

function topicInfo({ name, id, isInternal, partitions }: TopicMetadata): TopicInfo {
  return { name, id, isInternal, partitions };
}

function wireResource(resource: ConfigResource): { resourceType: number; resourceName: string } {
  if (resource.kind === "topic") {
    return { resourceType: resourceType.topic, resourceName: resource.name };
  }
  if (resource.kind === "group") {
    return { resourceType: resourceType.group, resourceName: resource.groupId };
  }
  const resourceName = resource.broker === null ? "" : String(resource.broker);
  return { resourceType: resourceType.broker, resourceName };
}

function resourceText(resource: ConfigResource): string {
  if (resource.kind === "topic") return `topic ${resource.name}`;
  if (resource.kind === "group") return `group ${resource.groupId}`;
  return resource.broker === null ? "all brokers" : `broker ${resource.broker}`;
}
