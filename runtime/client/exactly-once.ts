// Exactly once: reads, processes and writes so that what comes of each record is seen once, whatever crashes. Every
// batch, what was made of it, and where its group goes on, are one transaction.

import type { Context } from "./context.ts";
import { ClientError, type ClientErrorCode } from "./error.ts";
import type { ExactlyOnceOptions } from "./transaction-api.ts";

/** The transaction came to nothing, but the next one may well succeed. */
const repeatable: ReadonlySet<ClientErrorCode> = new Set<ClientErrorCode>([
  "ILLEGAL_GENERATION",
  "UNKNOWN_MEMBER_ID",
  "STALE_MEMBER_EPOCH",
  "FENCED_MEMBER_EPOCH",
  "REBALANCE_IN_PROGRESS",
  "TRANSACTION_ABORTABLE",
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_ID_MAPPING",
]);

/** Gives up when for `operationTimeoutMs` no transaction has succeeded. */
export async function processExactlyOnce(
  context: Context,
  { consumer, producer, process }: ExactlyOnceOptions,
): Promise<void> {
  let failures = 0;
  let failingSinceMs = 0;
  // Ends what an earlier life left open: the consumer would wait for the offsets in it.
  await producer.transaction(() => {});
  for await (const batch of consumer.batches()) {
    const { topic, partition, nextOffset: offset, member } = batch;
    try {
      await producer.transaction(async (transaction) => {
        await process(batch, transaction);
        await transaction.sendOffsets({ member, offsets: [{ topic, partition, offset }] });
      });
      failures = 0;
    } catch (error) {
      if (failures === 0) failingSinceMs = context.nowMs();
      const failingMs = context.nowMs() - failingSinceMs;
      if (!isRepeatable(error) || failingMs > context.settings.operationTimeoutMs) throw error;
      await context.sleep(context.backoffMs(++failures));
      await consumer.rewind();
    }
  }
}

function isRepeatable(error: unknown): boolean {
  return error instanceof ClientError && (error.retriable || repeatable.has(error.code));
}
