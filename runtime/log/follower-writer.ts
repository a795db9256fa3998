// Follower writer: batches as a leader has them, into this broker's copy of the log. Nothing is decided or stamped
// here: offsets, epochs and bytes are the leader's. One per partition; called by `partition.ts` only.

import { BatchFault, type BatchHeader } from "../../storage-wasm/core.ts";
import { BrokerError } from "../errors.ts";
import { StorageError } from "../storage/storage.ts";
import type { WriteTarget } from "./batch-writer.ts";
import { controlBytesMax, readControl } from "./control-record.ts";
import type { Flushable } from "./flusher.ts";
import type { PartitionHost } from "./partition-host.ts";

/** A copy: it is asked on from where it is durable. */
export interface CopyTarget extends WriteTarget, Flushable {
  readonly durableEnd: number;
}

interface PlacedBatch {
  readonly header: BatchHeader;
  readonly bytes: Uint8Array;
}

/**
 * Adds the whole batches of `chunk`; a cut one at its end is left out, as fetches end so. `epochBegan` is told of
 * each leader epoch that was not known before. Throws CORRUPT_MESSAGE, then nothing was added, or
 * KAFKA_STORAGE_ERROR, then what came before it was.
 */
export function appendFromLeader(
  host: PartitionHost,
  target: CopyTarget,
  chunk: Uint8Array,
  epochBegan: (offset: number) => void,
): void {
  const { log, epochs, config } = target;
  const batches = checkedBatches(host, target, chunk);
  const nowMs = host.clock.nowMs();
  for (const { header, bytes } of batches) {
    const control = header.isControl ? readControl(bytes.subarray(0, controlBytesMax)) : undefined;
    try {
      log.rollIfFull(header, config, nowMs);
      log.append(bytes, header, config, control);
    } catch (cause) {
      // What came before it must be synced all the same: until then nothing more is asked for.
      if (log.endOffset > target.durableEnd) host.flusher.request(target);
      throw writeFailed(host, cause);
    }
    if (header.leaderEpoch <= epochs.latest()) continue;
    epochs.assign(header.leaderEpoch, header.baseOffset);
    epochBegan(header.baseOffset);
  }
}

/** All of them are checked before the first is written: a damaged answer changes nothing. */
function checkedBatches(host: PartitionHost, target: WriteTarget, chunk: Uint8Array) {
  const { core } = host;
  const batches: PlacedBatch[] = [];
  let next = target.log.endOffset;
  for (let from = 0; from < chunk.length; ) {
    const rest = chunk.subarray(from);
    const scan = core.scan(core.place(rest), rest.length, { verifyCrc: true });
    for (let i = 0; i < scan.rows; i++) {
      const at = core.row(i);
      const header = { ...core.header };
      if (header.lastOffset < next) continue;
      if (header.baseOffset < next) throw overlapping(target, header, next);
      batches.push({ header, bytes: rest.subarray(at, at + header.bytes) });
      next = header.lastOffset + 1;
    }
    if (scan.fault !== BatchFault.none && scan.fault !== BatchFault.incomplete) {
      host.metrics.log.corruptBatches++;
      const where = `${target.topic}-${target.partition}`;
      const what = `the leader's batch at offset ${next} of ${where} is damaged (${scan.fault})`;
      throw new BrokerError("CORRUPT_MESSAGE", what);
    }
    if (scan.validBytes === 0) break;
    from += scan.validBytes;
  }
  return batches;
}

function overlapping(
  { topic, partition }: WriteTarget,
  { baseOffset, lastOffset }: BatchHeader,
  endOffset: number,
): BrokerError {
  return new BrokerError(
    "CORRUPT_MESSAGE",
    `a batch of offsets ${baseOffset} to ${lastOffset} does not fit the end ${endOffset} of ${topic}-${partition}`,
  );
}

function writeFailed(host: PartitionHost, cause: unknown): unknown {
  if (!(cause instanceof StorageError)) return cause;
  if (cause.fault !== "full") return host.fail(cause);
  return new BrokerError("KAFKA_STORAGE_ERROR", cause.message, { cause });
}
