// Consumer of assigned partitions: hands out what `fetcher.ts` brings, batch by batch or record by record, and
// knows the position of each partition to the record.

import { CorruptBatch } from "../../storage-wasm/core.ts";
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
import { FetchedBatch } from "./fetched-batch.ts";
import { Fetcher } from "./fetcher.ts";
import { askOffsets } from "./offsets.ts";
import { PartitionReader } from "./partition-reader.ts";
import { RecordIteration } from "./record-iteration.ts";

export class PartitionConsumer implements Consumer {
  readonly #calls: ClusterCalls;
  readonly #fetcher: Fetcher;
  #readers: readonly PartitionReader[] = [];
  /** Where the search for the next batch begins, so that no partition starves. */
  #turn = 0;
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

  records(): AsyncIterableIterator<ConsumedRecord> {
    const isStopped = () => this.#isStopped;
    return new RecordIteration({
      take: () => this.#takeRecord(),
      arrival: () => this.#arrival(null),
      get isStopped() {
        return isStopped();
      },
    });
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ConsumedRecord> {
    return this.records();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#readers = [];
    this.#fetcher.stop();
    this.#wake();
  }

  // ---- handing out ----

  /** The next batch that is at hand, or what is left of it. */
  #take(): ConsumedBatch | null {
    const reader = this.#nextReader();
    if (reader === null) return null;
    const { batch, highWatermark, logStartOffset } = reader.handout!;
    const { topic, partition, generation } = reader;
    const failed = (thrown: unknown) => this.#failed(reader, generation, thrown);
    reader.handout = null;
    reader.position = batch.nextOffset;
    return new FetchedBatch({ topic, partition, highWatermark, logStartOffset, failed }, batch);
  }

  #takeRecord(): ConsumedRecord | null {
    const reader = this.#nextReader();
    if (reader === null) return null;
    const { topic, partition } = reader;
    const { batch } = reader.handout!;
    const { reader: records, nextOffset } = batch;
    try {
      records.advance();
      const { offset, timestampMs, key, value, headers } = records;
      const isLast = records.left === 0;
      reader.position = isLast ? nextOffset : offset + 1;
      if (isLast) reader.handout = null;
      return { topic, partition, offset, timestampMs, key, value, headers };
    } catch (thrown) {
      throw this.#failed(reader, reader.generation, thrown);
    }
  }

  /** A partition with a batch at hand: the same until its answer is used up, so that its memory is free sooner. */
  #nextReader(): PartitionReader | null {
    const current = this.#readers[this.#turn];
    if (current !== undefined && current.handout !== null && !current.isPaused) return current;
    const count = this.#readers.length;
    // Whose answer ends here is asked again when the others have been.
    for (let i = 0; i <= count && count > 0; i++) {
      const index = (this.#turn + i) % count;
      const reader = this.#readers[index]!;
      if (reader.isPaused || !this.#open(reader)) continue;
      this.#turn = index;
      return reader;
    }
    return null;
  }

  #open(reader: PartitionReader): boolean {
    const chunks = reader.chunks.length;
    try {
      if (reader.open(this.#fetcher.decompress)) return true;
    } catch (thrown) {
      throw this.#failed(reader, reader.generation, thrown);
    }
    if (reader.chunks.length < chunks) this.#fetcher.wake();
    if (reader.chunks.length > 0 || reader.error === null) return false;
    const { error } = reader;
    reader.error = null;
    throw error;
  }

  /** Bytes that cannot be read: the partition stands still until a seek. */
  #failed(reader: PartitionReader, generation: number, thrown: unknown): ClientError {
    const where = `Reading ${reader.topic}-${reader.partition} at offset ${reader.position}`;
    if (reader.generation === generation) reader.drop();
    if (!(thrown instanceof CorruptBatch)) return asClientError(thrown, where);
    const what = `${where}: ${thrown.message}. Seek past it to go on.`;
    return new ClientError("CORRUPT_MESSAGE", what, { cause: thrown });
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
