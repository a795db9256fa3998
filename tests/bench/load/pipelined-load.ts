// Small requests, many on their way: as many Produce requests in one write as a client would pipeline, and answers
// counted by their bytes, as all have the same size. It costs next to nothing, so that several brokers can be the limit
// on a machine with few cores. That nothing was refused shows in the ends of the logs, which its user compares.

import { WireConnection } from "./connection.ts";
import type { Leader } from "./produce-load.ts";
import { checkProduced, makeBatch, produceRequest } from "./requests.ts";

export interface PipelinedLoad {
  readonly topic: string;
  /** To each leader. */
  readonly connections: number;
  /** Requests in one write, and writes without an answer. */
  readonly perWrite: number;
  readonly writesInFlight: number;
  readonly recordBytes: number;
  readonly forMs: number;
}

const prefixBytes = 4;

/** Each request holds one record, acks=1. Ends after `forMs`, when all that was sent is answered. */
export async function pipelinedLoad(
  leaders: readonly Leader[],
  load: PipelinedLoad,
): Promise<{ requests: number; seconds: number }> {
  const batch = makeBatch({ batchBytes: 0, recordBytes: load.recordBytes });
  const lanes: PipelinedLane[] = [];
  for (const { address, partitions } of leaders) {
    const all = Array.from({ length: load.perWrite }, (_, i) => {
      const partition = partitions[i % partitions.length]!;
      return produceRequest({ topic: load.topic, partition, batch, acks: 1 });
    });
    const bytes = new Uint8Array(Buffer.concat(all.flat()));
    for (let i = 0; i < load.connections; i++) {
      lanes.push(await PipelinedLane.open(address, bytes, load.perWrite));
    }
  }
  const startedMs = performance.now();
  const endMs = startedMs + load.forMs;
  const counts = await Promise.all(lanes.map((lane) => lane.run(load.writesInFlight, endMs)));
  const seconds = (performance.now() - startedMs) / 1000;
  for (const lane of lanes) lane.close();
  return { requests: counts.reduce((sum, count) => sum + count, 0), seconds };
}

class PipelinedLane {
  readonly #connection: WireConnection;
  readonly #write: readonly Uint8Array[];
  readonly #perWrite: number;
  /** Of all answers to one write; known from the first answer on. */
  #answerBytes = 0;
  #received = 0;
  #sent = 0;
  #answered = 0;
  #endMs = 0;
  #done: (requests: number) => void = () => {};
  #failed: (error: unknown) => void = () => {};

  private constructor(connection: WireConnection, bytes: Uint8Array, perWrite: number) {
    this.#connection = connection;
    this.#write = [bytes];
    this.#perWrite = perWrite;
    connection.onLost = (error) => this.#failed(error);
  }

  static async open(address: Leader["address"], bytes: Uint8Array, perWrite: number) {
    let lane: PipelinedLane | undefined;
    const connection = await WireConnection.open(address, (chunk) => lane?.take(chunk));
    lane = new PipelinedLane(connection, bytes, perWrite);
    return lane;
  }

  run(writesInFlight: number, endMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#endMs = endMs;
      for (let i = 0; i < writesInFlight; i++) this.#send();
    });
  }

  /** For the connection only. */
  take(chunk: Uint8Array): void {
    if (this.#answerBytes === 0) this.#measure(chunk);
    this.#received += chunk.length;
    const answered = Math.floor(this.#received / this.#answerBytes);
    while (this.#answered < answered) {
      this.#answered++;
      if (performance.now() < this.#endMs) this.#send();
    }
    if (this.#answered === this.#sent) this.#done(this.#answered * this.#perWrite);
  }

  close(): void {
    this.#connection.close();
  }

  #send(): void {
    this.#sent++;
    this.#connection.send(this.#write);
  }

  #measure(chunk: Uint8Array): void {
    try {
      const size = new DataView(chunk.buffer, chunk.byteOffset).getInt32(0);
      checkProduced(chunk.subarray(prefixBytes, prefixBytes + size));
      this.#answerBytes = (prefixBytes + size) * this.#perWrite;
    } catch (error) {
      this.#failed(error);
    }
  }
}
