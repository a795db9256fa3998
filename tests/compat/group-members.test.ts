// Members of groups beside others: assignors of the classic protocol, alone and together with kafkajs and librdkafka,
// patterns, static members, members that are given up, slow programs, and who may commit in a transaction.
// Time limit: 90 s

import { Kafka, logLevel } from "kafkajs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createPlatform } from "#platform";
import { BrokerConnection } from "../../runtime/client/broker-connection.ts";
import { Context } from "../../runtime/client/context.ts";
import {
  type Client,
  ClientError,
  createClient,
  type GroupBatch,
  type GroupConsumer,
  type GroupConsumerOptions,
} from "../../runtime/client/mod.ts";
import { leaveGroup } from "../../runtime/kafka/apis/leave-group.ts";
import { type Server, startServer } from "../../runtime/mod.ts";
import { findTool } from "../support/missing-tool.ts";
import { StreamingProcess } from "./streaming-process.ts";

interface World {
  server: Server;
  client: Client;
}

const test = suite<World>("members of groups");
const partitions = 6;
const waitMsMax = 20_000;
const sessionMs = 1_000;

test.before(async (world) => {
  world.server = await startServer({
    dataDir: "memory",
    kafkaPort: 0,
    httpPort: false,
    configs: {
      "group.initial.rebalance.delay.ms": "0",
      "group.min.session.timeout.ms": "500",
      "group.consumer.heartbeat.interval.ms": "100",
    },
  });
  world.client = newClient(world.server);
});

test.after(async ({ client, server }) => {
  await client?.close();
  await server?.close();
});

function addressOf({ kafka }: Server): string {
  return `${kafka.host}:${kafka.port}`;
}

function newClient(server: Server): Client {
  const bootstrap = [addressOf(server)];
  return createClient({ platform: createPlatform(), bootstrap, metadataAgeMsMax: 300 });
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const endMs = Date.now() + waitMsMax;
  while (!isTrue()) {
    if (Date.now() > endMs) throw new Error(`waited ${waitMsMax} ms for: ${what}`);
    await sleep(10);
  }
}

function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

function text(value: Uint8Array | null): string {
  return new TextDecoder().decode(value ?? undefined);
}

/** Reads in the background and keeps what it was told. */
class Member {
  readonly values: string[] = [];
  readonly revoked: number[] = [];
  readonly lost: number[] = [];
  readonly batches: GroupBatch[] = [];
  readonly consumer: GroupConsumer;
  readonly ended: Promise<void>;
  failure: unknown;

  constructor(client: Client, options: Partial<GroupConsumerOptions> & { groupId: string }) {
    this.consumer = client.groupConsumer({
      offsetReset: "earliest",
      sessionTimeoutMs: sessionMs * 6,
      heartbeatIntervalMs: 50,
      autoCommitMs: 100,
      revoked: (places) => void this.revoked.push(...places.map(({ partition }) => partition)),
      lost: (places) => void this.lost.push(...places.map(({ partition }) => partition)),
      ...options,
    });
    this.ended = this.#read().catch((error: unknown) => {
      this.failure = error;
    });
  }

  get count(): number {
    return this.consumer.partitions.length;
  }

  get code(): string {
    return this.failure instanceof ClientError ? this.failure.code : String(this.failure);
  }

  async stop(): Promise<void> {
    await this.consumer.stop();
    await this.ended;
    if (this.failure) throw this.failure;
  }

  async #read(): Promise<void> {
    for await (const batch of this.consumer.batches()) {
      this.batches.push(batch);
      this.values.push(...batch.records.map(({ value }) => text(value)));
    }
  }
}

async function produce(client: Client, topic: string, from: number, to: number): Promise<void> {
  const records = Array.from({ length: to - from }, (_, i) => {
    return { topic, value: String(from + i), partition: (from + i) % partitions };
  });
  const producer = client.producer();
  await producer.sendBatch(records);
  await producer.close();
}

for (const assignor of ["roundrobin", "sticky", "cooperative-sticky"] as const) {
  test(`${assignor}: members come and go, nothing is lost`, async ({ client }) => {
    const topic = `members-${assignor}`;
    await client.admin().createTopic({ name: topic, partitions });
    const options = { groupId: topic, topics: [topic], assignors: [assignor] };
    const first = new Member(client, options);
    await until("the first has all", () => first.count === partitions);
    await produce(client, topic, 0, 60);
    const second = new Member(client, options);
    await until("both have half", () => first.count === 3 && second.count === 3);
    // Only a cooperative member goes on with what it keeps.
    assert.is(first.revoked.length, assignor === "cooperative-sticky" ? 3 : 6);
    const info = await client.groups().describe(topic);
    assert.is(info.assignor, assignor);
    await produce(client, topic, 60, 120);
    const all = () => [...first.values, ...second.values];
    await until("all is read", () => new Set(all()).size === 120);
    const kept = new Set(second.consumer.partitions.map(({ partition }) => partition));
    await first.stop();
    await until("the second has all", () => second.count === partitions);
    if (assignor === "cooperative-sticky") assert.equal(second.revoked, []);
    else assert.equal(new Set(second.revoked), kept);
    await produce(client, topic, 120, 180);
    await until("the rest is read", () => new Set(all()).size === 180);
    assert.is(all().length, 180);
    await second.stop();
    assert.equal([...first.lost, ...second.lost], []);
  });
}

