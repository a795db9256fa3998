// OffsetsLog: the partitions of __consumer_offsets as a journal of group records: appends them in batches, and
// reads all of them back at start. Knows bytes and offsets, not what a record means.

import type { Core } from "../../storage-wasm/core.ts";
import { decompressor } from "../compression/codecs.ts";
import { BrokerError } from "../errors.ts";
import type { Partition } from "../log/partition.ts";
import type { Clock, Codecs } from "../platform.ts";
import { collect } from "../records.ts";
import { offsetsTopic } from "../topic-name.ts";
import {
  decodeGroupRecord,
  encodeGroupRecord,
  type GroupRecord,
  type RawRecord,
} from "./group-records.ts";
import { plainRecords } from "./plain-records.ts";

export interface OffsetsLogOptions {
  readonly platform: { readonly core: Core; readonly codecs: Codecs; readonly clock: Clock };
  /** Throws `BrokerError` where it is not ours or not there. */
  partition(index: number): Partition;
}

/** A producer's transaction that records belong to. */
export interface TransactionalProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export interface AppendOptions {
  /** The records belong to its transaction. */
  readonly producer?: TransactionalProducer | undefined;
  readonly maySplit?: boolean;
}

/** What a start finds in the log, in order. */
export type Loaded =
  | { readonly kind: "record"; readonly record: GroupRecord; readonly place: RecordPlace }
  | {
      readonly kind: "transaction-end";
      readonly producerId: number;
      readonly outcome: "commit" | "abort";
    };

export interface RecordPlace {
  readonly offset: number;
  /** -1: not in a transaction. */
  readonly producerId: number;
}

/** Where records may be split, those of one batch take about this much at most. */
const batchBytesTarget = 400_000;
const recordOverheadBytes = 24;
const loadChunkBytes = 4 * 1024 * 1024;
const lengthAt = 8;
const lengthEnd = 12;
const attributesLowByteAt = 22;
const producerIdAt = 43;
const batchHeaderBytes = 61;
const codecMask = 7;
const transactionalBit = 16;
const controlBit = 32;
const two32 = 0x1_0000_0000;

export class OffsetsLog {
  readonly #options: OffsetsLogOptions;

  constructor(options: OffsetsLogOptions) {
    this.#options = options;
  }

