// UpstreamView: the upstream cluster as its Metadata tells it, in the form of a control plane's state, so that what
// asks for it never waits. All of it is asked for every few seconds, single topics when somebody needs them or their
// leader proves wrong: at most one such request per gap, whoever asks and how often.

import type {
  BrokerRecord,
  ClusterState,
  PartitionRecord,
  TopicRecord,
} from "../../cluster/control-plane.ts";
import type { TopicPartition } from "../broker.ts";
import type { Metadata } from "../client/metadata.ts";
import { metadata as metadataApi } from "../kafka/apis/metadata.ts";
import { errorCodes } from "../kafka/error-codes.ts";
import type { ResponseOf } from "../kafka/schema.ts";
import { zeroUuid } from "../kafka/uuid.ts";
import type { Clock, Timer } from "../platform.ts";
import { isTopicName } from "../topic-name.ts";

/** All topics are asked for so often; while the upstream is away, whether it is back. */
const allEveryMs = 10_000;
const retryMs = 500;
/** Requests for single topics are no closer together. */
const lookGapMs = 50;
/** Topics that wait for the next request; more are not looked up until it is done. */
const lookTopicsMax = 1_000;

const noConfigs: ReadonlyMap<string, string> = new Map();

type Response = ResponseOf<typeof metadataApi>;
type ToldTopic = Response["topics"][number];

export interface UpstreamViewOptions {
  readonly clock: Clock;
  readonly metadata: Metadata;
  /** What was set for a topic, as far as the gateway needs it; `setConfigs` tells of changes. */
  readonly configsOf: (topicId: string) => ReadonlyMap<string, string>;
  /** Told when the upstream goes away or comes back. */
  readonly noteChange: (failure: string | null) => void;
}