test("roundrobin: a group together with kafkajs", async ({ client, server }) => {
  const topic = "mixed-kafkajs";
  await client.admin().createTopic({ name: topic, partitions });
  const kafka = new Kafka({ brokers: [addressOf(server)], logLevel: logLevel.NOTHING });
  const other = kafka.consumer({
    groupId: topic,
    sessionTimeout: 6_000,
    heartbeatInterval: 100,
    maxWaitTimeInMs: 100,
  });
  const values: string[] = [];
  let assigned = 0;
  other.on(other.events.GROUP_JOIN, ({ payload }) => {
    assigned = Object.values(payload.memberAssignment).flat().length;
  });
  await other.connect();
  await other.subscribe({ topic, fromBeginning: true });
  await other.run({ eachMessage: async ({ message }) => void values.push(text(message.value)) });
  await until("kafkajs has all", () => assigned === partitions);
  // Theirs leads.
  const ours = new Member(client, { groupId: topic, topics: [topic], assignors: ["roundrobin"] });
  await until("both have half", () => assigned === 3 && ours.count === 3);
  await produce(client, topic, 0, 60);
  await until("all is read", () => ours.values.length + values.length === 60);
  assert.is(new Set([...ours.values, ...values]).size, 60);
  await other.disconnect();
  await until("ours has all", () => ours.count === partitions);
  await ours.stop();
});

const kcat = findTool("kcat");
if (kcat !== undefined) {
  test("cooperative-sticky: a group together with librdkafka", async ({ client, server }) => {
    const topic = "mixed-kcat";
    await client.admin().createTopic({ name: topic, partitions });
    const assignors = ["cooperative-sticky"] as const;
    const ours = new Member(client, { groupId: topic, topics: [topic], assignors });
    await until("ours has all", () => ours.count === partitions);
    const settings = [
      "partition.assignment.strategy=cooperative-sticky",
      "heartbeat.interval.ms=100",
    ];
    const flags = [...settings, "auto.offset.reset=earliest"].flatMap((each) => ["-X", each]);
    const theirs = new StreamingProcess([
      kcat,
      "-b",
      addressOf(server),
      ...flags,
      "-u",
      "-G",
      topic,
      topic,
    ]);
    const values: string[] = [];
    const reading = (async () => {
      for await (const chunk of theirs.output())
        values.push(...text(chunk).split("\n").filter(Boolean));
    })();
    await until("both have half", () => ours.count === 3);
    assert.is(ours.revoked.length, 3);
    await produce(client, topic, 0, 60);
    await until("all is read", () => ours.values.length + values.length === 60);
    assert.is(new Set([...ours.values, ...values]).size, 60);
    // Now theirs is the older member, and leads.
    await ours.stop();
    const again = new Member(client, { groupId: topic, topics: [topic], assignors });
    await until("both have half again", () => again.count === 3);
    theirs.kill("SIGINT");
    await theirs.ended;
    await reading;
    await until("ours has all again", () => again.count === partitions);
    assert.equal(again.revoked, []);
    await again.stop();
  });
}

