// OutgoingBatch: records of one partition on their way to the broker, as bytes from the beginning, and who waits for
// them. `Delivery` is the waiting side: one record's promise, or one promise for a whole `sendBatch`.

import {
  BatchBuilder,
  type BatchMemory,
  type Core,
  type EncodeOptions,
  type RecordInput,
} from "../../storage-wasm/core.ts";
import type { Sent, SentRange } from "./api.ts";
import type { ClientError } from "./error.ts";

/** A batch's header, and the most one record's lengths, deltas and attributes take. */
export const batchHeaderBytes = 61;
const recordOverheadBytes = 21;
const headerOverheadBytes = 10;

/** Neighbouring records of one batch that one delivery waits for. */
export interface Share {
  readonly delivery: Delivery;
  readonly first: number;
  count: number;
}

export interface Delivery {
  /** The share's records, or more of them, were put into a batch. */
  joined(share: Share): void;
  delivered(share: Share, batch: OutgoingBatch, baseOffset: number, appendTimeMs: number): void;
  failed(error: ClientError): void;
  /** One of its records has joined a batch or failed. */
  placed(): void;
  /** `share` became two because its batch was cut. */
  split(share: Share, parts: readonly [Share, Share]): void;
}

export class OutgoingBatch {
  readonly topic: string;
  readonly partition: number;
  /** Rises with each batch of the producer, retries keep it; halves share the span up to the next. */
  readonly order: number;
  readonly orderSpan: number;
  readonly createdMs: number;
  readonly shares: Share[] = [];
  /** Upper bound of the uncompressed size. */
  bytes = batchHeaderBytes;
  encoded: Uint8Array | null = null;
  /** -1 until numbered; kept over retries so that the broker recognises a repetition. */
  baseSequence = -1;
  producerId = -1;
  attempts = 0;
  /** An attempt ended without an answer: the broker may have it. */
  maybeAppended = false;
  /** Sent without waiting for more. */
  isDue = false;
  readonly #memory: BatchMemory;
  readonly #builder: BatchBuilder;

  constructor(place: {
    topic: string;
    partition: number;
    order: number;
    orderSpan?: number;
    createdMs: number;
    memory: BatchMemory;
    /** What it will probably have. */
    bytesHint: number;
  }) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.order = place.order;
    this.orderSpan = place.orderSpan ?? 1;
    this.createdMs = place.createdMs;
    this.#memory = place.memory;
    this.#builder = new BatchBuilder(place.memory, place.bytesHint);
  }

  get count(): number {
    return this.#builder.count;
  }

  /** The record is copied: its bytes may change afterwards. */
  add(record: RecordInput, bytes: number, delivery: Delivery): void {
    const first = this.#builder.count;
    this.#builder.add(record);
    const last = this.shares.at(-1);
    if (last?.delivery === delivery) {
      last.count++;
    } else {
      const share: Share = { delivery, first, count: 1 };
      this.shares.push(share);
      delivery.joined(share);
    }
    this.bytes += bytes;
  }

  /** Its bytes for the broker, made once for each identity. */
  encode(core: Core, options: EncodeOptions): void {
    this.encoded ??= this.#builder.seal(core, options);
  }

  /** The broker has answered for it, so nobody reads its memory any more. */
  delivered(baseOffset: number, appendTimeMs: number): void {
    this.encoded = null;
    this.#builder.release();
    for (const share of this.shares) {
      share.delivery.delivered(share, this, baseOffset, appendTimeMs);
    }
  }

  failed(error: ClientError): void {
    for (const { delivery } of this.shares) delivery.failed(error);
  }

  /** Two halves in place of a batch that the broker finds too large. At least two records. */
  split(): [OutgoingBatch, OutgoingBatch] {
    const middle = this.count >>> 1;
    const orderSpan = this.orderSpan / 2;
    const { topic, partition, order, createdMs } = this;
    const bytesHint = this.bytes / 2;
    const place = { topic, partition, orderSpan, createdMs, memory: this.#memory, bytesHint };
    const first = new OutgoingBatch({ ...place, order });
    const second = new OutgoingBatch({ ...place, order: order + orderSpan });
    const reader = this.#builder.reader();
    for (let i = 0; reader.advance(); i++) {
      const half = i < middle ? first : second;
      half.#builder.add(reader);
      half.bytes += recordBytes(reader);
    }
    for (const share of this.shares) shareOut(share, middle, first, second);
    first.baseSequence = this.baseSequence;
    if (this.baseSequence >= 0) second.baseSequence = nextSequence(this.baseSequence, middle);
    first.producerId = this.producerId;
    second.producerId = this.producerId;
    return [first, second];
  }
}

