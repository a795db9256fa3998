// Run by `platformatic.ts` on the newest Node: produces what stdin says, one batch, and exits with 0 when it is
// acknowledged.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const job = JSON.parse(readFileSync(0, "utf8"));
const { Producer, ProduceAcks, stringSerializers } = await import(pathToFileURL(job.module));
const producer = new Producer({
  clientId: "platformatic",
  bootstrapBrokers: [job.bootstrap],
  serializers: stringSerializers,
  compression: job.codec,
  idempotent: true,
  retries: 2,
});
const { topic, partition } = job;
await producer.send({
  acks: ProduceAcks.ALL,
  messages: job.pairs.map(({ key, value }) => ({ topic, partition, key, value })),
});
await producer.close();
