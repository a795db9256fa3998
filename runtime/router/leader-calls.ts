// LeaderCalls: what a broker asks the leader of a partition for somebody who came to its HTTP door, over the leader's
// Kafka door. One shared connection per leader; polls that may wait have one each, kept for the next, because a
// broker answers a connection in order.

import type { BrokerRecord, TopicId } from "../../cluster/control-plane.ts";
import type {
  Appended,
  AppendRequest,
  Broker,
  FetchedPartition,
  FetchPartition,
  FetchRequest,
  ListedOffset,
  OffsetSpec,
  TopicPartition,
} from "../broker.ts";
import type { ClientPlatform } from "../client/api.ts";
import { BrokerConnection } from "../client/broker-connection.ts";
import { ConnectionPool } from "../client/connection-pool.ts";
import { type Address, addressText, Context } from "../client/context.ts";
import { errorFromCode } from "../client/error.ts";
import { isolationLevels, wireTimestamp } from "../client/offsets.ts";
import { BrokerError } from "../errors.ts";
import { clusterQuestion } from "../kafka/apis/cluster-question.ts";
import { deleteRecords } from "../kafka/apis/delete-records.ts";
import { fetch } from "../kafka/apis/fetch.ts";
import { listOffsets } from "../kafka/apis/list-offsets.ts";
import { produce } from "../kafka/apis/produce.ts";
import { errorCodes } from "../kafka/error-codes.ts";
import type { RequestInput, ResponseOf } from "../kafka/schema.ts";
import { type About, type Answer, type Asked, answerIn, questionOf } from "../leader-questions.ts";
import { inBrokersWords } from "./brokers-words.ts";

/** Where to ask: a broker as the control plane knows it. */
export type Leader = Pick<BrokerRecord, "id" | "host" | "port">;
/** A partition with its topic's id. */
export type Place = TopicPartition & { readonly topicId: TopicId };
/** Of partitions with one leader. */
export type LedFetch = Omit<FetchRequest, "partitions"> & {
  readonly partitions: readonly (FetchPartition & Place)[];
};

const connectTimeoutMs = 1_000;
const answerTimeoutMs = 30_000;
const reconnectMs = 20;
const reconnectMsMax = 200;
/** Connections for polls that are kept per leader. */
const idleMax = 64;
/** Of a record batch: how many offsets after its first the last one is. */
const lastOffsetDeltaAt = 23;

export class LeaderCalls {
  readonly #broker: Pick<Broker, "brokerId" | "cluster">;
  readonly #context: Context;
  readonly #pool: ConnectionPool;
  readonly #idle = new Map<string, BrokerConnection[]>();
  #isClosed = false;

  /** `context`: how to connect; by default as to the other brokers of the own cluster. */
  constructor(
    platform: ClientPlatform,
    broker: Pick<Broker, "brokerId" | "cluster">,
    context = peerContext(platform, broker.brokerId),
  ) {
    this.#broker = broker;
    this.#context = context;
    this.#pool = new ConnectionPool(this.#context);
  }

  close(): void {
    this.#isClosed = true;
    this.#context.close();
    this.#pool.close();
    for (const connections of this.#idle.values()) for (const each of connections) each.close();
    this.#idle.clear();
  }

  /** The batch must be the callee's own. */
  async append(leader: Leader, request: AppendRequest & Place): Promise<Appended> {
    const { topic, topicId, partition, batch, timeoutMs } = request;
    const { expectedOffset = -1, fence = -1 } = request;
    const answer = await this.#call(leader, (connection) =>
      connection.call(
        produce,
        {
          // Without an answer nobody would know the offset.
          acks: request.acks === 0 ? 1 : request.acks,
          timeoutMs,
          topicData: [
            {
              name: topic,
              topicId,
              partitionData: [{ index: partition, records: batch, expectedOffset, fence }],
            },
          ],
        },
        { extraTimeoutMs: timeoutMs },
      ),
    );
    const stored = answer.responses[0]?.partitionResponses[0];
    if (stored === undefined) throw nothingSaid(leader);
    check(stored.errorCode, `Storing in ${topic}-${partition}`, stored.errorMessage);
    const { baseOffset, logAppendTimeMs, logStartOffset } = stored;
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    const nextOffset = baseOffset + view.getInt32(lastOffsetDeltaAt) + 1;
    return { baseOffset, logAppendTimeMs, logStartOffset, nextOffset };
  }

