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
import { ConnectionPool } from "./connection-pool.ts";
import { type Context, closedError } from "./context.ts";
import { asClientError, ClientError } from "./error.ts";
import type { Metadata, TopicMetadata } from "./metadata.ts";
import type { Identity } from "./producer-id.ts";
import { Sender } from "./sender.ts";

interface Waiting {
  readonly record: RecordInput;
  readonly partition: number | undefined;
  readonly bytes: number;
  readonly delivery: Delivery;
  /** Told when the record has joined a batch or failed. */
  readonly placed: (() => void) | undefined;
}

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
    this.#batchBytes = options.batchBytes ?? 65_536;
    this.#requestBytesMax = options.requestBytesMax ?? 1_048_576;
    this.#bufferBytesMax = options.bufferBytesMax ?? 33_554_432;
    this.#partitioner = options.partitioner ?? defaultPartitioner(context, this.#batchBytes);
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
      this.#accept(record, new RecordDelivery(resolve, reject), undefined);
    });
  }

  sendBatch(records: readonly OutgoingRecord[]): Promise<readonly SentRange[]> {
    return new Promise((resolve, reject) => {
      this.#assertAccepts();
      const group = new GroupDelivery(resolve, reject);
      let open = records.length;
      const placed = () => {
        if (--open === 0) group.complete();
      };
      for (const record of records) this.#accept(record, group, placed);
      if (records.length === 0) group.complete();
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

  #accept(outgoing: OutgoingRecord, delivery: Delivery, placed: (() => void) | undefined): void {
    const record: RecordInput = {
      key: bytesOf(outgoing.key ?? null),
      value: bytesOf(outgoing.value),
      timestampMs: outgoing.timestampMs ?? this.#context.platform.clock.nowMs(),
      headers: headersOf(outgoing),
    };
    const bytes = recordBytes(record);
    const { topic, partition } = outgoing;
    if (bytes + batchHeaderBytes > this.#requestBytesMax) {
      delivery.failed(recordTooLarge(topic, bytes, this.#requestBytesMax));
      placed?.();
      return;
    }
    this.#bufferedBytes += bytes;
    this.#turnBytes += bytes;
    const waiting = { record, partition, bytes, delivery, placed };
    const queue = this.#waiting.get(topic);
    const known = this.#metadata.known(topic);
    if (queue !== undefined) queue.push(waiting);
    else if (known === undefined || !hasPartition(known, partition)) this.#lookUp(topic, waiting);
    else this.#place(known, waiting);
  }

  /** The topic is unknown, or was seen without this partition: asks, then places what gathered meanwhile. */
  #lookUp(topic: string, first: Waiting): void {
    const queue = [first];
    this.#waiting.set(topic, queue);
    this.#metadata.invalidate(topic);
    const lookup = this.#metadata.load(topic, { create: true }).then(
      (known) => {
        this.#waiting.delete(topic);
        for (const waiting of queue) {
          if (hasPartition(known, waiting.partition)) this.#place(known, waiting);
          else this.#refuse(waiting, noPartition(known, waiting.partition));
        }
      },
      (error: unknown) => {
        this.#waiting.delete(topic);
        const reason = asClientError(error, `Producing to ${topic}`);
        for (const waiting of queue) this.#refuse(waiting, reason);
      },
    );
    this.#lookups.add(lookup);
    lookup.finally(() => this.#lookups.delete(lookup));
  }

  #place(topic: TopicMetadata, waiting: Waiting): void {
    const { record, bytes, delivery, placed } = waiting;
    const { name, available } = topic;
    const partitions = topic.partitions.length;
    const key = record.key;
    const partition =
      waiting.partition ??
      this.#partitioner.choose({ topic: name, key, bytes, partitions, available });
    if (!hasPartition(topic, partition)) {
      this.#refuse(waiting, noPartition(topic, partition));
      return;
    }
    const queue = this.#sender.queue(name, partition);
    if (queue.open !== null && queue.open.bytes + bytes > this.#batchBytes) queue.seal();
    const isNew = queue.open === null;
    if (queue.open === null) {
      const createdMs = this.#context.nowMs();
      queue.open = new OutgoingBatch({ topic: name, partition, order: this.#order++, createdMs });
      this.#unfinished.add(queue.open);
    }
    queue.open.add(record, bytes, delivery);
    if (queue.open.bytes >= this.#batchBytes) queue.open.isDue = true;
    if (isNew || queue.open.isDue) this.#sender.wake(queue);
    placed?.();
  }

  #refuse({ bytes, delivery, placed }: Waiting, error: ClientError): void {
    this.#release(bytes);
    delivery.failed(error);
    placed?.();
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
  ): Uint8Array =>
    core.encode(batch.records, { compression: compress, isTransactional, ...identity });
}

/** By key among all partitions, without key sticky among those with a leader. */
function defaultPartitioner(context: Context, batchBytes: number): Partitioner {
  const sticky = new StickyPartitioner({ random: context.platform.random, batchBytes });
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

function bytesOf(value: Bytes | null): Uint8Array | null {
  return typeof value === "string" ? encoder.encode(value) : value;
}

function newRoom(): { promise: Promise<void>; resolve: () => void } {
  let open: (() => void) | undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, resolve: open! };
}
