// Where to begin and where to stop reading, as typed after `-o`: kcat's words, rpk's ranges, and times.
// Pure: parsed once, resolved against a partition's offsets by `consume.ts`.

import { usageError } from "./exit.ts";
import { parseTimeMs } from "./time-spec.ts";

export type OffsetStart =
  | { readonly kind: "begin" }
  | { readonly kind: "end" }
  | { readonly kind: "offset"; readonly offset: number }
  /** `count` records before the end. */
  | { readonly kind: "tail"; readonly count: number }
  | { readonly kind: "time"; readonly timeMs: number };

/** Exclusive. `end` is the end seen at the start, also in a topic that grows meanwhile. */
export type OffsetStop =
  | { readonly kind: "end" }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "time"; readonly timeMs: number };

export interface OffsetRange {
  readonly start: OffsetStart;
  readonly stop: OffsetStop | null;
}

const HINT = "use begin, end, 1234, -100, @2001-01-31T10:00, @-15m, @TIME:@TIME, 10:20 or :end";

/** `START`, `START:STOP` or `:STOP`. Times contain colons, so a range splits only before `@`, `end` or, after a number, digits. */
export function parseOffsetRange(text: string, nowMs: number): OffsetRange {
  const [, startText = "", stopText] = splitRange(text);
  return {
    start: startText === "" ? { kind: "begin" } : parseStart(startText, text, nowMs),
    stop: stopText === undefined ? null : parseStop(stopText, text, nowMs),
  };
}

function splitRange(text: string): RegExpExecArray | [string, string, undefined] {
  const range = text.startsWith("@") ? /^(@.*?):(@.*|end)$/ : /^([^:@]*):(@.*|end|-?\d+)$/;
  return range.exec(text) ?? [text, text, undefined];
}

function parseStart(part: string, whole: string, nowMs: number): OffsetStart {
  if (part === "begin" || part === "beginning" || part === "earliest" || part === "start") {
    return { kind: "begin" };
  }
  if (part === "end" || part === "latest") return { kind: "end" };
  if (part.startsWith("@")) return { kind: "time", timeMs: parseTimeMs(part.slice(1), nowMs) };
  const offset = parseOffset(part, whole);
  return offset < 0 || Object.is(offset, -0)
    ? { kind: "tail", count: Math.abs(offset) }
    : { kind: "offset", offset };
}

function parseStop(part: string, whole: string, nowMs: number): OffsetStop {
  if (part === "end") return { kind: "end" };
  if (part.startsWith("@")) return { kind: "time", timeMs: parseTimeMs(part.slice(1), nowMs) };
  const offset = parseOffset(part, whole);
  if (offset < 0) throw usageError(`-o ${whole}: a range cannot stop at a negative offset`, HINT);
  return { kind: "offset", offset };
}

function parseOffset(part: string, whole: string): number {
  const offset = /^-?\d+$/.test(part) ? Number(part) : Number.NaN;
  if (!Number.isSafeInteger(offset)) throw usageError(`-o ${whole}: not an offset`, HINT);
  return offset;
}

/** `0,2,5-7` → [0, 2, 5, 6, 7], sorted, without doubles. */
export function parsePartitions(text: string): number[] {
  const partitions = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(part);
    const first = Number(match?.[1]);
    const last = match?.[2] === undefined ? first : Number(match[2]);
    if (!match || last < first) {
      throw usageError(`partitions: "${text}" is not a list`, "write it as 0 or 0,2,5-7");
    }
    for (let partition = first; partition <= last; partition++) partitions.add(partition);
  }
  return [...partitions].sort((a, b) => a - b);
}
