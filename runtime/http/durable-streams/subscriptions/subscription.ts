// Subscription: which streams wake whom, how far they were worked through, and the wake under way. Plain data, stored
// as JSON under its id in the topic of subscriptions; every change is a function from one to the next. Pure.

import { invalid } from "../../error.ts";
import { offsetText } from "../position.ts";
import { matchesPath } from "./path-pattern.ts";

export interface SubscriptionConfig {
  readonly type: "webhook" | "pull-wake";
  readonly pattern: string | null;
  /** Sorted, without repetitions. */
  readonly streams: readonly string[];
  readonly webhookUrl: string | null;
  readonly wakeStream: string | null;
  readonly leaseTtlMs: number;
  readonly description: string | null;
}

export interface Link {
  readonly explicit: boolean;
  readonly glob: boolean;
  /** Everything before this position is done. */
  readonly acked: number;
}

export interface Wake {
  readonly id: string;
  /** SHA-256 of the token that may answer for it; "" while nobody holds it. */
  readonly tokenHash: string;
  readonly holder: string | null;
  /** Wall clock; null while nobody holds it. */
  readonly leaseEndsMs: number | null;
  /** Ends of the streams when it was issued. */
  readonly tails: Readonly<Record<string, number>>;
}

export interface Subscription {
  readonly id: string;
  readonly config: SubscriptionConfig;
  /** As clients reach this server: for the URLs that they are told. */
  readonly origin: string;
  readonly createdMs: number;
  readonly links: Readonly<Record<string, Link>>;
  readonly generation: number;
  readonly wake: Wake | null;
  /** After failed deliveries. */
  readonly retry: { readonly attempts: number; readonly nextMs: number } | null;
}

export type Tails = ReadonlyMap<string, number>;

export const leaseMsDefault = 30_000;
const leaseMsMin = 1_000;
const leaseMsMax = 600_000;
const textLengthMax = 1024;
export const streamsMax = 1_000;

/** Throws INVALID_REQUEST. The webhook's URL is checked by the caller: its refusal has a code of its own. */
export function readConfig(given: Readonly<Record<string, unknown>>): SubscriptionConfig {
  const { type, pattern = null, description = null } = given;
  if (type !== "webhook" && type !== "pull-wake") throw invalid("body: type: webhook or pull-wake");
  const streams = given.streams === undefined ? [] : readPaths(given.streams);
  if (pattern !== null) checkText(pattern, "pattern");
  if (pattern === null && streams.length === 0) throw invalid("body: a pattern or streams");
  if (description !== null) checkText(description, "description");
  const leaseTtlMs = given.lease_ttl_ms ?? leaseMsDefault;
  if (typeof leaseTtlMs !== "number" || !(leaseTtlMs >= leaseMsMin && leaseTtlMs <= leaseMsMax)) {
    throw invalid(`body: lease_ttl_ms: from ${leaseMsMin} to ${leaseMsMax}`);
  }
  const wakeStream = type === "pull-wake" ? given.wake_stream : null;
  if (wakeStream !== null) checkText(wakeStream, "wake_stream");
  const webhook = given.webhook as { readonly url?: unknown } | undefined;
  const webhookUrl = type === "webhook" ? String(webhook?.url ?? "") : null;
  return {
    type,
    pattern,
    streams,
    webhookUrl,
    wakeStream,
    leaseTtlMs,
    description,
  } as SubscriptionConfig;
}

export function readPaths(given: unknown): string[] {
  if (!Array.isArray(given) || given.length > streamsMax) {
    throw invalid(`body: streams: a list of at most ${streamsMax} paths`);
  }
  for (const path of given) checkText(path, "streams");
  return [...new Set(given as string[])].sort();
}

export function isSameConfig(a: SubscriptionConfig, b: SubscriptionConfig): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

/** Links `path` unless it is; a link that is there keeps how far it is. */
export function withLink(
  subscription: Subscription,
  path: string,
  { kind, acked }: { kind: "explicit" | "glob"; acked: number },
): Subscription {
  const known = subscription.links[path] ?? { explicit: false, glob: false, acked };
  const link = { ...known, [kind]: true };
  return { ...subscription, links: { ...subscription.links, [path]: link } };
}

export function withoutExplicitLink(subscription: Subscription, path: string): Subscription {
  const link = subscription.links[path];
  if (link === undefined) return subscription;
  const { [path]: _, ...others } = subscription.links;
  const isGlob = link.glob || isMatch(subscription, path);
  const links = isGlob ? { ...others, [path]: { ...link, explicit: false, glob: true } } : others;
  return { ...subscription, links };
}

export function isMatch({ config }: Subscription, path: string): boolean {
  return config.pattern !== null && matchesPath(config.pattern, path);
}

export function hasPending({ links }: Subscription, tails: Tails): boolean {
  return Object.entries(links).some(([path, { acked }]) => (tails.get(path) ?? 0) > acked);
}

/** Acks never go back, and never beyond a stream's end. */
export function withAcks(subscription: Subscription, acks: Tails): Subscription {
  const links = { ...subscription.links };
  for (const [path, acked] of acks) {
    const link = links[path];
    if (link !== undefined) links[path] = { ...link, acked: Math.max(link.acked, acked) };
  }
  return { ...subscription, links };
}

/** A lease that ran out frees the subscription. */
export function afterLease(subscription: Subscription, nowMs: number): Subscription {
  const { wake } = subscription;
  if (wake?.leaseEndsMs == null || wake.leaseEndsMs > nowMs) return subscription;
  return { ...subscription, wake: null };
}

/** As requests and events show the streams. */
export function streamViews({ links }: Subscription, tails: Tails) {
  return Object.entries(links).map(([path, { acked, explicit }]) => {
    const tail = tails.get(path);
    return {
      path,
      link_type: explicit ? "explicit" : "glob",
      acked_offset: offsetText(acked),
      ...(tail === undefined ? {} : { tail_offset: offsetText(tail), has_pending: tail > acked }),
    };
  });
}

function sorted(config: SubscriptionConfig): [string, unknown][] {
  return Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1));
}

function checkText(value: unknown, name: string): asserts value is string {
  if (typeof value === "string" && value !== "" && value.length <= textLengthMax) return;
  throw invalid(`body: ${name}: no text of 1 to ${textLengthMax} characters`);
}
