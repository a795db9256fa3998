// Which of a log's oldest segments may go: by time, by size, and below the log start. Pure.

export interface RetentionSegment {
  readonly baseOffset: number;
  readonly bytes: number;
  /** -1 while empty. */
  readonly maxTimestamp: number;
}

export interface RetentionRules {
  /** -1: keep for ever. */
  readonly retentionMs: number;
  /** -1: keep any amount. */
  readonly retentionBytes: number;
  readonly logStartOffset: number;
  /** Where the active segment ends. */
  readonly endOffset: number;
  /** Nothing at or above it leaves: followers and open transactions may need it. */
  readonly stableOffset: number;
}

/**
 * How many segments from the front are to be dropped. The active one goes only when all its records are too
 * old and it is not empty, as in Kafka; it is then replaced by an empty one.
 */
export function segmentsToDrop(
  segments: readonly RetentionSegment[],
  rules: RetentionRules,
  nowMs: number,
): number {
  const bySize = dropBySize(segments, rules);
  const byTime = dropByTime(segments, rules, nowMs);
  const byStart = dropByStart(segments, rules);
  return Math.max(bySize, byTime, byStart);
}

function dropByTime(
  segments: readonly RetentionSegment[],
  rules: RetentionRules,
  nowMs: number,
): number {
  if (rules.retentionMs < 0) return 0;
  const active = segments.at(-1);
  // One that compaction left empty has no time of its own, and must not keep those behind it.
  return countWhile(segments, rules, (segment) =>
    segment.bytes === 0 ? segment !== active : nowMs - segment.maxTimestamp > rules.retentionMs,
  );
}

function dropBySize(segments: readonly RetentionSegment[], rules: RetentionRules): number {
  if (rules.retentionBytes < 0) return 0;
  let excess = segments.reduce((sum, segment) => sum + segment.bytes, 0) - rules.retentionBytes;
  return countWhile(
    segments.slice(0, -1),
    rules,
    (segment) => {
      excess -= segment.bytes;
      return excess >= 0;
    },
    segments,
  );
}

function dropByStart(segments: readonly RetentionSegment[], rules: RetentionRules): number {
  return countWhile(
    segments.slice(0, -1),
    rules,
    (_, nextBase) => nextBase <= rules.logStartOffset,
    segments,
  );
}

/** Counts from the front while `drop` holds and the segment lies wholly below the stable offset. */
function countWhile(
  candidates: readonly RetentionSegment[],
  rules: RetentionRules,
  drop: (segment: RetentionSegment, nextBase: number) => boolean,
  all: readonly RetentionSegment[] = candidates,
): number {
  for (const [i, segment] of candidates.entries()) {
    const nextBase = all[i + 1]?.baseOffset ?? rules.endOffset;
    if (nextBase > rules.stableOffset || !drop(segment, nextBase)) return i;
  }
  return candidates.length;
}