  /**
   * Appends now; the promise, if there is one, is for durability. Throws or rejects with `BrokerError`. Returns
   * the offset of the first record. All records or none survive a crash, and more than a batch of the topic may hold
   * is MESSAGE_TOO_LARGE, unless they may be split.
   */
  append(
    index: number,
    records: readonly GroupRecord[],
    { producer, maySplit = false }: AppendOptions = {},
  ): { readonly baseOffset: number; readonly durable: Promise<unknown> | undefined } {
    const waits: Promise<unknown>[] = [];
    let baseOffset: number;
    try {
      const partition = this.#options.partition(index);
      const bytesMax = partition.config.maxMessageBytes;
      const batches = this.#batches(records, {
        producer,
        bytesTarget: maySplit ? batchBytesTarget : Infinity,
      });
      const largest = batches.find((batch) => batch.length > bytesMax);
      if (largest !== undefined) {
        const message = `${largest.length} bytes, a batch of ${offsetsTopic} holds ${bytesMax}`;
        throw new BrokerError("MESSAGE_TOO_LARGE", message);
      }
      baseOffset = partition.log.endOffset;
      for (const batch of batches) {
        const appended = partition.append(batch, { waits: true, isOwn: true });
        if (appended instanceof Promise) waits.push(appended);
      }
    } catch (error) {
      throw coordinatorError(error);
    }
    if (waits.length === 0) return { baseOffset, durable: undefined };
    const durable = Promise.all(waits).catch((error) => Promise.reject(coordinatorError(error)));
    return { baseOffset, durable };
  }

  /** Under which leadership this broker has the partition; undefined: it does not lead it. */
  led(index: number): { readonly leaderEpoch: number; readonly isEmpty: boolean } | undefined {
    try {
      const { leaderEpoch, log } = this.#options.partition(index);
      return { leaderEpoch, isEmpty: log.endOffset === log.startOffset };
    } catch (error) {
      if (error instanceof BrokerError) return undefined;
      throw error;
    }
  }

  /**
   * Reads a partition from its start; `visit` gets everything that counts, in order. Returns the bytes read. Also
   * what a new leader does not know to be on all replicas: it may have been acknowledged.
   */
  async load(
    index: number,
    visit: (loaded: Loaded) => void,
    isStopped: () => boolean,
  ): Promise<number> {
    const partition = this.#options.partition(index);
    const { endOffset } = partition.log;
    let offset = partition.log.startOffset;
    let bytes = 0;
    while (offset < endOffset && !isStopped()) {
      const read = { offset, bytesMax: loadChunkBytes, atLeastOneBatch: true };
      const chunk = await collect(partition.readAsReplica(read));
      if (isStopped()) break;
      const nextOffset = this.#visitChunk(chunk, offset, partition, visit);
      if (nextOffset <= offset) break;
      bytes += chunk.length;
      offset = nextOffset;
    }
    return bytes;
  }

  #batches(
    records: readonly GroupRecord[],
    { producer, bytesTarget }: Pick<AppendOptions, "producer"> & { bytesTarget: number },
  ): Uint8Array[] {
    const { core, clock } = this.#options.platform;
    const timestampMs = clock.nowMs();
    const batches: Uint8Array[] = [];
    let pending: (RawRecord & { timestampMs: number })[] = [];
    let bytes = 0;
    const close = () => {
      if (pending.length === 0) return;
      const transaction = producer && { ...producer, baseSequence: -1, isTransactional: true };
      batches.push(core.encode(pending, { compression: null, ...transaction }));
      pending = [];
      bytes = 0;
    };
    for (const record of records) {
      const raw = encodeGroupRecord(record);
      const size = raw.key.length + (raw.value?.length ?? 0) + recordOverheadBytes;
      if (bytes + size > bytesTarget) close();
      pending.push({ ...raw, timestampMs });
      bytes += size;
    }
    close();
    return batches;
  }

  /** Returns the offset after the last whole batch. */
  #visitChunk(
    chunk: Uint8Array,
    fromOffset: number,
    partition: Partition,
    visit: (loaded: Loaded) => void,
  ): number {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let nextOffset = fromOffset;
    for (let at = 0; at + batchHeaderBytes <= chunk.length; ) {
      const end = at + lengthEnd + view.getInt32(at + lengthAt);
      if (end > chunk.length || end < at + batchHeaderBytes) break;
      const baseOffset = view.getInt32(at) * two32 + view.getUint32(at + 4);
      nextOffset = baseOffset + view.getInt32(at + 23) + 1;
      this.#visitBatch(chunk.subarray(at, end), baseOffset, partition, visit);
      at = end;
    }
    return nextOffset;
  }

  #visitBatch(
    batch: Uint8Array,
    baseOffset: number,
    partition: Partition,
    visit: (loaded: Loaded) => void,
  ): void {
    const attributes = batch[attributesLowByteAt]!;
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    const ofBatch = view.getInt32(producerIdAt) * two32 + view.getUint32(producerIdAt + 4);
    const producerId = (attributes & transactionalBit) !== 0 ? ofBatch : -1;
    const { core, codecs } = this.#options.platform;
    const records =
      (attributes & codecMask) === 0
        ? plainRecords(batch, baseOffset)
        : core.decode(batch, decompressor(codecs, partition.decompressedBytesMax));
    for (const { offset, key, value } of records) {
      if (key === null) continue;
      if ((attributes & controlBit) !== 0) {
        visit({ kind: "transaction-end", producerId: ofBatch, outcome: outcomeOf(key) });
        continue;
      }
      const record = decodeGroupRecord({ key, value });
      if (record) visit({ kind: "record", record, place: { offset, producerId } });
    }
  }
}

/** What members understand of a log that cannot be written: their coordinator moved, or has to be asked later. */
function coordinatorError(error: unknown): unknown {
  if (!(error instanceof BrokerError)) return error;
  const { code, message } = error;
  if (code === "NOT_LEADER_OR_FOLLOWER" || code === "UNKNOWN_TOPIC_OR_PARTITION") {
    return new BrokerError("NOT_COORDINATOR", message, { cause: error });
  }
  if (passing.has(code)) {
    return new BrokerError("COORDINATOR_NOT_AVAILABLE", message, { cause: error });
  }
  return error;
}

const passing: ReadonlySet<string> = new Set([
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "REQUEST_TIMED_OUT",
]);

/** Of a control record's key: i16 version, i16 type, 1 is commit. */
function outcomeOf(key: Uint8Array): "commit" | "abort" {
  if (key.length >= 4) return key[3] === 1 ? "commit" : "abort";
  throw new BrokerError("CORRUPT_MESSAGE", "a transaction marker ends early");
}
