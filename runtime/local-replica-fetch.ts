// Fetches of other replicas, and of consumers that may read from any: what a leader counts and says besides records.
// Used by `local-broker.ts` only.

import type { FetchedPartition, FetchPartition, FetchRequest } from "./broker.ts";
import { BrokerError } from "./errors.ts";
import {
  type FindPartition,
  fetchLocally,
  type ReadPartition,
  type WaitCounters,
} from "./fetch-wait.ts";
import type { Partition } from "./log/partition.ts";
import type { Clock } from "./platform.ts";
import { noRecords } from "./records.ts";
import type { Replicas } from "./replication/replicas.ts";
import { divergence } from "./replication/truncation.ts";

export interface ReplicaFetchHost {
  /** Finds a partition that this broker leads, in the epoch asked for. */
  readonly find: FindPartition;
  readonly clock: Clock;
  readonly counters: WaitCounters;
  readonly replicas: Replicas;
}

/** The partition, if the client's idea of its leader epoch is ours. */
export function inEpoch(partition: Partition, currentLeaderEpoch: number): Partition {
  if (currentLeaderEpoch < 0 || currentLeaderEpoch === partition.leaderEpoch) return partition;
  const isOld = currentLeaderEpoch < partition.leaderEpoch;
  throw new BrokerError(
    isOld ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH",
    `the leader epoch of ${partition.topic}-${partition.partition} is ${partition.leaderEpoch}, ` +
      `the client knows ${currentLeaderEpoch}`,
  );
}

type Answer = readonly FetchedPartition[];

/** A follower's fetch: its offsets say what it has, then it gets what is new, committed or not. */
export function fetchAsReplica(
  { find, clock, counters, replicas }: ReplicaFetchHost,
  request: FetchRequest & { readonly replica: { readonly id: number; readonly epoch: number } },
): Answer | Promise<Answer> {
  const { replica, partitions } = request;
  const findExactly: FindPartition = (asked) => {
    if (asked.currentLeaderEpoch >= 0) return find(asked);
    throw new BrokerError("FENCED_LEADER_EPOCH", "a replica has to say which leader it follows");
  };
  // Once per request, before any wait: a look later on says nothing new of the follower.
  for (const asked of partitions) count(replicas, findExactly, asked, replica);
  const read: ReadPartition = (partition, asked, { bytesMax, atLeastOneBatch }) => {
    const diverging = divergenceOf(partition, asked);
    if (diverging !== undefined) return { records: noRecords, diverging };
    if (!replicas.mayFeed(partition, replica.id)) return { records: noRecords };
    const { offset } = asked;
    return { records: partition.readAsReplica({ offset, bytesMax, atLeastOneBatch }) };
  };
  const fetched = fetchLocally(findExactly, clock, counters, request, read);
  if (!replicas.isFeedingLimited) return fetched;
  const noted = (answer: Answer) =>
    noteFed(answer, request.partitions, findExactly, replicas, replica.id);
  return fetched instanceof Promise ? fetched.then(noted) : noted(fetched);
}

/** A consumer that says where it is: read here, or be told of a replica nearer to it (KIP-392). */
export function nearestReader(replicas: Replicas, rack: string): ReadPartition {
  return (partition, { offset }, { isolation, bytesMax, atLeastOneBatch }) => {
    const nearest = replicas.nearest(partition, rack, offset);
    if (nearest >= 0) return { records: noRecords, preferredReadReplica: nearest };
    const options = { offset, bytesMax, atLeastOneBatch };
    if (isolation === "read_uncommitted") return { records: partition.read(options) };
    const { records, aborted } = partition.readCommitted(options);
    return { records, abortedTransactions: aborted };
  };
}

function count(
  replicas: Replicas,
  find: FindPartition,
  asked: FetchPartition,
  replica: { readonly id: number; readonly epoch: number },
): void {
  let partition: Partition;
  try {
    partition = find(asked);
  } catch (error) {
    // The answer says so.
    if (error instanceof BrokerError) return;
    throw error;
  }
  const { offset, currentLeaderEpoch: leaderEpoch } = asked;
  if (offset > partition.log.endOffset || divergenceOf(partition, asked) !== undefined) return;
  replicas.count(partition, {
    replicaId: replica.id,
    brokerEpoch: replica.epoch,
    leaderEpoch,
    offset,
  });
}

function divergenceOf({ epochs, log }: Partition, asked: FetchPartition) {
  const { lastFetchedEpoch = -1, offset: fetchOffset } = asked;
  const { endOffset } = log;
  return divergence({ epochs, endOffset }, { lastFetchedEpoch, fetchOffset });
}

function noteFed(
  answer: Answer,
  asked: readonly FetchPartition[],
  find: FindPartition,
  replicas: Replicas,
  replicaId: number,
): Answer {
  for (const [i, { records, error }] of answer.entries()) {
    if (error === null && records.length > 0)
      replicas.fed(find(asked[i]!), replicaId, records.length);
  }
  return answer;
}
