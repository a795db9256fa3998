// Metadata: what the client knows of brokers, topics and leaders. Topics are asked for by name when first used,
// again when they are old or a broker's error shows that they are out of date; questions of one turn of the
// event loop become one request.

import { metadata as metadataApi } from "../kafka/apis/metadata.ts";
import type { Api, ResponseOf } from "../kafka/schema.ts";
import { zeroUuid } from "../kafka/uuid.ts";
import type { CallOptions } from "./broker-connection.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { type Address, addressText, type Context } from "./context.ts";
import { asClientError, ClientError, errorFromCode } from "./error.ts";
import { firstAnswer } from "./first-answer.ts";

/** Topics remembered; above it all are forgotten and asked for again. */
const topicsMax = 100_000;
/** How long a topic that should exist may be missing: being created, or not yet known to this broker. */
const creationWaitMsMax = 10_000;
const appearanceWaitMsMax = 1_000;
/** Addresses of brokers remembered; a cluster has fewer. */
const addressesMax = 10_000;

export interface PartitionMetadata {
  readonly partition: number;
  /** -1: none now. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

export interface TopicMetadata {
  readonly name: string;
  /** `zeroUuid` if the broker is too old to have ids. */
  readonly id: string;
  readonly isInternal: boolean;
  /** By partition number. */
  readonly partitions: readonly PartitionMetadata[];
  /** Partitions with a leader. */
  readonly available: readonly number[];
}

export interface BrokerMetadata extends Address {
  readonly id: number;
  readonly rack: string | null;
}

type Response = ResponseOf<typeof metadataApi>;

interface Cached {
  readonly topic: TopicMetadata;
  readonly loadedMs: number;
  stale: boolean;
  /** Asked for again because it is old; used meanwhile, by all partitions alike. */
  isRefreshing: boolean;
}

interface Question {
  readonly promise: Promise<TopicMetadata>;
  resolve(topic: TopicMetadata): void;
  reject(error: ClientError): void;
}

