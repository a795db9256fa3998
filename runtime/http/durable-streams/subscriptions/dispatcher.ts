// Dispatcher: wakes whoever is subscribed. Runs on the broker that leads the topic of subscriptions: at once after an
// append through its own door, and by looking every second after appends through others'. What a wake needs to be
// answered is stored before anybody is told of it.

import type { Door } from "../../route.ts";
import { messagesOf } from "../messages.ts";
import type { StreamTable } from "../stream-table.ts";
import { newToken, sha256, signingKey } from "./signing-key.ts";
import type { StreamTails } from "./stream-tails.ts";
import {
  afterLease,
  hasPending,
  type Subscription,
  streamViews,
  type Tails,
  withAcks,
} from "./subscription.ts";
import type { SubscriptionStore } from "./subscription-store.ts";
import { callWebhook } from "./webhook.ts";

const lookMs = 1_000;
const retryMs = 1_000;
const retryMsMax = 60_000;
/** More are forgotten: then events may come twice. */
const announcedMax = 10_000;
/** Retries come up to a fifth earlier or later. */
const jitterPercent = 20;

export interface Issued {
  readonly subscription: Subscription;
  readonly token: string;
  readonly tails: Tails;
}

export interface DispatcherParts {
  readonly door: Door;
  readonly table: StreamTable;
  readonly store: SubscriptionStore;
  readonly tails: StreamTails;
}

export class Dispatcher {
  readonly #parts: DispatcherParts;
  /** Wakes whose events this process has written. */
  readonly #announced = new Set<string>();
  #isRunning = false;
  #isAsked = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  /** Something may be to do. Costs next to nothing where nobody is subscribed. */
  notice(): void {
    const { store, door } = this.#parts;
    if (!store.exists || !store.isLedHere || door.closing?.aborted) return;
    this.#isAsked = true;
    if (!this.#isRunning) void this.#run();
  }

  /** Looks again and again until the server stops. */
  start(): void {
    const { door } = this.#parts;
    const next = () => {
      if (door.closing?.aborted) return;
      this.notice();
      door.platform.clock.after(lookMs, next);
    };
    door.platform.clock.after(lookMs, next);
  }

  async #run(): Promise<void> {
    const { store, door } = this.#parts;
    this.#isRunning = true;
    try {
      while (this.#isAsked && !door.closing?.aborted) {
        this.#isAsked = false;
        for (const each of await store.all()) await this.#serve(each);
      }
    } catch (error) {
      if (!door.closing?.aborted) door.report(error, "waking subscribers");
    } finally {
      this.#isRunning = false;
    }
  }

  async #serve(known: Subscription): Promise<void> {
    const { wake } = known;
    if (wake !== null && wake.holder === null && known.config.type === "pull-wake") {
      // Stored by a broker that may have stopped before it could tell anybody.
      if (!this.#announced.has(wake.id)) await this.#announce(known);
      return;
    }
    const issued = await this.issue(known.id, null);
    if (issued === null) return;
    if (issued.subscription.config.type === "webhook") void this.#deliver(issued);
    else await this.#announce(issued.subscription);
  }

  /** A new wake if there is work and nobody is at it; with a worker, it holds the wake from the start. */
  async issue(id: string, worker: string | null): Promise<Issued | null> {
    const { store, tails: ends, door } = this.#parts;
    const { clock, random } = door.platform;
    const token = newToken(random);
    const tokenHash = await sha256(token);
    const wakeId = `w_${newToken(random)}`;
    return store.change<Issued | null>(id, async (current) => {
      if (current === undefined) return { next: null, result: null };
      const nowMs = clock.nowMs();
      const linked = afterLease(
        ends.withMatches(current, () => 0),
        nowMs,
      );
      const isLate = linked.retry !== null && linked.retry.nextMs > nowMs;
      const isFree = linked.wake === null || (worker !== null && linked.wake.holder === null);
      if (!isFree || (isLate && worker === null)) return { next: linked, result: null };
      const tails = await ends.ofLinks(linked);
      if (!hasPending(linked, tails)) return { next: linked, result: null };
      const isHeld = linked.config.type === "webhook" || worker !== null;
      // A worker that claims answers to the wake that called it.
      const known = linked.wake;
      const wake = {
        id: known?.id ?? wakeId,
        tokenHash: isHeld ? tokenHash : "",
        holder: worker,
        leaseEndsMs: isHeld ? nowMs + linked.config.leaseTtlMs : null,
        tails: Object.fromEntries(tails),
      };
      const generation = known === null ? linked.generation + 1 : linked.generation;
      const next = { ...linked, generation, wake };
      return { next, result: { subscription: next, token, tails } };
    });
  }

  /** An event in the wake stream per stream with work, for whoever reads it. */
  async #announce({ id, config, generation, links, wake }: Subscription): Promise<void> {
    const { table, door } = this.#parts;
    if (wake === null) return;
    this.#announced.add(wake.id);
    if (this.#announced.size > announcedMax) this.#announced.clear();
    const stream = config.wakeStream === null ? undefined : table.peek(config.wakeStream);
    if (stream === undefined) return;
    const ts = door.platform.clock.nowMs();
    const events = Object.entries(wake.tails)
      .filter(([path, tail]) => tail > (links[path]?.acked ?? 0))
      .map(([path]) => ({ type: "wake", subscription_id: id, stream: path, generation, ts }));
    const body = new TextEncoder().encode(JSON.stringify(events));
    const claim = { producer: null, seq: null, closes: false, hasBody: true };
    await stream.log.append({ claim, values: messagesOf(body, stream.config) });
  }

  async #deliver({ subscription, token, tails }: Issued): Promise<void> {
    const { door, store } = this.#parts;
    const { id, origin, generation, wake } = subscription;
    const body = JSON.stringify({
      subscription_id: id,
      wake_id: wake?.id,
      generation,
      streams: streamViews(subscription, tails),
      callback_url: `${origin}/v1/stream/__ds/subscriptions/${encodeURIComponent(id)}/callback`,
      callback_token: token,
    });
    try {
      const key = await signingKey(store, door.platform.random);
      const url = subscription.config.webhookUrl ?? "";
      const outcome = await callWebhook(door, { url, body, key });
      if (outcome !== "later") await this.#settle(subscription, outcome);
    } catch (error) {
      if (!door.closing?.aborted) door.report(error, "a webhook");
    }
  }

  /** "done": the streams are worked through up to the wake's snapshot. "failed": again later. */
  async #settle({ id, wake }: Subscription, outcome: "done" | "failed" | "taken"): Promise<void> {
    const { store, door } = this.#parts;
    const { clock, random } = door.platform;
    await store.change(id, (current) => {
      if (current === undefined) return { next: null, result: null };
      if (current.wake?.id !== wake?.id) return { next: current, result: null };
      if (outcome === "taken") {
        return {
          next: current.retry === null ? current : { ...current, retry: null },
          result: null,
        };
      }
      if (outcome === "done") {
        const acked = withAcks(current, new Map(Object.entries(wake?.tails ?? {})));
        return { next: { ...acked, wake: null, retry: null }, result: null };
      }
      const attempts = (current.retry?.attempts ?? 0) + 1;
      const pauseMs = Math.min(retryMsMax, retryMs * 2 ** (attempts - 1));
      const spread = (100 - jitterPercent + random.integer(2 * jitterPercent + 1)) / 100;
      const retry = { attempts, nextMs: clock.nowMs() + Math.round(pauseMs * spread) };
      return { next: { ...current, wake: null, retry }, result: null };
    });
    this.notice();
  }
}
