// RecordWriter: the records of one produce request become batches: one per partition at a time, sent when
// full or when flushed.

import type { RecordInput } from "../../storage-wasm/core.ts";
import type { Appended } from "../broker.ts";
import { Appends } from "./appends.ts";
import { choosePartition, encodeOptions, type Producer } from "./producer.ts";
import type { ProducedRecord } from "./record-input.ts";
import type { Door } from "./route.ts";

interface Pending {
  readonly records: RecordInput[];
  readonly firstIndex: number;
  readonly indexes: number[];
  bytes: number;
}

/** Upper bounds of a batch's header, of a record's fixed fields, and of a header's lengths. */
const batchHeaderBytes = 61;
const recordBytesMax = 40;
const headerBytesMax = 10;

/** Records of one batch that was stored, with their indexes in the request. */
export interface StoredRecords {
  readonly partition: number;
  readonly records: readonly RecordInput[];
  readonly indexes: readonly number[];
  readonly appended: Appended;
}

export class RecordWriter {
  /** Called for each batch once it is stored. */
  onStored: ((stored: StoredRecords) => void) | null = null;
  readonly appends: Appends;
  readonly #door: Door;
  readonly producer: Producer;
  readonly #batchBytes: number;
  readonly #pending = new Map<number, Pending>();

  static async open(door: Door, producer: Producer): Promise<RecordWriter> {
    return new RecordWriter(door, producer, await batchBytesOf(door, producer.topic));
  }

  private constructor(door: Door, producer: Producer, batchBytes: number) {
    this.appends = new Appends(door, producer);
    this.#door = door;
    this.producer = producer;
    this.#batchBytes = batchBytes;
  }

  /** Puts a record into its partition's batch; a full batch is sent first. */
  add(record: ProducedRecord, index: number): void {
    const bytes = recordBytes(record);
    const partition = choosePartition(this.#door, this.producer, { record, bytes });
    let pending = this.#pending.get(partition);
    if (pending !== undefined && pending.bytes + bytes > this.#batchBytes) {
      this.#send(partition, pending);
      pending = undefined;
    }
    if (pending === undefined) {
      pending = { records: [], firstIndex: index, indexes: [], bytes: batchHeaderBytes };
      this.#pending.set(partition, pending);
    }
    pending.records.push(record);
    pending.indexes.push(index);
    pending.bytes += bytes;
  }

  /** Whether records wait for others to join their batch. */
  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** Sends all that waits, without waiting for it. */
  flush(): void {
    for (const [partition, pending] of this.#pending) this.#send(partition, pending);
  }

  /** Sends what waits and resolves when every append has ended, well or not. */
  settle(): Promise<void> {
    this.flush();
    return this.appends.settle();
  }

  #send(partition: number, pending: Pending): void {
    this.#pending.delete(partition);
    const { records, firstIndex, indexes } = pending;
    try {
      const bytes = this.#door.platform.core.encode(
        records,
        encodeOptions(this.#door, this.producer),
      );
      const { timestampMs } = records[records.length - 1]!;
      this.appends.send(
        { partition, bytes, recordCount: records.length, timestampMs, firstIndex },
        (appended) => this.onStored?.({ partition, records, indexes, appended }),
      );
    } catch (error) {
      this.appends.fail(error, firstIndex);
    }
  }
}

/** No less than the record takes in a batch. */
export function recordBytes(record: RecordInput): number {
  let bytes = recordBytesMax + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const header of record.headers ?? []) {
    // A UTF-16 unit takes at most 3 bytes of UTF-8.
    bytes += headerBytesMax + header.key.length * 3 + (header.value?.length ?? 0);
  }
  return bytes;
}

/** Batches stay below the topic's max.message.bytes, so that records which fit alone also fit together. */
async function batchBytesOf(door: Door, topic: string): Promise<number> {
  const { batchBytesMax } = door.config.limits;
  const [entry] = await door.broker.describeConfigs({ kind: "topic", name: topic }, [
    "max.message.bytes",
  ]);
  return Math.min(batchBytesMax, Number(entry?.value ?? batchBytesMax));
}
