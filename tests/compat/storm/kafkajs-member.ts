// A member of the storm that reads with kafkajs. Run by `kafkajs.ts`; exits with 3 when kafkajs gives up.

import { createRequire } from "node:module";
import kafkajs from "kafkajs";
import type { Seat } from "./member.ts";
import { Reporter } from "./reporter.ts";

/** What kafkajs keeps to itself and nothing it tells contains: the generation, and when a commit was sent. */
interface Inside {
  generationId: number;
  memberId: string;
  assigned(): { topic: string; partitions: number[] }[];
}
type Hidden<Name extends string> = { prototype: Record<Name, (this: Inside) => Promise<unknown>> };

const seat = JSON.parse(process.argv[2] ?? "") as Seat;
const told = new Reporter(seat.path);
const require = createRequire(import.meta.url);
const gaveUp = 3;
let sentMs = 0;

const ConsumerGroup = require("kafkajs/src/consumer/consumerGroup") as Hidden<"joinAndSync">;
const { joinAndSync } = ConsumerGroup.prototype;
ConsumerGroup.prototype.joinAndSync = async function joinAndTell() {
  told.holds(this.memberId ?? "", this.generationId ?? -1, []);
  await joinAndSync.call(this);
  const partitions = this.assigned().flatMap((each) => each.partitions);
  told.holds(this.memberId, this.generationId, partitions);
};
const OffsetManager = require("kafkajs/src/consumer/offsetManager") as Hidden<"commitOffsets">;
const { commitOffsets } = OffsetManager.prototype;
OffsetManager.prototype.commitOffsets = function commitAndTell(...args: []) {
  sentMs = Date.now();
  return commitOffsets.apply(this, args);
};

const kafka = new kafkajs.Kafka({
  clientId: "kafkajs",
  brokers: [seat.bootstrap],
  logLevel: kafkajs.logLevel.NOTHING,
  retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 20 },
});
const consumer = kafka.consumer({
  groupId: seat.group,
  sessionTimeout: seat.sessionMs,
  heartbeatInterval: seat.heartbeatMs,
  rebalanceTimeout: seat.rebalanceMs,
  maxWaitTimeInMs: 200,
});
consumer.on(consumer.events.CRASH, ({ payload }) => {
  console.error(payload.error);
  if (!payload.restart) process.exit(gaveUp);
});
consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
  const offsets = payload.topics.flatMap(({ partitions }) =>
    partitions.map(({ partition, offset }) => [Number(partition), Number(offset)] as const),
  );
  told.committed(sentMs, offsets);
});
process.once("SIGTERM", async () => {
  await consumer.disconnect();
  told.close();
  process.exit(0);
});

await consumer.connect();
await consumer.subscribe({ topics: [seat.topic], fromBeginning: true });
await consumer.run({
  eachBatchAutoResolve: false,
  autoCommitInterval: seat.commitMs,
  eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
    if (!isRunning() || isStale()) return;
    for (const { offset } of batch.messages) told.read(batch.partition, Number(offset));
    told.flush();
    resolveOffset(batch.lastOffset());
    await heartbeat();
  },
});
