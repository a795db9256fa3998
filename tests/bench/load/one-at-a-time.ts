// What one message at a time takes: from sending it to its arrival at a reader who waits for it. And how long a
// broker that was just started takes to acknowledge its first record.

import { setTimeout as pause } from "node:timers/promises";
import { type Address, AskingConnection, WireConnection } from "./connection.ts";
import { FetchSkimmer } from "./fetch-skimmer.ts";
import {
  checkProduced,
  fetchRequest,
  hasLeader,
  makeBatch,
  metadataRequest,
  produceRequest,
} from "./requests.ts";

const fetchBytesMax = 1024 * 1024;
const fetchWaitMsMax = 5_000;
const retryMs = 2;

export interface Latencies {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Sends `count` messages, each when the one before was acknowledged and has arrived; the first ones not counted. */
export async function endToEndLatency(
  address: Address,
  load: { topic: string; count: number; warmUp: number; recordBytes: number },
): Promise<Latencies> {
  const { topic } = load;
  const batch = makeBatch({ batchBytes: 0, recordBytes: load.recordBytes });
  const request = produceRequest({ topic, partition: 0, batch });
  let arrived: (nextOffset: number) => void = () => {};
  const skimmer = new FetchSkimmer(topic, ({ nextOffset }) => arrived(nextOffset));
  const reader = await WireConnection.open(address, (bytes) => skimmer.push(bytes));
  const producer = await AskingConnection.open(address);
  const takenMs: number[] = [];
  try {
    for (let offset = 0; offset < load.warmUp + load.count; offset++) {
      const arrival = new Promise<number>((resolve, reject) => {
        arrived = resolve;
        reader.onLost = reject;
      });
      reader.send(
        fetchRequest({
          topic,
          partition: 0,
          offset,
          bytesMax: fetchBytesMax,
          waitMsMax: fetchWaitMsMax,
        }),
      );
      const sentMs = performance.now();
      const acknowledged = producer.ask(request);
      if ((await arrival) !== offset + 1) throw new Error("a message was lost or came twice");
      if (offset >= load.warmUp) takenMs.push(performance.now() - sentMs);
      checkProduced(await acknowledged);
    }
  } finally {
    reader.close();
    producer.close();
  }
  return latenciesOf(takenMs);
}

/** As above, from sending to the acknowledgement; nobody reads. */
export async function acknowledgedLatency(
  address: Address,
  load: { topic: string; count: number; warmUp: number; recordBytes: number },
): Promise<Latencies> {
  const batch = makeBatch({ batchBytes: 0, recordBytes: load.recordBytes });
  const request = produceRequest({ topic: load.topic, partition: 0, batch });
  const producer = await AskingConnection.open(address);
  const takenMs: number[] = [];
  try {
    for (let i = 0; i < load.warmUp + load.count; i++) {
      const sentMs = performance.now();
      checkProduced(await producer.ask(request));
      if (i >= load.warmUp) takenMs.push(performance.now() - sentMs);
    }
  } finally {
    producer.close();
  }
  return latenciesOf(takenMs);
}

function latenciesOf(takenMs: number[]): Latencies {
  takenMs.sort((a, b) => a - b);
  const at = (part: number) => takenMs[Math.min(takenMs.length - 1, Math.floor(part * count))]!;
  const count = takenMs.length;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Resolves when a record was acknowledged, however long the broker does not listen; throws after `limitMs`. */
export async function firstAcknowledged(
  address: Address,
  topic: string,
  limitMs: number,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  const batch = makeBatch({ batchBytes: 0, recordBytes: 100 });
  let cause: unknown;
  while (performance.now() < deadline) {
    let connection: AskingConnection | undefined;
    try {
      connection = await AskingConnection.open(address);
      while (performance.now() < deadline) {
        if (hasLeader(await connection.ask(metadataRequest(topic)))) break;
        await pause(retryMs);
      }
      checkProduced(await connection.ask(produceRequest({ topic, partition: 0, batch })));
      return;
    } catch (error) {
      cause = error;
      await pause(retryMs);
    } finally {
      connection?.close();
    }
  }
  throw new Error(`no record was acknowledged within ${limitMs} ms`, { cause });
}
