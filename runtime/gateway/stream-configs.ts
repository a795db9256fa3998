// StreamConfigs: what a stream is (content type, life, origin), before a Kafka that takes no configs but its own. It
// lies in a compacted topic beside the streams, one record per topic id, so that every gateway before that Kafka
// knows it; each follows that topic. Before Timberline brokers it stands in the topics' own configs.

import type { Core } from "../../storage-wasm/core.ts";
import type { ConfigOperation, FetchedPartition } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import { batchLength, readBatchFacts } from "../http/batch-facts.ts";
import type { Clock } from "../platform.ts";
import { bytesOf, wholeBatches } from "./partition-feed.ts";
import type { Upstream } from "./upstream.ts";

export const streamConfigsTopic = "__timberline_stream_configs";

export type Configs = ReadonlyMap<string, string>;

/** Keys that no Kafka knows begin so. */
const ownPrefix = "timberline.";
const readBytes = 1024 * 1024;
const waitMs = 5_000;
const retryMs = 250;
const catchUpMsMax = 5_000;
const appendMsMax = 30_000;
/** Streams kept in memory; no more are made through a gateway. */
const streamsMax = 200_000;
const noConfigs: Configs = new Map();

export interface StreamConfigsHost {
  readonly clock: Clock;
  readonly core: Core;
  readonly upstream: Upstream;
}

export class StreamConfigs {
  readonly #host: StreamConfigsHost;
  readonly #configs = new Map<string, Configs>();
  /** Topics whose record was looked for: it is written right after its topic is made. */
  readonly #looked = new Set<string>();
  #end = 0;
  #following: Promise<void> | null = null;
  #isClosed = false;
  #readers: (() => void)[] = [];

