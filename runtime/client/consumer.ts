// Consumer of assigned partitions: hands out what `fetcher.ts` brings, batch by batch or record by record, and
// knows the position of each partition to the record.

import type { TopicPartition } from "../broker.ts";
import type {
  Assignment,
  ConsumedBatch,
  ConsumedRecord,
  Consumer,
  ConsumerOptions,
} from "./api.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { closedError } from "./context.ts";
import { asClientError, ClientError } from "./error.ts";
import { Fetcher } from "./fetcher.ts";
import { askOffsets } from "./offsets.ts";
import { PartitionReader } from "./partition-reader.ts";

/** A batch that was iterated in part: the rest comes first next time. */
interface Partial {
  readonly reader: PartitionReader;
  readonly generation: number;
  readonly batch: ConsumedBatch;
  /** Index of the first record not yet handed out. */
  from: number;
}

export class PartitionConsumer implements Consumer {
  readonly #calls: ClusterCalls;
  readonly #fetcher: Fetcher;
  #readers: readonly PartitionReader[] = [];
  /** Where the search for the next batch begins, so that no partition starves. */
  #turn = 0;
  #partial: Partial | null = null;
  #wakes = new Set<() => void>();
  #isStopped = false;

  constructor(calls: ClusterCalls, options: ConsumerOptions = {}) {
    this.#calls = calls;
    this.#fetcher = new Fetcher(calls, options, () => this.#wake());
  }

