// POST of raw record batches: each goes into the log as it came, only its length is read here. The broker
// checks and stamps it.

import type { Context } from "hono";
import { BrokerError } from "../errors.ts";
import { Appends } from "./appends.ts";
import { batchHeaderBytes, batchLength, readBatchFacts } from "./batch-facts.ts";
import { bodyChunks, concat, tooLarge } from "./body.ts";
import { invalid } from "./error.ts";
import { checkPartition, type Producer } from "./producer.ts";
import type { Door } from "./route.ts";
import { storedAnswer } from "./stored.ts";

/** What one stream of batches takes of the budget of body bytes; a larger batch takes its own size. */
const streamLeaseBytes = 1024 * 1024;

export async function produceBatches(
  door: Door,
  producer: Producer,
  context: Context,
): Promise<Response> {
  const { partition } = producer;
  if (partition === null) {
    throw invalid("raw batches go to one partition: use its route, or ?partition=");
  }
  checkPartition(door, producer, { partition, key: null, value: null, timestampMs: 0 });
  const appends = new Appends(door, producer);
  await door.inflight.acquire(streamLeaseBytes);
  let index = 0;
  try {
    for await (const bytes of wholeBatches(door, context.req.raw.body)) {
      const { recordCount, maxTimestampMs: timestampMs } = readBatchFacts(bytes);
      appends.send({ partition, bytes, recordCount, timestampMs, firstIndex: index++ });
      if (appends.isFull) await appends.room();
      if (appends.failure !== null) break;
    }
    if (index === 0) throw invalid("body: no batches");
  } catch (error) {
    appends.fail(error, index);
  } finally {
    await appends.settle();
    door.inflight.release(streamLeaseBytes);
  }
  return storedAnswer(appends, "batch");
}

/** Cuts a stream into batches by their length fields. Throws CORRUPT_MESSAGE for a tail that is none. */
async function* wholeBatches(
  door: Door,
  body: ReadableStream<Uint8Array> | null,
): AsyncGenerator<Uint8Array, void, void> {
  const bytesMax = door.config.limits.bodyBytesMax;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let wanted = batchHeaderBytes;
  for await (const chunk of bodyChunks(door, body)) {
    // Copied: appends may still be under way when the sender uses the chunk's memory again.
    held.push(chunk.slice());
    heldBytes += chunk.length;
    if (heldBytes < wanted) continue;
    const bytes = concat(held, heldBytes);
    let at = 0;
    for (;;) {
      wanted = batchHeaderBytes;
      if (bytes.length - at < wanted) break;
      wanted = batchLength(bytes, at);
      if (wanted > bytesMax) throw tooLarge(bytesMax);
      if (bytes.length - at < wanted) break;
      yield bytes.subarray(at, at + wanted);
      at += wanted;
    }
    held = at < bytes.length ? [bytes.subarray(at)] : [];
    heldBytes = bytes.length - at;
  }
  if (heldBytes === 0) return;
  throw new BrokerError(
    "CORRUPT_MESSAGE",
    `the body ends inside a batch, ${heldBytes} bytes into it`,
  );
}