  constructor(host: StreamConfigsHost) {
    this.#host = host;
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  of(topicId: string): Configs {
    return this.#configs.get(topicId) ?? noConfigs;
  }

  /** Resolves when what is known of a topic is not older than this call, if it was never asked about before. */
  async know(topicId: string): Promise<void> {
    if (this.#looked.has(topicId) || this.#configs.has(topicId)) return;
    await this.catchUp();
    if (this.#looked.size >= streamsMax) this.#looked.clear();
    this.#looked.add(topicId);
  }

  /** Reads up to the topic's end as it is now, and follows it from then on. */
  async catchUp(): Promise<void> {
    const { clock, upstream } = this.#host;
    if (!this.#exists) await upstream.view.look(streamConfigsTopic);
    if (!this.#exists) return;
    const place = { topic: streamConfigsTopic, partition: 0 };
    const asked = { spec: "latest", currentLeaderEpoch: -1, isolation: "read_committed" } as const;
    const { error, offset: end } = await upstream.listOffsets({ ...place, ...asked });
    if (error !== null) throw error;
    this.#following ??= this.#follow();
    const endMs = clock.monotonicMs() + catchUpMsMax;
    while (this.#end < end) {
      if (this.#isClosed || clock.monotonicMs() > endMs) throw late();
      await this.#news(endMs - clock.monotonicMs());
    }
  }

  /** Empty: forgets them. Resolves when this gateway has read it. */
  async set(topicId: string, configs: Configs): Promise<void> {
    const { clock, core, upstream } = this.#host;
    if (configs.size > 0 && this.#configs.size >= streamsMax) {
      const what = `a gateway keeps at most ${streamsMax} streams in memory`;
      throw new BrokerError("POLICY_VIOLATION", `${what}: remove some first`);
    }
    await this.#ensureTopic();
    const encoder = new TextEncoder();
    const value = configs.size === 0 ? null : encoder.encode(textOf(configs));
    const record = { key: encoder.encode(topicId), value, timestampMs: clock.nowMs() };
    const batch = core.encode([record], { compression: null });
    const place = { topic: streamConfigsTopic, partition: 0 };
    await upstream.append({ ...place, batch, acks: -1, timeoutMs: appendMsMax });
    await this.catchUp();
  }

  get #exists(): boolean {
    return this.#host.upstream.view.cluster().topics.has(streamConfigsTopic);
  }

  async #ensureTopic(): Promise<void> {
    const { admin, view, calls } = this.#host.upstream;
    if (this.#exists) return;
    const configs = { "cleanup.policy": "compact" };
    try {
      await this.#host.upstream.ask(() =>
        admin.createTopic({ name: streamConfigsTopic, partitions: 1, configs }),
      );
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code !== "TOPIC_ALREADY_EXISTS") throw error;
      await calls.metadata.load(streamConfigsTopic, { create: false });
    }
    await view.look(streamConfigsTopic);
  }

  async #follow(): Promise<void> {
    const { clock, upstream } = this.#host;
    const place = { topic: streamConfigsTopic, partition: 0 };
    const asked = { ...place, bytesMax: readBytes, currentLeaderEpoch: -1 };
    const how = { waitMsMax: waitMs, bytesMin: 1, isolation: "read_committed" } as const;
    while (!this.#isClosed) {
      const found = await upstream.read({ ...asked, offset: this.#end }, how);
      if (this.#isClosed) return;
      // Read from its beginning again: whoever made it anew wrote everything anew.
      if (found.error?.code === "OFFSET_OUT_OF_RANGE") this.#end = 0;
      if (found.error === null) this.#take(found);
      else await new Promise<void>((resolve) => clock.after(retryMs, resolve));
    }
  }

  #take(found: FetchedPartition): void {
    const { bytes, end } = wholeBatches(bytesOf(found));
    for (let at = 0; at < bytes.length; ) {
      const batch = bytes.subarray(at, at + batchLength(bytes, at));
      at += batch.length;
      if (!readBatchFacts(batch).isControl) this.#takeBatch(batch);
    }
    if (end <= this.#end) return;
    this.#end = end;
    this.#wake();
  }

  #takeBatch(batch: Uint8Array): void {
    const decoder = new TextDecoder();
    const { core, upstream } = this.#host;
    for (const { key, value } of core.decode(batch, refuseCompressed)) {
      if (key === null) continue;
      const topicId = decoder.decode(key);
      if (value === null) this.#configs.delete(topicId);
      else this.#configs.set(topicId, configsOf(decoder.decode(value)));
      upstream.view.setConfigs(topicId, this.of(topicId));
    }
  }

  #news(waitMsMax: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#host.clock.after(waitMsMax, resolve);
      this.#readers.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #wake(): void {
    for (const wake of this.#readers.splice(0)) wake();
  }
}

/** A topic's configs as Kafka takes them, and those of ours. */
export function splitConfigs(configs: Configs): { kafkas: Configs; own: Configs } {
  const entries = [...configs];
  const isOwn = ([name]: [string, string]) => name.startsWith(ownPrefix);
  return {
    kafkas: new Map(entries.filter((each) => !isOwn(each))),
    own: new Map(entries.filter(isOwn)),
  };
}

export function splitOperations(operations: readonly ConfigOperation[]) {
  const isOwn = ({ name }: ConfigOperation) => name.startsWith(ownPrefix);
  return { kafkas: operations.filter((each) => !isOwn(each)), own: operations.filter(isOwn) };
}

/** Ours are texts, no lists. */
export function altered(configs: Configs, operations: readonly ConfigOperation[]): Configs {
  const next = new Map(configs);
  for (const operation of operations) {
    if (operation.op === "delete") next.delete(operation.name);
    else next.set(operation.name, operation.value);
  }
  return next;
}

/** Persisted. */
function textOf(configs: Configs): string {
  return JSON.stringify(Object.fromEntries(configs));
}

function configsOf(text: string): Configs {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) return noConfigs;
  return new Map(Object.entries(value).map(([name, each]) => [name, String(each)]));
}

function refuseCompressed(): never {
  throw new BrokerError("CORRUPT_MESSAGE", `${streamConfigsTopic} is compressed by somebody`);
}

function late(): BrokerError {
  const what = `${streamConfigsTopic} could not be read to its end in time`;
  return new BrokerError("REQUEST_TIMED_OUT", what);
}
