// Headers of this protocol's answers: what a browser needs to stay safe, where the stream stands, and the cursor that
// keeps caches from answering for ever.

import type { Random } from "../../platform.ts";
import { offsetText } from "./position.ts";

/** On every answer, errors too. */
export const safetyHeaders = {
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "cross-origin",
} as const;

export const exposedHeaders = [
  "etag",
  "producer-epoch",
  "producer-expected-seq",
  "producer-received-seq",
  "producer-seq",
  "stream-closed",
  "stream-cursor",
  "stream-expires-at",
  "stream-next-offset",
  "stream-sse-data-encoding",
  "stream-ttl",
  "stream-up-to-date",
] as const;

export interface Standing {
  readonly position: number;
  readonly isUpToDate?: boolean;
  readonly isClosed?: boolean;
}

/** Written out: spreads showed in the profile of appends. */
export function standingHeaders(standing: Standing): Record<string, string> {
  const headers: Record<string, string> = {
    "x-content-type-options": safetyHeaders["x-content-type-options"],
    "cross-origin-resource-policy": safetyHeaders["cross-origin-resource-policy"],
    "stream-next-offset": offsetText(standing.position),
  };
  if (standing.isUpToDate === true) headers["stream-up-to-date"] = "true";
  if (standing.isClosed === true) headers["stream-closed"] = "true";
  return headers;
}

const cursorIntervalMs = 20_000;
/** 2024-10-09T00:00:00Z. */
const cursorEpochMs = 1_728_432_000_000;
const jitterSecondsMax = 3600;

/** The number of the current interval, or a later one than `given`: a cursor never stands still for its client. */
export function cursor(nowMs: number, given: string | undefined, random: Random): string {
  if (!isCursorAhead(nowMs, given)) return String(intervalAt(nowMs));
  const jitterMs = (1 + random.integer(jitterSecondsMax)) * 1000;
  return String(Number(given) + Math.max(1, Math.floor(jitterMs / cursorIntervalMs)));
}

/** Whether `given` is a cursor of the current interval or of a later one. */
export function isCursorAhead(nowMs: number, given: string | undefined): boolean {
  return given !== undefined && /^\d{1,15}$/.test(given) && Number(given) >= intervalAt(nowMs);
}

function intervalAt(nowMs: number): number {
  return Math.floor((nowMs - cursorEpochMs) / cursorIntervalMs);
}
