// SubscriptionStore: all subscriptions, as the last record of each id in one compacted topic says. Any broker changes
// them: a change is stored on condition that the log ends where this broker has read it to.

import { BrokerError } from "../../../errors.ts";
import { busy } from "../../body.ts";
import { ensureInternalTopic, readEntries } from "../../internal-topic.ts";
import type { Door } from "../../route.ts";
import type { Subscription } from "./subscription.ts";

export const subscriptionsTopic = "__timberline_subscriptions";
export const subscriptionsMax = 1_000;

const topicRequest = {
  name: subscriptionsTopic,
  partitions: 1,
  configs: { "cleanup.policy": "compact" },
};
const attemptsMax = 32;
/** Records of others are awaited so long. */
const othersWaitMs = 100;

/** The next state and what to tell; `next` null removes, the same object changes nothing. */
export interface Change<T> {
  readonly next: Subscription | null;
  readonly result: T;
}

export class SubscriptionStore {
  readonly #door: Door;
  readonly #texts = new Map<string, string>();
  readonly #parsed = new Map<string, Subscription>();
  #end = 0;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(door: Door) {
    this.#door = door;
  }

  /** Whether there ever was one; until then nothing is read or made. */
  get exists(): boolean {
    return this.#door.broker.cluster().topics.has(subscriptionsTopic);
  }

  /** Whether this broker delivers. */
  get isLedHere(): boolean {
    const { broker } = this.#door;
    if (broker.doorsKeepStreams === true) return true;
    const topic = broker.cluster().topics.get(subscriptionsTopic);
    return topic?.partitions[0]?.leader === broker.brokerId;
  }

  /** All as of now. */
  async all(): Promise<readonly Subscription[]> {
    await this.#inOrder(() => this.#readOn(0));
    return [...this.#parsed.values()];
  }

  async get(id: string): Promise<Subscription | undefined> {
    await this.#inOrder(() => this.#readOn(0));
    return this.#parsed.get(id);
  }

  /** A text beside the subscriptions, made once by whoever comes first. */
  async text(key: string, make: () => Promise<string>): Promise<string> {
    return this.#inOrder(async () => {
      await ensureInternalTopic(this.#door.broker, topicRequest);
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        await this.#readOn(attempt === 0 ? 0 : othersWaitMs);
        const known = this.#texts.get(key);
        if (known !== undefined) return known;
        const text = await make();
        if (await this.#append(key, text)) return text;
      }
      throw crowded();
    });
  }

  /** `decide` may be asked several times, each time with what is there by then. */
  async change<T>(
    id: string,
    decide: (current: Subscription | undefined) => Change<T> | Promise<Change<T>>,
  ): Promise<T> {
    return this.#inOrder(async () => {
      await ensureInternalTopic(this.#door.broker, topicRequest);
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        await this.#readOn(attempt === 0 ? 0 : othersWaitMs);
        const current = this.#parsed.get(id);
        const { next, result } = await decide(current);
        if (next === (current ?? null)) return result;
        if (await this.#append(keyOf(id), next === null ? null : JSON.stringify(next)))
          return result;
      }
      throw crowded();
    });
  }

  #inOrder<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => {});
    return result;
  }

  /** False if somebody else wrote first. */
  async #append(key: string, text: string | null): Promise<boolean> {
    const { core, clock } = this.#door.platform;
    const encoder = new TextEncoder();
    const value = text === null ? null : encoder.encode(text);
    const record = { key: encoder.encode(key), value, timestampMs: clock.nowMs() };
    const batch = core.encode([record], { compression: null });
    const timeoutMs = this.#door.config.limits.produceTimeoutMsMax;
    const place = { topic: subscriptionsTopic, partition: 0, expectedOffset: this.#end } as const;
    try {
      await this.#door.broker.append({ ...place, batch, acks: -1, timeoutMs });
    } catch (error) {
      if (error instanceof BrokerError && error.code === "OPERATION_NOT_ATTEMPTED") return false;
      throw error;
    }
    this.#take(key, text);
    this.#end++;
    return true;
  }

  #take(key: string, text: string | null): void {
    const id = key.startsWith(keyPrefix) ? key.slice(keyPrefix.length) : null;
    if (text === null) this.#texts.delete(key);
    else this.#texts.set(key, text);
    if (id === null) return;
    if (text === null) this.#parsed.delete(id);
    else this.#parsed.set(id, JSON.parse(text) as Subscription);
  }

  async #readOn(waitMs: number): Promise<void> {
    if (!this.exists) return;
    for (let wait = waitMs; ; wait = 0) {
      const place = { topic: subscriptionsTopic, partition: 0, offset: this.#end };
      const { entries, nextOffset, isEnd } = await readEntries(this.#door, place, wait);
      for (const [key, text] of entries) this.#take(key, text);
      this.#end = nextOffset;
      if (isEnd) return;
    }
  }
}

/** Of records' keys. Persisted. */
const keyPrefix = "subscription:";

function keyOf(id: string): string {
  return keyPrefix + id;
}

function crowded() {
  return busy("others change subscriptions all the time; try again");
}
