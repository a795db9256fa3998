// A Broker in a few arrays, for tests of the HTTP door: it stamps and keeps batches, waits, and can be told to
// fail. It counts the Records it handed out and those that were released.

import type { BrokerRecord, ClusterState, TopicRecord } from "../../../cluster/control-plane.ts";
import { newPartition } from "../../../cluster/partition-record.ts";
import type * as api from "../../../runtime/broker.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import type { GroupCoordinator } from "../../../runtime/group-coordinator.ts";
import type { Platform } from "../../../runtime/platform.ts";
import type { Records } from "../../../runtime/records.ts";
import type { DescribedPartition, RoutableBroker } from "../../../runtime/routable-broker.ts";

interface FakePartition {
  readonly batches: { bytes: Uint8Array; baseOffset: number; nextOffset: number; maxMs: number }[];
  startOffset: number;
  endOffset: number;
}

export class FakeBroker implements RoutableBroker {
  readonly brokerId = 1;
  /** Of tests that ask about groups. */
  groups = {} as GroupCoordinator;
  readonly appends: api.AppendRequest[] = [];
  readonly fetches: api.FetchRequest[] = [];
  /** Records handed out and not released yet. */
  unreleased = 0;
  autoCreate = true;
  messageBytesMax = 1_048_588;
  /** Answers appends later, as a disk does. */
  isSlow = false;
  /** Called before each append; may throw. */
  onAppend: (request: api.AppendRequest) => void = () => {};
  abortedTransactions: { producerId: number; firstOffset: number }[] = [];
  readonly #platform: Platform;
  readonly #topics = new Map<string, TopicRecord>();
  readonly #partitions = new Map<string, FakePartition>();
  #wake: (() => void)[] = [];

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  cluster(): ClusterState {
    return {
      clusterId: "fake",
      controllerId: 1,
      brokers: new Map([[1, this.#self()]]),
      topics: this.#topics,
      topicsById: new Map(),
      brokerConfigs: new Map(),
      groupConfigs: new Map(),
    };
  }

  #self(): BrokerRecord {
    return {
      id: 1,
      epoch: 1,
      host: "127.0.0.1",
      port: 9092,
      rack: null,
      fenced: false,
      draining: false,
    };
  }

  append(request: api.AppendRequest): api.Appended | Promise<api.Appended> {
    this.onAppend(request);
    const bytes = request.batch.slice();
    const { core } = this.#platform;
    const at = core.place(bytes);
    const rules = { verifyCrc: true, walkRecords: true, requireKeys: false };
    if (core.check(at, bytes.length, rules) !== 0) {
      throw new BrokerError("CORRUPT_MESSAGE", "the batch is damaged");
    }
    if (bytes.length > this.messageBytesMax) {
      throw new BrokerError("MESSAGE_TOO_LARGE", "larger than max.message.bytes");
    }
    const log = this.#log(request);
    const baseOffset = log.endOffset;
    const { count, maxTimestamp: maxMs } = core.header;
    new DataView(bytes.buffer).setBigInt64(0, BigInt(baseOffset));
    const nextOffset = baseOffset + count;
    log.batches.push({ bytes, baseOffset, nextOffset, maxMs });
    log.endOffset = nextOffset;
    this.appends.push({ ...request, batch: bytes });
    for (const wake of this.#wake.splice(0)) wake();
    const appended = {
      baseOffset,
      nextOffset,
      logAppendTimeMs: -1,
      logStartOffset: log.startOffset,
    };
    return this.isSlow ? new Promise((done) => setTimeout(() => done(appended), 1)) : appended;
  }

  async fetch(request: api.FetchRequest): Promise<readonly api.FetchedPartition[]> {
    this.fetches.push(request);
    const isEmpty = () => request.partitions.every((each) => this.#isAtEnd(each));
    if (request.waitMsMax > 0 && isEmpty()) await this.#wait(request);
    let left = request.bytesMax;
    return request.partitions.map((asked) => {
      const answer = this.#read(asked, request.signal?.aborted === true ? 0 : left);
      left = Math.max(0, left - answer.records.length);
      return answer;
    });
  }

  async listOffsets(
    request: api.TopicPartition & { spec: api.OffsetSpec },
  ): Promise<api.ListedOffset> {
    const log = this.#log(request);
    const found = (offset: number, timestampMs = -1) => {
      return { error: null, offset, timestampMs, leaderEpoch: 0 };
    };
    if (request.spec === "earliest") return found(log.startOffset);
    if (request.spec === "latest") return found(log.endOffset);
    if (typeof request.spec === "string")
      return found(log.endOffset - 1, log.batches.at(-1)!.maxMs);
    const { timestampMs } = request.spec;
    const batch = log.batches.find((each) => each.maxMs >= timestampMs);
    return batch === undefined ? found(-1) : found(batch.baseOffset, batch.maxMs);
  }

  async deleteRecords(request: api.TopicPartition & { offset: number }): Promise<number> {
    const log = this.#log(request);
    const offset = request.offset === -1 ? log.endOffset : request.offset;
    if (offset < 0 || offset > log.endOffset) {
      throw new BrokerError("OFFSET_OUT_OF_RANGE", "no such offset");
    }
    log.startOffset = offset;
    return offset;
  }

  async takeFence({ token = 1 }: api.TakeFenceRequest): Promise<number> {
    return token;
  }

  endOffset(place: api.TopicPartition): number {
    return this.#log(place).endOffset;
  }

  async createTopic(request: api.CreateTopicRequest): Promise<api.CreatedTopic> {
    if (!/^[\w.-]{1,249}$/.test(request.name)) {
      throw new BrokerError("INVALID_TOPIC_EXCEPTION", `${request.name} is no topic name`);
    }
    if (this.#topics.has(request.name)) {
      throw new BrokerError("TOPIC_ALREADY_EXISTS", `topic ${request.name} exists`);
    }
    const count = request.partitions === -1 ? 1 : request.partitions;
    const { name } = request;
    const created = {
      name,
      id: `id-${name}`,
      partitions: count,
      replicationFactor: 1,
      configs: [],
    };
    if (request.validateOnly === true) return created;
    const configs = new Map(request.configs);
    this.#topics.set(name, { name, id: created.id, partitions: partitionRecords(count), configs });
    return created;
  }

  async autoCreateTopic(name: string): Promise<void> {
    if (!this.autoCreate) {
      throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `topic ${name} does not exist`);
    }
    await this.createTopic({ name, partitions: -1, replicationFactor: -1, configs: new Map() });
  }

  async deleteTopic(name: string): Promise<void> {
    this.#topics.delete(name);
    for (const wake of this.#wake.splice(0)) wake();
  }

  async createPartitions(request: { name: string; partitions: number }): Promise<void> {
    const topic = this.#topics.get(request.name)!;
    if (request.partitions <= topic.partitions.length) {
      throw new BrokerError("INVALID_PARTITIONS", "a topic can only grow");
    }
    this.#topics.set(topic.name, { ...topic, partitions: partitionRecords(request.partitions) });
  }

  describeConfigs(_: api.ConfigResource, names: readonly string[] | null): api.ConfigEntry[] {
    const entry: api.ConfigEntry = {
      name: "max.message.bytes",
      value: String(this.messageBytesMax),
      source: "DEFAULT_CONFIG",
      readOnly: false,
      sensitive: false,
      type: "INT",
      documentation: "Largest batch.",
      synonyms: [],
    };
    return names === null || names.includes(entry.name) ? [entry] : [];
  }

  async alterConfigs(
    resource: api.ConfigResource,
    operations: readonly api.ConfigOperation[],
    options: { validateOnly: boolean },
  ): Promise<void> {
    if (resource.kind !== "topic") throw new Error("only topics have configs here");
    const topic = this.#topics.get(resource.name)!;
    const configs = new Map(topic.configs);
    for (const each of operations) {
      if (!each.name.includes(".")) throw new BrokerError("INVALID_CONFIG", `no key ${each.name}`);
      if (each.op === "delete") configs.delete(each.name);
      else configs.set(each.name, each.value);
    }
    if (!options.validateOnly) this.#topics.set(topic.name, { ...topic, configs });
  }

  describePartitions(places: readonly api.TopicPartition[]): readonly DescribedPartition[] {
    return places.map((place) => {
      try {
        return this.#view(place);
      } catch (error) {
        return error as BrokerError;
      }
    });
  }

  #view(place: api.TopicPartition): api.PartitionView {
    const log = this.#log(place);
    return {
      ...place,
      leader: 1,
      leaderEpoch: 0,
      replicas: [1],
      isr: [1],
      logStartOffset: log.startOffset,
      highWatermark: log.endOffset,
      logEndOffset: log.endOffset,
      sizeBytes: log.batches.reduce((sum, batch) => sum + batch.bytes.length, 0),
      segments: 1,
    };
  }

  #log({ topic, partition }: api.TopicPartition): FakePartition {
    const known = this.#topics.get(topic)?.partitions[partition];
    if (known === undefined) {
      throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `${topic}-${partition} is not there`);
    }
    const key = `${topic}-${partition}`;
    const log = this.#partitions.get(key) ?? { batches: [], startOffset: 0, endOffset: 0 };
    this.#partitions.set(key, log);
    return log;
  }

  #isAtEnd(asked: api.FetchPartition): boolean {
    return this.#topics.has(asked.topic) && asked.offset === this.#log(asked).endOffset;
  }

