// Copies one partition with kafkajs until it is killed: what it reads and how far it got are one transaction. It
// owns the partition by its transactional id, as one did before groups could fence (KIP-98): whoever begins shuts
// out who was there before, and goes on at the offset that is committed then.

import { Kafka, logLevel, Partitioners } from "kafkajs";

const batchRecords = 20;
const waitMs = 50;
const [bootstrap = "", http = "", input = "", output = "", group = "", place = ""] =
  process.argv.slice(2);
const partition = Number(place);
const retry = { retries: 6, initialRetryTime: 50, maxRetryTime: 500 };
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, retry });
const producer = kafka.producer({
  transactionalId: `${group}-${partition}`,
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: Partitioners.DefaultPartitioner,
});

process.once("unhandledRejection", () => process.exit(1));
await producer.connect();
// kafkajs gets its epoch, and ends what a copier before left open, with its first transaction only.
await (await producer.transaction()).abort();
for (let offset = await committedOffset(); ; ) offset = await copy(offset);

async function copy(offset: number): Promise<number> {
  const query = `offset=${offset}&isolation=read_committed&max_records=${batchRecords}`;
  const answer = await fetch(`${http}/v1/topics/${input}/partitions/${partition}/records?${query}`);
  if (!answer.ok) process.exit(1);
  const page = (await answer.json()) as { records: { value: string }[]; next_offset: number };
  if (page.next_offset === offset) {
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    return offset;
  }
  const transaction = await producer.transaction();
  const messages = page.records.map(({ value }) => ({ value, partition }));
  if (messages.length > 0) await transaction.send({ topic: output, messages });
  const partitions = [{ partition, offset: String(page.next_offset) }];
  const topics = [{ topic: input, partitions }];
  await transaction.sendOffsets({ consumerGroupId: group, topics });
  await transaction.commit();
  return page.next_offset;
}

async function committedOffset(): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  const [found] = await admin.fetchOffsets({ groupId: group, topics: [input] });
  await admin.disconnect();
  return Math.max(
    0,
    Number(found?.partitions.find((each) => each.partition === partition)?.offset),
  );
}
