// A Kafka cluster in memory, on the other side of a fake network: brokers with partitions, sequences and
// producer ids, and a hook that lets a test break anything on the way. Time is a `JumpingClock`.

import * as zlib from "node:zlib";
import type { ClientPlatform } from "../../../runtime/client/mod.ts";
import { createCodecs } from "../../../runtime/compression/codecs.ts";
import { apiVersions } from "../../../runtime/kafka/apis/api-versions.ts";
import { createTopics } from "../../../runtime/kafka/apis/create-topics.ts";
import { deleteTopics } from "../../../runtime/kafka/apis/delete-topics.ts";
import { fetch } from "../../../runtime/kafka/apis/fetch.ts";
import { initProducerId } from "../../../runtime/kafka/apis/init-producer-id.ts";
import { listOffsets } from "../../../runtime/kafka/apis/list-offsets.ts";
import { metadata } from "../../../runtime/kafka/apis/metadata.ts";
import { produce } from "../../../runtime/kafka/apis/produce.ts";
import { errorCodes } from "../../../runtime/kafka/error-codes.ts";
import {
  readClientId,
  readRequestPrefix,
  writeResponseHeader,
} from "../../../runtime/kafka/headers.ts";
import { Reader } from "../../../runtime/kafka/reader.ts";
import type { Api, RequestOf, ResponseInput } from "../../../runtime/kafka/schema.ts";
import { zeroUuid } from "../../../runtime/kafka/uuid.ts";
import { Writer } from "../../../runtime/kafka/writer.ts";
import type { Connection, Network } from "../../../runtime/platform.ts";
import { joined } from "../kafka/bytes.ts";
import { newCore } from "../storage-wasm/core-under-test.ts";
import { FakeConnection } from "./fake-connection.ts";
import { FakePartition } from "./fake-partition.ts";
import { FakeTransactions, transactionApis } from "./fake-transactions.ts";
import { JumpingClock } from "./jumping-clock.ts";

type AnyApi = Api<unknown, never, unknown, never>;

export interface FakeRequest {
  readonly broker: number;
  readonly api: string;
  readonly version: number;
  readonly atMs: number;
  readonly message: unknown;
}

/** What a hook can do to a request: let it pass, lose it, cut the line, or give the partitions an error. */
export type Fault =
  | "lose"
  | "cut before"
  | "cut after"
  | { readonly error: keyof typeof errorCodes }
  | undefined;

const apis = [
  apiVersions,
  metadata,
  produce,
  fetch,
  listOffsets,
  initProducerId,
  createTopics,
  deleteTopics,
  ...transactionApis,
] as unknown as readonly AnyApi[];

export const core = newCore();

export class FakeCluster {
  readonly clock = new JumpingClock();
  readonly topics = new Map<string, FakePartition[]>();
  readonly requests: FakeRequest[] = [];
  readonly dials: string[] = [];
  /** Brokers that refuse connections. */
  readonly down = new Set<number>();
  /** Brokers that the others count as gone. */
  readonly fenced = new Set<number>();
  /** Largest version by API name, below what the client speaks. */
  readonly versionMax = new Map<string, number>();
  readonly transactions = new FakeTransactions();
  controllerId = 1;
  autoCreate = 0;
  producerIds = 0;
  fault: (request: FakeRequest) => Fault = () => undefined;
  readonly #ids = new Map<string, string>();
  #lastId = 0;
  readonly #brokers: readonly number[];
  readonly #connections = new Set<FakeConnection>();

  constructor(brokers: readonly number[] = [1]) {
    this.#brokers = brokers;
  }

