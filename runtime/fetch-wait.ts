// Fetch on local partitions: reads what is there, and when that is less than asked for, waits until enough has
// come, the time is up, or the client is gone. Used by `local-broker.ts` only.

import type { FetchedPartition, FetchPartition, FetchRequest } from "./broker.ts";
import { BrokerError } from "./errors.ts";
import type { Partition } from "./log/partition.ts";
import type { Clock } from "./platform.ts";
import { noRecords } from "./records.ts";

/** Finds the partition or throws the error that its fetch answers. */
export type FindPartition = (asked: FetchPartition) => Partition;

/**
 * A replica hears so soon of a high watermark that moved. Not at once: under load the next records bring it along, and
 * an answer of its own for every batch would double the fetches.
 */
const newsMsMax = 10;

export interface WaitCounters {
  waitingFetches: number;
}

export interface ReadLimits {
  readonly bytesMax: number;
  readonly atLeastOneBatch: boolean;
  readonly isolation: FetchRequest["isolation"];
}

/** Reads one partition, with the answer's other fields. Throws what its fetch answers. */
export type ReadPartition = (
  partition: Partition,
  asked: FetchPartition,
  limits: ReadLimits,
) => Partial<FetchedPartition> & Pick<FetchedPartition, "records">;

export function fetchLocally(
  find: FindPartition,
  clock: Clock,
  counters: WaitCounters,
  request: FetchRequest,
  read?: ReadPartition,
): readonly FetchedPartition[] | Promise<readonly FetchedPartition[]> {
  const found = readAll(find, request, read);
  if (isEnough(found, request) || request.waitMsMax <= 0) return counted(find, found, request);
  releaseAll(found);
  return wait(find, clock, counters, request, read);
}

function wait(
  find: FindPartition,
  clock: Clock,
  counters: WaitCounters,
  request: FetchRequest,
  read: ReadPartition | undefined,
): Promise<readonly FetchedPartition[]> {
  return new Promise((resolve) => {
    let isDone = false;
    let isLooking = false;
    const stops: (() => void)[] = [];
    const finish = (answer: readonly FetchedPartition[]) => {
      isDone = true;
      counters.waitingFetches--;
      for (const stop of stops) stop();
      resolve(counted(find, answer, request));
    };
    const look = () => {
      isLooking = false;
      if (isDone) return;
      const found = readAll(find, request, read);
      if (isEnough(found, request)) finish(found);
      else releaseAll(found);
    };
    // Several clients may append in one turn: one look after it finds them all, and makes one answer.
    const lookSoon = () => {
      if (isLooking) return;
      isLooking = true;
      clock.soon(look);
    };
    counters.waitingFetches++;
    const timeIsUp = () => {
      if (!isDone) finish(readAll(find, request, read));
    };
    let timer = clock.after(request.waitMsMax, timeIsUp);
    stops.push(() => timer.cancel());
    stops.push(...watchAll(find, request, lookSoon));
    if (request.replica !== undefined && request.waitMsMax > newsMsMax) {
      const news = () => {
        timer.cancel();
        if (!isDone) timer = clock.after(newsMsMax, timeIsUp);
      };
      stops.push(...watchNews(find, request, news));
    }
    stops.push(onAbort(request.signal, () => !isDone && finish(noneOf(request))));
  });
}

function watchAll(find: FindPartition, request: FetchRequest, changed: () => void): (() => void)[] {
  const stops: (() => void)[] = [];
  const options = { asReplica: request.replica !== undefined };
  for (const asked of request.partitions) {
    const partition = present(find, asked);
    if (partition !== undefined) stops.push(partition.watch(changed, options));
    // It went away in between: the next look finds that out and answers.
    else changed();
  }
  return stops;
}