  assign(assignments: readonly Assignment[]): Promise<void> {
    return this.change({ gone: this.#readers, added: assignments });
  }

  /** Partitions come and go; the others are read on as if nothing happened. One may do both, to begin elsewhere. */
  async change(places: {
    readonly gone: readonly TopicPartition[];
    readonly added: readonly Assignment[];
  }): Promise<void> {
    if (this.#isStopped || this.#calls.context.closed) throw closedError("Assigning partitions");
    const offsets = await this.#startOffsets(places.added);
    const gone = new Set(places.gone.map(({ topic, partition }) => this.#find(topic, partition)));
    // What is still on its way for these finds no reader that is asked.
    for (const reader of gone) reader?.seek(0);
    const added = places.added.map(
      ({ topic, partition }, i) => new PartitionReader(topic, partition, offsets[i]!),
    );
    this.#readers = [...this.#readers.filter((reader) => !gone.has(reader)), ...added];
    if (this.#partial !== null && gone.has(this.#partial.reader)) this.#partial = null;
    this.#turn = 0;
    this.#fetcher.assign(this.#readers);
  }

  async seek(assignment: Assignment): Promise<void> {
    const reader = this.#reader(assignment);
    const [offset] = await this.#startOffsets([assignment]);
    reader.seek(offset!);
    this.#fetcher.wake();
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const place of partitions) this.#reader(place).isPaused = true;
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const place of partitions) this.#reader(place).isPaused = false;
    this.#fetcher.wake();
    this.#wake();
  }

  position({ topic, partition }: TopicPartition): number | undefined {
    return this.#find(topic, partition)?.position;
  }

  async poll(waitMs: number): Promise<ConsumedBatch | null> {
    const { context } = this.#calls;
    const deadlineMs = context.nowMs() + waitMs;
    for (;;) {
      const found = this.#take();
      if (found !== null) return found;
      const leftMs = deadlineMs - context.nowMs();
      if (this.#isStopped || leftMs <= 0) return null;
      await this.#arrival(leftMs);
    }
  }

  async *batches(): AsyncIterableIterator<ConsumedBatch> {
    while (!this.#isStopped) {
      const batch = this.#take();
      if (batch !== null) yield batch;
      else await this.#arrival(null);
    }
  }

  async *records(): AsyncIterableIterator<ConsumedRecord> {
    for await (const batch of this.batches()) {
      const reader = this.#find(batch.topic, batch.partition);
      if (reader === undefined) continue;
      const { generation } = reader;
      const { topic, partition, records, nextOffset } = batch;
      const partial: Partial = { reader, generation, batch, from: 0 };
      this.#partial = partial;
      for (let i = 0; i < records.length && reader.generation === generation; i++) {
        const { offset, timestampMs, key, value, headers } = records[i]!;
        partial.from = i + 1;
        const isLast = partial.from === records.length;
        reader.position = isLast ? nextOffset : offset + 1;
        if (isLast) this.#partial = null;
        yield { topic, partition, offset, timestampMs, key, value, headers };
        if (this.#isStopped) return;
      }
    }
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ConsumedRecord> {
    return this.records();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#readers = [];
    this.#partial = null;
    this.#fetcher.stop();
    this.#wake();
  }

  // ---- handing out ----

  /** The next batch that is at hand, from the partition whose turn it is. */
  #take(): ConsumedBatch | null {
    const rest = this.#takePartial();
    if (rest !== null) return rest;
    const count = this.#readers.length;
    for (let i = 0; i < count; i++) {
      const index = (this.#turn + i) % count;
      const reader = this.#readers[index]!;
      if (reader.isPaused) continue;
      const batch = this.#takeFrom(reader);
      if (batch === null) continue;
      // The same partition goes on until its answer is used up: its memory is free sooner.
      this.#turn = reader.chunks.length > 0 ? index : (index + 1) % count;
      return batch;
    }
    return null;
  }

  #takePartial(): ConsumedBatch | null {
    const partial = this.#partial;
    if (partial === null) return null;
    const { reader, generation, batch, from } = partial;
    if (reader.generation !== generation) this.#partial = null;
    if (this.#partial === null || reader.isPaused) return null;
    this.#partial = null;
    reader.position = batch.nextOffset;
    return { ...batch, records: batch.records.slice(from) };
  }

  #takeFrom(reader: PartitionReader): ConsumedBatch | null {
    const { topic, partition } = reader;
    // While a paused partition's batch is half handed out, nothing after it may overtake.
    if (this.#partial?.reader === reader) return null;
    while (reader.chunks.length > 0) {
      const { records: fetched, highWatermark, logStartOffset } = reader.chunks[0]!;
      const next = this.#decode(reader, () =>
        fetched.next(reader.position, this.#fetcher.decompress),
      );
      if (next === null) {
        reader.chunks.shift();
        const where = `Reading ${topic}-${partition}`;
        const error = fetched.error(where);
        if (error !== null && reader.chunks.length === 0) reader.break(error);
        this.#fetcher.wake();
        continue;
      }
      reader.position = Math.max(reader.position, next.nextOffset);
      if (next.records.length === 0) continue;
      return { topic, partition, ...next, highWatermark, logStartOffset };
    }
    const { error } = reader;
    reader.error = null;
    if (error !== null) throw error;
    return null;
  }

  #decode<T>(reader: PartitionReader, run: () => T): T {
    try {
      return run();
    } catch (thrown) {
      const where = `Reading ${reader.topic}-${reader.partition} at offset ${reader.position}`;
      const error = asClientError(thrown, where);
      reader.chunks.length = 0;
      reader.break(error);
      reader.error = null;
      throw error;
    }
  }

  // ---- waiting ----

  #arrival(waitMs: number | null): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer?.cancel();
        this.#wakes.delete(done);
        resolve();
      };
      const { clock } = this.#calls.context.platform;
      const timer = waitMs === null ? null : clock.after(waitMs, done, { keepAlive: true });
      this.#wakes.add(done);
    });
  }

  #wake(): void {
    for (const wake of [...this.#wakes]) wake();
  }

  // ---- offsets ----

  async #startOffsets(assignments: readonly Assignment[]): Promise<readonly number[]> {
    const questions = assignments.flatMap(({ topic, partition, offset }) =>
      typeof offset === "number" ? [] : [{ topic, partition, spec: offset }],
    );
    const { isolation } = this.#fetcher.settings;
    const answers = await askOffsets(this.#calls, questions, isolation);
    // Later than all records: the end.
    const beyond = questions.filter((_, i) => answers[i]!.error === null && answers[i]!.offset < 0);
    const ends = await askOffsets(
      this.#calls,
      beyond.map(({ topic, partition }) => ({ topic, partition, spec: "latest" as const })),
      isolation,
    );
    const found = [...answers];
    for (const [i, question] of beyond.entries()) found[questions.indexOf(question)] = ends[i]!;
    let next = 0;
    return assignments.map(({ offset }) => {
      if (typeof offset === "number") return offset;
      const answer = found[next++]!;
      if (answer.error !== null) throw answer.error;
      return answer.offset;
    });
  }

  #find(topic: string, partition: number): PartitionReader | undefined {
    return this.#readers.find((reader) => reader.partition === partition && reader.topic === topic);
  }

  #reader({ topic, partition }: TopicPartition): PartitionReader {
    const reader = this.#find(topic, partition);
    if (reader !== undefined) return reader;
    const what = `${topic}-${partition} is not assigned. Assign it first.`;
    throw new ClientError("INVALID_REQUEST", what);
  }
}
