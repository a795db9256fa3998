// Reading as fast as a broker gives: one connection per reader, one fetch under way on each, until the offset the
// reader was asked to reach. And producers and readers at once.

import { type Address, WireConnection } from "./connection.ts";
import { FetchSkimmer } from "./fetch-skimmer.ts";
import { type Moved, ProduceLane } from "./produce-load.ts";
import { fetchRequest, makeBatch, produceRequest } from "./requests.ts";

const fetchBytesMax = 1024 * 1024;
const fetchWaitMsMax = 500;

export interface ReadLoad {
  readonly topic: string;
  readonly partition: number;
  /** Reads from 0 up to here. */
  readonly endOffset: number;
  readonly bytesMax: number;
  /** read_committed; default: read_uncommitted. */
  readonly isCommitted?: boolean;
}

/** Reads one partition; the bytes of its batches and the time it took. */
export async function readLoad(address: Address, load: ReadLoad): Promise<Moved> {
  const lane = await ReadLane.open(address, load);
  const startedMs = performance.now();
  const bytes = await lane.run();
  const seconds = (performance.now() - startedMs) / 1000;
  lane.close();
  return { bytes, records: load.endOffset, seconds };
}

export interface FanLoad {
  readonly topic: string;
  readonly partitions: number;
  readonly producers: number;
  readonly readers: number;
  readonly inFlight: number;
  readonly batchBytes: number;
  readonly recordBytes: number;
  readonly totalBytes: number;
}

/** All producers and readers at once, each on one partition, until every reader has read all. Bytes in and out. */
export async function fanLoad(address: Address, load: FanLoad): Promise<Moved> {
  const { topic, partitions, producers, readers, inFlight } = load;
  const batch = makeBatch(load);
  const each = Math.ceil(load.totalBytes / batch.bytes.length / producers);
  const endOffset = (each * batch.records * producers) / partitions;
  const writing = await Promise.all(
    Array.from({ length: producers }, (_, i) => {
      const request = produceRequest({ topic, partition: i % partitions, batch });
      return ProduceLane.open(address, [request], { first: 0, inFlight });
    }),
  );
  const reading = await Promise.all(
    Array.from({ length: readers }, (_, i) => {
      const partition = i % partitions;
      return ReadLane.open(address, { topic, partition, endOffset, bytesMax: fetchBytesMax });
    }),
  );
  const startedMs = performance.now();
  const read = Promise.all(reading.map((lane) => lane.run()));
  await Promise.all(writing.map((lane) => lane.run(each)));
  const bytesRead = (await read).reduce((sum, bytes) => sum + bytes, 0);
  const seconds = (performance.now() - startedMs) / 1000;
  for (const lane of [...writing, ...reading]) lane.close();
  const bytes = each * producers * batch.bytes.length + bytesRead;
  return { bytes, records: each * producers * batch.records, seconds };
}

/** One connection that fetches one partition from its start on. */
export class ReadLane {
  readonly #connection: WireConnection;
  readonly #load: ReadLoad;
  #offset = 0;
  #bytes = 0;
  #done: (bytes: number) => void = () => {};
  #failed: (error: Error) => void = () => {};

  private constructor(connection: WireConnection, load: ReadLoad) {
    this.#connection = connection;
    this.#load = load;
    connection.onLost = (error) => this.#failed(error);
  }

  static async open(address: Address, load: ReadLoad): Promise<ReadLane> {
    let lane: ReadLane | undefined;
    const skimmer = new FetchSkimmer(load.topic, ({ nextOffset, bytes }) =>
      lane?.answered(nextOffset, bytes),
    );
    const connection = await WireConnection.open(address, (bytes) => {
      try {
        skimmer.push(bytes);
      } catch (error) {
        lane?.fail(error as Error);
      }
    });
    lane = new ReadLane(connection, load);
    return lane;
  }

  /** Resolves with the bytes of all batches read. */
  run(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#fetch();
    });
  }

  close(): void {
    this.#connection.close();
  }

  /** For the skimmer only. */
  answered(nextOffset: number, bytes: number): void {
    if (nextOffset > this.#offset) this.#offset = nextOffset;
    this.#bytes += bytes;
    if (this.#offset >= this.#load.endOffset) this.#done(this.#bytes);
    else this.#fetch();
  }

  /** For the skimmer only. */
  fail(error: Error): void {
    this.#failed(error);
  }

  #fetch(): void {
    const waitMsMax = fetchWaitMsMax;
    const offset = this.#offset;
    this.#connection.send(fetchRequest({ ...this.#load, offset, waitMsMax }));
  }
}
