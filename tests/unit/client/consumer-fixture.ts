// What tests of consumers share: a fake cluster with a small topic, and ways to read it.

import * as assert from "uvu/assert";
import { type ConsumerOptions, createClient } from "../../../runtime/client/mod.ts";
import type { EncodeOptions } from "../../../storage-wasm/core.ts";
import { core, FakeCluster } from "./fake-cluster.ts";
import type { FakePartition } from "./fake-partition.ts";

export const t0 = { topic: "t", partition: 0 };
export const text = (bytes: Uint8Array | null): string =>
  new TextDecoder().decode(bytes ?? undefined);

export function connect(cluster: FakeCluster, options: ConsumerOptions = {}) {
  const client = createClient({ platform: cluster.platform(), bootstrap: ["bootstrap:1"] });
  return { client, consumer: client.consumer(options) };
}

/** Stores one batch; timestamps are the offsets times ten. */
export function store(
  partition: FakePartition,
  values: readonly string[],
  options: Partial<EncodeOptions> = {},
) {
  const records = values.map((value, i) => ({
    key: null,
    value: new TextEncoder().encode(value),
    timestampMs: 10 * (partition.nextOffset + i),
  }));
  const batch = core.encode(records, { compression: null, ...options });
  const rules = { verifyCrc: true, walkRecords: false, requireKeys: false };
  core.check(core.place(batch), batch.length, rules);
  partition.store(batch, { ...core.header });
}

/** A topic of one partition: offsets 0–3 in two batches. */
export function smallCluster(): { cluster: FakeCluster; partition: FakePartition } {
  const cluster = new FakeCluster([1, 2]);
  const [partition] = cluster.addTopic("t", [1]);
  store(partition!, ["a", "b", "c"]);
  store(partition!, ["d"]);
  return { cluster, partition: partition! };
}

export async function rejects(promise: Promise<unknown>, code: string): Promise<void> {
  const outcome = await promise.then(
    () => "resolved",
    (error: { code?: string }) => error.code,
  );
  assert.is(outcome, code);
}

export async function take(records: AsyncIterable<{ value: Uint8Array | null }>, count: number) {
  const values: string[] = [];
  for await (const { value } of records) {
    values.push(text(value));
    if (values.length === count) break;
  }
  return values;
}