  /** `leaders`: one per partition. */
  addTopic(name: string, leaders: readonly number[]): FakePartition[] {
    const partitions = leaders.map((leader) => new FakePartition(core, leader));
    if (!this.#ids.has(name)) this.#ids.set(name, `${String(++this.#lastId).padStart(21, "A")}Q`);
    this.topics.set(name, partitions);
    return partitions;
  }

  platform(): ClientPlatform {
    let state = 7;
    const integer = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state >>> 8) % below;
    };
    const network: Network = {
      listen: () => Promise.reject(new Error("not a server")),
      dial: ({ host, port }) => this.#dial(host, port),
    };
    return {
      clock: this.clock,
      random: { integer, bytes: (length) => new Uint8Array(length) },
      core,
      codecs: createCodecs(zlib),
      network,
    };
  }

  /** Ends all connections of a broker, as when its process dies. */
  cut(broker: number): void {
    for (const connection of [...this.#connections]) {
      if (connection.broker === broker) connection.hangUp();
    }
  }

  asked(api: string): FakeRequest[] {
    return this.requests.filter((request) => request.api === api);
  }

  topicId(name: string): string {
    return this.#ids.get(name) ?? zeroUuid;
  }

  deleteTopic(name: string): void {
    this.topics.delete(name);
    this.#ids.delete(name);
  }

  // ---- answering ----

  answer(connection: FakeConnection, frame: Uint8Array): void {
    const reader = new Reader(frame);
    const { apiKey, apiVersion, correlationId } = readRequestPrefix(reader);
    const api = apis.find(({ key }) => key === apiKey);
    if (api === undefined) throw new Error(`the fake cluster has no API ${apiKey}`);
    const versionMax = this.versionMax.get(api.name) ?? api.versions.max;
    const isKnown = apiVersion <= versionMax;
    readClientId(reader, api.isFlexible(apiVersion));
    const message = isKnown ? api.decodeRequest(apiVersion, reader) : null;
    const atMs = this.clock.monotonicMs();
    const { broker } = connection;
    const request: FakeRequest = { broker, api: api.name, version: apiVersion, atMs, message };
    this.requests.push(request);
    const fault = isKnown ? this.fault(request) : undefined;
    if (fault === "lose") return;
    if (fault === "cut before") {
      connection.hangUp();
      return;
    }
    const error = typeof fault === "object" ? errorCodes[fault.error] : 0;
    const response = isKnown ? this.#respond(request, error) : unknownVersion(versionMax);
    if (fault === "cut after") {
      connection.hangUp();
      return;
    }
    if (api.name === "Produce" && (message as RequestOf<typeof produce>).acks === 0) return;
    const version = isKnown ? apiVersion : 0;
    const send = () => connection.deliver(encode(api, version, correlationId, response));
    // An empty fetch waits, as a long poll does.
    if (api.name === "Fetch" && isEmpty(response)) {
      this.clock.after((message as RequestOf<typeof fetch>).maxWaitMs, send);
    } else {
      queueMicrotask(send);
    }
  }

  get #listed(): number[] {
    return this.#brokers.filter((id) => !this.fenced.has(id));
  }

  #respond(request: FakeRequest, error: number): unknown {
    const told = this.transactions.respond(request, error);
    if (told !== undefined) return told;
    switch (request.api) {
      case "ApiVersions":
        return this.#apiVersions();
      case "Metadata":
        return this.#metadata(request.message as RequestOf<typeof metadata>, error);
      case "Produce":
        return this.#produce(request, error);
      case "Fetch":
        return this.#fetch(request, error);
      case "ListOffsets":
        return this.#listOffsets(request, error);
      case "InitProducerId":
        if ((request.message as RequestOf<typeof initProducerId>).transactionalId !== null) {
          return this.transactions.init(error);
        }
        this.producerIds += error === 0 ? 1 : 0;
        return {
          throttleTimeMs: 0,
          errorCode: error,
          producerId: this.producerIds,
          producerEpoch: 0,
        };
      case "CreateTopics":
        return this.#createTopics(request, error);
      default:
        throw new Error(`the fake cluster does not answer ${request.api}`);
    }
  }

  #apiVersions(): ResponseInput<typeof apiVersions> {
    const { level } = this.transactions;
    return {
      errorCode: 0,
      apiKeys: apis.map(({ key, name, versions }) => ({
        apiKey: key,
        minVersion: versions.min,
        maxVersion: this.versionMax.get(name) ?? versions.max,
      })),
      finalizedFeatures: [
        { name: "transaction.version", maxVersionLevel: level, minVersionLevel: level },
      ],
    };
  }

  #metadata(message: RequestOf<typeof metadata>, error: number): ResponseInput<typeof metadata> {
    const names = message.topics?.map(({ name }) => name ?? "") ?? [...this.topics.keys()];
    for (const name of names) {
      const mayCreate = this.autoCreate > 0 && message.allowAutoTopicCreation;
      if (mayCreate && !this.topics.has(name)) this.addTopic(name, Array(this.autoCreate).fill(1));
    }
    return {
      brokers: this.#listed.map((id) => ({ nodeId: id, host: `broker-${id}`, port: id })),
      clusterId: "fake",
      controllerId: this.controllerId,
      topics: names.map((name) => this.#topicAnswer(name, error)),
    };
  }

  #topicAnswer(name: string, error: number) {
    const partitions = this.topics.get(name);
    const errorCode = partitions === undefined ? errorCodes.UNKNOWN_TOPIC_OR_PARTITION : error;
    return {
      errorCode,
      name,
      topicId: this.topicId(name),
      partitions: (partitions ?? []).map((partition, partitionIndex) => {
        const { leader, leaderEpoch } = partition.told ?? partition;
        return {
          errorCode: leader < 0 ? errorCodes.LEADER_NOT_AVAILABLE : 0,
          partitionIndex,
          leaderId: leader,
          leaderEpoch,
          replicaNodes: [leader],
          isrNodes: [leader],
        };
      }),
    };
  }

  #produce({ message, broker }: FakeRequest, error: number): ResponseInput<typeof produce> {
    const { topicData } = message as RequestOf<typeof produce>;
    return {
      responses: topicData.map(({ name, topicId, partitionData }) => ({
        name,
        topicId,
        partitionResponses: partitionData.map(({ index, records }) => {
          const partition = this.#partition(name, topicId, index);
          if (error !== 0) return { index, errorCode: error, baseOffset: -1, currentLeader: {} };
          if (partition?.leader !== broker) {
            const errorCode = errorCodes.NOT_LEADER_OR_FOLLOWER;
            return { index, errorCode, baseOffset: -1, currentLeader: {} };
          }
          return { index, currentLeader: {}, ...partition.append(records ?? new Uint8Array(0)) };
        }),
      })),
    };
  }

  #fetch({ message, broker }: FakeRequest, error: number): ResponseInput<typeof fetch> {
    const { topics } = message as RequestOf<typeof fetch>;
    return {
      responses: topics.map(({ topic, topicId, partitions }) => ({
        topic,
        topicId,
        partitions: partitions.map(
          ({ partition: partitionIndex, fetchOffset, partitionMaxBytes }) => {
            const partition = this.#partition(topic, topicId, partitionIndex);
            const blank = { partitionIndex, divergingEpoch: {}, currentLeader: {}, snapshotId: {} };
            const refused = { ...blank, highWatermark: -1, records: null };
            if (error !== 0) return { ...refused, errorCode: error };
            if (partition?.leader !== broker) {
              return { ...refused, errorCode: errorCodes.NOT_LEADER_OR_FOLLOWER };
            }
            return { ...blank, ...partition.read(fetchOffset, partitionMaxBytes) };
          },
        ),
      })),
    };
  }

  #listOffsets({ message, broker }: FakeRequest, error: number): ResponseInput<typeof listOffsets> {
    const { topics } = message as RequestOf<typeof listOffsets>;
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => {
          const partition = this.topics.get(name)?.[partitionIndex];
          if (error !== 0) return { partitionIndex, errorCode: error };
          const isHere = partition?.leader === broker;
          if (!isHere) return { partitionIndex, errorCode: errorCodes.NOT_LEADER_OR_FOLLOWER };
          return { partitionIndex, errorCode: 0, ...partition.offsetFor(timestamp) };
        }),
      })),
    };
  }

  #createTopics(
    { message, broker }: FakeRequest,
    error: number,
  ): ResponseInput<typeof createTopics> {
    const { topics } = message as RequestOf<typeof createTopics>;
    const isController = broker === this.controllerId;
    const errorCode = isController ? error : errorCodes.NOT_CONTROLLER;
    return {
      throttleTimeMs: 0,
      topics: topics.map(({ name, numPartitions, replicationFactor }) => {
        if (errorCode === 0) this.addTopic(name, Array(numPartitions).fill(broker));
        const topicId = this.topicId(name);
        const errorMessage = errorCode === 0 ? null : "the fake says no.";
        return {
          name,
          topicId,
          errorCode,
          errorMessage,
          numPartitions,
          replicationFactor,
          configs: [],
        };
      }),
    };
  }

  #partition(name: string, topicId: string, index: number): FakePartition | undefined {
    const topic =
      name === "" ? [...this.topics.keys()].find((n) => this.topicId(n) === topicId) : name;
    return this.topics.get(topic ?? "")?.[index];
  }

  async #dial(host: string, port: number): Promise<Connection> {
    this.dials.push(`${host}:${port}`);
    const broker = host === "bootstrap" ? this.#brokers[0]! : port;
    if (this.down.has(broker)) throw new Error("refused");
    const connection = new FakeConnection({
      broker,
      answer: (frame) => this.answer(connection, frame),
      gone: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    return connection;
  }
}

function encode(
  api: AnyApi,
  apiVersion: number,
  correlationId: number,
  response: unknown,
): Uint8Array {
  const writer = new Writer();
  writer.beginFrame();
  writeResponseHeader(writer, api, { apiVersion, correlationId });
  api.encodeResponse(apiVersion, response as never, writer);
  writer.endFrame();
  return joined(writer);
}

function unknownVersion(versionMax: number): ResponseInput<typeof apiVersions> {
  const apiKeys = [{ apiKey: apiVersions.key, minVersion: 0, maxVersion: versionMax }];
  return { errorCode: errorCodes.UNSUPPORTED_VERSION, apiKeys };
}

function isEmpty(response: unknown): boolean {
  const { responses } = response as ResponseInput<typeof fetch>;
  return responses.every(({ partitions }) =>
    partitions.every(({ records, errorCode }) => errorCode === 0 && (records?.length ?? 0) === 0),
  );
}
