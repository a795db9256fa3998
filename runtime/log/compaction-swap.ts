// Finishing at start what compaction was stopped in: a segment under `.swap` is whole and takes the place of all
// segments that begin within it. Before that name it is worth nothing, after it nothing else is needed.
// Called by `recovery.ts`.

import { walkBatches } from "./batch-walk.ts";
import { logSuffix, offsetOf, segmentFile, snapshotSuffix, swapSuffix } from "./log-files.ts";
import type { SegmentPlace } from "./segment-indexes.ts";

export function finishSwaps(place: SegmentPlace, names: readonly string[]): void {
  for (const name of names) {
    if (!name.endsWith(swapSuffix)) continue;
    const base = offsetOf(name.slice(0, -swapSuffix.length), logSuffix);
    // Indexes are made new from the log.
    if (base === undefined) place.storage.remove(`${place.folder()}/${name}`);
    else finishSwap(place, base, names);
  }
}

function finishSwap(place: SegmentPlace, base: number, names: readonly string[]): void {
  const { storage } = place;
  const path = `${place.folder()}/${segmentFile(base, logSuffix)}`;
  const end = Math.max(endOf(place, `${path}${swapSuffix}`, base), base + 1);
  const prefixes = names
    .map((name) => offsetOf(name, logSuffix))
    .filter((other) => other !== undefined && other >= base && other < end)
    .map((other) => segmentFile(other!, "."));
  // The files of the cleaned segment's own name are those of the old one.
  prefixes.push(segmentFile(base, "."));
  for (const name of names) {
    const isOld = prefixes.some((prefix) => name.startsWith(prefix));
    if (!isOld || name.endsWith(swapSuffix) || name.endsWith(snapshotSuffix)) continue;
    storage.remove(`${place.folder()}/${name}`);
  }
  storage.rename(`${path}${swapSuffix}`, path);
}

function endOf(place: SegmentPlace, path: string, base: number): number {
  const file = place.storage.open(path);
  let nextOffset = base;
  try {
    const whole = { from: 0, end: file.size, verifyCrc: false };
    walkBatches(place.core, file, whole, (header) => {
      nextOffset = header.lastOffset + 1;
    });
  } finally {
    file.close();
  }
  return nextOffset;
}
