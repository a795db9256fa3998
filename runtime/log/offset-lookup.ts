// From times to offsets: the first record at or after a timestamp, and the one with the largest. Indexes narrow
// it down to one batch, which is then decoded. Reads only; called by `local-broker.ts`.

import type { BatchHeader, Core, DecodedRecord } from "../../storage-wasm/core.ts";
import { decompressor } from "../compression/codecs.ts";
import type { Codecs } from "../platform.ts";
import type { Partition } from "./partition.ts";
import type { Segment } from "./segment.ts";

export interface FoundRecord {
  readonly offset: number;
  readonly timestampMs: number;
}

interface Reader {
  readonly core: Core;
  readonly codecs: Codecs;
}

/** Undefined: every record that readers may see is older. */
export function firstAtOrAfter(
  reader: Reader,
  partition: Partition,
  timestampMs: number,
): FoundRecord | undefined {
  const { log, highWatermark } = partition;
  for (const segment of log.segments) {
    if (segment.maxTimestamp < timestampMs || segment.bytes === 0) continue;
    const from = segment.positionBefore(timestampMs);
    const found = firstInSegment(reader, partition, segment, {
      from,
      isWanted: (header) =>
        header.maxTimestamp >= timestampMs &&
        header.lastOffset >= log.startOffset &&
        !header.isControl,
      pick: (records) =>
        records.find((each) => each.timestampMs >= timestampMs && each.offset >= log.startOffset),
    });
    if (found !== undefined) return found.offset < highWatermark ? found : undefined;
  }
  return undefined;
}

/** The record with the largest timestamp, the first of several (KIP-734); undefined in an empty log. */
export function withMaxTimestamp(reader: Reader, partition: Partition): FoundRecord | undefined {
  let best: Segment | undefined;
  for (const segment of partition.log.segments) {
    if (segment.bytes > 0 && segment.maxTimestamp > (best?.maxTimestamp ?? -1)) best = segment;
  }
  if (best === undefined) return undefined;
  const { maxTimestamp } = best;
  return firstInSegment(reader, partition, best, {
    from: best.positionBefore(maxTimestamp),
    isWanted: (header) => header.maxTimestamp === maxTimestamp,
    pick: (records) => records.find((each) => each.timestampMs === maxTimestamp),
  });
}

function firstInSegment(
  reader: Reader,
  partition: Partition,
  segment: Segment,
  search: {
    from: number;
    isWanted: (header: BatchHeader) => boolean;
    pick: (records: readonly DecodedRecord[]) => DecodedRecord | undefined;
  },
): FoundRecord | undefined {
  let position = search.from;
  while (position < segment.bytes) {
    let batch: { position: number; bytes: number } | undefined;
    segment.walk({ from: position, verifyCrc: false }, (header, at) => {
      if (!search.isWanted(header)) return true;
      batch = { position: at, bytes: header.bytes };
      return false;
    });
    if (batch === undefined) return undefined;
    const bytes = new Uint8Array(batch.bytes);
    segment.file.readSync(bytes, batch.position);
    const decompress = decompressor(reader.codecs, partition.decompressedBytesMax);
    const record = search.pick(reader.core.decode(bytes, decompress));
    if (record !== undefined) return { offset: record.offset, timestampMs: record.timestampMs };
    position = batch.position + batch.bytes;
  }
  return undefined;
}
