// One request and one answer of every admin API, with a value in each field: what the golden test encodes in
// several versions. Fields a version lacks are not written.

import { alterConfigs } from "../../../../runtime/kafka/apis/alter-configs.ts";
import { createPartitions } from "../../../../runtime/kafka/apis/create-partitions.ts";
import { createTopics } from "../../../../runtime/kafka/apis/create-topics.ts";
import { deleteRecords } from "../../../../runtime/kafka/apis/delete-records.ts";
import { deleteTopics } from "../../../../runtime/kafka/apis/delete-topics.ts";
import { describeCluster } from "../../../../runtime/kafka/apis/describe-cluster.ts";
import { describeConfigs } from "../../../../runtime/kafka/apis/describe-configs.ts";
import { describeLogDirs } from "../../../../runtime/kafka/apis/describe-log-dirs.ts";
import { describeProducers } from "../../../../runtime/kafka/apis/describe-producers.ts";
import { describeTopicPartitions } from "../../../../runtime/kafka/apis/describe-topic-partitions.ts";
import { incrementalAlterConfigs } from "../../../../runtime/kafka/apis/incremental-alter-configs.ts";
import { initProducerId } from "../../../../runtime/kafka/apis/init-producer-id.ts";
import { listConfigResources } from "../../../../runtime/kafka/apis/list-config-resources.ts";
import type { Api, RequestInput, ResponseInput } from "../../../../runtime/kafka/schema.ts";

/** Bytes 1 to 16. */
const id = "AQIDBAUGBwgJCgsMDQ4PEA";
const throttleTimeMs = 5;
const altered = {
  throttleTimeMs,
  responses: [{ errorCode: 42, errorMessage: "no", resourceType: 4, resourceName: "1" }],
};

export interface Sample {
  readonly api: Api;
  readonly request: object;
  readonly response: object;
}

function sample<Req, ReqIn extends object, Res, ResIn extends object>(
  api: Api<Req, ReqIn, Res, ResIn>,
  request: RequestInput<Api<Req, ReqIn, Res, ResIn>>,
  response: ResponseInput<Api<Req, ReqIn, Res, ResIn>>,
): Sample {
  return { api, request, response };
}

