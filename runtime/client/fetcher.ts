// Fetcher: keeps one long-polling Fetch on its way to each leader that has partitions with room, and files the
// answers with their readers. It asks ahead of the iteration as far as the buffer's bound allows.

import { decompressor } from "../compression/codecs.ts";
import { fetch } from "../kafka/apis/fetch.ts";
import type { RequestInput, ResponseOf } from "../kafka/schema.ts";
import { zeroUuid } from "../kafka/uuid.ts";
import { AnswerMemory } from "./answer-memory.ts";
import type { ConsumerOptions } from "./api.ts";
import type { BrokerConnection } from "./broker-connection.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { asClientError, type ClientError, errorFromCode, isStaleMetadata } from "./error.ts";
import { FetchedRecords } from "./fetched.ts";
import type { BrokerMetadata } from "./metadata.ts";
import { askOffsets, isolationLevels } from "./offsets.ts";
import type { PartitionReader } from "./partition-reader.ts";
import { Pump } from "./pump.ts";

/** Fetch names topics by id from here on. */
const topicIdVersion = 13;
/** A partition is asked ahead while it has less than this many answers waiting. */
const chunksMax = 2;

type PartitionAnswer = ResponseOf<typeof fetch>["responses"][number]["partitions"][number];

/** A reader as it was when it was asked for. */
interface Asked {
  readonly reader: PartitionReader;
  readonly generation: number;
}

type AskedTopic = NonNullable<RequestInput<typeof fetch>["topics"]>[number];
type AskedPartition = AskedTopic["partitions"][number];

export class Fetcher {
  readonly settings: Required<ConsumerOptions>;
  readonly decompress: (codec: number, bytes: Uint8Array) => Uint8Array;
  readonly #calls: ClusterCalls;
  readonly #pool: ConnectionPool;
  readonly #memory: AnswerMemory | null;
  /** Something arrived, or failed. */
  readonly #arrived: () => void;
  readonly #busyLeaders = new Set<number>();
  #readers: readonly PartitionReader[] = [];
  readonly #pump: Pump;
  #isStopped = false;

