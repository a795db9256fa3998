// The control routes below /v1/stream/__ds/: subscriptions, their streams, and the answers of those they woke.

import type { Context } from "hono";
import { withBody } from "../../body.ts";
import { HttpError, invalid } from "../../error.ts";
import { type Door, pathParameter, type Route, type RouteDoc } from "../../route.ts";
import { parseJson } from "../../validation.ts";
import { safetyHeaders } from "../answer-headers.ts";
import { parseOffset } from "../position.ts";
import { streamRoot } from "../stream-name.ts";
import type { StreamTable } from "../stream-table.ts";
import { Dispatcher } from "./dispatcher.ts";
import { sha256, signingKey } from "./signing-key.ts";
import { StreamTails } from "./stream-tails.ts";
import {
  hasPending,
  isSameConfig,
  readConfig,
  readPaths,
  type Subscription,
  streamsMax,
  streamViews,
  withAcks,
  withLink,
  withoutExplicitLink,
} from "./subscription.ts";
import { type Change, SubscriptionStore, subscriptionsMax } from "./subscription-store.ts";
import { webhookUrlFault } from "./webhook-url.ts";

const root = `${streamRoot}__ds`;
const one = `${root}/subscriptions/:id`;
const workerLengthMax = 256;
const idPattern = /^[\w.~-]{1,256}$/;

export interface SubscriptionDoor {
  readonly routes: readonly Route[];
  /** A stream was made or appended to. */
  noticed(): void;
}

export function subscriptionDoor(door: Door, table: StreamTable): SubscriptionDoor {
  const store = new SubscriptionStore(door);
  const tails = new StreamTails(door, table);
  const dispatcher = new Dispatcher({ door, table, store, tails });
  dispatcher.start();
  const handlers = new Handlers({ door, store, tails, dispatcher });
  const route = (
    method: Route["method"],
    path: string,
    summary: string,
    handle: Route["handle"],
  ): Route => ({ method, path, doc: docOf(summary), handle });
  const routes = [
    route("GET", `${root}/jwks.json`, "Keys that sign webhooks", () => handlers.keys()),
    route("PUT", one, "Subscribe", (context) => handlers.put(context)),
    route("GET", one, "Show a subscription", (context) => handlers.get(context)),
    route("DELETE", one, "Unsubscribe", (context) => handlers.remove(context)),
    route("POST", `${one}/streams`, "Add streams", (context) => handlers.addStreams(context)),
    route("DELETE", `${one}/streams/:path{.+}`, "Take a stream away", (context) =>
      handlers.removeStream(context),
    ),
    route("POST", `${one}/claim`, "Take the work that is there", (context) =>
      handlers.claim(context),
    ),
    route("POST", `${one}/ack`, "Tell what is done", (context) => handlers.ack(context)),
    route("POST", `${one}/callback`, "Tell what is done, as a webhook", (context) =>
      handlers.ack(context),
    ),
    route("POST", `${one}/release`, "Give the work back", (context) => handlers.release(context)),
  ];
  return { routes, noticed: () => dispatcher.notice() };
}

function docOf(summary: string): RouteDoc {
  return { tag: "streams", summary, answers: { 200: { description: "Done" } } };
}

interface HandlerParts {
  readonly door: Door;
  readonly store: SubscriptionStore;
  readonly tails: StreamTails;
  readonly dispatcher: Dispatcher;
}

/** What a worker says of the wake that it answers. */
interface Answered {
  readonly wakeId: unknown;
  readonly generation: unknown;
  readonly acks: ReadonlyMap<string, number>;
  readonly isDone: boolean;
}

class Handlers {
  readonly #parts: HandlerParts;

  constructor(parts: HandlerParts) {
    this.#parts = parts;
  }

  async keys(): Promise<Response> {
    const { store, door } = this.#parts;
    const { jwk } = await signingKey(store, door.platform.random);
    const headers = {
      "content-type": "application/jwk-set+json",
      "cache-control": "public, max-age=300",
    };
    return new Response(JSON.stringify({ keys: [jwk] }), {
      headers: { ...safetyHeaders, ...headers },
    });
  }

