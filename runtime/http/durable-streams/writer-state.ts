// WriterState: what a stream knows of its writers: closed or not, the last Stream-Seq, and each producer's epoch and
// sequence. All of it stands in the records' headers, so the log alone tells it; now and then a record also carries
// the whole, so that nobody reads a long log from its beginning. Pure.

import type { DecodedRecord, RecordHeader } from "../../../storage-wasm/core.ts";

export interface ProducerMark {
  readonly id: string;
  readonly epoch: number;
  readonly seq: number;
}

/** What one append says of its writer. */
export interface Claim {
  readonly producer: ProducerMark | null;
  readonly seq: string | null;
  readonly closes: boolean;
  readonly hasBody: boolean;
}

export type Verdict =
  | { readonly kind: "append" }
  /** It was stored before; `producer` tells the newest of it. */
  | { readonly kind: "duplicate"; readonly producer: ProducerMark | null }
  | { readonly kind: "closed" }
  | { readonly kind: "stale-epoch"; readonly epoch: number }
  | { readonly kind: "epoch-start" }
  | { readonly kind: "gap"; readonly expected: number }
  | { readonly kind: "late-seq"; readonly last: string };

/** Producers of one stream that are remembered: beyond that the one silent for longest is forgotten. */
export const producersMax = 4096;
/** A record carries the whole state when so many came without. */
const recordsPerSnapshot = 1024;
const recordsPerSnapshotAndProducer = 4;

/** Headers of records. Persisted: never rename. */
const headerNames = {
  producerId: "stream-producer-id",
  producerEpoch: "stream-producer-epoch",
  producerSeq: "stream-producer-seq",
  seq: "stream-seq",
  closed: "stream-closed",
  state: "stream-state",
} as const;