  /** Never rejects per partition. */
  async fetch(leader: Leader, request: LedFetch): Promise<readonly FetchedPartition[]> {
    const message = fetchMessage(request);
    const { waitMsMax } = request;
    const ask = (connection: BrokerConnection) =>
      connection.call(fetch, message, { extraTimeoutMs: waitMsMax });
    const answer = await (waitMsMax > 0 ? this.#poll(leader, ask) : this.#call(leader, ask));
    check(answer.errorCode, `Reading from broker ${leader.id}`);
    const found = fetchedPartitions(answer);
    return request.partitions.map((asked) => {
      const part =
        found.get(`${asked.topicId} ${asked.partition}`) ??
        found.get(`${asked.topic} ${asked.partition}`);
      if (part === undefined) throw nothingSaid(leader);
      return fetchedPartition(asked, part);
    });
  }

  async listOffsets(
    leader: Leader,
    asked: TopicPartition & { spec: OffsetSpec; isolation: FetchRequest["isolation"] },
  ): Promise<ListedOffset> {
    const { topic: name, partition: partitionIndex, spec } = asked;
    const isolationLevel = isolationLevels[asked.isolation];
    const partitions = [{ partitionIndex, timestamp: wireTimestamp(spec) }];
    const message = { isolationLevel, topics: [{ name, partitions }] };
    const answer = await this.#call(leader, (each) => each.call(listOffsets, message));
    const found = answer.topics[0]?.partitions[0];
    if (found === undefined) throw nothingSaid(leader);
    check(found.errorCode, `Looking for an offset in ${name}-${partitionIndex}`);
    const { offset, timestamp: timestampMs, leaderEpoch } = found;
    return { error: null, offset, timestampMs, leaderEpoch };
  }

  async deleteRecords(leader: Leader, asked: TopicPartition & { offset: number }): Promise<number> {
    const { topic: name, partition: partitionIndex, offset } = asked;
    const topics = [{ name, partitions: [{ partitionIndex, offset }] }];
    const message = { topics, timeoutMs: answerTimeoutMs };
    const answer = await this.#call(leader, (each) => each.call(deleteRecords, message));
    const found = answer.topics[0]?.partitions[0];
    if (found === undefined) throw nothingSaid(leader);
    check(found.errorCode, `Deleting records of ${name}-${partitionIndex}`);
    return found.lowWatermark;
  }

  /** What Kafka's protocol has no words for. */
  async ask<A extends About>(leader: Leader, about: A, asked: Asked<A>): Promise<Answer<A>> {
    const fromId = this.#broker.brokerId;
    const { clusterId } = this.#broker.cluster();
    const message = { clusterId, fromId, question: questionOf(about, asked) };
    const told = await this.#call(leader, (each) => each.call(clusterQuestion, message));
    if (told.errorCode === errorCodes.NONE) return answerIn(about, told.answer);
    const what = `broker ${leader.id} refused a question: ${told.message}`;
    throw new BrokerError("BROKER_NOT_AVAILABLE", what);
  }

  async #call<T>(leader: Leader, ask: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    try {
      return await ask(await this.#pool.to(leader));
    } catch (error) {
      throw inBrokersWords(error);
    }
  }

  /** On a connection of its own meanwhile. */
  async #poll<T>(leader: Leader, ask: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    try {
      const connection = this.#takeIdle(leader) ?? (await this.#open(leader));
      try {
        return await ask(connection);
      } finally {
        this.#keep(leader, connection);
      }
    } catch (error) {
      throw inBrokersWords(error);
    }
  }

  #takeIdle(leader: Address): BrokerConnection | undefined {
    const idle = this.#idle.get(addressText(leader));
    for (let next = idle?.pop(); next !== undefined; next = idle?.pop()) {
      if (next.isOpen) return next;
    }
    return undefined;
  }

  #open({ host, port }: Leader): Promise<BrokerConnection> {
    return BrokerConnection.open(this.#context, { host, port }, () => {});
  }

  #keep(leader: Address, connection: BrokerConnection): void {
    const key = addressText(leader);
    const idle = this.#idle.get(key) ?? [];
    if (this.#isClosed || idle.length >= idleMax) connection.close();
    if (!connection.isOpen) return;
    idle.push(connection);
    this.#idle.set(key, idle);
  }
}

function peerContext(platform: ClientPlatform, brokerId: number): Context {
  return new Context({
    platform,
    // Never asked: these connections are made by address.
    bootstrap: ["127.0.0.1"],
    clientId: `broker-${brokerId}-http`,
    connectTimeoutMs,
    requestTimeoutMs: answerTimeoutMs,
    retryBackoffMs: reconnectMs,
    retryBackoffMsMax: reconnectMsMax,
  });
}

function fetchMessage(request: LedFetch): RequestInput<typeof fetch> {
  return {
    maxWaitMs: request.waitMsMax,
    minBytes: request.bytesMin,
    maxBytes: request.bytesMax,
    isolationLevel: isolationLevels[request.isolation],
    topics: request.partitions.map(({ topic, topicId, partition, offset, bytesMax }) => ({
      topic,
      topicId,
      partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: bytesMax }],
    })),
  };
}

type FetchAnswer = ResponseOf<typeof fetch>;
type Part = FetchAnswer["responses"][number]["partitions"][number];

/** By topic id; by name of brokers that know no ids in Fetch (Kafka before 3.1). */
function fetchedPartitions({ responses }: FetchAnswer): ReadonlyMap<string, Part> {
  return new Map(
    responses.flatMap(({ topic, topicId, partitions }) =>
      partitions.map((part) => [`${topic || topicId} ${part.partitionIndex}`, part] as const),
    ),
  );
}

function fetchedPartition({ topic, partition }: TopicPartition, part: Part): FetchedPartition {
  const { highWatermark, lastStableOffset, logStartOffset } = part;
  const bytes = part.records ?? new Uint8Array(0);
  return {
    topic,
    partition,
    error: refusal(part.errorCode, `Reading ${topic}-${partition}`),
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions: part.abortedTransactions ?? [],
    records: { length: bytes.length, parts: [bytes], release() {} },
  };
}

function check(errorCode: number, where: string, message: string | null = null): void {
  const error = refusal(errorCode, where, message);
  if (error !== null) throw error;
}

function refusal(errorCode: number, where: string, message: string | null = null) {
  const error = errorFromCode(errorCode, where, message);
  return error && inBrokersWords(error);
}

function nothingSaid({ id }: Leader): BrokerError {
  return new BrokerError("NETWORK_EXCEPTION", `broker ${id} left a partition out of its answer`);
}