for (const protocol of ["classic", "consumer"] as const) {
  test(`${protocol}: a pattern finds topics, also those made later`, async ({ client }) => {
    const create = (name: string) => client.admin().createTopic({ name, partitions: 2 });
    await create(`${protocol}-orders.eu`);
    await create(`not-${protocol}-orders.eu`);
    const pattern = new RegExp(`${protocol}-ORDERS\\..+`, "i");
    const member = new Member(client, { groupId: `pattern-${protocol}`, pattern, protocol });
    await until("the first topic is found", () => member.count === 2);
    await create(`${protocol}-orders.us`);
    await until("the second topic is found", () => member.count === 4);
    const topics = new Set(member.consumer.partitions.map(({ topic }) => topic));
    assert.equal([...topics].sort(), [`${protocol}-orders.eu`, `${protocol}-orders.us`]);
    await member.stop();
  });

  test(`${protocol}: a static member comes back without a rebalance`, async ({ client }) => {
    const topic = `static-${protocol}`;
    await client.admin().createTopic({ name: topic, partitions });
    const options = { groupId: topic, topics: [topic], protocol };
    const join = (groupInstanceId: string) => new Member(client, { ...options, groupInstanceId });
    const stays = join("stays");
    const leaves = join("leaves");
    await until("both have half", () => stays.count === 3 && leaves.count === 3);
    const { generation, partitions: held } = stays.consumer;
    const revoked = stays.revoked.length;
    await leaves.stop();
    const back = join("leaves");
    await until("it has its half again", () => back.count === 3);
    await sleep(300);
    assert.is(stays.revoked.length, revoked);
    assert.equal(stays.consumer.partitions, held);
    if (protocol === "classic") assert.is(stays.consumer.generation, generation);
    if (protocol === "classic") {
      const twin = join("leaves");
      await until("the older of two is told", () => back.failure !== undefined);
      assert.is(back.code, "FENCED_INSTANCE_ID");
      await twin.stop();
    } else await back.stop();
    await stays.stop();
  });

  test(`${protocol}: a program that is slow to take its partitions stays a member`, async (world) => {
    const { client } = world;
    const topic = `slow-${protocol}`;
    await client.admin().createTopic({ name: topic, partitions });
    const member = new Member(client, {
      groupId: topic,
      topics: [topic],
      protocol,
      sessionTimeoutMs: sessionMs,
      assigned: () => sleep(2 * sessionMs),
    });
    await until("it has joined", () => member.consumer.generation > 0);
    const { generation } = member.consumer;
    await until("it has all", () => member.count === partitions);
    assert.is(member.consumer.generation, generation);
    assert.equal(member.lost, []);
    await member.stop();
  });
}

test("a member the group has given up is told what it lost, and joins again", async (world) => {
  const { client, server } = world;
  const topic = "given-up";
  await client.admin().createTopic({ name: topic, partitions });
  const member = new Member(client, { groupId: topic, topics: [topic] });
  await until("it has all", () => member.count === partitions);
  const { memberId } = member.consumer;
  const context = new Context({ platform: createPlatform(), bootstrap: [addressOf(server)] });
  const connection = await BrokerConnection.open(context, server.kafka, () => {});
  await connection.call(leaveGroup, { groupId: topic, memberId, members: [{ memberId }] });
  connection.close();
  await until("it lost all", () => member.lost.length === partitions);
  await until("it has all again", () => member.count === partitions);
  assert.is.not(member.consumer.memberId, memberId);
  assert.equal(member.revoked, []);
  await member.stop();
});

test("rewind() goes back to what is committed", async ({ client }) => {
  const topic = "rewound";
  await client.admin().createTopic({ name: topic, partitions });
  await produce(client, topic, 0, 12);
  const consumer = client.groupConsumer({
    ...{ groupId: topic, topics: [topic], offsetReset: "earliest", autoCommitMs: 0 },
  });
  const values: string[] = [];
  for await (const { value } of consumer) {
    values.push(text(value));
    if (values.length === 6) await consumer.commit();
    if (values.length === 9) await consumer.rewind();
    if (values.length < 16) continue;
    await consumer.stop();
  }
  // What was handed out last when it committed did not count as read: it comes again, with what came after it.
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  assert.is(counts.size, 12);
  assert.is([...counts.values()].filter((count) => count === 2).length, 4);
});

test("sendOffsets() of a batch is refused once its partition has moved, and taken while it is kept", async (world) => {
  const { client } = world;
  const topic = "moved";
  await client.admin().createTopic({ name: topic, partitions });
  await produce(client, topic, 0, 12);
  const options = {
    ...{ groupId: topic, topics: [topic], autoCommitMs: 0 },
    assignors: ["cooperative-sticky"] as const,
  };
  const first = new Member(client, options);
  await until("all is read", () => first.values.length === 12);
  const second = new Member(client, options);
  await until("both have half", () => first.count === 3 && second.count === 3);
  const kept = new Set(first.consumer.partitions.map(({ partition }) => partition));
  const producer = client.transactionalProducer({ transactionalId: topic });
  const codes = new Set<string>();
  for (const { member, partition, nextOffset: offset } of first.batches) {
    const sent = producer.transaction((transaction) =>
      transaction.sendOffsets({ member, offsets: [{ topic, partition, offset }] }),
    );
    const code = await sent.then(
      () => "taken",
      (error: unknown) => (error as ClientError).code,
    );
    codes.add(`${kept.has(partition) ? "kept" : "moved"} ${code}`);
  }
  assert.equal([...codes].sort(), ["kept taken", "moved ILLEGAL_GENERATION"]);
  await Promise.all([first.stop(), second.stop(), producer.close()]);
});

test.run();
