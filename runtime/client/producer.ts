// Producer: takes records, chooses their partitions, fills batches, and tells who sent them how it ended. The
// way to the brokers is `sender.ts`'s. Records of one partition are acknowledged and stored in the order they
// were sent in.

import type { RecordHeader, RecordInput } from "../../storage-wasm/core.ts";
import { codecId } from "../compression/codecs.ts";
import { partitionForKey, StickyPartitioner } from "../partitioner.ts";
import type {
  Bytes,
  OutgoingRecord,
  Partitioner,
  Producer,
  ProducerOptions,
  Sent,
  SentRange,
} from "./api.ts";
import {
  batchHeaderBytes,
  type Delivery,
  GroupDelivery,
  OutgoingBatch,
  RecordDelivery,
  recordBytes,
} from "./batch.ts";
import { BatchPool } from "./batch-memory.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { type Context, closedError } from "./context.ts";
import { asClientError, ClientError } from "./error.ts";
import type { Metadata, TopicMetadata } from "./metadata.ts";
import type { PartitionQueue } from "./partition-queue.ts";
import type { Identity } from "./producer-id.ts";
import { Sender } from "./sender.ts";

interface Waiting {
  readonly record: RecordInput;
  readonly partition: number | undefined;
  readonly bytes: number;
  readonly delivery: Delivery;
}

/** Just below what brokers take by default (`max.message.bytes`). */
const batchBytesDefault = 1_000_000;
/** So much without a key goes to one partition before the next one's turn. */
const stickyBytes = 65_536;
/** A sender that only ever awaits `ready` must let what it queued leave before it queues more. */
const turnBytesMax = 1_048_576;
const encoder = new TextEncoder();
const noHeaders: readonly RecordHeader[] = [];

export class TopicProducer implements Producer {
  readonly #context: Context;
  readonly #metadata: Metadata;
  readonly #pool: ConnectionPool;
  readonly #sender: Sender;
  readonly #partitioner: Partitioner;
  readonly #batchBytes: number;
  readonly #requestBytesMax: number;
  readonly #bufferBytesMax: number;
  /** Records of topics whose partitions are not known yet, in order. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #lookups = new Set<Promise<void>>();
  readonly #memory = new BatchPool();
  readonly #unfinished = new Set<OutgoingBatch>();
  readonly #flushes = new Set<{ open: Set<OutgoingBatch>; done: () => void }>();
  #bufferedBytes = 0;
  /** Taken since `ready` last let the event loop turn. */
  #turnBytes = 0;
  #order = 0;
  #room: { promise: Promise<void>; resolve: () => void } | null = null;
  #isClosed = false;