export class UpstreamView {
  /** Nothing is led here. */
  readonly brokerId = -1;
  readonly #options: UpstreamViewOptions;
  #state: ClusterState = emptyState();
  #failure: string | null = "it was not asked yet";
  #wasAsked = false;
  #timer: Timer | undefined;
  #isClosed = false;
  #looks = new Set<string>();
  #look: Promise<void> | null = null;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: UpstreamViewOptions) {
    this.#options = options;
  }

  cluster(): ClusterState {
    return this.#state;
  }

  /** Why no broker of the upstream answers; null while one does. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Asks for everything, now and from now on. Never rejects: `failure` says why nothing came. */
  async start(): Promise<void> {
    await this.#askAll();
    if (!this.#isClosed) this.#arm();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** What the upstream says of a topic from now on. Many questions become one request. */
  look(topic: string): Promise<void> {
    if (!isTopicName(topic)) return Promise.resolve();
    if (this.#looks.size < lookTopicsMax) this.#looks.add(topic);
    this.#look ??= this.#askSoon();
    return this.#look;
  }

  /** A leader's answer contradicts the view. False: nobody can be asked now. */
  noteStale({ topic }: TopicPartition): boolean {
    void this.look(topic);
    return this.#failure === null;
  }

  /** The same topics, with other configs. */
  setConfigs(topicId: string, configs: ReadonlyMap<string, string>): void {
    const topic = this.#state.topicsById.get(topicId);
    if (topic !== undefined) this.#keep([{ ...topic, configs }], []);
  }

  #arm(): void {
    const delayMs = this.#failure === null ? allEveryMs : retryMs;
    this.#timer = this.#options.clock.after(delayMs, () => void this.start());
  }

  async #askSoon(): Promise<void> {
    const { clock } = this.#options;
    const waitMs = Math.max(0, this.#lookedMs + lookGapMs - clock.monotonicMs());
    await new Promise<void>((resolve) => {
      if (waitMs > 0) clock.after(waitMs, resolve);
      else clock.soon(resolve);
    });
    // Who asks from here on wants what is true then.
    this.#look = null;
    const names = [...this.#looks];
    this.#looks.clear();
    this.#lookedMs = clock.monotonicMs();
    const answer = await this.#ask(names);
    if (answer === null) return;
    const gone = new Set(names);
    for (const { name, errorCode } of answer.topics) {
      if (name !== null && errorCode !== errorCodes.UNKNOWN_TOPIC_OR_PARTITION) gone.delete(name);
    }
    this.#keep(this.#topicsOf(answer), [...gone], answer);
  }

  async #askAll(): Promise<void> {
    const answer = await this.#ask(null);
    if (answer === null) return;
    const told = new Set(answer.topics.map(({ name }) => name));
    const gone = [...this.#state.topics.keys()].filter((name) => !told.has(name));
    this.#keep(this.#topicsOf(answer), gone, answer);
  }

  async #ask(names: readonly string[] | null): Promise<Response | null> {
    if (this.#isClosed) return null;
    try {
      const topics = names?.map((name) => ({ name })) ?? null;
      const message = { topics, allowAutoTopicCreation: false };
      const answer = await this.#options.metadata.callQuickest(metadataApi, message);
      this.#note(null);
      return answer;
    } catch (error) {
      this.#note(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  #note(failure: string | null): void {
    const isChange = (failure === null) !== (this.#failure === null);
    const isFirst = !this.#wasAsked;
    this.#failure = failure;
    this.#wasAsked = true;
    if (!isChange || isFirst || this.#isClosed) return;
    this.#options.noteChange(failure);
    this.#timer?.cancel();
    this.#arm();
  }

  #topicsOf(answer: Response): TopicRecord[] {
    return answer.topics.flatMap((told) => {
      const { name } = told;
      // A topic that is being made or deleted, or that must not be seen: what was known of it stays.
      if (name === null || told.errorCode !== errorCodes.NONE) return [];
      const topic = topicRecord(name, told, this.#state.topics.get(name));
      return [{ ...topic, configs: this.#options.configsOf(topic.id) }];
    });
  }

  #keep(topics: readonly TopicRecord[], gone: readonly string[], answer?: Response): void {
    const byName = new Map(this.#state.topics);
    for (const topic of topics) byName.set(topic.name, topic);
    for (const name of gone) byName.delete(name);
    const topicsById = new Map(Array.from(byName.values(), (topic) => [topic.id, topic]));
    this.#state = { ...this.#state, ...(answer && clusterOf(answer)), topics: byName, topicsById };
  }
}

function emptyState(): ClusterState {
  return {
    clusterId: "",
    controllerId: -1,
    brokers: new Map(),
    topics: new Map(),
    topicsById: new Map(),
    brokerConfigs: new Map(),
    groupConfigs: new Map(),
  };
}

function clusterOf({ clusterId, controllerId, brokers }: Response) {
  const records = brokers.map(({ nodeId: id, host, port, rack }): [number, BrokerRecord] => [
    id,
    { id, epoch: 0, host, port, rack, fenced: false, draining: false },
  ]);
  return { clusterId: clusterId ?? "", controllerId, brokers: new Map(records) };
}

function topicRecord(name: string, told: ToldTopic, known: TopicRecord | undefined): TopicRecord {
  // Brokers before Kafka 2.8 have no ids.
  const id = told.topicId === zeroUuid ? name : told.topicId;
  const before = known?.id === id ? known : undefined;
  const partitions = [...told.partitions]
    .sort((a, b) => a.partitionIndex - b.partitionIndex)
    .map((each, i) => newerOf(partitionRecord(each), before?.partitions[i]));
  return { name, id, partitions, configs: noConfigs };
}

function partitionRecord(told: ToldTopic["partitions"][number]): PartitionRecord {
  return {
    partition: told.partitionIndex,
    leader: told.leaderId,
    leaderEpoch: told.leaderEpoch,
    partitionEpoch: 0,
    replicas: told.replicaNodes,
    isr: told.isrNodes,
    elr: [],
    lastKnownLeader: -1,
    adding: [],
    removing: [],
  };
}

/** A broker that is cut off from the others may still believe in a leader of long ago (KIP-320). */
function newerOf(told: PartitionRecord, known: PartitionRecord | undefined): PartitionRecord {
  return known !== undefined && known.leaderEpoch > told.leaderEpoch ? known : told;
}
