// One fetch of one partition, as all reads of this door make it.

import type { FetchedPartition, FetchRequest } from "../broker.ts";
import type { Door } from "./route.ts";

export interface PartitionRead {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly bytesMax: number;
  /** For the first record, if there is none. */
  readonly waitMs: number;
  readonly isolation: FetchRequest["isolation"];
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/** The answer's records are the caller's to release, also beside an error. */
export async function readPartition(door: Door, read: PartitionRead): Promise<FetchedPartition> {
  const { topic, partition, offset, bytesMax, waitMs, isolation, signal } = read;
  const fetching = door.broker.fetch({
    partitions: [{ topic, partition, offset, bytesMax, currentLeaderEpoch: -1 }],
    waitMsMax: waitMs,
    bytesMin: 1,
    bytesMax,
    isolation,
    ...(signal === undefined ? {} : { signal }),
  });
  const [fetched] = fetching instanceof Promise ? await fetching : fetching;
  if (fetched === undefined) throw new Error(`fetch of ${topic}-${partition} answered nothing`);
  return fetched;
}