export class Metadata {
  readonly #context: Context;
  readonly #pool: ConnectionPool;
  readonly #topics = new Map<string, Cached>();
  #brokers = new Map<number, BrokerMetadata>();
  /** Where brokers are or were. */
  readonly #seen = new Set<string>();
  #clusterId: string | null = null;
  #controllerId = -1;
  /** By topic; those to be created on the way apart from those that must not be. */
  readonly #questions = {
    create: new Map<string, Question>(),
    look: new Map<string, Question>(),
  };

  constructor(context: Context, pool: ConnectionPool) {
    this.#context = context;
    this.#pool = pool;
    context.isGone = (address) => this.#isGone(address);
  }

  get brokers(): ReadonlyMap<number, BrokerMetadata> {
    return this.#brokers;
  }

  get clusterId(): string | null {
    return this.#clusterId;
  }

  get controllerId(): number {
    return this.#controllerId;
  }

  /** What is known and not out of date; refreshed in the background when old. */
  cached(name: string): TopicMetadata | undefined {
    const known = this.#topics.get(name);
    if (known === undefined || known.stale) return undefined;
    const isOld = this.#context.nowMs() - known.loadedMs > this.#context.settings.metadataAgeMsMax;
    if (isOld && !known.isRefreshing) {
      known.isRefreshing = true;
      this.#ask(name, false).catch(() => {
        known.stale = true;
      });
    }
    return known.topic;
  }

  /** What was last known, even if out of date. */
  known(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)?.topic;
  }

  /** Known, or asked for with retries. `create`: the broker may create it. */
  async load(name: string, { create }: { create: boolean }): Promise<TopicMetadata> {
    const known = this.#topics.get(name);
    if (known !== undefined && !known.stale) return known.topic;
    const startMs = this.#context.nowMs();
    const patienceMs = create ? creationWaitMsMax : appearanceWaitMsMax;
    const isPatient = () => this.#context.nowMs() - startMs < patienceMs;
    return this.#context.retry(
      {
        where: `Looking for topic ${name}`,
        timeoutMs: this.#context.settings.operationTimeoutMs,
        retry: (error) =>
          error.code === "UNKNOWN_TOPIC_OR_PARTITION" ? isPatient() : error.retriable,
      },
      () => this.#ask(name, create),
    );
  }

  /** A broker's answer contradicts what is known of this topic. */
  invalidate(name: string): void {
    const known = this.#topics.get(name);
    if (known !== undefined) known.stale = true;
  }

  /** Address of a partition's leader, if known. */
  leaderOf(name: string, partition: number): BrokerMetadata | undefined {
    const leader = this.#topics.get(name)?.topic.partitions[partition]?.leader ?? -1;
    return this.#brokers.get(leader);
  }

  /** -1: not known. */
  leaderEpochOf(name: string, partition: number): number {
    return this.#topics.get(name)?.topic.partitions[partition]?.leaderEpoch ?? -1;
  }

  /** One request, no retry: the topics named, or all. Fills the cache; topics with errors reject. */
  async fetch(names: readonly string[] | null): Promise<readonly TopicMetadata[]> {
    const response = await this.#request(names, false);
    return response.topics.map((topic) => {
      const name = topic.name ?? "";
      const error = errorFromCode(topic.errorCode, `Looking for topic ${name}`);
      if (error !== null) throw error;
      return this.#remember(name, topic);
    });
  }

  /** Sends to any broker that answers; known ones first, then the bootstrap addresses. */
  async callAny<Req, ReqIn, Res, ResIn>(
    api: Api<Req, ReqIn, Res, ResIn>,
    message: ReqIn,
    options: CallOptions = {},
  ): Promise<Res> {
    let failure: unknown;
    for (const address of this.#addresses()) {
      try {
        const connection = await this.#pool.to(address);
        return await connection.call(api, message, options);
      } catch (error) {
        failure = error;
        if (!(error instanceof ClientError) || !error.retriable) break;
      }
    }
    throw asClientError(failure, "No broker answers");
  }

  /** As `callAny`, but who is silent does not hold it up: for what may be asked of several. */
  async callQuickest<Req, ReqIn, Res, ResIn>(
    api: Api<Req, ReqIn, Res, ResIn>,
    message: ReqIn,
    except?: Address,
  ): Promise<Res> {
    const questions = this.#addresses(except).map((address) => async () => {
      const connection = await this.#pool.to(address);
      return connection.call(api, message);
    });
    try {
      return await firstAnswer(this.#context, questions);
    } catch (error) {
      throw asClientError(error, "No broker answers");
    }
  }

  /** A connected one, known brokers from a random one on, the bootstrap addresses; bounded by their number. */
  #addresses(except?: Address): Address[] {
    const known = [...this.#brokers.values()];
    const from = known.length > 1 ? this.#context.platform.random.integer(known.length) : 0;
    const turned = [...known.slice(from), ...known.slice(0, from)];
    const all: Address[] = [...turned, ...this.#context.settings.bootstrap];
    const others = all.filter((each) => !except || addressText(each) !== addressText(except));
    const connected = others.find((address) => this.#pool.open(address) !== undefined);
    return connected === undefined ? others : [connected, ...others];
  }

  /** Whether the others say that the broker of this address is no more. False where nobody can tell. */
  async #isGone(address: Address): Promise<boolean> {
    const text = addressText(address);
    if (!this.#seen.has(text)) return false;
    try {
      await this.#request([], false, address);
    } catch {
      return false;
    }
    return ![...this.#brokers.values()].some((broker) => addressText(broker) === text);
  }

  #ask(name: string, create: boolean): Promise<TopicMetadata> {
    const questions = create ? this.#questions.create : this.#questions.look;
    const asked = questions.get(name);
    if (asked !== undefined) return asked.promise;
    if (questions.size === 0) queueMicrotask(() => this.#answerAll(questions, create));
    const question = newQuestion();
    questions.set(name, question);
    return question.promise;
  }

  async #answerAll(questions: Map<string, Question>, create: boolean): Promise<void> {
    const asked = new Map(questions);
    questions.clear();
    try {
      const response = await this.#request([...asked.keys()], create);
      for (const topic of response.topics) {
        const name = topic.name ?? "";
        const error = errorFromCode(topic.errorCode, `Looking for topic ${name}`);
        const found = error === null ? this.#remember(name, topic) : null;
        if (error !== null) asked.get(name)?.reject(error);
        else if (found !== null) asked.get(name)?.resolve(found);
        asked.delete(name);
      }
      for (const [name, question] of asked) question.reject(unanswered(name));
    } catch (error) {
      for (const question of asked.values()) question.reject(asClientError(error, "Metadata"));
    }
  }

  async #request(
    names: readonly string[] | null,
    create: boolean,
    except?: Address,
  ): Promise<Response> {
    const topics = names?.map((name) => ({ name })) ?? null;
    const message = { topics, allowAutoTopicCreation: create };
    const response = await this.callQuickest(metadataApi, message, except);
    const error = errorFromCode(response.errorCode, "Metadata");
    if (error !== null) throw error;
    this.#clusterId = response.clusterId;
    this.#controllerId = response.controllerId;
    this.#brokers = new Map(
      response.brokers.map(({ nodeId, host, port, rack }) => [
        nodeId,
        { id: nodeId, host, port, rack },
      ]),
    );
    if (this.#seen.size >= addressesMax) this.#seen.clear();
    for (const broker of this.#brokers.values()) this.#seen.add(addressText(broker));
    return response;
  }

  #remember(name: string, answer: Response["topics"][number]): TopicMetadata {
    const { topicId: id = zeroUuid, isInternal } = answer;
    const known = this.#topics.get(name)?.topic;
    const before = known?.id === id && id !== zeroUuid ? known.partitions : [];
    const partitions = answer.partitions
      .map(partitionOf)
      .map((told) => newerOf(told, before[told.partition]))
      .sort((a, b) => a.partition - b.partition);
    const available = partitions.filter(({ leader }) => leader >= 0).map((p) => p.partition);
    const topic = { name, id, isInternal, partitions, available };
    if (this.#topics.size >= topicsMax) this.#topics.clear();
    this.#topics.set(name, {
      topic,
      loadedMs: this.#context.nowMs(),
      stale: false,
      isRefreshing: false,
    });
    return topic;
  }
}

function partitionOf(answer: Response["topics"][number]["partitions"][number]): PartitionMetadata {
  return {
    partition: answer.partitionIndex,
    leader: answer.leaderId,
    leaderEpoch: answer.leaderEpoch,
    replicas: answer.replicaNodes,
    isr: answer.isrNodes,
  };
}

/** A broker that is cut off from the others may still believe in a leader of long ago, often itself (KIP-320). */
function newerOf(told: PartitionMetadata, known: PartitionMetadata | undefined): PartitionMetadata {
  return known !== undefined && known.leaderEpoch > told.leaderEpoch ? known : told;
}

function newQuestion(): Question {
  let settle: Omit<Question, "promise"> | undefined;
  const promise = new Promise<TopicMetadata>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle! };
}

function unanswered(name: string): ClientError {
  return new ClientError(
    "UNKNOWN_TOPIC_OR_PARTITION",
    `Looking for topic ${name}: the broker's answer leaves it out.`,
  );
}