  constructor(calls: ClusterCalls, options: ConsumerOptions, arrived: () => void) {
    this.#calls = calls;
    const memory = options.reuseMemory === true ? new AnswerMemory() : null;
    this.#memory = memory;
    this.#pool = new ConnectionPool(
      calls.context,
      memory ? (size) => memory.take(size) : undefined,
    );
    this.#arrived = arrived;
    this.#pump = new Pump(calls.context, () => this.#askAll());
    this.settings = {
      isolation: options.isolation ?? "read_uncommitted",
      fetchWaitMsMax: options.fetchWaitMsMax ?? 500,
      fetchBytesMin: options.fetchBytesMin ?? 1,
      fetchBytesMax: options.fetchBytesMax ?? 16_777_216,
      partitionBytesMax: options.partitionBytesMax ?? 1_048_576,
      bufferBytesMax: options.bufferBytesMax ?? 33_554_432,
      batchBytesMax: options.batchBytesMax ?? 67_108_864,
      offsetReset: options.offsetReset ?? "error",
      reuseMemory: this.#memory !== null,
    };
    this.decompress = decompressor(calls.context.platform.codecs, this.settings.batchBytesMax);
  }

  assign(readers: readonly PartitionReader[]): void {
    this.#readers = readers;
    this.wake();
  }

  /** Room was made, a partition was resumed or moved. */
  wake(): void {
    this.#pump.soon();
  }

  stop(): void {
    this.#isStopped = true;
    this.#readers = [];
    this.#pump.stop();
    this.#pool.close();
  }

  // ---- asking ----

  #askAll(): void {
    let buffered = 0;
    for (const reader of this.#readers) buffered += reader.bufferedBytes;
    if (buffered >= this.settings.bufferBytesMax) return;
    const byLeader = new Map<BrokerMetadata, PartitionReader[]>();
    const nowMs = this.#calls.context.nowMs();
    for (const reader of this.#readers) {
      if (!this.#wants(reader, nowMs)) continue;
      const leader = this.#leaderOf(reader, nowMs);
      if (leader === undefined || this.#busyLeaders.has(leader.id)) continue;
      const group = byLeader.get(leader);
      if (group === undefined) byLeader.set(leader, [reader]);
      else group.push(reader);
    }
    for (const [leader, group] of byLeader) this.#fetch(leader, group);
  }

  #wants(reader: PartitionReader, nowMs: number): boolean {
    if (reader.isPaused || reader.isFetching || reader.isBroken) return false;
    if (reader.notBeforeMs > nowMs) {
      this.#pump.at(reader.notBeforeMs);
      return false;
    }
    return reader.chunks.length < chunksMax;
  }

  #leaderOf(reader: PartitionReader, nowMs: number): BrokerMetadata | undefined {
    const { metadata } = this.#calls;
    const { topic, partition } = reader;
    const known = metadata.cached(topic);
    if (known !== undefined) {
      if (!reader.isSameTopic(known.id)) {
        this.#arrived();
        return undefined;
      }
      const leader = metadata.leaderOf(topic, partition);
      if (leader !== undefined) return leader;
      metadata.invalidate(topic);
    }
    reader.isFetching = true;
    const { generation } = reader;
    metadata
      .load(topic, { create: false })
      .then(
        () => {
          if (metadata.leaderOf(topic, partition) === undefined) this.#later(reader, nowMs);
        },
        (error: unknown) => {
          const reason = asClientError(error, `Reading ${topic}-${partition}`);
          if (reader.generation === generation) this.#failed(reader, reason);
        },
      )
      .finally(() => {
        reader.isFetching = false;
        this.wake();
      });
    return undefined;
  }

  #fetch(leader: BrokerMetadata, readers: readonly PartitionReader[]): void {
    this.#busyLeaders.add(leader.id);
    const asked: Asked[] = readers.map((reader) => ({ reader, generation: reader.generation }));
    for (const reader of readers) reader.isFetching = true;
    this.#pool
      .to(leader)
      .then((connection) => this.#ask(connection, readers))
      .then(
        (response) => this.#answered(asked, response),
        (error: unknown) => {
          const reason = asClientError(error, "Fetching");
          for (const { reader, generation } of asked) {
            if (reader.generation === generation) this.#failed(reader, reason);
          }
        },
      )
      .then(() => {
        this.#busyLeaders.delete(leader.id);
        for (const reader of readers) reader.isFetching = false;
        // At once: the broker works on the next answer while the program works on this one.
        if (!this.#isStopped) this.#askAll();
        this.#arrived();
      });
  }

  #ask(connection: BrokerConnection, readers: readonly PartitionReader[]) {
    const { fetchWaitMsMax, fetchBytesMin, fetchBytesMax, partitionBytesMax } = this.settings;
    const topics = new Map<string, AskedPartition[]>();
    for (const { topic, partition, fetchOffset } of readers) {
      // Whoever led before would answer of a log that ends earlier: then nothing could be told from what is gone.
      const currentLeaderEpoch = this.#calls.metadata.leaderEpochOf(topic, partition);
      const partitionMaxBytes = partitionBytesMax;
      const one = { partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes };
      const known = topics.get(topic);
      if (known === undefined) topics.set(topic, [one]);
      else known.push(one);
    }
    const hasIds = [...topics.keys()].every((topic) => this.#topicId(topic) !== zeroUuid);
    const message = {
      maxWaitMs: fetchWaitMsMax,
      minBytes: fetchBytesMin,
      maxBytes: fetchBytesMax,
      isolationLevel: isolationLevels[this.settings.isolation],
      replicaState: {},
      topics: Array.from(topics, ([topic, partitions]) => ({
        topic,
        topicId: this.#topicId(topic),
        partitions,
      })),
    };
    return connection.call(fetch, message, {
      extraTimeoutMs: fetchWaitMsMax,
      versionMax: hasIds ? fetch.versions.max : topicIdVersion - 1,
    });
  }

  #topicId(topic: string): string {
    return this.#calls.metadata.known(topic)?.id ?? zeroUuid;
  }

  // ---- answers ----

  #answered(asked: readonly Asked[], response: ResponseOf<typeof fetch>): void {
    const whole = errorFromCode(response.errorCode, "Fetching");
    const answers = new Map<string, PartitionAnswer>();
    for (const { topic, topicId, partitions } of response.responses) {
      const name = topic === "" ? topicId : topic;
      for (const answer of partitions) answers.set(`${name} ${answer.partitionIndex}`, answer);
    }
    for (const { reader, generation } of asked) {
      if (reader.generation !== generation) continue;
      const { topic, partition } = reader;
      const answer =
        answers.get(`${topic} ${partition}`) ?? answers.get(`${this.#topicId(topic)} ${partition}`);
      const where = `Reading ${topic}-${partition} at offset ${reader.fetchOffset}`;
      const error = whole ?? errorFromCode(answer?.errorCode ?? 0, where);
      if (error !== null) this.#failed(reader, error);
      else if (answer !== undefined) this.#file(reader, answer, where);
    }
  }

  #file(reader: PartitionReader, answer: PartitionAnswer, where: string): void {
    reader.failures = 0;
    if (answer.records === null || answer.records.length === 0) return;
    const { core } = this.#calls.context.platform;
    const aborted = answer.abortedTransactions ?? [];
    const records = new FetchedRecords(core, answer.records, aborted, this.#memory);
    const { highWatermark, logStartOffset } = answer;
    if (records.nextOffset > reader.fetchOffset) {
      reader.fetchOffset = records.nextOffset;
      reader.chunks.push({ records, highWatermark, logStartOffset });
    } else {
      const error = records.error(where);
      if (error !== null) reader.break(error);
    }
  }

  #failed(reader: PartitionReader, error: ClientError): void {
    if (this.#isStopped) return;
    if (isStaleMetadata(error.code)) this.#calls.metadata.invalidate(reader.topic);
    if (error.code === "OFFSET_OUT_OF_RANGE" && this.settings.offsetReset !== "error") {
      this.#reset(reader, this.settings.offsetReset);
    } else if (error.retriable && error.code !== "UNKNOWN_TOPIC_OR_PARTITION") {
      this.#later(reader, this.#calls.context.nowMs());
    } else {
      reader.break(error);
      this.#arrived();
    }
  }

  #later(reader: PartitionReader, nowMs: number): void {
    reader.failures++;
    reader.notBeforeMs = nowMs + this.#calls.context.backoffMs(reader.failures);
    this.#pump.at(reader.notBeforeMs);
  }

  /** The records are gone: goes on at the earliest or latest there are. */
  #reset(reader: PartitionReader, spec: "earliest" | "latest"): void {
    const { generation, topic, partition } = reader;
    reader.isBroken = true;
    askOffsets(this.#calls, [{ topic, partition, spec }], this.settings.isolation).then(
      ([found]) => {
        if (reader.generation !== generation) return;
        if (found?.error) reader.break(found.error);
        else if (found !== undefined) reader.seek(found.offset);
        this.#arrived();
        this.wake();
      },
    );
  }
}
