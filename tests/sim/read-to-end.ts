// Reads topics whole, as a new reader of committed records sees them when all is well.

import type { Client } from "../../runtime/client/mod.ts";
import type { ReadRecord } from "./history.ts";
import { textOf } from "./workload.ts";

const pollMs = 500;

/** By partition. Waits for transactions that are open: the brokers abort what nobody ends. */
export async function readToEnd(
  client: Client,
  { topic, partitions }: { readonly topic: string; readonly partitions: number },
): Promise<Map<number, ReadRecord[]>> {
  const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const latest = places.map((place) => ({ ...place, spec: "latest" as const }));
  const ends = await client.admin().listOffsets(latest);
  const consumer = client.consumer({ fetchWaitMsMax: 100, isolation: "read_committed" });
  await consumer.assign(places.map((place) => ({ ...place, offset: "earliest" as const })));
  const log = new Map<number, ReadRecord[]>(places.map(({ partition }) => [partition, []]));
  const isDone = () =>
    ends.every(({ partition, offset }) => (consumer.position({ topic, partition }) ?? 0) >= offset);
  while (!isDone()) {
    const batch = await consumer.poll(pollMs);
    for (const { offset, key, value } of batch?.records ?? []) {
      const record = { offset, value: textOf(value), ...(key ? { key: textOf(key) } : {}) };
      log.get(batch!.partition)!.push(record);
    }
  }
  await consumer.stop();
  return log;
}
