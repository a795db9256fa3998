// StreamLife: when a stream's time is over. A fixed end is in its config; a sliding one counts from the last read or
// write through this door, kept in memory: after a restart it counts anew, so that a crash never shortens a life.

import type { TopicRecord } from "../../../cluster/control-plane.ts";
import type { Door } from "../route.ts";
import { streamConfig } from "./stream-config.ts";

const secondMs = 1000;
/** How often streams that nobody asks for are looked at. */
const sweepMs = 10_000;

export class StreamLife {
  readonly #door: Door;
  readonly #remove: (topic: TopicRecord) => Promise<void>;
  /** By topic id, monotonic; only of streams with a sliding end. */
  readonly #usedMs = new Map<string, number>();
  /** Live readers that wait, by topic id. */
  readonly #readers = new Map<string, number>();
  #isSweeping = false;

  constructor(door: Door, remove: (topic: TopicRecord) => Promise<void>) {
    this.#door = door;
    this.#remove = remove;
  }

  /** It is read or written now. */
  touch(topic: TopicRecord): void {
    if (streamConfig(topic).ttlSeconds === null) return;
    this.#usedMs.set(topic.id, this.#door.platform.clock.monotonicMs());
  }

  /** A live reader uses the stream as long as it waits. */
  async during<T>(topic: TopicRecord, read: () => Promise<T>): Promise<T> {
    if (streamConfig(topic).ttlSeconds === null) return read();
    this.#readers.set(topic.id, (this.#readers.get(topic.id) ?? 0) + 1);
    try {
      return await read();
    } finally {
      const left = this.#readers.get(topic.id)! - 1;
      if (left > 0) this.#readers.set(topic.id, left);
      else this.#readers.delete(topic.id);
      this.touch(topic);
    }
  }

  isOver(topic: TopicRecord): boolean {
    const { ttlSeconds, expiresAtMs } = streamConfig(topic);
    const { clock } = this.#door.platform;
    if (expiresAtMs !== null) return clock.nowMs() >= expiresAtMs;
    if (ttlSeconds === null || this.#readers.has(topic.id)) return false;
    const used = this.#usedMs.get(topic.id);
    if (used === undefined) this.touch(topic);
    return used !== undefined && clock.monotonicMs() - used >= ttlSeconds * secondMs;
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
      for (const id of this.#usedMs.keys()) if (!topicsById.has(id)) this.#usedMs.delete(id);
      for (const topic of topics.values()) {
        // Each stream is looked after by one broker.
        if (topic.partitions[0]?.leader !== broker.brokerId || streamConfig(topic).isGone) continue;
        if (this.isOver(topic)) await this.#remove(topic);
      }
    } catch (error) {
      this.#door.report(error, "removing streams whose time is over");
    } finally {
      this.#isSweeping = false;
    }
  }
}
