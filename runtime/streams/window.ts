// Windows of event time, as data and as arithmetic. All are half-open, [start, end), in ms since 1970, aligned to the
// epoch. A window is closed, and what comes for it late, once the watermark has reached its end plus the grace.

import { StreamsError } from "./error.ts";

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The key of a windowed result. */
export interface Windowed<K> extends Span {
  readonly key: K;
}

/** "500ms", "10s", "5m", "1h", "7d", or ms. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

export interface WindowOptions {
  /** How long after a window's end, in event time, records for it still count. Has no default: decide it. */
  readonly grace: Duration;
  /** Topic that gets records that came later than that, as they were. They are counted in any case. */
  readonly late?: string;
}

interface WindowBase {
  readonly graceMs: number;
  readonly late: string | undefined;
}

export interface AlignedWindow extends WindowBase {
  readonly kind: "aligned";
  readonly sizeMs: number;
  /** A window begins every so many ms. */
  readonly hopMs: number;
}

export interface SessionWindow extends WindowBase {
  readonly kind: "session";
  readonly gapMs: number;
}

export type Window = AlignedWindow | SessionWindow;

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** How many windows one record may be part of. */
const overlapMax = 1_000;

/** Windows side by side: each record is in one. */
export function tumbling(size: Duration, options: WindowOptions): AlignedWindow {
  return hopping(size, { ...options, every: size });
}

/** A window of `size` begins every `every`: each record is in `size / every` of them. */
export function hopping(
  size: Duration,
  { every, ...options }: WindowOptions & { readonly every: Duration },
): AlignedWindow {
  const sizeMs = positive("size", size);
  const hopMs = positive("every", every);
  if (hopMs > sizeMs) throw invalid(`every (${every}) is longer than the window (${size})`);
  if (sizeMs / hopMs > overlapMax) {
    throw invalid(`each record would be in more than ${overlapMax} windows: make every longer`);
  }
  return { kind: "aligned", sizeMs, hopMs, ...common(options) };
}

/** Records of a key that are at most `gap` apart, in a chain. `end` is one above the last record's time. */
export function session(gap: Duration, options: WindowOptions): SessionWindow {
  return { kind: "session", gapMs: positive("gap", gap), ...common(options) };
}

/** The windows a time is in, first start first. */
export function spansOf({ sizeMs, hopMs }: AlignedWindow, timeMs: number): Span[] {
  const spans: Span[] = [];
  const last = Math.floor(timeMs / hopMs) * hopMs;
  for (let start = last; start > timeMs - sizeMs; start -= hopMs) {
    if (start >= 0) spans.push({ start, end: start + sizeMs });
  }
  return spans.reverse();
}

/** The watermark at which nothing can change this window any more. */
export function closesAt(window: Window, span: Span): number {
  // A record exactly one gap after the last still belongs to the session.
  const quietMs = window.kind === "session" ? window.gapMs : 0;
  return span.end + quietMs + window.graceMs;
}

/** Whether two sessions are one. */
export function touches({ gapMs }: SessionWindow, a: Span, b: Span): boolean {
  return a.start <= b.end - 1 + gapMs && b.start <= a.end - 1 + gapMs;
}

export function durationMs(duration: Duration): number {
  if (typeof duration === "number") return duration;
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration) ?? [];
  if (digits === undefined || unit === undefined) {
    throw invalid(`"${duration}" is no duration: write 500ms, 10s, 5m, 1h or 7d`);
  }
  return Number(digits) * unitsMs[unit as keyof typeof unitsMs];
}

export function describeWindow(window: Window): string {
  const grace = `grace ${window.graceMs} ms`;
  if (window.kind === "session") return `session, gap ${window.gapMs} ms, ${grace}`;
  const { sizeMs, hopMs } = window;
  return sizeMs === hopMs
    ? `tumbling ${sizeMs} ms, ${grace}`
    : `hopping ${sizeMs} ms every ${hopMs} ms, ${grace}`;
}

function common({ grace, late }: WindowOptions): WindowBase {
  const graceMs = durationMs(grace);
  if (!Number.isSafeInteger(graceMs) || graceMs < 0) throw invalid(`grace ${grace} is no duration`);
  return { graceMs, late };
}

function positive(name: string, duration: Duration): number {
  const ms = durationMs(duration);
  if (Number.isSafeInteger(ms) && ms > 0) return ms;
  throw invalid(`${name} ${duration} must be a whole number of ms above 0`);
}

function invalid(what: string): StreamsError {
  return new StreamsError("INVALID_OPTION", `${what}.`);
}
