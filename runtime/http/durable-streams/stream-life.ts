// StreamLife: when a stream's time is over. A fixed end is in its config; a sliding one counts from the last read or
// write, in the memory of the broker that leads the stream, which alone decides: after a restart it counts anew, so that
// a crash never shortens a life. Other brokers tell it of their readers by a config, now and then.

import type { TopicRecord } from "../../../cluster/control-plane.ts";
import { isUnexpected } from "../error.ts";
import type { Door } from "../route.ts";
import { streamConfig, streamKeys } from "./stream-config.ts";

const secondMs = 1000;
/** Readers elsewhere are told of once per this part of a stream's time. */
const toldPart = 0.25;
/** How often streams that nobody asks for are looked at. */
const sweepMs = 10_000;

export class StreamLife {
  readonly #door: Door;
  readonly #remove: (topic: TopicRecord) => Promise<void>;
  /** By topic id, monotonic; only of streams with a sliding end. */
  readonly #usedMs = new Map<string, number>();
  /** What others were last told, by topic id. */
  readonly #told = new Map<string, { readonly atMs: number; readonly usedMs: number }>();
  /** Live readers that wait, by topic id. */
  readonly #readers = new Map<string, number>();
  #isSweeping = false;

  constructor(door: Door, remove: (topic: TopicRecord) => Promise<void>) {
    this.#door = door;
    this.#remove = remove;
  }

  /** It is read or written now. */
  touch(topic: TopicRecord): void {
    const { ttlSeconds } = streamConfig(topic);
    if (ttlSeconds === null) return;
    const { clock } = this.#door.platform;
    const nowMs = clock.monotonicMs();
    this.#usedMs.set(topic.id, nowMs);
    if (this.#isLedHere(topic)) return;
    const told = this.#told.get(topic.id);
    if (told !== undefined && nowMs - told.atMs < ttlSeconds * secondMs * toldPart) return;
    const usedMs = clock.nowMs();
    this.#told.set(topic.id, { atMs: nowMs, usedMs });
    this.#tell(topic, usedMs);
  }

  /** A live reader uses the stream as long as it waits. */
  async during<T>(topic: TopicRecord, read: () => Promise<T>): Promise<T> {
    const release = this.hold(topic);
    try {
      return await read();
    } finally {
      release();
    }
  }

  /** The same, until the returned function is called. */
  hold(topic: TopicRecord): () => void {
    if (streamConfig(topic).ttlSeconds === null) return nothing;
    this.#readers.set(topic.id, (this.#readers.get(topic.id) ?? 0) + 1);
    return () => {
      const left = (this.#readers.get(topic.id) ?? 1) - 1;
      if (left > 0) this.#readers.set(topic.id, left);
      else this.#readers.delete(topic.id);
      this.touch(topic);
    };
  }

  isOver(topic: TopicRecord): boolean {
    const { ttlSeconds, expiresAtMs, usedMs } = streamConfig(topic);
    const { clock } = this.#door.platform;
    if (expiresAtMs !== null) return clock.nowMs() >= expiresAtMs;
    if (ttlSeconds === null || this.#readers.has(topic.id) || !this.#decides(topic)) return false;
    const ttlMs = ttlSeconds * secondMs;
    const isOthers = usedMs !== this.#told.get(topic.id)?.usedMs;
    // Who told has been there since, but not for longer than until the next telling.
    if (usedMs !== null && isOthers && clock.nowMs() - usedMs < ttlMs * (1 + toldPart))
      return false;
    const used = this.#usedMs.get(topic.id);
    if (used === undefined) this.touch(topic);
    return used !== undefined && clock.monotonicMs() - used >= ttlMs;
  }

  #forget(topicId: string): void {
    this.#usedMs.delete(topicId);
    this.#told.delete(topicId);
  }

  /** Where no broker knows streams, every door ends those that none of them has used. */
  #decides(topic: TopicRecord): boolean {
    return this.#door.broker.doorsKeepStreams === true || this.#isLedHere(topic);
  }

  #isLedHere(topic: TopicRecord): boolean {
    return topic.partitions[0]?.leader === this.#door.broker.brokerId;
  }

  #tell({ name }: TopicRecord, usedMs: number): void {
    const { broker, report } = this.#door;
    const value = String(usedMs);
    const operations = [{ name: streamKeys.used, op: "set", value }] as const;
    broker
      .alterConfigs({ kind: "topic", name }, operations, { validateOnly: false })
      .catch((error: unknown) => {
        if (isUnexpected(error)) report(error, "telling of a stream's reader");
      });
  }

  /** Looks again and again until `stop`. */
  start(stop: AbortSignal | undefined): void {
    const next = () => {
      if (stop?.aborted) return;
      void this.#sweep();
      this.#door.platform.clock.after(sweepMs, next);
    };
    this.#door.platform.clock.after(sweepMs, next);
  }

  async #sweep(): Promise<void> {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      const { broker } = this.#door;
      const { topics, topicsById } = broker.cluster();
      for (const id of this.#usedMs.keys()) if (!topicsById.has(id)) this.#forget(id);
      for (const topic of topics.values()) {
        // Each stream is looked after by one broker.
        if (!this.#decides(topic) || streamConfig(topic).isGone) continue;
        if (this.isOver(topic)) await this.#remove(topic);
      }
    } catch (error) {
      this.#door.report(error, "removing streams whose time is over");
    } finally {
      this.#isSweeping = false;
    }
  }
}

function nothing(): void {}