  /** `identity`: a transactional producer's, which outlives single transactions. */
  constructor(
    context: Context,
    metadata: Metadata,
    options: ProducerOptions = {},
    identity?: Identity,
  ) {
    this.#context = context;
    this.#metadata = metadata;
    this.#pool = new ConnectionPool(context);
    this.#requestBytesMax = options.requestBytesMax ?? 1_048_576;
    this.#batchBytes = Math.min(options.batchBytes ?? batchBytesDefault, this.#requestBytesMax);
    this.#bufferBytesMax = options.bufferBytesMax ?? 33_554_432;
    this.#partitioner = options.partitioner ?? defaultPartitioner(context);
    const acks = options.acks ?? -1;
    const idempotent = options.idempotent ?? acks === -1;
    if (idempotent && acks !== -1) {
      throw new ClientError("INVALID_REQUIRED_ACKS", "An idempotent producer needs acks: -1.");
    }
    this.#sender = new Sender(context, metadata, this.#pool, {
      acks,
      idempotent,
      identity,
      lingerMs: options.lingerMs ?? 0,
      requestBytesMax: this.#requestBytesMax,
      inFlightMax: options.inFlightMax ?? 5,
      deliveryTimeoutMs: options.deliveryTimeoutMs ?? 120_000,
      encode: encoderOf(context, options.compression ?? "none", identity !== undefined),
      finished: (batch) => this.#finished(batch),
      replaced: (batch, halves) => this.#replaced(batch, halves),
    });
  }

  send(record: OutgoingRecord): Promise<Sent> {
    return new Promise((resolve, reject) => {
      this.#assertAccepts();
      const timestampMs = record.timestampMs ?? this.#context.platform.clock.nowMs();
      this.#accept(record, timestampMs, new RecordDelivery(timestampMs, resolve, reject));
    });
  }

  sendBatch(records: readonly OutgoingRecord[]): Promise<readonly SentRange[]> {
    return new Promise((resolve, reject) => {
      this.#assertAccepts();
      const group = new GroupDelivery(records.length, resolve, reject);
      const nowMs = this.#context.platform.clock.nowMs();
      for (const record of records) this.#accept(record, record.timestampMs ?? nowMs, group);
    });
  }

  ready(): Promise<void> | undefined {
    if (this.#bufferedBytes < this.#bufferBytesMax) {
      if (this.#turnBytes < turnBytesMax) return undefined;
      this.#turnBytes = 0;
      return new Promise((resolve) => this.#context.platform.clock.soon(resolve));
    }
    this.#room ??= newRoom();
    return this.#room.promise;
  }

  async flush(): Promise<void> {
    await Promise.all(this.#lookups);
    if (this.#unfinished.size === 0) return;
    for (const batch of this.#unfinished) {
      batch.isDue = true;
      this.#sender.wake(this.#sender.queue(batch.topic, batch.partition));
    }
    const open = new Set(this.#unfinished);
    await new Promise<void>((done) => this.#flushes.add({ open, done }));
  }

  /** Gives up what is not on its way, and waits for the rest. */
  async cancel(error: ClientError): Promise<void> {
    await Promise.all(this.#lookups);
    this.#sender.abort(error);
    await this.flush();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
    this.#sender.close();
    this.#pool.close();
  }

  // ---- taking records ----

  #assertAccepts(): void {
    if (this.#isClosed || this.#context.closed) throw closedError("Producing");
    if (this.#bufferedBytes < 2 * this.#bufferBytesMax) return;
    throw new ClientError(
      "BUFFER_FULL",
      `${this.#bufferedBytes} bytes wait to be acknowledged: await producer.ready() between sends.`,
    );
  }

  #accept(outgoing: OutgoingRecord, timestampMs: number, delivery: Delivery): void {
    const record: RecordInput = {
      key: bytesOf(outgoing.key),
      value: bytesOf(outgoing.value),
      timestampMs,
      headers: headersOf(outgoing),
    };
    const bytes = recordBytes(record);
    const { topic, partition } = outgoing;
    if (bytes + batchHeaderBytes > this.#requestBytesMax) {
      delivery.failed(recordTooLarge(topic, bytes, this.#requestBytesMax));
      delivery.placed();
      return;
    }
    this.#bufferedBytes += bytes;
    this.#turnBytes += bytes;
    const queue = this.#waiting.size === 0 ? undefined : this.#waiting.get(topic);
    const known = this.#metadata.known(topic);
    const isKnown = known !== undefined && hasPartition(known, partition);
    if (isKnown && queue === undefined) {
      this.#place(known, record, partition, bytes, delivery);
      return;
    }
    const waiting = { record: detached(record), partition, bytes, delivery };
    if (queue !== undefined) queue.push(waiting);
    else this.#lookUp(topic, waiting);
  }

  /** The topic is unknown, or was seen without this partition: asks, then places what gathered meanwhile. */
  #lookUp(topic: string, first: Waiting): void {
    const queue = [first];
    this.#waiting.set(topic, queue);
    this.#metadata.invalidate(topic);
    const lookup = this.#metadata.load(topic, { create: true }).then(
      (known) => {
        this.#waiting.delete(topic);
        for (const { record, partition, bytes, delivery } of queue) {
          if (hasPartition(known, partition)) {
            this.#place(known, record, partition, bytes, delivery);
          } else this.#refuse(bytes, delivery, noPartition(known, partition));
        }
      },
      (error: unknown) => {
        this.#waiting.delete(topic);
        const reason = asClientError(error, `Producing to ${topic}`);
        for (const { bytes, delivery } of queue) this.#refuse(bytes, delivery, reason);
      },
    );
    this.#lookups.add(lookup);
    lookup.finally(() => this.#lookups.delete(lookup));
  }

  #place(
    topic: TopicMetadata,
    record: RecordInput,
    wanted: number | undefined,
    bytes: number,
    delivery: Delivery,
  ): void {
    const { name, available } = topic;
    const partitions = topic.partitions.length;
    const { key } = record;
    const partition =
      wanted ?? this.#partitioner.choose({ topic: name, key, bytes, partitions, available });
    if (wanted === undefined && !hasPartition(topic, partition)) {
      this.#refuse(bytes, delivery, noPartition(topic, partition));
      return;
    }
    const queue = this.#sender.queue(name, partition);
    const bytesMax = Math.min(this.#batchBytes, queue.batchBytesMax);
    if (queue.open !== null && queue.open.bytes + bytes > bytesMax) queue.seal();
    const isNew = queue.open === null;
    queue.open ??= this.#begin(queue, bytes);
    queue.open.add(record, bytes, delivery);
    if (queue.open.bytes >= bytesMax) queue.open.isDue = true;
    if (isNew || queue.open.isDue) this.#sender.wake(queue);
    delivery.placed();
  }

  #begin({ topic, partition, bytesHint }: PartitionQueue, bytes: number): OutgoingBatch {
    const batch = new OutgoingBatch({
      topic,
      partition,
      order: this.#order++,
      createdMs: this.#context.nowMs(),
      memory: this.#memory,
      bytesHint: Math.max(bytesHint, bytes + batchHeaderBytes),
    });
    this.#unfinished.add(batch);
    return batch;
  }

  #refuse(bytes: number, delivery: Delivery, error: ClientError): void {
    this.#release(bytes);
    delivery.failed(error);
    delivery.placed();
  }

  // ---- how it ended ----

  #finished(batch: OutgoingBatch): void {
    this.#unfinished.delete(batch);
    this.#release(batch.bytes - batchHeaderBytes);
    for (const flush of this.#flushes) {
      flush.open.delete(batch);
      if (flush.open.size > 0) continue;
      this.#flushes.delete(flush);
      flush.done();
    }
  }

  #replaced(batch: OutgoingBatch, halves: readonly OutgoingBatch[]): void {
    for (const batches of [this.#unfinished, ...[...this.#flushes].map(({ open }) => open)]) {
      if (!batches.delete(batch)) continue;
      for (const half of halves) batches.add(half);
    }
  }

  #release(bytes: number): void {
    this.#bufferedBytes -= bytes;
    if (this.#room === null || this.#bufferedBytes > this.#bufferBytesMax / 2) return;
    this.#room.resolve();
    this.#room = null;
  }
}

function encoderOf(
  context: Context,
  compression: NonNullable<ProducerOptions["compression"]>,
  isTransactional: boolean,
) {
  const { core, codecs } = context.platform;
  const codec = compression === "none" ? null : codecs[compression];
  const id = codecId(compression);
  const compress = codec === null ? null : { id, compress: codec.compress };
  return (
    batch: OutgoingBatch,
    identity: { producerId: number; producerEpoch: number; baseSequence: number },
  ): void => batch.encode(core, { compression: compress, isTransactional, ...identity });
}

/** By key among all partitions, without key sticky among those with a leader. */
function defaultPartitioner(context: Context): Partitioner {
  const { random } = context.platform;
  const sticky = new StickyPartitioner({ random, batchBytes: stickyBytes });
  return {
    choose({ topic, key, bytes, partitions, available }) {
      if (key !== null) return partitionForKey(key, partitions);
      if (available.length === 0) return sticky.next(topic, partitions, bytes);
      return available[sticky.next(topic, available.length, bytes)]!;
    },
  };
}

function hasPartition(topic: TopicMetadata, partition: number | undefined): boolean {
  const count = topic.partitions.length;
  if (partition === undefined) return count > 0;
  return Number.isInteger(partition) && partition >= 0 && partition < count;
}

function noPartition(topic: TopicMetadata, partition: number | undefined): ClientError {
  const what = `Topic ${topic.name} has ${topic.partitions.length} partitions, from 0`;
  return new ClientError("UNKNOWN_TOPIC_OR_PARTITION", `${what}: there is no ${partition}.`);
}

function recordTooLarge(topic: string, bytes: number, bytesMax: number): ClientError {
  const what = `A record for ${topic} takes ${bytes} bytes, above requestBytesMax (${bytesMax})`;
  return new ClientError("MESSAGE_TOO_LARGE", `${what}: send it smaller, or raise both limits.`);
}

function headersOf({ headers }: OutgoingRecord): readonly RecordHeader[] {
  if (headers === undefined) return noHeaders;
  return headers.map(({ key, value }) => ({ key, value: bytesOf(value) }));
}

function bytesOf(value: Bytes | null | undefined): Uint8Array | null {
  if (typeof value === "string") return encoder.encode(value);
  if (value instanceof Uint8Array) return value;
  if (value === null || value === undefined) return null;
  const what = "A key, value or header is neither text nor a Uint8Array: encode it first.";
  throw new ClientError("INVALID_REQUEST", what);
}

/** With copies of the caller's bytes, which may change before they are sent. */
function detached({ key, value, timestampMs, headers }: RecordInput): RecordInput {
  return {
    key: key && new Uint8Array(key),
    value: value && new Uint8Array(value),
    timestampMs,
    headers: (headers ?? noHeaders).map((header) => ({
      key: header.key,
      value: header.value && new Uint8Array(header.value),
    })),
  };
}

function newRoom(): { promise: Promise<void>; resolve: () => void } {
  let open: (() => void) | undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, resolve: open! };
}
