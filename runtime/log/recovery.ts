// Opening a partition's folder: after a clean stop from its indexes and snapshot, after any other from the
// log itself. Leaves a folder in which every batch from the recovery point on was checked, indexes fit their
// logs, and nothing stands after the first invalid byte.

import type { Storage } from "../storage/storage.ts";
import { CheckpointError, decodeEpochs, type EpochStart, encodeEpochs } from "./checkpoints.ts";
import { finishSwaps } from "./compaction-swap.ts";
import { LeaderEpochs } from "./leader-epochs.ts";
import type { LocalLogState } from "./local-log.ts";
import {
  cleanedSuffix,
  deletedSuffix,
  leaderEpochFile,
  logSuffix,
  offsetOf,
  segmentFile,
} from "./log-files.ts";
import { ProducerReplay } from "./producer-replay.ts";
import { ProducerState } from "./producer-state.ts";
import { Segment } from "./segment.ts";
import type { SegmentPlace } from "./segment-indexes.ts";

export interface RecoveryOptions {
  readonly place: SegmentPlace;
  /** The last stop was clean: indexes and sizes can be believed. */
  readonly wasClean: boolean;
  /** Below it everything was synced; from the checkpoint, 0 if unknown. */
  readonly recoveryPoint: number;
  /** From the checkpoint; 0 if unknown. */
  readonly logStartOffset: number;
  /** Compaction may have left holes between segments that begin up to here; 0: nowhere. */
  readonly holesEnd: number;
  /** Up to where readers may see; absent: the end. */
  readonly highWatermark?: number | undefined;
  readonly indexIntervalBytes: number;
  readonly nowMs: number;
  readonly jitterMs: () => number;
}

export interface Recovered {
  readonly state: LocalLogState;
  readonly producers: ProducerState;
  readonly epochs: LeaderEpochs;
  /** Bytes cut from the end because they were not whole, valid batches. */
  readonly truncatedBytes: number;
  /** Bytes that were read and checked. */
  readonly checkedBytes: number;
}

export function openPartitionFolder(options: RecoveryOptions): Recovered {
  const { place } = options;
  const list = () => place.storage.list(place.folder()).map((entry) => entry.name);
  removeLeftovers(place, list());
  finishSwaps(place, list());
  const names = list();
  const segments = openSegments(options, names);
  const replay = new ProducerReplay(place, names, options.logStartOffset);
  const check = recoverSegments(options, segments, replay);
  const last = segments.at(-1)!;
  const nextOffset = check.nextOffset ?? last.readNextOffset();
  const logStartOffset = Math.min(
    nextOffset,
    Math.max(options.logStartOffset, segments[0]!.baseOffset),
  );
  replay.catchUp(segments, nextOffset);
  replay.removeSnapshotsAfter(nextOffset);
  const { producers } = replay;
  producers.transactions.reveal(Math.min(nextOffset, options.highWatermark ?? nextOffset));
  return {
    state: {
      segments,
      nextOffset,
      logStartOffset,
      recoveryPoint: options.wasClean ? nextOffset : Math.min(options.recoveryPoint, nextOffset),
    },
    producers,
    epochs: loadEpochs(place, { check, nextOffset, logStartOffset }),
    truncatedBytes: check.truncatedBytes,
    checkedBytes: check.checkedBytes,
  };
}

/** The folder of a partition that nobody has written to: there is nothing to look for. */
export function createPartitionFolder(
  options: Pick<RecoveryOptions, "place" | "nowMs" | "jitterMs">,
): Recovered {
  const { place, nowMs, jitterMs } = options;
  const segment = new Segment(place, {
    baseOffset: 0,
    nowMs,
    rollJitterMs: jitterMs(),
    isNew: true,
  });
  return {
    state: { segments: [segment], nextOffset: 0, logStartOffset: 0, recoveryPoint: 0 },
    producers: new ProducerState(),
    epochs: new LeaderEpochs(),
    truncatedBytes: 0,
    checkedBytes: 0,
  };
}

function removeLeftovers(place: SegmentPlace, names: readonly string[]): void {
  for (const name of names) {
    if ([deletedSuffix, cleanedSuffix, ".tmp"].some((suffix) => name.endsWith(suffix))) {
      place.storage.remove(`${place.folder()}/${name}`);
    }
  }
}

function openSegments(options: RecoveryOptions, names: readonly string[]): Segment[] {
  const bases = names
    .map((name) => offsetOf(name, logSuffix))
    .filter((base) => base !== undefined)
    .sort((a, b) => a - b);
  const { place, nowMs, jitterMs } = options;
  const open = (baseOffset: number, isNew: boolean) =>
    new Segment(place, { baseOffset, nowMs, rollJitterMs: jitterMs(), isNew });
  if (bases.length > 0) return bases.map((base) => open(base, false));
  return [open(options.logStartOffset, true)];
}

