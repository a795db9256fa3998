// A teller of the bank that writes with kafkajs: see `teller.ts` for what it is told and what it answers.

import { Kafka, logLevel, Partitioners } from "kafkajs";
import { tell } from "./tell.ts";

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
await tell({
  begin: () => producer.transaction(),
  send: (transaction, legs) =>
    transaction.sendBatch({
      topicMessages: legs.map(({ topic, ...message }) => ({ topic, messages: [message] })),
    }),
  commit: (transaction) => transaction.commit(),
  abort: (transaction) => transaction.abort(),
});
await producer.disconnect();