/** Runs `news` once, when the replica does not know the high watermark of one of its partitions. */
function watchNews(find: FindPartition, request: FetchRequest, news: () => void): (() => void)[] {
  const stops: (() => void)[] = [];
  let isTold = false;
  const tell = () => {
    if (!isTold) news();
    isTold = true;
  };
  for (const asked of request.partitions) {
    const known = asked.highWatermarkKnown ?? Number.POSITIVE_INFINITY;
    const partition = present(find, asked);
    if (partition === undefined) continue;
    if (partition.highWatermark > known) tell();
    if (isTold) break;
    // Where all is committed, only a record moves it further, and that is waited for anyway.
    if (partition.highWatermark === partition.log.endOffset) continue;
    stops.push(partition.watch(() => partition.highWatermark > known && tell()));
  }
  return stops;
}

function present(find: FindPartition, asked: FetchPartition): Partition | undefined {
  try {
    return find(asked);
  } catch (error) {
    if (error instanceof BrokerError) return undefined;
    throw error;
  }
}

function onAbort(signal: AbortSignal | undefined, aborted: () => void): () => void {
  if (signal === undefined) return () => {};
  if (signal.aborted) queueMicrotask(aborted);
  signal.addEventListener("abort", aborted, { once: true });
  return () => signal.removeEventListener("abort", aborted);
}

function readAll(
  find: FindPartition,
  request: FetchRequest,
  read: ReadPartition | undefined,
): FetchedPartition[] {
  let bytesLeft = request.bytesMax;
  let isFirst = true;
  return request.partitions.map((asked) => {
    const bytesMax = Math.min(asked.bytesMax, bytesLeft);
    const { isolation } = request;
    const one = readOne(find, asked, { bytesMax, atLeastOneBatch: isFirst, isolation }, read);
    if (one.records.length > 0) isFirst = false;
    bytesLeft = Math.max(0, bytesLeft - one.records.length);
    return one;
  });
}

function readOne(
  find: FindPartition,
  asked: FetchPartition,
  limits: ReadLimits,
  read: ReadPartition | undefined,
): FetchedPartition {
  const { topic, partition: index, offset } = asked;
  const { isolation, bytesMax, atLeastOneBatch } = limits;
  // Written out: spreads showed in the profile of one message at a time.
  const options = { offset, bytesMax, atLeastOneBatch };
  let partition: Partition | undefined;
  try {
    partition = find(asked);
    const where = { topic, partition: index, error: null, ...positions(partition) };
    if (read !== undefined) return { ...where, ...read(partition, asked, limits) };
    if (isolation === "read_uncommitted") return { ...where, records: partition.read(options) };
    const { records, aborted } = partition.readCommitted(options);
    return { ...where, records, abortedTransactions: aborted };
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return { topic, partition: index, error, ...positions(partition), records: noRecords };
  }
}

function positions(partition: Partition | undefined) {
  return {
    highWatermark: partition?.highWatermark ?? -1,
    lastStableOffset: partition?.lastStableOffset ?? -1,
    logStartOffset: partition?.log.startOffset ?? -1,
    abortedTransactions: [],
  };
}

/** An answer that is going out. */
function counted(
  find: FindPartition,
  answer: readonly FetchedPartition[],
  request: FetchRequest,
): readonly FetchedPartition[] {
  if (request.replica !== undefined) return answer;
  for (const { topic, partition, records } of answer) {
    if (records.length === 0) continue;
    find({ topic, partition, offset: 0, bytesMax: 0, currentLeaderEpoch: -1 }).countRead(
      records.length,
    );
  }
  return answer;
}

function isEnough(found: readonly FetchedPartition[], request: FetchRequest): boolean {
  let bytes = 0;
  for (const one of found) {
    if (one.error !== null || one.diverging || one.preferredReadReplica !== undefined) return true;
    bytes += one.records.length;
  }
  return bytes >= request.bytesMin;
}

function releaseAll(found: readonly FetchedPartition[]): void {
  for (const one of found) one.records.release();
}

function noneOf(request: FetchRequest): FetchedPartition[] {
  return request.partitions.map(({ topic, partition }) => ({
    topic,
    partition,
    error: null,
    ...positions(undefined),
    records: noRecords,
  }));
}
