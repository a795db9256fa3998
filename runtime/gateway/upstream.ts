// Upstream: a Kafka cluster, Timberline's or another, and everything the gateway asks it: connections with limits of
// their own, the view of its topics and leaders, calls to leaders with the next one's turn after a change.

import type {
  Appended,
  AppendRequest,
  Broker,
  FetchedPartition,
  FetchPartition,
  ListedOffset,
  TakeFenceRequest,
  TopicPartition,
} from "../broker.ts";
import { ClusterAdmin } from "../client/admin.ts";
import type { ClientOptions, ClientPlatform } from "../client/api.ts";
import { ClusterCalls } from "../client/cluster-calls.ts";
import { ConnectionPool } from "../client/connection-pool.ts";
import { addressText, Context, type OwnOptions } from "../client/context.ts";
import { GroupCalls } from "../client/group-calls.ts";
import { Metadata } from "../client/metadata.ts";
import { TransactionCalls } from "../client/transaction-calls.ts";
import { BrokerError } from "../errors.ts";
import { noRecords } from "../records.ts";
import { inBrokersWords } from "../router/brokers-words.ts";
import { LeaderCalls } from "../router/leader-calls.ts";
import { isStale } from "../router/leader-changes.ts";
import { type Lead, Leaders } from "../router/leaders.ts";
import type { ReadHow } from "./feeds.ts";
import { UpstreamView } from "./upstream-view.ts";

const connectTimeoutMs = 5_000;
const requestTimeoutMs = 30_000;
/** How long what concerns no single partition (topics, configs, groups) is tried. */
const operationTimeoutMs = 10_000;
const reconnectMs = 50;
const reconnectMsMax = 500;

const noConfigs: ReadonlyMap<string, string> = new Map();

export interface UpstreamOptions
  extends Pick<ClientOptions, "bootstrap" | "clientId" | "tls" | "sasl"> {
  readonly platform: ClientPlatform;
  readonly noteChange: (failure: string | null) => void;
}

export class Upstream {
  /** How each connection is made. */
  readonly connecting: OwnOptions;
  readonly view: UpstreamView;
  readonly admin: ClusterAdmin;
  readonly groups: GroupCalls;
  /** Set by who keeps them. */
  configsOf: (topicId: string) => ReadonlyMap<string, string> = () => noConfigs;
  readonly calls: ClusterCalls;
  readonly leaders: Leaders;
  readonly #context: Context;
  readonly #pool: ConnectionPool;
  readonly #leaderCalls: LeaderCalls;
  #isTimberline: Promise<boolean> | null = null;
  /** Known not to be Timberline's. */
  isOther = false;

  constructor(options: UpstreamOptions) {
    const { platform } = options;
    this.connecting = connectingOf(options);
    this.#context = new Context(this.connecting);
    this.#pool = new ConnectionPool(this.#context);
    const metadata = new Metadata(this.#context, this.#pool);
    this.calls = new ClusterCalls(this.#context, metadata, this.#pool);
    this.admin = new ClusterAdmin(this.calls);
    this.groups = new GroupCalls(this.calls, this.#pool);
    this.view = new UpstreamView({
      clock: platform.clock,
      metadata,
      configsOf: (topicId) => this.configsOf(topicId),
      noteChange: options.noteChange,
    });
    this.#leaderCalls = new LeaderCalls(platform, this.view, new Context(this.connecting));
    this.leaders = new Leaders(platform.clock, this.view, (place) => this.view.noteStale(place));
  }

  /** Of one transactional id. */
  transactions(id: string): TransactionCalls {
    return new TransactionCalls(id, this.calls, this.#pool);
  }

  /** Whether its brokers are Timberline's: they take our configs and conditions. Asked once per cluster. */
  isTimberline(): Promise<boolean> {
    this.#isTimberline ??= this.#askKind().catch((error: unknown) => {
      this.#isTimberline = null;
      throw error;
    });
    return this.#isTimberline;
  }

  async #askKind(): Promise<boolean> {
    const broker = this.view.cluster().brokers.keys().next().value ?? null;
    const names = ["timberline.http.long.poll.ms"];
    const found = await this.ask(() =>
      this.admin.describeConfigs({ kind: "broker", broker }, { names }),
    );
    this.isOther = found.length === 0;
    return !this.isOther;
  }

  get addresses(): string {
    return this.#context.settings.bootstrap.map(addressText).join(", ");
  }

  close(): void {
    this.view.close();
    this.#context.close();
    this.#pool.close();
    this.#leaderCalls.close();
  }

  /** The batch must be the callee's own. */
  append(request: AppendRequest): Promise<Appended> {
    return this.#atLeader(request, ({ leader, topic }) =>
      this.#leaderCalls.append(leader!, { ...request, topicId: topic.id }),
    );
  }

