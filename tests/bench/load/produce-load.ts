// Producing as fast as brokers take it: some connections, some requests in flight on each, every request the
// same batch for one of the partitions in turn, from another one on for each connection. Ends when all is acknowledged.

import { FrameCutter } from "../../../runtime/client/frames.ts";
import { type Address, WireConnection } from "./connection.ts";
import { type Batch, checkProduced, makeBatch, produceRequest } from "./requests.ts";

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

/** Which of a topic's partitions a broker leads. */
export interface Leader {
  readonly address: Address;
  readonly partitions: readonly number[];
}

export function produceLoad(address: Address, load: ProduceLoad): Promise<Moved> {
  const partitions = Array.from({ length: load.partitions }, (_, partition) => partition);
  return produceToLeaders([{ address, partitions }], load);
}

/** As many connections to each leader; each partition gets as many bytes. */
export async function produceToLeaders(
  leaders: readonly Leader[],
  load: ProduceLoad,
): Promise<Moved> {
  const batch = makeBatch(load);
  const batches = load.totalBytes / batch.bytes.length / load.partitions;
  const started: (() => Promise<void>)[] = [];
  const lanes: ProduceLane[] = [];
  let sent = 0;
  for (const leader of leaders) {
    const each = Math.ceil((batches * leader.partitions.length) / load.connections);
    for (const lane of await openLanes(leader, batch, load)) {
      lanes.push(lane);
      started.push(() => lane.run(each));
      sent += each;
    }
  }
  const startedMs = performance.now();
  await Promise.all(started.map((start) => start()));
  const seconds = (performance.now() - startedMs) / 1000;
  for (const lane of lanes) lane.close();
  return { bytes: sent * batch.bytes.length, records: sent * batch.records, seconds };
}

function openLanes({ address, partitions }: Leader, batch: Batch, load: ProduceLoad) {
  const { topic, connections, inFlight } = load;
  const requests = partitions.map((partition) => produceRequest({ topic, partition, batch }));
  return Promise.all(
    Array.from({ length: connections }, (_, i) =>
      ProduceLane.open(address, requests, {
        first: Math.floor((i * partitions.length) / connections),
        inFlight,
      }),
    ),
  );
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
