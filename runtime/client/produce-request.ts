// One Produce request with at most one batch per partition, and what became of each batch. Only `sender.ts`.

import { produce } from "../kafka/apis/produce.ts";
import type { ResponseOf } from "../kafka/schema.ts";
import { zeroUuid } from "../kafka/uuid.ts";
import type { OutgoingBatch } from "./batch.ts";
import type { BrokerConnection } from "./broker-connection.ts";
import { ClientError, errorFromCode } from "./error.ts";

export interface ProduceTerms {
  readonly acks: -1 | 0 | 1;
  readonly timeoutMs: number;
  readonly transactionalId: string | null;
  readonly versionMax: number;
  /** `zeroUuid` if not known. */
  topicId(topic: string): string;
}

export interface ProduceOutcome {
  readonly batch: OutgoingBatch;
  readonly error: ClientError | null;
  /** -1 with acks 0; the time is -1 unless the broker set it. */
  readonly baseOffset: number;
  readonly appendTimeMs: number;
}

type Answer = ResponseOf<typeof produce>["responses"][number]["partitionResponses"][number];

/** Produce names topics by id from here on. */
const topicIdVersion = 13;

/** The batches are encoded. Rejects if the request as a whole fails; with acks 0 it succeeds when sent. */
export async function sendProduce(
  connection: BrokerConnection,
  batches: readonly OutgoingBatch[],
  { acks, timeoutMs, transactionalId, versionMax, topicId }: ProduceTerms,
): Promise<readonly ProduceOutcome[]> {
  const topicData = groupByTopic(batches, topicId);
  const hasIds = topicData.every((topic) => topic.topicId !== zeroUuid);
  const options = { versionMax: hasIds ? versionMax : Math.min(versionMax, topicIdVersion - 1) };
  const message = { acks, timeoutMs, transactionalId, topicData };
  if (acks === 0) {
    await connection.tell(produce, message, options);
    return batches.map((batch) => ({ batch, error: null, baseOffset: -1, appendTimeMs: -1 }));
  }
  const response = await connection.call(produce, message, options);
  const answers = new Map<string, Answer>();
  for (const topic of response.responses) {
    const name = topic.name === "" ? topic.topicId : topic.name;
    for (const answer of topic.partitionResponses) answers.set(`${name} ${answer.index}`, answer);
  }
  return batches.map((batch) => {
    const { topic, partition } = batch;
    const byName = answers.get(`${topic} ${partition}`);
    return outcome(batch, byName ?? answers.get(`${topicId(topic)} ${partition}`));
  });
}

function outcome(batch: OutgoingBatch, answer: Answer | undefined): ProduceOutcome {
  const where = `Producing to ${batch.topic}-${batch.partition}`;
  if (answer === undefined) {
    const what = `${where}: the broker's answer leaves it out.`;
    const error = new ClientError("UNKNOWN_SERVER_ERROR", what);
    return { batch, error, baseOffset: -1, appendTimeMs: -1 };
  }
  const said = answer.errorMessage ?? answer.recordErrors[0]?.batchIndexErrorMessage ?? null;
  const error = errorFromCode(answer.errorCode, where, said);
  return { batch, error, baseOffset: answer.baseOffset, appendTimeMs: answer.logAppendTimeMs };
}

function groupByTopic(batches: readonly OutgoingBatch[], topicId: ProduceTerms["topicId"]) {
  const topics = new Map<string, { index: number; records: Uint8Array | null }[]>();
  for (const { topic, partition, encoded } of batches) {
    const part = { index: partition, records: encoded };
    const parts = topics.get(topic);
    if (parts === undefined) topics.set(topic, [part]);
    else parts.push(part);
  }
  return Array.from(topics, ([name, partitionData]) => ({
    name,
    topicId: topicId(name),
    partitionData,
  }));
}
