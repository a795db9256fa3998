// Coordinators in a cluster: groups and transactions whose coordinator, partitions and clients are on different
// brokers, and go on when one of them dies. With kafkajs, over real sockets.
// Time limit: 60 s

import { Kafka, logLevel, Partitioners } from "kafkajs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ClusterScene, eventually } from "./cluster-scene.ts";

const fewPartitions = {
  "timberline.flush": "os",
  "offsets.topic.num.partitions": "4",
  "transaction.state.log.num.partitions": "4",
  "group.initial.rebalance.delay.ms": "0",
};

async function withCluster(run: (scene: ClusterScene, kafka: Kafka) => Promise<void>) {
  const scene = new ClusterScene(fewPartitions);
  try {
    await scene.start(1, 2, 3);
    const brokers = [...scene.servers.values()].map(({ kafka }) => `${kafka.host}:${kafka.port}`);
    const retry = { retries: 8, initialRetryTime: 20, maxRetryTime: 100 };
    await run(scene, new Kafka({ brokers, logLevel: logLevel.NOTHING, retry }));
  } finally {
    await scene.close();
  }
}

function leadersOf(scene: ClusterScene, topic: string): number[] {
  return scene.plane.image.topics.get(topic)?.partitions.map(({ leader }) => leader) ?? [];
}

test("transactions over partitions of several brokers commit and abort, also after a broker died", () =>
  withCluster(async (scene, kafka) => {
    const topic = "paid";
    await scene.client.admin().createTopic({ name: topic, partitions: 6, replicationFactor: 3 });
    assert.is(new Set(leadersOf(scene, topic)).size, 3, "partitions are led by all three");
    const producers = await Promise.all(
      ["a", "b", "c", "d", "e"].map(async (transactionalId) => {
        const producer = kafka.producer({
          transactionalId,
          idempotent: true,
          maxInFlightRequests: 1,
          createPartitioner: Partitioners.DefaultPartitioner,
        });
        await producer.connect();
        return { transactionalId, producer };
      }),
    );
    const round = async (number: number) => {
      for (const { transactionalId, producer } of producers) {
        for (const isCommit of [true, false]) {
          const transaction = await producer.transaction();
          const what = isCommit ? "kept" : "void";
          const value = `${what} ${transactionalId} ${number}`;
          const messages = [0, 1, 2, 3, 4, 5].map((partition) => ({ partition, value }));
          await transaction.send({ topic, messages });
          if (isCommit) await transaction.commit();
          else await transaction.abort();
        }
      }
    };
    await round(0);
    await scene.kill(2);
    await round(1);
    await Promise.all(producers.map(({ producer }) => producer.disconnect()));
    const seen = await readCommitted(kafka, topic, 2 * 5 * 6);
    assert.is(seen.filter((value) => value.startsWith("void")).length, 0);
    assert.is(seen.length, 2 * 5 * 6);
  }));

test("a group's offsets and members go on when its coordinator dies", () =>
  withCluster(async (scene, kafka) => {
    const topic = "orders";
    const groupId = "readers";
    const admin = scene.client.admin();
    await admin.createTopic({ name: topic, partitions: 2, replicationFactor: 3 });
    const producer = scene.client.producer({ acks: -1, lingerMs: 0 });
    const send = async (from: number, to: number) => {
      for (let i = from; i < to; i++)
        await producer.send({ topic, value: `${i}`, partition: i % 2 });
    };
    await send(0, 20);
    const seen: number[] = [];
    const consumer = kafka.consumer({
      groupId,
      sessionTimeout: 6_000,
      heartbeatInterval: 200,
      // It waits for all fetches when one of them fails.
      maxWaitTimeInMs: 100,
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommitInterval: 20,
      eachMessage: async ({ message }) => void seen.push(Number(message.value!.toString())),
    });
    await eventually("the first are read", () => seen.length >= 20, 15_000);
    const coordinator = await scene.server(1).broker.groups.find(groupId);
    await scene.kill(coordinator);
    await send(20, 40);
    await eventually("the rest is read", () => new Set(seen).size >= 40, 20_000);
    const next = await scene.servers.values().next().value!.broker.groups.find(groupId);
    assert.is.not(next, coordinator);
    await consumer.disconnect();
    const offsets = scene.server(next).broker.groups.fetchOffsets({
      groupId,
      memberId: null,
      memberEpoch: -1,
      partitions: [0, 1].map((partition) => ({ topic, partition })),
      requireStable: false,
    });
    assert.equal(
      offsets.map(({ offset }) => offset),
      [20, 20],
    );
  }));

async function readCommitted(kafka: Kafka, topic: string, count: number): Promise<string[]> {
  const seen: string[] = [];
  const groupId = `check-${topic}`;
  const consumer = kafka.consumer({ groupId, readUncommitted: false, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => void seen.push(message.value!.toString()),
  });
  await eventually("all committed records are read", () => seen.length >= count, 15_000);
  await consumer.disconnect();
  return seen;
}

test.run();