interface Check {
  truncatedBytes: number;
  checkedBytes: number;
  /** Known when the last segment was read; else it is found by its index. */
  nextOffset: number | undefined;
  /** Leader epochs met in the batches that were read, with the first and last offset met of each. */
  epochs: { epoch: number; startOffset: number; lastOffset: number }[];
}

/** Checks what may be torn; drops everything after the first segment that was. */
function recoverSegments(
  options: RecoveryOptions,
  segments: Segment[],
  replay: ProducerReplay,
): Check {
  const check: Check = { truncatedBytes: 0, checkedBytes: 0, nextOffset: undefined, epochs: [] };
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!;
    const end = segments[i + 1]?.baseOffset;
    const isTrusted = options.wasClean || (end ?? Infinity) <= options.recoveryPoint;
    if (isTrusted && segment.open()) {
      check.nextOffset = undefined;
      continue;
    }
    replay.catchUp(segments.slice(0, i), segment.baseOffset);
    const cut = recoverSegment(options, segment, check, replay);
    if (cut === 0 && !isHole(options, check.nextOffset, end)) continue;
    check.truncatedBytes += cut + dropAfter(options.place, segments, i);
    return check;
  }
  return check;
}

function recoverSegment(
  options: RecoveryOptions,
  segment: Segment,
  check: Check,
  replay: ProducerReplay,
): number {
  check.checkedBytes += segment.bytes;
  check.nextOffset = segment.baseOffset;
  replay.startSegment();
  const cut = segment.recover(options.indexIntervalBytes, (header, position) => {
    replay.visit(segment, header, position);
    check.nextOffset = header.lastOffset + 1;
    const { leaderEpoch: epoch, baseOffset: startOffset, lastOffset } = header;
    const met = check.epochs.at(-1);
    if (met?.epoch === epoch) met.lastOffset = lastOffset;
    else if (epoch >= 0) check.epochs.push({ epoch, startOffset, lastOffset });
  });
  replay.endSegment(segment);
  return cut;
}

/**
 * Whether batches are missing before the next segment: a power loss may keep its name, and whole batches at the end
 * of the segment before it not.
 */
function isHole({ holesEnd }: RecoveryOptions, nextOffset = Infinity, nextBase = 0): boolean {
  return nextBase > Math.max(nextOffset, holesEnd);
}

/** Records after a hole would get wrong neighbours: they were never acknowledged as durable. */
function dropAfter(place: SegmentPlace, segments: Segment[], index: number): number {
  let bytes = 0;
  for (const segment of segments.splice(index + 1)) {
    bytes += segment.bytes;
    segment.close();
    for (const { name } of place.storage.list(place.folder())) {
      if (name.startsWith(segmentFile(segment.baseOffset, "."))) {
        place.storage.remove(`${place.folder()}/${name}`);
      }
    }
  }
  return bytes;
}

function loadEpochs(
  place: SegmentPlace,
  log: { check: Check; nextOffset: number; logStartOffset: number },
): LeaderEpochs {
  const epochs = new LeaderEpochs(readEpochs(place.storage, place.folder()));
  // Of a cut that was lost with the power the file knows, but the log does not: what was read is the truth.
  const wrong = epochs.entries().find(({ epoch, startOffset }) => {
    return log.check.epochs.some((met) => met.epoch < epoch && met.lastOffset >= startOffset);
  });
  let changed = wrong !== undefined && epochs.truncateEnd(wrong.startOffset);
  for (const { epoch, startOffset } of log.check.epochs) {
    if (epoch > epochs.latest()) changed = epochs.assign(epoch, startOffset) || changed;
  }
  changed = epochs.truncateEnd(log.nextOffset) || changed;
  changed = epochs.truncateStart(log.logStartOffset) || changed;
  if (changed) {
    place.storage.writeFile(`${place.folder()}/${leaderEpochFile}`, encodeEpochs(epochs.entries()));
  }
  return epochs;
}

/** None if absent. A checkpoint that cannot be read is rebuilt from the batches, as far as they are read. */
export function readEpochs(storage: Storage, folder: string): EpochStart[] {
  const bytes = storage.readFile(`${folder}/${leaderEpochFile}`);
  if (bytes === undefined) return [];
  try {
    return decodeEpochs(bytes);
  } catch (error) {
    if (error instanceof CheckpointError) return [];
    throw error;
  }
}
