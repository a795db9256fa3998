// Sender: moves a producer's batches to the leaders of their partitions, in order, several requests at a time,
// and again after what is worth a retry. With idempotence batches are numbered so that the broker drops
// repetitions and refuses gaps (KIP-98); whatever cannot be numbered any more goes on under a new producer id.

import { zeroUuid } from "../kafka/uuid.ts";
import { nextSequence, type OutgoingBatch } from "./batch.ts";
import type { BrokerConnection } from "./broker-connection.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { addressText, type Context } from "./context.ts";
import {
  asClientError,
  ClientError,
  isSequenceError,
  isStaleMetadata,
  isTooLarge,
  mayHaveAppended,
} from "./error.ts";
import { type Lane, Lanes } from "./lanes.ts";
import type { BrokerMetadata, Metadata } from "./metadata.ts";
import { PartitionQueue } from "./partition-queue.ts";
import { sendProduce } from "./produce-request.ts";
import { type Identity, ProducerId } from "./producer-id.ts";
import { Pump } from "./pump.ts";

export interface SenderSettings {
  readonly acks: -1 | 0 | 1;
  readonly idempotent: boolean;
  /** Instead of an idempotent producer's own. */
  readonly identity?: Identity | undefined;
  readonly lingerMs: number;
  readonly requestBytesMax: number;
  readonly inFlightMax: number;
  readonly deliveryTimeoutMs: number;
  /** Makes the bytes of a batch; the identity is -1 throughout without idempotence. */
  encode(
    batch: OutgoingBatch,
    identity: { producerId: number; producerEpoch: number; baseSequence: number },
  ): void;
  /** Called once for each batch, after its deliveries were told. */
  finished(batch: OutgoingBatch): void;
  /** A batch too large for the broker became these. */
  replaced(batch: OutgoingBatch, halves: readonly OutgoingBatch[]): void;
}

export class Sender {
  readonly #context: Context;
  readonly #metadata: Metadata;
  readonly #pool: ConnectionPool;
  readonly #settings: SenderSettings;
  readonly #identity: Identity;
  /** Partitions with something to send. */
  readonly #active = new Set<PartitionQueue>();
  /** By topic, then partition (with holes, which `flat` leaves out). */
  readonly #queues = new Map<string, PartitionQueue[]>();
  readonly #lanes: Lanes;
  readonly #loading = new Set<string>();
  #inFlight = 0;
  readonly #pump: Pump;

  constructor(
    context: Context,
    metadata: Metadata,
    pool: ConnectionPool,
    settings: SenderSettings,
  ) {
    this.#context = context;
    this.#metadata = metadata;
    this.#pool = pool;
    this.#settings = settings;
    this.#identity = settings.identity ?? new ProducerId(context, metadata);
    this.#pump = new Pump(context, () => this.#sendAll());
    this.#lanes = new Lanes(context, { metadata, pool, wake: () => this.#pump.soon() });
  }

  queue(topic: string, partition: number): PartitionQueue {
    const queues = this.#queues.get(topic) ?? [];
    if (queues.length === 0) this.#queues.set(topic, queues);
    queues[partition] ??= new PartitionQueue(topic, partition);
    return queues[partition];
  }

  /** Something was added to the queue, or became due. */
  wake(queue: PartitionQueue): void {
    this.#active.add(queue);
    const { lingerMs } = this.#settings;
    const isDue = lingerMs === 0 || queue.waiting.length > 0 || queue.open?.isDue === true;
    if (isDue) this.#pump.soon();
    else if (queue.open !== null) this.#pump.at(queue.open.createdMs + lingerMs);
  }

  close(): void {
    this.#pump.stop();
  }

