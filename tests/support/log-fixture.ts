// A log folder on memory or given storage with a clock in the test's hand, and batches to put into it.

import { BrokerConfig, resolveTopicConfig } from "../../runtime/config.ts";
import type { CleanerSettings } from "../../runtime/log/cleaner.ts";
import { LogFolder, type LogFolderEvent } from "../../runtime/log/log-folder.ts";
import type { Partition } from "../../runtime/log/partition.ts";
import type { Platform } from "../../runtime/platform.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { collect } from "../../runtime/records.ts";
import { MemoryStorage } from "../../runtime/storage/memory.ts";
import type { Storage } from "../../runtime/storage/storage.ts";
import { Metrics } from "../../runtime/telemetry/metrics.ts";
import type { DecodedRecord, EncodeOptions } from "../../storage-wasm/core.ts";
import { ManualClock } from "./manual-clock.ts";

/** One platform for a whole test process: its core is stateless between calls. */
export const platform: Platform = createPlatform();
export const topicId = "dGltYmVybGluZXRvcGljMQ";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class LogFixture {
  readonly clock: ManualClock;
  readonly storage: Storage;
  readonly metrics: Metrics;
  readonly events: LogFolderEvent[] = [];
  folder: LogFolder;
  cleaner: CleanerSettings = {
    isEnabled: true,
    backoffMs: 15_000,
    mapBytesMax: 1 << 20,
    bytesPerSecondMax: Number.POSITIVE_INFINITY,
  };

  constructor(storage: Storage = new MemoryStorage(Infinity), clock = new ManualClock()) {
    this.storage = storage;
    this.clock = clock;
    this.metrics = new Metrics(clock);
    this.folder = this.#openFolder();
  }

  /** As a new process on the same files; without `close` before it, as after a kill. */
  reopen(): void {
    this.folder = this.#openFolder();
  }

  async close(): Promise<void> {
    const closing = this.folder.close(1);
    await this.clock.turn();
    await closing;
  }

  /** Partition 0 of topic "t" with these configs. */
  partition(configs: Record<string, string> = {}, topic = "t"): Partition {
    const overrides = new Map(Object.entries({ "timberline.flush": "os", ...configs }));
    return this.folder.open({
      topic,
      partition: 0,
      topicId,
      config: resolveTopicConfig(overrides, new BrokerConfig()),
      decompressedBytesMax: 1 << 24,
      isNew: false,
    });
  }

  /** A batch with these values, timestamps at the clock's time unless given. */
  batch(
    values: readonly string[],
    options: Partial<EncodeOptions> & { timestampMs?: number; key?: string | null } = {},
  ): Uint8Array {
    const { timestampMs = this.clock.nowMs(), key = null, ...encode } = options;
    return platform.core.encode(
      values.map((value) => ({
        key: key === null ? null : encoder.encode(key),
        value: encoder.encode(value),
        timestampMs,
      })),
      { compression: null, ...encode },
    );
  }

  #openFolder(): LogFolder {
    return new LogFolder({
      storage: this.storage,
      core: platform.core,
      codecs: platform.codecs,
      clock: this.clock,
      random: platform.random,
      metrics: this.metrics,
      retentionCheckIntervalMs: () => 300_000,
      producerIdExpirationMs: () => 86_400_000,
      cleaner: () => this.cleaner,
      report: (event) => this.events.push(event),
    });
  }
}

/** All records from `offset` on that a reader sees. */
export async function readAll(partition: Partition, offset = 0): Promise<DecodedRecord[]> {
  const found: DecodedRecord[] = [];
  let next = offset;
  while (next < partition.highWatermark) {
    const bytes = await collect(
      partition.read({ offset: next, bytesMax: 1 << 20, atLeastOneBatch: true }),
    );
    const from = next;
    found.push(...decodeAll(bytes).filter((record) => record.offset >= from));
    next = offsetAfter(bytes);
    if (next <= from) break;
  }
  return found;
}

/** After the last whole batch, as clients go on: a compacted batch may have lost its last records. */
function offsetAfter(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let next = -1;
  for (let at = 0; at + 61 <= bytes.length; at += 12 + view.getInt32(at + 8)) {
    if (at + 12 + view.getInt32(at + 8) > bytes.length) break;
    next = Number(view.getBigInt64(at)) + view.getInt32(at + 23) + 1;
  }
  return next;
}

/** Records of whole batches; a cut batch at the end is left out, as clients do. */
export function decodeAll(bytes: Uint8Array): DecodedRecord[] {
  const found: DecodedRecord[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 12 <= bytes.length; ) {
    const length = 12 + view.getInt32(at + 8);
    if (at + length > bytes.length) break;
    const batch = bytes.slice(at, at + length);
    found.push(...platform.core.decode(batch, decompress));
    at += length;
  }
  return found;
}

export function textOf(record: DecodedRecord): string {
  return decoder.decode(record.value ?? new Uint8Array());
}

export async function valuesOf(partition: Partition, offset = 0): Promise<string[]> {
  return (await readAll(partition, offset)).map(textOf);
}

function decompress(codec: number, bytes: Uint8Array): Uint8Array {
  const name = (["none", "gzip", "snappy", "lz4", "zstd"] as const)[codec];
  if (name === undefined || name === "none") throw new Error(`codec ${codec}`);
  return platform.codecs[name].decompress(bytes, 1 << 26);
}
