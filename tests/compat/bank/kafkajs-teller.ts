// A teller of the bank that writes with kafkajs: see `teller.ts` for what it is told and what it answers.

import { createInterface } from "node:readline";
import { Kafka, logLevel, Partitioners, type Transaction } from "kafkajs";

const [bootstrap = "", transactionalId = "", timeoutMs = ""] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
const producer = kafka.producer({
  transactionalId,
  idempotent: true,
  maxInFlightRequests: 1,
  transactionTimeout: Number(timeoutMs),
  createPartitioner: Partitioners.DefaultPartitioner,
  retry: { retries: 6, initialRetryTime: 50, maxRetryTime: 500 },
});
await producer.connect();
// kafkajs gets its epoch, and ends what a teller before left open, with its first transaction only.
await (await producer.transaction()).abort();
console.log("ready");

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
for (let line = await next(); line !== undefined; line = await next()) await transfer(line);
await producer.disconnect();

async function transfer(line: string): Promise<void> {
  const [id = "", end, ...legs] = line.split(" ");
  let transaction: Transaction | undefined;
  try {
    transaction = await producer.transaction();
    await transaction.sendBatch({ topicMessages: legs.map((leg) => message(id, leg)) });
    if (end === "hold") {
      console.log(`held ${id}`);
      if ((await next()) === undefined) return;
    }
  } catch (error) {
    return giveUp(id, transaction, error);
  }
  await (end === "abort" ? abort(id, transaction) : commit(id, transaction));
}

async function commit(id: string, transaction: Transaction): Promise<void> {
  try {
    await transaction.commit();
    console.log(`committed ${id}`);
  } catch (error) {
    leave(`unknown ${id} ${error}`);
  }
}

async function abort(id: string, transaction: Transaction): Promise<void> {
  try {
    await transaction.abort();
    console.log(`aborted ${id}`);
  } catch (error) {
    leave(`lost ${id} ${error}`);
  }
}

async function giveUp(id: string, transaction: Transaction | undefined, error: unknown) {
  await transaction?.abort().catch(() => {});
  leave(`lost ${id} ${error}`);
}

function message(id: string, leg: string) {
  const [topic = "", partition, key = "", amount] = leg.split(":");
  return { topic, messages: [{ partition: Number(partition), key, value: `${id} ${amount}` }] };
}

async function next(): Promise<string | undefined> {
  const { value, done } = await lines.next();
  return done ? undefined : value;
}

function leave(why: string): never {
  console.log(why.replaceAll("\n", " "));
  process.exit(1);
}