  /** Fails everything that is not on its way. */
  abort(error: ClientError): void {
    for (const queue of this.#allQueues()) this.#failQueue(queue, error);
  }

  // ---- what ----

  /** One pass over what waits: at most one batch per partition into each request. */
  #sendAll(): void {
    const nowMs = this.#context.nowMs();
    for (const queue of this.#active) {
      this.#expire(queue, nowMs);
      if (queue.isIdle) this.#active.delete(queue);
    }
    if (this.#active.size === 0) this.#pump.rest();
    if (this.#active.size === 0 || !this.#isReady()) return;
    const requests = new Map<BrokerMetadata, { queue: PartitionQueue; bytes: number }[]>();
    for (const queue of this.#active) {
      const leader = this.#maySend(queue, nowMs) ? this.#leaderOf(queue, nowMs) : null;
      if (leader !== null) this.#addTo(requests, leader, queue);
    }
    let again = false;
    for (const [leader, parts] of requests) again = this.#send(leader, parts, nowMs) || again;
    if (again) this.#pump.soon();
  }

  /** With idempotence nothing leaves without a producer id, and none is changed while batches are out. */
  #isReady(): boolean {
    if (!this.#settings.idempotent || this.#identity.isKnown) return true;
    if (this.#inFlight > 0) return false;
    const loaded = () => {
      for (const queue of this.#allQueues()) queue.restartSequences();
      this.#sendAll();
    };
    this.#identity.load(loaded, (error) => this.abort(error));
    return false;
  }

  #maySend(queue: PartitionQueue, nowMs: number): boolean {
    const partitionMax = this.#settings.idempotent || this.#settings.acks === 0 ? 5 : 1;
    if (queue.inFlight.size >= partitionMax) return false;
    if (queue.isRetrying && queue.inFlight.size > 0) return false;
    if (this.#settings.idempotent && queue.isBehindOther(this.#identity.id)) return false;
    if (queue.notBeforeMs > nowMs) {
      this.#pump.at(queue.notBeforeMs);
      return false;
    }
    const dueMs = queue.waiting.length > 0 ? nowMs : this.#dueMs(queue.open!);
    if (dueMs > nowMs) {
      this.#pump.at(dueMs);
      return false;
    }
    return this.#identity.admits(queue.topic, queue.partition, () => this.#pump.soon());
  }

  #dueMs(open: OutgoingBatch): number {
    return open.isDue ? 0 : open.createdMs + this.#settings.lingerMs;
  }

  #leaderOf(queue: PartitionQueue, nowMs: number): BrokerMetadata | null {
    const { topic, partition } = queue;
    if (this.#metadata.cached(topic) === undefined) {
      this.#load(topic);
      return null;
    }
    const leader = this.#metadata.leaderOf(topic, partition);
    if (leader !== undefined) return leader;
    this.#metadata.invalidate(topic);
    queue.notBeforeMs = nowMs + this.#context.backoffMs(1);
    this.#pump.at(queue.notBeforeMs);
    return null;
  }

  #load(topic: string): void {
    if (this.#loading.has(topic)) return;
    this.#loading.add(topic);
    const done = () => {
      this.#loading.delete(topic);
      this.#pump.soon();
    };
    this.#metadata.load(topic, { create: true }).then(done, (error: unknown) => {
      const reason = asClientError(error, `Producing to ${topic}`);
      // While brokers are away only the delivery timeout decides.
      const isFinal = !reason.retriable || reason.code === "UNKNOWN_TOPIC_OR_PARTITION";
      for (const queue of isFinal ? this.#active : []) {
        if (queue.topic === topic) this.#failQueue(queue, reason);
      }
      done();
    });
  }

