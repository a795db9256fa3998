// Offsets by name or time: ListOffsets to the leader of each partition, one request per leader. Admin and
// consumer ask through it.

import type { OffsetSpec, TopicPartition } from "../broker.ts";
import { listOffsets } from "../kafka/apis/list-offsets.ts";
import type { ConsumerOptions, PartitionOffset } from "./api.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { asClientError, type ClientError, errorFromCode } from "./error.ts";

export interface OffsetQuestion extends TopicPartition {
  readonly spec: OffsetSpec;
}

const wireTimestamps = {
  latest: -1,
  earliest: -2,
  "max-timestamp": -3,
  "earliest-local": -4,
} as const;

/** As Fetch and ListOffsets say it. */
export const isolationLevels = { read_uncommitted: 0, read_committed: 1 } as const;

/** As ListOffsets says it. */
export function wireTimestamp(spec: OffsetSpec): number {
  return typeof spec === "string" ? wireTimestamps[spec] : spec.timestampMs;
}

/** In the order asked; what fails for one partition is its `error`. */
export async function askOffsets(
  calls: ClusterCalls,
  questions: readonly OffsetQuestion[],
  isolation: ConsumerOptions["isolation"],
): Promise<readonly PartitionOffset[]> {
  const answers: PartitionOffset[] = [];
  const byLeader = await groupByLeader(calls, questions);
  await Promise.all(
    byLeader.map(async (group) => {
      const found = await askGroup(calls, group, isolation);
      for (const [i, { index }] of group.entries()) answers[index] = found[i]!;
    }),
  );
  return answers;
}

interface Indexed extends OffsetQuestion {
  readonly index: number;
}

async function groupByLeader(
  calls: ClusterCalls,
  questions: readonly OffsetQuestion[],
): Promise<Indexed[][]> {
  const topics = [...new Set(questions.map(({ topic }) => topic))];
  // Failures are met again, and told, when the partition itself is asked.
  await Promise.allSettled(topics.map((topic) => calls.metadata.load(topic, { create: false })));
  const groups = new Map<string, Indexed[]>();
  const timesAsked = new Map<string, number>();
  for (const [index, question] of questions.entries()) {
    const leader = calls.metadata.leaderOf(question.topic, question.partition)?.id;
    const place = `${question.topic} ${question.partition}`;
    const round = timesAsked.get(place) ?? 0;
    timesAsked.set(place, round + 1);
    // One request names a partition once. Without a leader each goes alone: it is looked up for itself.
    const key = leader === undefined ? `alone ${index}` : `${leader} ${round}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [{ ...question, index }]);
    else group.push({ ...question, index });
  }
  return [...groups.values()];
}

/** All partitions have one leader; should that prove wrong, those that failed are asked one by one. */
async function askGroup(
  calls: ClusterCalls,
  group: readonly Indexed[],
  isolation: ConsumerOptions["isolation"],
): Promise<readonly PartitionOffset[]> {
  if (group.length > 1) {
    const answers = await askLeader(calls, group, isolation).catch(() => null);
    return Promise.all(
      group.map((question, i) => {
        const answer = answers?.[i];
        const isFinal = answer !== undefined && !(answer.error?.retriable ?? false);
        return isFinal ? answer : askOne(calls, question, isolation);
      }),
    );
  }
  return [await askOne(calls, group[0]!, isolation)];
}

async function askOne(
  calls: ClusterCalls,
  question: Indexed,
  isolation: ConsumerOptions["isolation"],
): Promise<PartitionOffset> {
  try {
    const [answer] = await askLeader(calls, [question], isolation);
    return answer!;
  } catch (thrown) {
    return failed(question, asClientError(thrown, whereOf(question)));
  }
}

function askLeader(
  calls: ClusterCalls,
  questions: readonly Indexed[],
  isolation: ConsumerOptions["isolation"],
): Promise<readonly PartitionOffset[]> {
  const first = questions[0]!;
  return calls.atLeader(first, whereOf(first), async (connection) => {
    const response = await connection.call(listOffsets, {
      isolationLevel: isolationLevels[isolation ?? "read_uncommitted"],
      topics: topicsOf(questions),
      timeoutMs: calls.context.settings.requestTimeoutMs,
    });
    const answers = new Map(
      response.topics.flatMap(({ name, partitions }) =>
        partitions.map((answer) => [`${name} ${answer.partitionIndex}`, answer] as const),
      ),
    );
    return questions.map((question) => {
      const { topic, partition } = question;
      const answer = answers.get(`${topic} ${partition}`);
      const error = errorFromCode(answer?.errorCode ?? -1, whereOf(question));
      // One that is asked alone is retried by `atLeader`.
      if (error !== null && questions.length === 1) throw error;
      if (error !== null || answer === undefined) return failed(question, error);
      const { offset, timestamp: timestampMs, leaderEpoch } = answer;
      return { topic, partition, error: null, offset, timestampMs, leaderEpoch };
    });
  });
}

function topicsOf(questions: readonly OffsetQuestion[]) {
  const topics = new Map<string, { partitionIndex: number; timestamp: number }[]>();
  for (const { topic, partition, spec } of questions) {
    const asked = { partitionIndex: partition, timestamp: wireTimestamp(spec) };
    const partitions = topics.get(topic);
    if (partitions === undefined) topics.set(topic, [asked]);
    else partitions.push(asked);
  }
  return Array.from(topics, ([name, partitions]) => ({ name, partitions }));
}

function failed({ topic, partition }: TopicPartition, error: ClientError | null): PartitionOffset {
  return { topic, partition, error, offset: -1, timestampMs: -1, leaderEpoch: -1 };
}

function whereOf({ topic, partition }: TopicPartition): string {
  return `Asking for offsets of ${topic}-${partition}`;
}
