// KafkaLink: a follower's fetches over the leader's Kafka door, as Kafka's own followers make them: Fetch by topic
// id with the replica's id and epoch. One connection of its own, so that its long polls hold up nothing else.

import type { PeerAddress } from "../../cluster/peer.ts";
import { BrokerConnection } from "../client/broker-connection.ts";
import { Context } from "../client/context.ts";
import { reusedFrameMemory } from "../client/frames.ts";
import { fetch } from "../kafka/apis/fetch.ts";
import { errorCodes, errorName } from "../kafka/error-codes.ts";
import type { RequestInput, ResponseOf } from "../kafka/schema.ts";
import type { Platform } from "../platform.ts";
import { FollowerSession, type SessionStep } from "./follower-session.ts";
import type {
  OpenLink,
  ReplicaFetched,
  ReplicaFetchItem,
  ReplicaFetchRequest,
  ReplicaLink,
} from "./replica-link.ts";

export type LinkPlatform = Pick<Platform, "clock" | "random" | "core" | "codecs" | "network">;

const connectTimeoutMs = 1_000;
/** Beyond the long poll: then the leader counts as silent, and the connection is made anew. */
const answerTimeoutMs = 2_000;

/** How brokers of one cluster reach each other: the client library's connections, named after the broker. */
export function peerContext(
  platform: LinkPlatform,
  brokerId: number,
  requestTimeoutMs: number,
): Context {
  return new Context({
    platform,
    // Never asked: these connections are made by address.
    bootstrap: ["127.0.0.1"],
    clientId: `broker-${brokerId}`,
    connectTimeoutMs,
    requestTimeoutMs,
  });
}

export function kafkaLinks(platform: LinkPlatform, brokerId: number): OpenLink {
  const context = peerContext(platform, brokerId, answerTimeoutMs);
  return (leader) => new KafkaLink(context, leader);
}

class KafkaLink implements ReplicaLink {
  readonly #context: Context;
  readonly #leader: PeerAddress;
  readonly #session = new FollowerSession();
  #connection: BrokerConnection | undefined;
  #isClosed = false;

  constructor(context: Context, leader: PeerAddress) {
    this.#context = context;
    this.#leader = leader;
  }

  async fetch(request: ReplicaFetchRequest): Promise<readonly ReplicaFetched[]> {
    try {
      const answer = await this.#ask(request);
      if (!lostSession.has(answer.errorCode)) return this.#taken(answer);
      this.#session.reset();
      return this.#taken(await this.#ask(request));
    } catch (error) {
      this.#session.reset();
      throw error;
    }
  }

  async #ask(request: ReplicaFetchRequest): Promise<ResponseOf<typeof fetch>> {
    const connection = this.#connection ?? (await this.#connect());
    const message = encoded(request, this.#session.next(request.items));
    return connection.call(fetch, message, { extraTimeoutMs: request.waitMsMax });
  }

  #taken(answer: ResponseOf<typeof fetch>): ReplicaFetched[] {
    const { errorCode, sessionId } = answer;
    if (errorCode !== errorCodes.NONE) {
      throw new Error(`broker ${this.#leader.id} answered ${errorName(errorCode)}`);
    }
    this.#session.answered(sessionId);
    return decoded(answer);
  }

  interrupt(): void {
    this.#connection?.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#connection?.close();
  }

  async #connect(): Promise<BrokerConnection> {
    const { host, port } = this.#leader;
    // It may break before it is open.
    let opened: BrokerConnection | undefined;
    const closed = () => {
      if (opened !== undefined && this.#connection === opened) this.#connection = undefined;
    };
    const address = { host, port };
    const connection = await BrokerConnection.open(
      this.#context,
      address,
      closed,
      reusedFrameMemory(),
    );
    opened = connection;
    if (this.#isClosed) connection.close();
    if (connection.isOpen) this.#connection = connection;
    return connection;
  }
}

/** The leader forgot what it was told, or was told more than this follower knows: from the beginning. */
const lostSession: ReadonlySet<number> = new Set([
  errorCodes.FETCH_SESSION_ID_NOT_FOUND,
  errorCodes.INVALID_FETCH_SESSION_EPOCH,
  errorCodes.FETCH_SESSION_TOPIC_ID_ERROR,
]);

function encoded(
  { replicaId, brokerEpoch, waitMsMax, bytesMin, bytesMax }: ReplicaFetchRequest,
  { sessionId, sessionEpoch, named, forgotten }: SessionStep,
): RequestInput<typeof fetch> {
  return {
    replicaState: { replicaId, replicaEpoch: brokerEpoch },
    maxWaitMs: waitMsMax,
    minBytes: bytesMin,
    maxBytes: bytesMax,
    sessionId,
    sessionEpoch,
    topics: byTopic(named).map(([topicId, items]) => ({
      topicId,
      partitions: items.map((item) => ({
        partition: item.partition,
        currentLeaderEpoch: item.leaderEpoch,
        fetchOffset: item.fetchOffset,
        lastFetchedEpoch: item.lastFetchedEpoch,
        logStartOffset: item.logStartOffset,
        partitionMaxBytes: item.bytesMax,
        highWatermark: item.highWatermark,
      })),
    })),
    forgottenTopicsData: byTopic(forgotten).map(([topicId, items]) => ({
      topicId,
      partitions: items.map(({ partition }) => partition),
    })),
  };
}

function byTopic(items: readonly ReplicaFetchItem[]): [string, ReplicaFetchItem[]][] {
  const topics = new Map<string, ReplicaFetchItem[]>();
  for (const item of items) {
    const known = topics.get(item.topicId);
    if (known === undefined) topics.set(item.topicId, [item]);
    else known.push(item);
  }
  return [...topics];
}

function decoded({ responses }: ResponseOf<typeof fetch>): ReplicaFetched[] {
  return responses.flatMap(({ topicId, partitions }) =>
    partitions.map((each) => ({
      topicId,
      partition: each.partitionIndex,
      error: errorName(each.errorCode),
      highWatermark: each.highWatermark,
      logStartOffset: each.logStartOffset,
      diverging: each.divergingEpoch.endOffset < 0 ? undefined : each.divergingEpoch,
      records: each.records ?? new Uint8Array(0),
    })),
  );
}