export const samples: readonly Sample[] = [
  sample(
    createTopics,
    {
      topics: [
        {
          name: "t",
          numPartitions: -1,
          replicationFactor: -1,
          assignments: [{ partitionIndex: 0, brokerIds: [1, 2] }],
          configs: [
            { name: "k", value: "v" },
            { name: "n", value: null },
          ],
        },
      ],
      timeoutMs: 1000,
      validateOnly: true,
    },
    {
      throttleTimeMs,
      topics: [
        {
          name: "t",
          topicId: id,
          errorCode: 0,
          errorMessage: null,
          topicConfigErrorCode: 29,
          numPartitions: 3,
          replicationFactor: 2,
          configs: [
            { name: "k", value: "v", readOnly: true, configSource: 5, isSensitive: false },
            { name: "s", value: null, readOnly: false, configSource: 1, isSensitive: true },
          ],
        },
        {
          name: "u",
          topicId: id,
          errorCode: 36,
          errorMessage: "there",
          numPartitions: -1,
          replicationFactor: -1,
          configs: null,
        },
      ],
    },
  ),
  sample(
    deleteTopics,
    {
      topics: [
        { name: "t", topicId: id },
        { name: null, topicId: id },
      ],
      topicNames: ["t", "u"],
      timeoutMs: 1000,
    },
    {
      throttleTimeMs,
      responses: [{ name: "t", topicId: id, errorCode: 3, errorMessage: "gone" }],
    },
  ),
  sample(
    deleteRecords,
    {
      topics: [{ name: "t", partitions: [{ partitionIndex: 1, offset: 5_000_000_000 }] }],
      timeoutMs: 1000,
    },
    {
      throttleTimeMs,
      topics: [{ name: "t", partitions: [{ partitionIndex: 1, lowWatermark: -1, errorCode: 1 }] }],
    },
  ),
  sample(
    initProducerId,
    { transactionalId: null, transactionTimeoutMs: 60_000, producerId: 7, producerEpoch: 3 },
    { throttleTimeMs, errorCode: 0, producerId: 4_294_967_297, producerEpoch: 4 },
  ),
  sample(
    describeConfigs,
    {
      resources: [
        { resourceType: 2, resourceName: "t", configurationKeys: ["k"] },
        { resourceType: 4, resourceName: "", configurationKeys: null },
      ],
      includeSynonyms: true,
      includeDocumentation: true,
    },
    {
      throttleTimeMs,
      results: [
        {
          errorCode: 0,
          errorMessage: null,
          resourceType: 2,
          resourceName: "t",
          configs: [
            {
              name: "k",
              value: "v",
              readOnly: false,
              configSource: 1,
              isSensitive: false,
              synonyms: [{ name: "log.k", value: null, source: 5 }],
              configType: 7,
              documentation: "why",
            },
          ],
        },
      ],
    },
  ),
  sample(
    alterConfigs,
    {
      resources: [{ resourceType: 2, resourceName: "t", configs: [{ name: "k", value: null }] }],
      validateOnly: true,
    },
    altered,
  ),
  sample(
    describeLogDirs,
    { topics: [{ topic: "t", partitions: [0, 7] }] },
    {
      throttleTimeMs,
      errorCode: 0,
      results: [
        {
          errorCode: 0,
          logDir: "/d",
          topics: [
            {
              name: "t",
              partitions: [
                { partitionIndex: 7, partitionSize: 99, offsetLag: 0, isFutureKey: false },
              ],
            },
          ],
          totalBytes: 1_000_000_000_000,
          usableBytes: -1,
        },
      ],
    },
  ),
  sample(
    createPartitions,
    {
      topics: [
        { name: "t", count: 3, assignments: [{ brokerIds: [1] }] },
        { name: "u", count: 4, assignments: null },
      ],
      timeoutMs: 1000,
      validateOnly: false,
    },
    { throttleTimeMs, results: [{ name: "t", errorCode: 37, errorMessage: "no" }] },
  ),
  sample(
    incrementalAlterConfigs,
    {
      resources: [
        {
          resourceType: 4,
          resourceName: "1",
          configs: [{ name: "k", configOperation: 2, value: "v" }],
        },
      ],
      validateOnly: false,
    },
    altered,
  ),
  sample(
    describeCluster,
    {
      includeClusterAuthorizedOperations: true,
      endpointType: 1,
      includeFencedBrokers: true,
    },
    {
      throttleTimeMs,
      errorCode: 0,
      errorMessage: null,
      endpointType: 1,
      clusterId: "c",
      controllerId: 1,
      brokers: [{ brokerId: 1, host: "h", port: 9092, rack: "r", isFenced: true }],
      clusterAuthorizedOperations: 8096,
    },
  ),
  sample(
    describeProducers,
    { topics: [{ name: "t", partitionIndexes: [0, 1] }] },
    {
      throttleTimeMs,
      topics: [
        {
          name: "t",
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              errorMessage: null,
              activeProducers: [
                {
                  producerId: 7,
                  producerEpoch: 2,
                  lastSequence: 41,
                  lastTimestamp: 1_700_000_000_000,
                  coordinatorEpoch: -1,
                  currentTxnStartOffset: -1,
                },
              ],
            },
          ],
        },
      ],
    },
  ),
  sample(
    listConfigResources,
    { resourceTypes: [2, 4] },
    { throttleTimeMs, errorCode: 0, configResources: [{ resourceName: "t", resourceType: 2 }] },
  ),
  sample(
    describeTopicPartitions,
    {
      topics: [{ name: "t" }],
      responsePartitionLimit: 10,
      cursor: { topicName: "t", partitionIndex: 4 },
    },
    {
      throttleTimeMs,
      topics: [
        {
          errorCode: 0,
          name: "t",
          topicId: id,
          isInternal: false,
          partitions: [
            {
              errorCode: 0,
              partitionIndex: 4,
              leaderId: 1,
              leaderEpoch: 9,
              replicaNodes: [1, 2],
              isrNodes: [1],
              eligibleLeaderReplicas: [2],
              lastKnownElr: null,
              offlineReplicas: [2],
            },
          ],
          topicAuthorizedOperations: 3576,
        },
      ],
      nextCursor: null,
    },
  ),
];