  async put(context: Context): Promise<Response> {
    const { store, tails, door, dispatcher } = this.#parts;
    const id = idOf(context);
    const config = readConfig(await this.#json(context));
    if (config.type === "webhook") {
      const fault = webhookUrlFault(config.webhookUrl);
      if (fault !== null) return refusal(400, "WEBHOOK_URL_REJECTED", fault);
    }
    if ((await store.all()).length >= subscriptionsMax) {
      if ((await store.get(id)) === undefined)
        throw invalid(`${subscriptionsMax} subscriptions, no more`);
    }
    const { origin } = new URL(context.req.url);
    const createdMs = door.platform.clock.nowMs();
    const outcome = await store.change<Outcome>(id, async (current) => {
      if (current !== undefined) {
        const isSame = isSameConfig(current.config, config);
        return { next: current, result: { status: isSame ? 200 : 409, subscription: current } };
      }
      const empty = {
        id,
        config,
        origin,
        createdMs,
        links: {},
        generation: 0,
        wake: null,
        retry: null,
      };
      const ends = await tails.of([...config.streams, ...tails.matches(empty)]);
      let next: Subscription = tails.withMatches(empty, (path) => ends.get(path) ?? 0);
      for (const path of config.streams) {
        next = withLink(next, path, { kind: "explicit", acked: ends.get(path) ?? 0 });
      }
      return { next, result: { status: 201, subscription: next } };
    });
    if (outcome.status === 409) {
      return refusal(409, "SUBSCRIPTION_EXISTS", `subscription ${id} exists and is another one`);
    }
    dispatcher.notice();
    return this.#shown(outcome.subscription, outcome.status);
  }

  async get(context: Context): Promise<Response> {
    const subscription = await this.#parts.store.get(idOf(context));
    if (subscription === undefined) throw noSubscription(idOf(context));
    return this.#shown(subscription, 200);
  }

  async remove(context: Context): Promise<Response> {
    await this.#change(context, () => null);
    return noContent();
  }

  async addStreams(context: Context): Promise<Response> {
    const paths = readPaths((await this.#json(context)).streams);
    const ends = await this.#parts.tails.of(paths);
    await this.#change(context, (current) => {
      if (Object.keys(current.links).length + paths.length > streamsMax * 10) {
        throw invalid("body: streams: the subscription has too many");
      }
      return paths.reduce(
        (next, path) => withLink(next, path, { kind: "explicit", acked: ends.get(path) ?? 0 }),
        current,
      );
    });
    return noContent();
  }

  async removeStream(context: Context): Promise<Response> {
    const path = pathParameter(context, "path");
    await this.#change(context, (current) => withoutExplicitLink(current, path));
    return noContent();
  }

  async claim(context: Context): Promise<Response> {
    const { dispatcher, store } = this.#parts;
    const id = idOf(context);
    const { worker } = await this.#json(context);
    if (typeof worker !== "string" || worker === "" || worker.length > workerLengthMax) {
      throw invalid(`body: worker: no text of 1 to ${workerLengthMax} characters`);
    }
    const before = await store.get(id);
    if (before === undefined) throw noSubscription(id);
    if (before.config.type !== "pull-wake")
      throw invalid("only a pull-wake subscription is claimed");
    const issued = await dispatcher.issue(id, worker);
    if (issued === null) return this.#notClaimed(id);
    const { subscription, token, tails } = issued;
    return jsonAnswer({
      wake_id: subscription.wake?.id,
      generation: subscription.generation,
      token,
      streams: streamViews(subscription, tails),
      lease_ttl_ms: subscription.config.leaseTtlMs,
    });
  }

  async #notClaimed(id: string): Promise<Response> {
    const current = await this.#parts.store.get(id);
    if (current === undefined) throw noSubscription(id);
    const { wake, generation } = current;
    if (wake === null) return refusal(409, "NO_PENDING_WORK", "there is nothing to do now");
    const more = { current_holder: wake.holder, generation };
    return refusal(409, "ALREADY_CLAIMED", `${wake.holder ?? "another"} is at it`, more);
  }

