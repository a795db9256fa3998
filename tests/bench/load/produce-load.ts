// Producing as fast as a broker takes it: some connections, some requests in flight on each, every request the
// same batch for one of the partitions in turn, from another one on for each connection. Ends when all is acknowledged.

import { FrameCutter } from "../../../runtime/client/frames.ts";
import { type Address, WireConnection } from "./connection.ts";
import { checkProduced, makeBatch, produceRequest } from "./requests.ts";

export interface ProduceLoad {
  readonly topic: string;
  readonly partitions: number;
  readonly connections: number;
  /** Unanswered requests of one connection. */
  readonly inFlight: number;
  readonly batchBytes: number;
  readonly recordBytes: number;
  readonly totalBytes: number;
}

export interface Moved {
  readonly bytes: number;
  readonly records: number;
  readonly seconds: number;
}

export async function produceLoad(address: Address, load: ProduceLoad): Promise<Moved> {
  const batch = makeBatch(load);
  const requests = Array.from({ length: load.partitions }, (_, partition) =>
    produceRequest({ topic: load.topic, partition, batch }),
  );
  const each = Math.ceil(load.totalBytes / batch.bytes.length / load.connections);
  const lanes = await Promise.all(
    Array.from({ length: load.connections }, (_, i) =>
      ProduceLane.open(address, requests, {
        first: Math.floor((i * load.partitions) / load.connections),
        inFlight: load.inFlight,
      }),
    ),
  );
  const startedMs = performance.now();
  await Promise.all(lanes.map((lane) => lane.run(each)));
  const seconds = (performance.now() - startedMs) / 1000;
  for (const lane of lanes) lane.close();
  const batches = each * lanes.length;
  return { bytes: batches * batch.bytes.length, records: batches * batch.records, seconds };
}

/** Each is a request's chunks. */
type Requests = readonly (readonly Uint8Array[])[];

/** One connection that keeps `inFlight` requests on their way. */
export class ProduceLane {
  readonly #connection: WireConnection;
  readonly #requests: Requests;
  readonly #inFlight: number;
  #next: number;
  #toSend = 0;
  #toAcknowledge = 0;
  #done: () => void = () => {};
  #failed: (error: Error) => void = () => {};

  private constructor(
    connection: WireConnection,
    requests: Requests,
    options: { first: number; inFlight: number },
  ) {
    this.#connection = connection;
    this.#requests = requests;
    this.#next = options.first;
    this.#inFlight = options.inFlight;
    connection.onLost = (error) => this.#failed(error);
  }

  static async open(
    address: Address,
    requests: Requests,
    options: { first: number; inFlight: number },
  ): Promise<ProduceLane> {
    let lane: ProduceLane | undefined;
    const frames = new FrameCutter((frame) => lane?.answered(frame));
    const connection = await WireConnection.open(address, (bytes) => frames.push(bytes));
    lane = new ProduceLane(connection, requests, options);
    return lane;
  }

  /** Sends so many requests and resolves when all are acknowledged. */
  run(requests: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#toSend = requests;
      this.#toAcknowledge = requests;
      for (let i = 0; i < this.#inFlight; i++) this.#send();
    });
  }

  /** For the cutter of frames only. */
  answered(frame: Uint8Array): void {
    try {
      checkProduced(frame);
    } catch (error) {
      this.#failed(error as Error);
      return;
    }
    this.#toAcknowledge--;
    if (this.#toAcknowledge === 0) this.#done();
    else this.#send();
  }

  close(): void {
    this.#connection.close();
  }

  #send(): void {
    if (this.#toSend === 0) return;
    this.#toSend--;
    this.#connection.send(this.#requests[this.#next]!);
    this.#next = (this.#next + 1) % this.#requests.length;
  }
}