  #addTo(
    requests: Map<BrokerMetadata, { queue: PartitionQueue; bytes: number }[]>,
    leader: BrokerMetadata,
    queue: PartitionQueue,
  ): void {
    const bytes = (queue.waiting[0] ?? queue.open)!.bytes;
    const parts = requests.get(leader);
    if (parts === undefined) requests.set(leader, [{ queue, bytes }]);
    else parts.push({ queue, bytes });
  }

  #allQueues(): PartitionQueue[] {
    return [...this.#queues.values()].flat();
  }

  // ---- sending ----

  /** Sends as much as the lane takes; true if there may be more to send at once. */
  #send(
    leader: BrokerMetadata,
    parts: readonly { queue: PartitionQueue; bytes: number }[],
    nowMs: number,
  ): boolean {
    const lane = this.#lanes.of(leader);
    const connection = this.#pool.open(leader);
    if (connection === undefined) {
      const topics = parts.map(({ queue }) => queue.topic);
      const notBeforeMs = this.#lanes.connect(leader, topics, nowMs);
      if (notBeforeMs > nowMs) this.#pump.at(notBeforeMs);
      return false;
    }
    let from = 0;
    while (from < parts.length && lane.inFlight < this.#settings.inFlightMax) {
      let bytes = 0;
      const batches: OutgoingBatch[] = [];
      for (; from < parts.length; from++) {
        const part = parts[from]!;
        if (batches.length > 0 && bytes + part.bytes > this.#settings.requestBytesMax) break;
        bytes += part.bytes;
        batches.push(this.#take(part.queue));
      }
      this.#request(connection, lane, batches);
    }
    const takesMore = lane.inFlight < this.#settings.inFlightMax;
    return takesMore && parts.some(({ queue }) => queue.waiting.length > 0);
  }

  /** The queue's first batch, numbered and encoded. */
  #take(queue: PartitionQueue): OutgoingBatch {
    if (queue.waiting.length === 0) queue.seal();
    const batch = queue.waiting.shift()!;
    queue.isRetrying = false;
    queue.inFlight.add(batch);
    batch.attempts++;
    if (this.#settings.idempotent && batch.baseSequence < 0) {
      batch.baseSequence = queue.nextSequence;
      queue.nextSequence = nextSequence(queue.nextSequence, batch.count);
      batch.producerId = this.#identity.id;
    }
    this.#settings.encode(batch, {
      producerId: batch.producerId,
      producerEpoch: this.#settings.idempotent ? this.#identity.epoch : -1,
      baseSequence: batch.baseSequence,
    });
    return batch;
  }

  #request(connection: BrokerConnection, lane: Lane, batches: OutgoingBatch[]): void {
    const { acks } = this.#settings;
    const timeoutMs = this.#context.settings.requestTimeoutMs;
    const topicId = (topic: string) => this.#metadata.known(topic)?.id ?? zeroUuid;
    const { transactionalId, produceVersionMax: versionMax } = this.#identity;
    const terms = { acks, timeoutMs, transactionalId, versionMax, topicId };
    lane.inFlight++;
    this.#inFlight++;
    const settled = () => {
      lane.inFlight--;
      this.#inFlight--;
      this.#pump.soon();
    };
    const failed = (thrown: unknown) => {
      const error = asClientError(thrown, `Producing to ${addressText(connection.address)}`);
      for (const batch of batches) this.#failed(batch, error);
      settled();
    };
    try {
      sendProduce(connection, batches, terms).then((outcomes) => {
        for (const { batch, error, baseOffset, appendTimeMs } of outcomes) {
          if (error === null) this.#delivered(batch, baseOffset, appendTimeMs);
          else this.#failed(batch, error);
        }
        settled();
      }, failed);
    } catch (error) {
      failed(error);
    }
  }

  // ---- answers ----

  #delivered(batch: OutgoingBatch, baseOffset: number, appendTimeMs: number): void {
    this.queue(batch.topic, batch.partition).inFlight.delete(batch);
    batch.delivered(baseOffset, appendTimeMs);
    this.#settings.finished(batch);
  }

  #failed(batch: OutgoingBatch, error: ClientError): void {
    const queue = this.queue(batch.topic, batch.partition);
    queue.inFlight.delete(batch);
    const { code } = error;
    batch.maybeAppended ||= mayHaveAppended(code);
    if (isStaleMetadata(code)) this.#metadata.invalidate(batch.topic);
    if (code === "DUPLICATE_SEQUENCE_NUMBER") {
      batch.delivered(-1, -1);
      this.#settings.finished(batch);
    } else if (isTooLarge(code) && batch.count > 1) {
      this.#split(queue, batch);
    } else if (this.#settings.idempotent && isSequenceError(code)) {
      const isOvertaken = code === "OUT_OF_ORDER_SEQUENCE_NUMBER" && queue.hasOlder(batch);
      // Under another number it could be there twice.
      const mayGoOn = isOvertaken || (this.#identity.forget() && !batch.maybeAppended);
      if (mayGoOn) this.#again(queue, batch);
      else this.#giveUp(queue, batch, error);
    } else if (error.retriable && this.#settings.acks !== 0) this.#again(queue, batch, error);
    else this.#giveUp(queue, batch, error);
  }

  #again(queue: PartitionQueue, batch: OutgoingBatch, error?: ClientError): void {
    const nowMs = this.#context.nowMs();
    const isLate = nowMs - batch.createdMs > this.#settings.deliveryTimeoutMs;
    if (error !== undefined && (isLate || !this.#identity.isRetrying)) {
      this.#giveUp(queue, batch, error);
      return;
    }
    queue.putBack([batch]);
    queue.notBeforeMs = nowMs + this.#context.backoffMs(batch.attempts, error?.code);
    this.#active.add(queue);
  }

  #split(queue: PartitionQueue, batch: OutgoingBatch): void {
    const halves = batch.split();
    // Or every batch would be sent in vain before it is cut.
    queue.batchBytesMax = Math.min(queue.batchBytesMax, batch.bytes / 2);
    this.#settings.replaced(batch, halves);
    queue.putBack(halves);
    this.#active.add(queue);
  }

  /** A number that was used and never appended leaves a gap: take it back, or begin anew. */
  #giveUp(queue: PartitionQueue, batch: OutgoingBatch, error: ClientError): void {
    if (batch.baseSequence >= 0 && batch.producerId === this.#identity.id) {
      if (queue.hasNumbered() || batch.maybeAppended) this.#identity.forget();
      else queue.nextSequence = batch.baseSequence;
    }
    batch.failed(error);
    this.#settings.finished(batch);
  }

  /** Gives up what has waited too long, and comes back when the next will have. */
  #expire(queue: PartitionQueue, nowMs: number): void {
    const { deliveryTimeoutMs } = this.#settings;
    for (;;) {
      const oldest = queue.waiting[0] ?? queue.open;
      if (oldest === null) return;
      const expiresMs = oldest.createdMs + deliveryTimeoutMs;
      if (nowMs < expiresMs) {
        this.#pump.at(expiresMs);
        return;
      }
      if (oldest === queue.open) queue.seal();
      queue.waiting.shift();
      const late = `not acknowledged within ${deliveryTimeoutMs} ms. Are its brokers running?`;
      const what = `Producing to ${queue.topic}-${queue.partition}: ${late}`;
      this.#giveUp(queue, oldest, new ClientError("REQUEST_TIMED_OUT", what));
    }
  }

  #failQueue(queue: PartitionQueue, error: ClientError): void {
    queue.seal();
    for (const batch of queue.waiting.splice(0)) this.#giveUp(queue, batch, error);
    this.#active.delete(queue);
  }
}
