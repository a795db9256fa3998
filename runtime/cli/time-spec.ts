// Times and durations as people type them: `90s`, `1h30m`, `-15m`, `2001-01-31T10:00`, epoch s or ms.
// Pure: "now" is an argument. A time without zone is UTC, as the broker's own output is.

import { usageError } from "./exit.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** A bare integer below this is seconds since 1970, above it milliseconds (the year 5138 in seconds). */
const EPOCH_SECONDS_BELOW = 1e11;
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+$/;
const ISO_TIME =
  /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** `1h30m` → ms. A bare number is refused: a unit that is guessed is a unit that is wrong. */
export function parseDurationMs(text: string, name: string): number {
  const trimmed = text.trim();
  if (trimmed === "0") return 0;
  if (!DURATION.test(trimmed)) {
    throw usageError(
      `${name}: "${text}" is not a duration`,
      "write it as 500ms, 10s, 15m, 1h30m or 7d",
    );
  }
  let sumMs = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) {
    sumMs += Number(amount) * (UNIT_MS[unit as string] ?? 0);
  }
  return Math.round(sumMs);
}

/** A point in time: `now`, `-15m` (before now), epoch seconds or ms, or ISO 8601. Returns ms since 1970. */
export function parseTimeMs(text: string, nowMs: number): number {
  const trimmed = text.trim();
  if (trimmed === "now") return nowMs;
  if (/^-\d/.test(trimmed) && DURATION.test(trimmed.slice(1))) {
    return nowMs - parseDurationMs(trimmed.slice(1), "time");
  }
  if (/^\d+$/.test(trimmed)) {
    const value = Number(trimmed);
    return value < EPOCH_SECONDS_BELOW ? value * 1000 : value;
  }
  const timeMs = parseIsoMs(trimmed);
  if (timeMs !== undefined) return timeMs;
  throw usageError(
    `"${text}" is not a time`,
    "write it as -15m (before now), 2001-01-31, 2001-01-31T10:00:00Z, or ms since 1970",
  );
}

/** ISO 8601 with UTC as the default zone; undefined if it is not one. */
export function parseIsoMs(text: string): number | undefined {
  const match = ISO_TIME.exec(text);
  if (!match) return undefined;
  const hasTime = text.length > "2001-01-31".length;
  const parsed = Date.parse(
    hasTime && match[1] === undefined ? `${text.replace(" ", "T")}Z` : text,
  );
  return Number.isNaN(parsed) ? undefined : parsed;
}

/** `83_000` → `1m 23s`: for progress and tables. */
export function formatDurationMs(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  const seconds = Math.round(durationMs / 1000);
  const parts: string[] = [];
  let rest = seconds;
  for (const [unit, length] of [
    ["d", 86_400],
    ["h", 3600],
    ["m", 60],
    ["s", 1],
  ] as const) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0s";
}

export function formatTimeIso(timeMs: number): string {
  // Date refuses what lies outside ±8.64e15 ms, which a hostile timestamp may.
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}

const STRFTIME: Readonly<Record<string, (iso: string, timeMs: number) => string>> = {
  Y: (iso) => iso.slice(0, -20),
  m: (iso) => iso.slice(-19, -17),
  d: (iso) => iso.slice(-16, -14),
  H: (iso) => iso.slice(-13, -11),
  M: (iso) => iso.slice(-10, -8),
  S: (iso) => iso.slice(-7, -5),
  L: (iso) => iso.slice(-4, -1),
  F: (iso) => iso.slice(0, -14),
  T: (iso) => iso.slice(-13, -5),
  s: (_, timeMs) => String(Math.floor(timeMs / 1000)),
  Z: () => "UTC",
  z: () => "+0000",
  "%": () => "%",
};

/** strftime's letters `%Y %m %d %H %M %S %L(ms) %F %T %s %Z %z`, in UTC. Throws on others. */
export function compileStrftime(pattern: string): (timeMs: number) => string {
  const parts: ((iso: string, timeMs: number) => string)[] = [];
  for (const [token, letter] of pattern.matchAll(/%(.)|[^%]+|%$/gs)) {
    const part = letter === undefined ? () => token : STRFTIME[letter];
    if (!part || token === "%") {
      throw usageError(
        `%T{${pattern}}: "${token}" is not known`,
        "known: %Y %m %d %H %M %S %L %F %T %s %z %Z",
      );
    }
    parts.push(part);
  }
  return (timeMs) => {
    const iso = formatTimeIso(timeMs);
    return parts.map((part) => part(iso, timeMs)).join("");
  };
}

const STRPTIME: Readonly<Record<string, { pattern: string; order: readonly string[] }>> = {
  Y: { pattern: "(\\d{4})", order: ["Y"] },
  m: { pattern: "(\\d{2})", order: ["m"] },
  d: { pattern: "(\\d{2})", order: ["d"] },
  H: { pattern: "(\\d{2})", order: ["H"] },
  M: { pattern: "(\\d{2})", order: ["M"] },
  S: { pattern: "(\\d{2})", order: ["S"] },
  L: { pattern: "(\\d{3})", order: ["L"] },
  s: { pattern: "(\\d{1,12})", order: ["s"] },
  F: { pattern: "(\\d{4})-(\\d{2})-(\\d{2})", order: ["Y", "m", "d"] },
  T: { pattern: "(\\d{2}):(\\d{2}):(\\d{2})", order: ["H", "M", "S"] },
  "%": { pattern: "%", order: [] },
};

/** The same letters, read back (UTC). The returned function gives undefined for text that does not match. */
export function compileStrptime(pattern: string): (text: string) => number | undefined {
  let source = "";
  const order: string[] = [];
  for (const [token, letter] of pattern.matchAll(/%(.)|[^%]+|%$/gs)) {
    if (letter === undefined) {
      source += token.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      continue;
    }
    const part = STRPTIME[letter];
    if (!part) {
      throw usageError(
        `%T{${pattern}}: "${token}" cannot be read`,
        "readable: %Y %m %d %H %M %S %L %F %T %s",
      );
    }
    source += part.pattern;
    order.push(...part.order);
  }
  const matcher = new RegExp(`^${source}$`);
  return (text) => {
    const match = matcher.exec(text);
    return match
      ? timeOf(new Map(order.map((letter, i) => [letter, Number(match[i + 1])])))
      : undefined;
  };
}

function timeOf(read: ReadonlyMap<string, number>): number {
  const seconds = read.get("s");
  if (seconds !== undefined) return seconds * 1000 + (read.get("L") ?? 0);
  const part = (letter: string, absent: number) => read.get(letter) ?? absent;
  return Date.UTC(
    part("Y", 1970),
    part("m", 1) - 1,
    part("d", 1),
    part("H", 0),
    part("M", 0),
    part("S", 0),
    part("L", 0),
  );
}
