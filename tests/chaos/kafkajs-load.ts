// kafkajs in a run: an idempotent producer, and a group of two that commits what it has read.

import kafkajs from "kafkajs";
import { pause } from "./fleet.ts";
import type { LoadClient, LoadPlace, Notebook } from "./load.ts";

const stopMsMax = 60_000;
const commitMs = 500;
const recordsPerSend = 3;

function kafkaOf(place: LoadPlace, clientId: string): kafkajs.Kafka {
  const patience = {
    // Of its defaults only this: silent brokers would hold it up for half a minute each time.
    requestTimeout: 5_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 100 },
  };
  return new kafkajs.Kafka({
    clientId,
    brokers: [...place.bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    ...(place.isDefault ? {} : patience),
  });
}

/**
 * One send at a time, to one partition. In sends to several, kafkajs forgets a partition whose leader moved to a broker
 * that has answered already, and gives its sequence number to the next record: the broker takes that for a duplicate.
 */
export async function kafkajsProducer(place: LoadPlace, notebook: Notebook): Promise<LoadClient> {
  const kafka = kafkaOf(place, "kafkajs");
  const { topic, partitions, pauseMs } = place;
  let isStopping = false;
  const runOne = async (name: string) => {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    try {
      for (let number = 0, turn = 0; !isStopping; turn++) {
        const partition = turn % partitions;
        const entries = Array.from({ length: recordsPerSend }, () =>
          notebook.send(name, number++, partition),
        );
        const messages = entries.map(({ value }) => ({ partition, key: name, value }));
        const [answer] = await producer.send({ topic, acks: -1, messages });
        const first = Number(answer?.baseOffset ?? -1);
        for (const [index, entry] of entries.entries()) notebook.acknowledge(entry, first + index);
        await pause(pauseMs);
      }
    } catch (error) {
      notebook.error(name, error);
    }
    await producer.disconnect();
  };
  // After an error kafkajs's numbers no longer fit: the next producer is another one.
  const work = async () => {
    for (let incarnation = 0; !isStopping; incarnation++) await runOne(`kafkajs.${incarnation}`);
  };
  const end = work();
  return {
    name: "kafkajs",
    async stop() {
      isStopping = true;
      await Promise.race([end, late("kafkajs's producer")]);
    },
  };
}

/** Two members in this process; a session is what a member reads between two rebalances. */
export async function kafkajsGroup(place: LoadPlace, notebook: Notebook): Promise<LoadClient> {
  const members = await Promise.all([joined(place, notebook, 0), joined(place, notebook, 1)]);
  return {
    name: "kafkajs-group",
    async stop() {
      const stops = Promise.all(members.map((member) => member.disconnect()));
      await Promise.race([stops, late("kafkajs's group")]);
    },
  };
}

async function joined(
  place: LoadPlace,
  notebook: Notebook,
  index: number,
): Promise<kafkajs.Consumer> {
  const group = "kafkajsgroup";
  const reader = `${group}.${index}`;
  const consumer = kafkaOf(place, reader).consumer({
    groupId: group,
    sessionTimeout: 10_000,
    rebalanceTimeout: 10_000,
    heartbeatInterval: 1_000,
    maxWaitTimeInMs: 200,
    ...(place.isDefault
      ? {}
      : { retry: { retries: 100, initialRetryTime: 100, maxRetryTime: 1_000 } }),
  });
  let session = 0;
  consumer.on(consumer.events.GROUP_JOIN, () => void session++);
  consumer.on(consumer.events.CRASH, ({ payload }) => notebook.error(reader, payload.error));
  consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
    for (const { partitions } of payload.topics) {
      for (const { partition, offset } of partitions) {
        const place = { partition: Number(partition), offset: Number(offset) };
        notebook.commit({ group, outcome: "ok", ...place });
      }
    }
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [place.topic], fromBeginning: true });
  await consumer.run({
    autoCommitInterval: commitMs,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary, isRunning, isStale }) => {
      if (!isRunning() || isStale() || batch.messages.length === 0) return;
      const records = batch.messages.map(({ offset, value }) => ({
        offset: Number(offset),
        value: value?.toString() ?? "",
      }));
      notebook.poll({ reader, session, partition: batch.partition, records });
      resolveOffset(batch.lastOffset());
      await commitOffsetsIfNecessary();
    },
  });
  return consumer;
}

async function late(what: string): Promise<never> {
  await pause(stopMsMax);
  throw new Error(`${what} does not come to an end`);
}
