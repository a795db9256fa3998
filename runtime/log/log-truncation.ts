// Cutting the end of a log, as a follower does whose leader has something else there: segments behind the cut leave,
// the one it falls into is shortened, and producer states are read again up to it. Called by `local-log.ts` only.

import { offsetOf, snapshotSuffix } from "./log-files.ts";
import { ProducerReplay } from "./producer-replay.ts";
import type { ProducerState } from "./producer-state.ts";
import type { Segment } from "./segment.ts";
import type { SegmentPlace } from "./segment-indexes.ts";

/**
 * Shortens `segment`, the one that holds `offset`; returns where the log ends now: behind the last batch that is left,
 * which may be before `offset`. Going on at `offset` itself would skip what lies between: a bit that flipped in a base
 * offset, which no checksum covers, makes a batch look as if it belonged far behind.
 */
export function cutSegment(segment: Segment, offset: number): number {
  segment.truncate(offset);
  return Math.min(offset, segment.readNextOffset());
}

/** States as they were at `endOffset`, where the log ends now; snapshots of what was cut go. */
export function producersAt(
  place: SegmentPlace,
  segments: readonly Segment[],
  range: { startOffset: number; endOffset: number },
): ProducerState {
  const names = snapshotNames(place);
  const replay = new ProducerReplay(place, names, range.startOffset);
  replay.removeSnapshotsAfter(range.endOffset);
  replay.catchUp(segments, range.endOffset);
  return replay.producers;
}

/** Removes those of offsets below `offset`. */
export function removeSnapshots(place: SegmentPlace, offset: number): void {
  for (const name of snapshotNames(place)) {
    if (offsetOf(name, snapshotSuffix)! < offset) {
      place.storage.remove(`${place.folder()}/${name}`);
    }
  }
}

function snapshotNames(place: SegmentPlace): string[] {
  const names = place.storage.list(place.folder()).map(({ name }) => name);
  return names.filter((name) => offsetOf(name, snapshotSuffix) !== undefined);
}