  async ack(context: Context): Promise<Response> {
    const { door, tails, dispatcher } = this.#parts;
    const answered = readAnswered(await this.#json(context));
    const refused = await this.#answer(context, answered, (current) => {
      const acked = withAcks(current, answered.acks);
      if (answered.isDone) return { ...acked, wake: null, retry: null };
      const leaseEndsMs = door.platform.clock.nowMs() + current.config.leaseTtlMs;
      return { ...acked, wake: current.wake && { ...current.wake, leaseEndsMs } };
    });
    if (refused !== null) return refused;
    const after = await this.#parts.store.get(idOf(context));
    const isMore =
      after !== undefined && answered.isDone && hasPending(after, await tails.ofLinks(after));
    if (answered.isDone) dispatcher.notice();
    return jsonAnswer({ ok: true, next_wake: isMore });
  }

  async release(context: Context): Promise<Response> {
    const answered = readAnswered(await this.#json(context));
    const refused = await this.#answer(context, answered, (current) => ({
      ...current,
      wake: null,
    }));
    if (refused !== null) return refused;
    this.#parts.dispatcher.notice();
    return noContent();
  }

  /** Null if it counted: the wake is the current one, and so is its token. */
  async #answer(
    context: Context,
    { wakeId, generation }: Answered,
    next: (current: Subscription) => Subscription,
  ): Promise<Response | null> {
    const token = /^Bearer (\S+)$/i.exec(context.req.header("authorization") ?? "")?.[1];
    if (token === undefined) return refusal(401, "UNAUTHORIZED", "authorization: no bearer token");
    const tokenHash = await sha256(token);
    const id = idOf(context);
    return this.#parts.store.change<Response | null>(id, (current) => {
      if (current === undefined) throw noSubscription(id);
      const { wake } = current;
      const isCurrent = wake?.id === wakeId && current.generation === generation;
      const isOver =
        wake?.leaseEndsMs != null && wake.leaseEndsMs <= this.#parts.door.platform.clock.nowMs();
      if (!isCurrent || isOver) {
        const what = "another wake came, or its time is over";
        return { next: current, result: refusal(409, "FENCED", what) };
      }
      if (wake?.tokenHash !== tokenHash) {
        return {
          next: current,
          result: refusal(401, "UNAUTHORIZED", "authorization: not this wake's token"),
        };
      }
      return { next: next(current), result: null };
    });
  }

  #change(context: Context, next: (current: Subscription) => Subscription | null): Promise<null> {
    const id = idOf(context);
    return this.#parts.store.change(id, (current): Change<null> => {
      if (current === undefined) throw noSubscription(id);
      return { next: next(current), result: null };
    });
  }

  async #shown(subscription: Subscription, status: number): Promise<Response> {
    const { store, door } = this.#parts;
    const { id, config, origin, createdMs, retry } = subscription;
    const key = config.type === "webhook" ? await signingKey(store, door.platform.random) : null;
    const signing = key && { alg: "ed25519", kid: key.kid, jwks_url: `${origin}${root}/jwks.json` };
    const shown = {
      id,
      subscription_id: id,
      type: config.type,
      pattern: config.pattern,
      streams: streamViews(subscription, new Map()),
      webhook: config.webhookUrl === null ? null : { url: config.webhookUrl, signing },
      wake_stream: config.wakeStream,
      lease_ttl_ms: config.leaseTtlMs,
      created_at: new Date(createdMs).toISOString(),
      status: retry === null ? "active" : "failed",
      description: config.description,
    };
    return jsonAnswer(shown, status);
  }

  #json(context: Context): Promise<Readonly<Record<string, unknown>>> {
    return withBody(this.#parts.door, context, (body) => {
      const given = parseJson(new TextDecoder().decode(body));
      if (typeof given === "object" && given !== null && !Array.isArray(given)) {
        return given as Readonly<Record<string, unknown>>;
      }
      throw invalid("body: no JSON object");
    });
  }
}

interface Outcome {
  readonly status: number;
  readonly subscription: Subscription;
}

function readAnswered(given: Readonly<Record<string, unknown>>): Answered {
  const acks = new Map<string, number>();
  const listed = given.acks ?? [];
  if (!Array.isArray(listed) || listed.length > streamsMax * 10)
    throw invalid("body: acks: no list");
  for (const each of listed as { readonly stream?: unknown; readonly offset?: unknown }[]) {
    const path = String(each?.stream ?? "");
    acks.set(path, parseOffset(String(each?.offset ?? ""), "body: acks: offset"));
  }
  return { wakeId: given.wake_id, generation: given.generation, acks, isDone: given.done === true };
}

function idOf(context: Context): string {
  const id = pathParameter(context, "id");
  if (idPattern.test(id)) return id;
  throw invalid("a subscription's id has 1 to 256 characters A-Z a-z 0-9 . _ ~ -");
}

function jsonAnswer(value: unknown, status = 200): Response {
  const headers = {
    ...safetyHeaders,
    "content-type": "application/json",
    "cache-control": "no-store",
  };
  return new Response(JSON.stringify(value), { status, headers });
}

function noContent(): Response {
  return new Response(null, { status: 204, headers: safetyHeaders });
}

/** The door's error shape, with codes that only this protocol has. */
function refusal(
  status: number,
  code: string,
  message: string,
  more: Readonly<Record<string, unknown>> = {},
): Response {
  return jsonAnswer({ error: { ...more, code, message, status } }, status);
}

function noSubscription(id: string): HttpError {
  return new HttpError("RESOURCE_NOT_FOUND", `there is no subscription ${id}`);
}