  /** Errors that stay are told in the answer. */
  async read(asked: FetchPartition, how: ReadHow): Promise<FetchedPartition> {
    try {
      return await this.#atLeader(asked, async ({ leader, topic }) => {
        const partitions = [{ ...asked, topicId: topic.id }];
        const request = { ...how, bytesMax: asked.bytesMax, partitions };
        const [found] = await this.#leaderCalls.fetch(leader!, request);
        if (found === undefined) throw new Error("a fetch answered nothing");
        if (isStale(found.error)) throw found.error;
        return found;
      });
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return failed(asked, error);
    }
  }

  async listOffsets(asked: Parameters<Broker["listOffsets"]>[0]): Promise<ListedOffset> {
    try {
      return await this.#atLeader(asked, ({ leader }) =>
        this.#leaderCalls.listOffsets(leader!, asked),
      );
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return { error, offset: -1, timestampMs: -1, leaderEpoch: -1 };
    }
  }

  deleteRecords(asked: TopicPartition & { offset: number }): Promise<number> {
    return this.#atLeader(asked, ({ leader }) => this.#leaderCalls.deleteRecords(leader!, asked));
  }

  takeFence(request: TakeFenceRequest): Promise<number> {
    return this.#atLeader(request, ({ leader }) =>
      this.#leaderCalls.ask(leader!, "fence", request),
    );
  }

  /** What the client library asks: its errors in a broker's words, and one that says that nobody answers. */
  async ask<T>(run: () => Promise<T>): Promise<T> {
    if (this.view.failure !== null) throw this.#away();
    try {
      return await run();
    } catch (error) {
      throw this.#told(inBrokersWords(error));
    }
  }

  async #atLeader<T>(place: TopicPartition, run: (at: Lead) => Promise<T>): Promise<T> {
    if (this.view.failure !== null) throw this.#away();
    if (this.leaders.record(place) === undefined) throw unknown(place);
    try {
      return await this.leaders.at(place, run);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      throw this.#told(error);
    }
  }

  #told(error: BrokerError): BrokerError {
    return this.view.failure === null || !isStale(error) ? error : this.#away();
  }

  #away(): BrokerError {
    const what = `the upstream cluster (${this.addresses}) does not answer: ${this.view.failure}`;
    return new BrokerError("BROKER_NOT_AVAILABLE", `${what} Try again later`);
  }
}

function connectingOf({ platform, bootstrap, clientId, tls, sasl }: UpstreamOptions): OwnOptions {
  return {
    platform,
    bootstrap,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
    clientId: clientId ?? "timberline-gateway",
    connectTimeoutMs,
    requestTimeoutMs,
    operationTimeoutMs,
    retryBackoffMs: reconnectMs,
    retryBackoffMsMax: reconnectMsMax,
  };
}

function failed({ topic, partition }: TopicPartition, error: BrokerError): FetchedPartition {
  const unknown = { highWatermark: -1, lastStableOffset: -1, logStartOffset: -1 };
  return { topic, partition, error, ...unknown, abortedTransactions: [], records: noRecords };
}

function unknown({ topic, partition }: TopicPartition): BrokerError {
  const what = `there is no partition ${topic}-${partition} in the upstream cluster`;
  return new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", what);
}
