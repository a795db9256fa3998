// Brokers that copy from each other without sockets, on one clock in the test's hand: links are calls, answers can
// be held back, and a broker can die with what it had not synced.

import type { PartitionRecord } from "../../../cluster/control-plane.ts";
import type { Appended } from "../../../runtime/broker.ts";
import { BrokerConfig } from "../../../runtime/config.ts";
import { LocalBroker } from "../../../runtime/local-broker.ts";
import { collect } from "../../../runtime/records.ts";
import type {
  OpenLink,
  ReplicaFetched,
  ReplicaFetchRequest,
  ReplicaLink,
} from "../../../runtime/replication/replica-link.ts";
import { MemoryStorage } from "../../../runtime/storage/memory.ts";
import { LogFixture, platform } from "../../support/log-fixture.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { SharedPlane } from "../../support/shared-plane.ts";

export const topic = "t";
const place = { topic, partition: 0 };

export class ReplicaScene {
  readonly clock = new ManualClock();
  readonly plane = new SharedPlane(platform.random);
  readonly brokers = new Map<number, LocalBroker>();
  readonly logs = new Map<number, LogFixture>();
  readonly reports: string[] = [];
  /** Every fetch of a replica, in order. */
  readonly fetches: { from: number; to: number; request: ReplicaFetchRequest }[] = [];
  /** Answers to these brokers wait until `letThrough`. */
  readonly held = new Set<number>();
  #waiting: (() => void)[] = [];
  readonly #configs: Record<string, string>;

  constructor(configs: Record<string, string> = {}) {
    this.#configs = { "timberline.flush": "os", ...configs };
  }

  async start(...ids: number[]): Promise<void> {
    for (const id of ids) {
      const known = this.logs.get(id);
      const log = new LogFixture(known?.storage ?? new MemoryStorage(Infinity), this.clock);
      this.logs.set(id, log);
      const set = new Map(
        Object.entries(this.#configs).map(([name, text]) => [name, { text, place: "test" }]),
      );
      const controlPlane = this.plane.open(id);
      const broker = new LocalBroker({
        platform: { ...platform, clock: this.clock },
        controlPlane,
        folder: log.folder,
        brokerId: id,
        config: new BrokerConfig({ set }),
        metrics: log.metrics,
        openLink: this.#linksOf(id),
        report: (error, where) => this.reports.push(`${id} ${where}: ${error}`),
      });
      this.brokers.set(id, broker);
      await broker.open({ adopt: false, found: log.folder.found() });
      broker.begin(await controlPlane.register({ id, host: "h", port: id, rack: null }));
    }
    await this.settle();
  }

  /** A topic of one partition with these replicas, the first leads. */
  async createTopic(replicas: readonly number[], configs: Record<string, string> = {}) {
    await this.broker(replicas[0]!).createTopic({
      name: topic,
      partitions: -1,
      replicationFactor: -1,
      assignments: [replicas],
      configs: new Map(Object.entries(configs)),
    });
    await this.settle();
  }

  broker(id: number): LocalBroker {
    return this.brokers.get(id)!;
  }

  get record(): PartitionRecord {
    return this.plane.image.topics.get(topic)!.partitions[0]!;
  }

  /** It is gone at once; what it had written stays on its disk. */
  kill(id: number): void {
    this.broker(id).close();
    this.brokers.delete(id);
    this.plane.fence(id);
  }

  append(id: number, value: string, acks: -1 | 1 = -1): Appended | Promise<Appended> {
    const batch = this.logs.get(id)!.batch([value]);
    return this.broker(id).append({ ...place, batch, acks, timeoutMs: 1_000 });
  }

  /** [log start, high watermark, log end] of that broker's copy. */
  offsets(id: number): number[] {
    const { logStartOffset, highWatermark, logEndOffset } =
      this.broker(id).describePartition(place);
    return [logStartOffset, highWatermark, logEndOffset];
  }

  /** Everything in that broker's log, also what is not known to be on the others. */
  async bytesOf(id: number): Promise<string> {
    const partition = this.logs.get(id)!.folder.partitions.get(`${topic}-0`)!;
    const read = { offset: partition.log.startOffset, bytesMax: 1 << 24, atLeastOneBatch: true };
    return Buffer.from(await collect(partition.readAsReplica(read))).toString("hex");
  }

  letThrough(): void {
    this.held.clear();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /** Lets everything happen that needs no time to pass, and then a little time. */
  async settle(): Promise<void> {
    for (let round = 0; round < 10; round++) await this.clock.advance(1);
  }

  async close(): Promise<void> {
    for (const broker of this.brokers.values()) broker.close();
  }

  #linksOf(from: number): OpenLink {
    return ({ id: to }) => {
      let abort = new AbortController();
      const link: ReplicaLink = {
        fetch: async (request) => {
          const broker = this.brokers.get(to);
          if (broker === undefined) throw new Error(`broker ${to} is gone`);
          this.fetches.push({ from, to, request });
          const { signal } = abort;
          const answer = await this.#fetch(broker, request, signal);
          if (this.held.has(from)) await new Promise<void>((go) => this.#waiting.push(go));
          if (signal.aborted || !this.brokers.has(to)) throw new Error("hung up");
          return answer;
        },
        interrupt: () => {
          abort.abort();
          abort = new AbortController();
        },
        close: () => abort.abort(),
      };
      return link;
    };
  }

  async #fetch(
    broker: LocalBroker,
    request: ReplicaFetchRequest,
    signal: AbortSignal,
  ): Promise<ReplicaFetched[]> {
    const names = this.plane.image.topicsById;
    const fetched = await broker.fetch({
      partitions: request.items.map((item) => ({
        topic: names.get(item.topicId)!.name,
        partition: item.partition,
        offset: item.fetchOffset,
        bytesMax: item.bytesMax,
        currentLeaderEpoch: item.leaderEpoch,
        lastFetchedEpoch: item.lastFetchedEpoch,
        highWatermarkKnown: item.highWatermark,
      })),
      waitMsMax: request.waitMsMax,
      bytesMin: request.bytesMin,
      bytesMax: request.bytesMax,
      isolation: "read_uncommitted",
      replica: { id: request.replicaId, epoch: request.brokerEpoch },
      signal,
    });
    return Promise.all(
      fetched.map(async (one, i) => ({
        topicId: request.items[i]!.topicId,
        partition: one.partition,
        error: one.error?.code ?? "NONE",
        highWatermark: one.highWatermark,
        logStartOffset: one.logStartOffset,
        diverging: one.diverging,
        records: await collect(one.records),
      })),
    );
  }
}
