// What of a compacted log may be cleaned now, whether it is worth it, and which segments become one. Kafka's rules:
// only whole segments below the active one and below the last stable offset, nothing younger than
// min.compaction.lag.ms; worth it above min.cleanable.dirty.ratio, or when something is older than
// max.compaction.lag.ms. Pure.

export interface PlanSegment {
  readonly baseOffset: number;
  readonly bytes: number;
  /** -1 while empty. */
  readonly maxTimestamp: number;
  /** Of its first batch; -1 while empty. */
  readonly firstTimestamp: number;
}

export interface CompactionRules {
  /** Up to here the log was cleaned before. */
  readonly cleanedOffset: number;
  readonly stableOffset: number;
  readonly minLagMs: number;
  readonly maxLagMs: number;
  readonly dirtyRatioMin: number;
}

export interface CompactionPlan {
  readonly firstDirtyOffset: number;
  /** Not cleaned from here on. */
  readonly endOffset: number;
  /** Dirty bytes of those that could be cleaned: 0 to 1. */
  readonly dirtyRatio: number;
  readonly isDue: boolean;
}

/** `segments` in order, the active one last. Undefined when there is nothing to clean. */
export function planCompaction(
  segments: readonly PlanSegment[],
  rules: CompactionRules,
  nowMs: number,
): CompactionPlan | undefined {
  const first = segments[0]!.baseOffset;
  // A checkpoint outside the log belongs to another life of it.
  const isKnown =
    rules.cleanedOffset >= first && rules.cleanedOffset <= segments.at(-1)!.baseOffset;
  const firstDirtyOffset = isKnown ? rules.cleanedOffset : first;
  let cleanBytes = 0;
  let dirtyBytes = 0;
  let endOffset = firstDirtyOffset;
  let isOverdue = false;
  for (let i = 0; i + 1 < segments.length; i++) {
    const segment = segments[i]!;
    const nextBase = segments[i + 1]!.baseOffset;
    if (nextBase <= firstDirtyOffset) {
      cleanBytes += segment.bytes;
      continue;
    }
    const isYoung = rules.minLagMs > 0 && segment.maxTimestamp > nowMs - rules.minLagMs;
    if (nextBase > rules.stableOffset || isYoung) break;
    dirtyBytes += segment.bytes;
    endOffset = nextBase;
    if (segment.firstTimestamp >= 0 && nowMs - segment.firstTimestamp > rules.maxLagMs) {
      isOverdue = true;
    }
  }
  if (dirtyBytes === 0) return undefined;
  const dirtyRatio = dirtyBytes / (cleanBytes + dirtyBytes);
  const isDue = isOverdue || dirtyRatio > rules.dirtyRatioMin;
  return { firstDirtyOffset, endOffset, dirtyRatio, isDue };
}

/** Offsets in an index are relative to its segment's base and 31 bits wide. */
const offsetSpanMax = 2 ** 31 - 1;

/** Neighbours that fit into one segment together, in order. */
export function groupSegments<T extends PlanSegment>(
  segments: readonly T[],
  limits: { segmentBytes: number; endOffset: number },
): T[][] {
  const groups: T[][] = [];
  let group: T[] = [];
  let bytes = 0;
  for (const [i, segment] of segments.entries()) {
    if (segment.baseOffset >= limits.endOffset) break;
    const nextBase = segments[i + 1]?.baseOffset ?? limits.endOffset;
    const base = group[0]?.baseOffset ?? segment.baseOffset;
    const fits = bytes + segment.bytes <= limits.segmentBytes && nextBase - base <= offsetSpanMax;
    if (group.length > 0 && !fits) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(segment);
    bytes += segment.bytes;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}
