// What one partition remembers of its producers: epoch and the last five batches of each, to answer a
// repeated batch with its original offset, to refuse gaps, and to fence old epochs (KIP-98, KIP-360). Pure.

import type { BatchHeader } from "../../storage-wasm/core.ts";
import type { ProducerView } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import { type ControlRecord, fenceProducerId, type TransactionMarker } from "./control-record.ts";
import { type EndedTransaction, OpenTransactions } from "./open-transactions.ts";
import type { ProducerSnapshotEntry } from "./producer-snapshot.ts";

/** Batches remembered per producer: what a client may have in flight. */
const batchesMax = 5;

interface KnownBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly timestampMs: number;
}

interface Producer {
  epoch: number;
  coordinatorEpoch: number;
  lastTimestampMs: number;
  /** Oldest first. Empty after an epoch change by a marker. */
  batches: KnownBatch[];
}

export class ProducerState {
  readonly #producers = new Map<number, Producer>();
  /** Transactions of these producers that readers cannot judge yet. */
  readonly transactions = new OpenTransactions();
  /** Where the log says the fence; -1: there is none, or it was said before the snapshot that was loaded. */
  fenceOffset = -1;

  get size(): number {
    return this.#producers.size;
  }

  /** The token of whoever may write with one; -1 before anyone took it. */
  get fence(): number {
    return this.#producers.get(fenceProducerId)?.coordinatorEpoch ?? -1;
  }

  /**
   * The original first offset when the batch was appended before, else undefined: append it. Throws
   * INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER or INVALID_RECORD.
   */
  duplicateOf(batch: BatchHeader): number | undefined {
    const producer = this.#producers.get(batch.producerId);
    if (producer === undefined) return undefined;
    if (batch.producerEpoch < producer.epoch) {
      throw new BrokerError(
        "INVALID_PRODUCER_EPOCH",
        `producer ${batch.producerId} used epoch ${batch.producerEpoch}, the newest is ${producer.epoch}: ` +
          "another instance took over",
      );
    }
    // A coordinator's own batch: it repeats nothing.
    if (batch.baseSequence < 0) return undefined;
    if (batch.producerEpoch > producer.epoch) {
      if (batch.baseSequence !== 0) throw outOfOrder(batch, 0);
      return undefined;
    }
    const known = producer.batches.find((each) => each.firstSequence === batch.baseSequence);
    const lastSequence = sequenceAfter(batch.baseSequence, batch.count - 1);
    if (known !== undefined && known.lastSequence === lastSequence) return known.firstOffset;
    const last = producer.batches.at(-1);
    if (last === undefined) return undefined;
    const expected = sequenceAfter(last.lastSequence, 1);
    if (batch.baseSequence !== expected) throw outOfOrder(batch, expected);
    return undefined;
  }

  /** Whether a transaction of this very epoch has written here and has no marker yet. */
  isInTransaction(producerId: number, producerEpoch: number): boolean {
    const isOpen = this.transactions.firstOffsetOf(producerId) !== undefined;
    return isOpen && this.#producers.get(producerId)?.epoch === producerEpoch;
  }

  /** Throws INVALID_TXN_STATE for a plain batch of a producer whose transaction is open here. */
  checkTransaction(batch: BatchHeader): void {
    if (batch.isTransactional || batch.producerId < 0) return;
    if (this.transactions.firstOffsetOf(batch.producerId) === undefined) return;
    throw new BrokerError(
      "INVALID_TXN_STATE",
      `producer ${batch.producerId} has a transaction open and sent a batch outside of it`,
    );
  }

  /** Throws INVALID_PRODUCER_EPOCH or TRANSACTION_COORDINATOR_FENCED for a marker that comes too late. */
  checkMarker(marker: TransactionMarker): void {
    const producer = this.#producers.get(marker.producerId);
    if (producer === undefined) return;
    if (marker.producerEpoch < producer.epoch) {
      throw new BrokerError(
        "INVALID_PRODUCER_EPOCH",
        `a marker with epoch ${marker.producerEpoch} for producer ${marker.producerId}, the newest is ` +
          `${producer.epoch}`,
      );
    }
    if (marker.coordinatorEpoch >= 0 && marker.coordinatorEpoch < producer.coordinatorEpoch) {
      throw new BrokerError(
        "TRANSACTION_COORDINATOR_FENCED",
        `a marker of coordinator epoch ${marker.coordinatorEpoch}, the newest is ${producer.coordinatorEpoch}`,
      );
    }
  }

  /**
   * Remembers a batch that is in the log at `batch.baseOffset`; `control` is what a control batch says. Returns
   * the transaction that this ended, if any.
   */
  update(batch: BatchHeader, control?: ControlRecord): EndedTransaction | undefined {
    if (batch.producerId < 0) return undefined;
    const producer = this.#producer(batch);
    producer.lastTimestampMs = batch.maxTimestamp;
    if (batch.isControl) return this.#end(producer, batch, control);
    if (batch.isTransactional) this.transactions.begin(batch.producerId, batch.baseOffset);
    if (batch.baseSequence < 0) return undefined;
    producer.batches.push(knownBatch(batch));
    if (producer.batches.length > batchesMax) producer.batches.shift();
    return undefined;
  }