interface Snapshot {
  readonly seq: string | null;
  /** Oldest first. */
  readonly producers: readonly (readonly [id: string, epoch: number, seq: number])[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class WriterState {
  /** Log offset up to which it is told. */
  end = 0;
  /** Log offset behind the last message of a closed stream, -1 of an open one. */
  closedAt = -1;
  #closedBy: ProducerMark | null = null;
  #lastSeq: string | null = null;
  /** The one that wrote last is last. */
  readonly #producers = new Map<string, ProducerMark>();
  #snapshotAt = 0;

  constructor(end = 0) {
    this.end = end;
    this.#snapshotAt = end;
  }

  get isClosed(): boolean {
    return this.closedAt >= 0;
  }

  /** Whether `claim` may be stored now. Content types are the caller's business, after "closed". */
  judge(claim: Claim): Verdict {
    const { producer } = claim;
    if (this.isClosed) return this.#judgeClosed(claim);
    const verdict = producer === null ? null : this.#judgeProducer(producer);
    if (verdict !== null) return verdict;
    if (claim.seq !== null && this.#lastSeq !== null && !isAfter(claim.seq, this.#lastSeq)) {
      return { kind: "late-seq", last: this.#lastSeq };
    }
    return { kind: "append" };
  }

  /** Notes an append of `count` records; the returned function takes it back. */
  apply(claim: Claim, count: number): () => void {
    const { end, closedAt } = this;
    const closedBy = this.#closedBy;
    const lastSeq = this.#lastSeq;
    const snapshotAt = this.#snapshotAt;
    const { producer } = claim;
    const before = producer === null ? undefined : this.#producers.get(producer.id);
    if (this.needsSnapshot) this.#snapshotAt = end + count;
    this.#note(claim, end + count);
    return () => {
      this.end = end;
      this.closedAt = closedAt;
      this.#closedBy = closedBy;
      this.#lastSeq = lastSeq;
      this.#snapshotAt = snapshotAt;
      if (producer === null) return;
      this.#producers.delete(producer.id);
      if (before !== undefined) this.#producers.set(producer.id, before);
    };
  }

  get needsSnapshot(): boolean {
    const every = recordsPerSnapshot + recordsPerSnapshotAndProducer * this.#producers.size;
    return this.end - this.#snapshotAt >= every;
  }

  /** Headers for the last record of an append, before `apply`. */
  headers(claim: Claim): RecordHeader[] {
    const headers: RecordHeader[] = [];
    const add = (key: string, value: string) => headers.push({ key, value: encoder.encode(value) });
    const { producer, seq, closes } = claim;
    if (producer !== null) {
      add(headerNames.producerId, producer.id);
      add(headerNames.producerEpoch, String(producer.epoch));
      add(headerNames.producerSeq, String(producer.seq));
    }
    if (seq !== null) add(headerNames.seq, seq);
    if (closes) add(headerNames.closed, claim.hasBody ? "true" : "only");
    if (this.needsSnapshot) add(headerNames.state, this.#snapshotWith(claim));
    return headers;
  }

  /** Goes on over a record of the log. */
  fold(record: DecodedRecord): void {
    this.end = record.offset + 1;
    if (this.isClosed || record.headers.length === 0) return;
    const texts = new Map(record.headers.map(({ key, value }) => [key, textOf(value)]));
    const snapshot = texts.get(headerNames.state);
    if (snapshot !== undefined) this.#restore(snapshot, record.offset + 1);
    const claim = claimIn(texts);
    if (claim !== null) this.#note(claim, record.offset + 1);
  }

  #judgeClosed({ producer, closes, hasBody }: Claim): Verdict {
    if (producer === null) {
      return closes && !hasBody ? { kind: "duplicate", producer: null } : { kind: "closed" };
    }
    const by = this.#closedBy;
    if (by !== null && by.id === producer.id) {
      if (by.epoch === producer.epoch && by.seq === producer.seq) {
        return { kind: "duplicate", producer: by };
      }
    }
    const known = this.#producers.get(producer.id);
    if (known !== undefined && producer.epoch < known.epoch) {
      return { kind: "stale-epoch", epoch: known.epoch };
    }
    return { kind: "closed" };
  }

  #judgeProducer({ id, epoch, seq }: ProducerMark): Verdict | null {
    const known = this.#producers.get(id);
    if (known === undefined) return seq === 0 ? null : { kind: "gap", expected: 0 };
    if (epoch < known.epoch) return { kind: "stale-epoch", epoch: known.epoch };
    if (epoch > known.epoch) return seq === 0 ? null : { kind: "epoch-start" };
    if (seq <= known.seq) return { kind: "duplicate", producer: known };
    return seq === known.seq + 1 ? null : { kind: "gap", expected: known.seq + 1 };
  }

  #note({ producer, seq, closes, hasBody }: Claim, end: number): void {
    this.end = end;
    if (seq !== null) this.#lastSeq = seq;
    if (closes) {
      this.closedAt = hasBody ? end : end - 1;
      this.#closedBy = producer;
    }
    if (producer === null) return;
    this.#producers.delete(producer.id);
    this.#producers.set(producer.id, producer);
    if (this.#producers.size <= producersMax) return;
    for (const [oldest] of this.#producers) {
      this.#producers.delete(oldest);
      break;
    }
  }

  /** As it is once `claim` is stored. */
  #snapshotWith({ producer, seq }: Claim): string {
    const others = [...this.#producers.values()].filter(({ id }) => id !== producer?.id);
    const all = producer === null ? others : [...others, producer];
    const snapshot: Snapshot = {
      seq: seq ?? this.#lastSeq,
      producers: all.slice(-producersMax).map((each) => [each.id, each.epoch, each.seq]),
    };
    return JSON.stringify(snapshot);
  }

  #restore(text: string, end: number): void {
    const snapshot = snapshotIn(text);
    if (snapshot === null) return;
    const { seq, producers } = snapshot;
    this.#lastSeq = seq;
    this.#producers.clear();
    for (const [id, epoch, last] of producers) this.#producers.set(id, { id, epoch, seq: last });
    this.#snapshotAt = end;
  }
}

export function hasSnapshot({ headers }: DecodedRecord): boolean {
  return headers.some(({ key }) => key === headerNames.state);
}

/** "only": the record is no message, it just closes. Null: it does not close. */
export function closing({
  headers,
}: Pick<DecodedRecord, "headers">): "with-message" | "only" | null {
  const header = headers.find(({ key }) => key === headerNames.closed);
  if (header === undefined) return null;
  return textOf(header.value) === "only" ? "only" : "with-message";
}

/** Null of what somebody else wrote under the header's name. */
function snapshotIn(text: string): Snapshot | null {
  try {
    const snapshot = JSON.parse(text) as Snapshot;
    return Array.isArray(snapshot.producers) ? snapshot : null;
  } catch {
    return null;
  }
}

function claimIn(texts: ReadonlyMap<string, string>): Claim | null {
  const id = texts.get(headerNames.producerId);
  const seq = texts.get(headerNames.seq) ?? null;
  const closed = texts.get(headerNames.closed);
  if (id === undefined && seq === null && closed === undefined) return null;
  const number = (name: string) => Number(texts.get(name) ?? 0);
  const mark = () => ({
    epoch: number(headerNames.producerEpoch),
    seq: number(headerNames.producerSeq),
  });
  const producer = id === undefined ? null : { id, ...mark() };
  if (producer !== null && !(producer.epoch >= 0 && producer.seq >= 0)) return null;
  return { producer, seq, closes: closed !== undefined, hasBody: closed !== "only" };
}

function textOf(value: Uint8Array | null): string {
  return value === null ? "" : decoder.decode(value);
}

/** Byte by byte: what UTF-16 compares otherwise, header values (Latin-1) never hold. */
function isAfter(seq: string, last: string): boolean {
  return seq > last;
}