/** Sequences wrap from 2^31 − 1 to 0. */
export function nextSequence(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31;
}

/** Upper bound of a record's encoded size. */
export function recordBytes({ key, value, headers }: RecordInput): number {
  let bytes = recordOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers ?? []) {
    bytes += headerOverheadBytes + header.key.length * 3 + (header.value?.length ?? 0);
  }
  return bytes;
}

function shareOut(share: Share, middle: number, first: OutgoingBatch, second: OutgoingBatch): void {
  const end = share.first + share.count;
  if (end <= middle) {
    first.shares.push(share);
  } else if (share.first >= middle) {
    const moved = { ...share, first: share.first - middle };
    second.shares.push(moved);
    share.delivery.split(share, [moved, moved]);
  } else {
    const parts: [Share, Share] = [
      { ...share, count: middle - share.first },
      { ...share, first: 0, count: end - middle },
    ];
    first.shares.push(parts[0]);
    second.shares.push(parts[1]);
    share.delivery.split(share, parts);
  }
}

/** One record, one promise. */
export class RecordDelivery implements Delivery {
  readonly #resolve: (sent: Sent) => void;
  readonly #reject: (error: ClientError) => void;
  readonly #timestampMs: number;

  /** `timestampMs`: the record's own. */
  constructor(
    timestampMs: number,
    resolve: (sent: Sent) => void,
    reject: (error: ClientError) => void,
  ) {
    this.#timestampMs = timestampMs;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  joined(): void {}

  placed(): void {}

  split(): void {}

  delivered(share: Share, batch: OutgoingBatch, baseOffset: number, appendTimeMs: number): void {
    const { topic, partition } = batch;
    const offset = baseOffset < 0 ? -1 : baseOffset + share.first;
    const timestampMs = appendTimeMs >= 0 ? appendTimeMs : this.#timestampMs;
    this.#resolve({ topic, partition, offset, timestampMs });
  }

  failed(error: ClientError): void {
    this.#reject(error);
  }
}

/** Many records, one promise: resolves when all are acknowledged, rejects with the first error. */
export class GroupDelivery implements Delivery {
  readonly #resolve: (ranges: readonly SentRange[]) => void;
  readonly #reject: (error: ClientError) => void;
  /** In the order the records were given. */
  #shares: { share: Share; range: SentRange | null }[] = [];
  #open = 0;
  /** Records that have not joined a batch yet. */
  #outside: number;

  constructor(
    count: number,
    resolve: (ranges: readonly SentRange[]) => void,
    reject: (error: ClientError) => void,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#outside = count;
    this.#settle();
  }

  placed(): void {
    this.#outside--;
    this.#settle();
  }

  joined(share: Share): void {
    this.#shares.push({ share, range: null });
    this.#open++;
  }

  split(share: Share, parts: readonly [Share, Share]): void {
    const at = this.#shares.findIndex((entry) => entry.share === share);
    const kept = parts[0] === parts[1] ? [parts[0]] : parts;
    this.#shares.splice(at, 1, ...kept.map((part) => ({ share: part, range: null })));
    this.#open += kept.length - 1;
  }

  delivered(share: Share, batch: OutgoingBatch, baseOffset: number): void {
    const { topic, partition } = batch;
    const offset = baseOffset < 0 ? -1 : baseOffset + share.first;
    const entry = this.#shares.find((candidate) => candidate.share === share);
    if (entry !== undefined) entry.range = { topic, partition, offset, count: share.count };
    this.#open--;
    this.#settle();
  }

  failed(error: ClientError): void {
    this.#reject(error);
  }

  #settle(): void {
    if (this.#outside > 0 || this.#open > 0) return;
    this.#resolve(this.#shares.flatMap(({ range }) => (range === null ? [] : [range])));
  }
}
