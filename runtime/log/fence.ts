// The fence of a partition: a token that its writers may carry. Whoever takes a higher one shuts the others out. It
// is said in the log itself, as a marker of `fenceProducerId`, so replicas, snapshots and recovery know it as they
// know any producer. Called by `local-broker.ts` for doors, and by the partition's upkeep.

import { BrokerError } from "../errors.ts";
import { fenceProducerId } from "./control-record.ts";
import type { Partition } from "./partition.ts";

/** What the marker's field can hold. */
export const fenceTokenMax = 2 ** 31 - 1;

/** Throws PRODUCER_FENCED unless `token` is the one that was taken last. The append must follow in the same turn. */
export function checkFence(partition: Partition, token: number): void {
  const { fence } = partition.log.producers;
  if (token === fence) return;
  const place = `${partition.topic}-${partition.partition}`;
  const what =
    fence < 0
      ? "nobody has taken a fence there"
      : `the fence of ${place} is ${fence}: take it anew`;
  throw new BrokerError("PRODUCER_FENCED", `token ${token} does not write to ${place}: ${what}`);
}

/** Takes the next token, or the one asked for if it is higher than all before. Resolves when all replicas know. */
export async function takeFence(partition: Partition, asked: number | undefined): Promise<number> {
  const { fence } = partition.log.producers;
  const token = asked ?? Math.max(fence, 0) + 1;
  const place = `${partition.topic}-${partition.partition}`;
  if (token > fenceTokenMax || token < 1) {
    throw new BrokerError("INVALID_REQUEST", `a fence is 1 to ${fenceTokenMax}, not ${token}`);
  }
  if (token <= fence) {
    throw new BrokerError(
      "PRODUCER_FENCED",
      `the fence of ${place} is ${fence}: ask for a higher one`,
    );
  }
  await partition.appendMarker(fenceMarker(token));
  return token;
}

/** Says the fence again at the end of the log once the place where it stood is gone: a new replica reads no snapshot. */
export function restateFence(partition: Partition): void {
  const { fence, fenceOffset } = partition.log.producers;
  if (fence < 0 || fenceOffset >= partition.log.startOffset || !partition.isLeader) return;
  try {
    const said = partition.appendMarker(fenceMarker(fence));
    // What keeps it from the log (a full disk, too few replicas) has been told; the next retention says it again.
    if (said instanceof Promise) said.catch(() => {});
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
  }
}

function fenceMarker(coordinatorEpoch: number) {
  return { producerId: fenceProducerId, producerEpoch: 0, coordinatorEpoch, isCommit: false };
}