  /** A batch from before a loaded snapshot, in the order of offsets: it too may be repeated. */
  recall(batch: BatchHeader): void {
    const producer = this.#producers.get(batch.producerId);
    const newest = producer?.batches.at(-1);
    if (producer?.epoch !== batch.producerEpoch || newest === undefined) return;
    if (batch.baseSequence < 0 || batch.baseOffset >= newest.firstOffset) return;
    producer.batches.splice(-1, 0, knownBatch(batch));
    if (producer.batches.length > batchesMax) producer.batches.shift();
  }

  /** Forgets producers that have written nothing since `beforeMs` and have no transaction open. Never the fence. */
  expire(beforeMs: number): void {
    for (const [id, producer] of this.#producers) {
      const isOpen = this.transactions.firstOffsetOf(id) !== undefined || id === fenceProducerId;
      if (producer.lastTimestampMs < beforeMs && !isOpen) this.#producers.delete(id);
    }
  }

  entries(): ProducerSnapshotEntry[] {
    return [...this.#producers].map(([producerId, producer]) => {
      const last = producer.batches.at(-1);
      return {
        producerId,
        producerEpoch: producer.epoch,
        lastSequence: last?.lastSequence ?? -1,
        lastOffset: last?.lastOffset ?? -1,
        offsetDelta: last ? last.lastOffset - last.firstOffset : 0,
        timestampMs: producer.lastTimestampMs,
        coordinatorEpoch: producer.coordinatorEpoch,
        transactionFirstOffset: this.transactions.firstOffsetOf(producerId) ?? -1,
      };
    });
  }

  /** The same for people. */
  views(): ProducerView[] {
    return this.entries().map((entry) => ({
      producerId: entry.producerId,
      producerEpoch: entry.producerEpoch,
      lastSequence: entry.lastSequence,
      lastTimestampMs: entry.timestampMs,
      coordinatorEpoch: entry.coordinatorEpoch,
      transactionStartOffset: entry.transactionFirstOffset,
    }));
  }

  /** Replaces everything by a snapshot; only the newest batch of each producer survives in it. */
  load(entries: readonly ProducerSnapshotEntry[]): void {
    this.#producers.clear();
    this.fenceOffset = -1;
    for (const entry of entries) {
      this.#producers.set(entry.producerId, {
        epoch: entry.producerEpoch,
        coordinatorEpoch: entry.coordinatorEpoch,
        lastTimestampMs: entry.timestampMs,
        batches: entry.lastSequence < 0 ? [] : [batchOf(entry)],
      });
    }
    const open = entries.filter((entry) => entry.transactionFirstOffset >= 0);
    this.transactions.load(
      open.map((entry) => [entry.producerId, entry.transactionFirstOffset] as const),
    );
  }

  #end(
    producer: Producer,
    batch: BatchHeader,
    control: ControlRecord | undefined,
  ): EndedTransaction | undefined {
    if (control?.type === undefined) return undefined;
    producer.coordinatorEpoch = control.coordinatorEpoch;
    const { producerId } = batch;
    if (producerId === fenceProducerId) this.fenceOffset = batch.baseOffset;
    const firstOffset = this.transactions.firstOffsetOf(producerId);
    if (firstOffset === undefined) return undefined;
    const isAborted = control.type === "abort";
    const ended = { producerId, firstOffset, lastOffset: batch.lastOffset, isAborted };
    this.transactions.end(ended);
    return ended;
  }

  #producer(batch: BatchHeader): Producer {
    let producer = this.#producers.get(batch.producerId);
    if (producer === undefined) {
      producer = {
        epoch: batch.producerEpoch,
        coordinatorEpoch: -1,
        lastTimestampMs: -1,
        batches: [],
      };
      this.#producers.set(batch.producerId, producer);
    } else if (batch.producerEpoch > producer.epoch) {
      producer.epoch = batch.producerEpoch;
      producer.batches = [];
    }
    return producer;
  }
}

function knownBatch(batch: BatchHeader): KnownBatch {
  return {
    firstSequence: batch.baseSequence,
    lastSequence: sequenceAfter(batch.baseSequence, batch.lastOffset - batch.baseOffset),
    firstOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    timestampMs: batch.maxTimestamp,
  };
}

/** Sequences wrap from 2^31 − 1 to 0. */
export function sequenceAfter(sequence: number, step: number): number {
  return (sequence + step) % 2 ** 31;
}

function batchOf(entry: ProducerSnapshotEntry): KnownBatch {
  const first = entry.lastSequence - entry.offsetDelta;
  return {
    firstSequence: first >= 0 ? first : first + 2 ** 31,
    lastSequence: entry.lastSequence,
    firstOffset: entry.lastOffset - entry.offsetDelta,
    lastOffset: entry.lastOffset,
    timestampMs: entry.timestampMs,
  };
}

function outOfOrder(batch: BatchHeader, expected: number): BrokerError {
  return new BrokerError(
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
    `producer ${batch.producerId} sent sequence ${batch.baseSequence}, expected ${expected}`,
  );
}