  #wait({ waitMsMax, signal }: api.FetchRequest): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(), waitMsMax);
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      this.#wake.push(done);
      signal?.addEventListener("abort", done);
    });
  }

  #read(asked: api.FetchPartition, bytesMax: number): api.FetchedPartition {
    const { topic, partition, offset } = asked;
    const common = { topic, partition, abortedTransactions: this.abortedTransactions };
    try {
      const log = this.#log(asked);
      const isOutside = offset < log.startOffset || offset > log.endOffset;
      const end = { highWatermark: log.endOffset, lastStableOffset: log.endOffset };
      const error = isOutside
        ? new BrokerError("OFFSET_OUT_OF_RANGE", `no offset ${offset}`)
        : null;
      const parts: Uint8Array[] = [];
      let length = 0;
      for (const batch of isOutside ? [] : log.batches) {
        const isFull = length + batch.bytes.length > Math.min(bytesMax, asked.bytesMax);
        if (batch.nextOffset <= offset || (isFull && (length > 0 || bytesMax === 0))) continue;
        parts.push(batch.bytes);
        length += batch.bytes.length;
        if (isFull) break;
      }
      const records = this.#records(parts, length);
      return { ...common, ...end, error, logStartOffset: log.startOffset, records };
    } catch (error) {
      const end = { highWatermark: -1, lastStableOffset: -1, logStartOffset: -1 };
      return { ...common, ...end, error: error as BrokerError, records: this.#records([], 0) };
    }
  }

  #records(parts: Uint8Array[], length: number): Records {
    this.unreleased++;
    let isReleased = false;
    const release = () => {
      if (isReleased) throw new Error("released twice");
      isReleased = true;
      this.unreleased--;
    };
    return { length, parts, release };
  }
}

function partitionRecords(count: number): TopicRecord["partitions"] {
  return Array.from({ length: count }, (_, partition) => newPartition(partition, [1]));
}
