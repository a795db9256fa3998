// Tail: reads some partitions of one topic from given offsets on, in turns, up to given ends or for ever.
// Knows nothing of HTTP; `streams.ts` asks for the next records when its client has taken the last.

import type { DecodedRecord } from "../../storage-wasm/core.ts";
import type { FetchedPartition, FetchRequest } from "../broker.ts";
import { decodeFetched } from "./fetched-records.ts";
import type { Door } from "./route.ts";

export interface TailOptions {
  readonly topic: string;
  /** Partition to next offset. */
  readonly positions: ReadonlyMap<number, number>;
  /** Partition to first offset not wanted; null to go on for ever. */
  readonly ends: ReadonlyMap<number, number> | null;
  /** Also read partitions that are added to the topic meanwhile, from their beginning. */
  readonly withNewPartitions: boolean;
  readonly isolation: FetchRequest["isolation"];
  readonly recordsMax: number;
}

export interface TailRecord {
  readonly partition: number;
  readonly record: DecodedRecord;
}

/** An end that was seen must be readable; if it is not within this time, the log was cut meanwhile. */
const endWaitMsMax = 1000;

export class Tail {
  readonly #door: Door;
  readonly #options: TailOptions;
  readonly #positions: Map<number, number>;
  #recordsLeft: number;
  #turn = 0;

  constructor(door: Door, options: TailOptions) {
    this.#door = door;
    this.#options = options;
    this.#positions = new Map(options.positions);
    this.#recordsLeft = options.recordsMax;
    for (const [partition, offset] of options.positions) this.#endPartition(partition, offset);
  }

  /** Partition to next offset, of the partitions that are still read. */
  get positions(): ReadonlyMap<number, number> {
    return this.#positions;
  }

  /** Nothing more will come. */
  get isDone(): boolean {
    return this.#recordsLeft <= 0 || this.#positions.size === 0;
  }

  /** The next records; none after `waitMs` of silence, or once `signal` is aborted. */
  async next(waitMs: number, signal?: AbortSignal): Promise<TailRecord[]> {
    if (this.isDone) return [];
    this.#addPartitions();
    const bytesMax = this.#door.config.limits.streamChunkBytes;
    const { topic, ends, isolation } = this.#options;
    const waitMsMax = ends === null ? waitMs : Math.min(waitMs, endWaitMsMax);
    const fetching = this.#door.broker.fetch({
      partitions: this.#inTurn().map(([partition, offset]) => ({
        topic,
        partition,
        offset,
        bytesMax,
        currentLeaderEpoch: -1,
      })),
      waitMsMax,
      bytesMin: 1,
      bytesMax,
      isolation,
      ...(signal === undefined ? {} : { signal }),
    });
    const answers = fetching instanceof Promise ? await fetching : fetching;
    return this.#take(answers, { isGone: signal?.aborted === true, waited: waitMsMax > 0 });
  }

  /** A different partition comes first each time, so that none starves behind a busy one. */
  #inTurn(): [number, number][] {
    const all = [...this.#positions];
    const first = this.#turn++ % all.length;
    return [...all.slice(first), ...all.slice(0, first)];
  }

  async #take(
    answers: readonly FetchedPartition[],
    { isGone, waited }: { isGone: boolean; waited: boolean },
  ): Promise<TailRecord[]> {
    const taken: TailRecord[] = [];
    const isSilent = waited && answers.every((answer) => answer.records.length === 0);
    let failure: { error: unknown } | null = null;
    for (const answer of answers) {
      if (isGone || failure !== null || this.#recordsLeft <= 0) {
        answer.records.release();
        continue;
      }
      try {
        await this.#takePartition(answer, taken);
        if (isSilent && this.#options.ends !== null) this.#positions.delete(answer.partition);
      } catch (error) {
        failure = { error };
      }
    }
    // What was read before the failure goes out first; the next turn meets it again.
    if (failure !== null && taken.length === 0) throw failure.error;
    return taken;
  }

  async #takePartition(answer: FetchedPartition, taken: TailRecord[]): Promise<void> {
    const { partition } = answer;
    const offset = this.#positions.get(partition)!;
    const endOffset = this.#options.ends?.get(partition) ?? Number.POSITIVE_INFINITY;
    const range = { offset, endOffset, recordsMax: this.#recordsLeft };
    const { records, nextOffset } = await decodeFetched(this.#door, answer, range);
    for (const record of records) taken.push({ partition, record });
    this.#recordsLeft -= records.length;
    this.#positions.set(partition, nextOffset);
    this.#endPartition(partition, nextOffset);
  }

  #endPartition(partition: number, nextOffset: number): void {
    const end = this.#options.ends?.get(partition);
    if (end !== undefined && nextOffset >= end) this.#positions.delete(partition);
  }

  #addPartitions(): void {
    if (!this.#options.withNewPartitions) return;
    const { topics } = this.#door.broker.cluster();
    const count = topics.get(this.#options.topic)?.partitions.length ?? 0;
    for (let partition = this.#positions.size; partition < count; partition++) {
      if (!this.#positions.has(partition)) this.#positions.set(partition, 0);
    }
  }
}
