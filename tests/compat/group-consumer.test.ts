// Our own group consumer, in both protocols, against a server in this process: partitions are shared, move with
// their members, and no record is lost or read twice.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createPlatform } from "#platform";
import {
  type Client,
  createClient,
  type GroupConsumer,
  type GroupConsumerOptions,
} from "../../runtime/client/mod.ts";
import { type Server, startServer } from "../../runtime/mod.ts";

interface Context {
  server: Server;
  client: Client;
}

const test = suite<Context>("group consumer");
const partitions = 6;
const waitMsMax = 20_000;

test.before(async (context) => {
  context.server = await startServer({
    dataDir: "memory",
    kafkaPort: 0,
    httpPort: false,
    configs: {
      "group.initial.rebalance.delay.ms": "100",
      "group.consumer.heartbeat.interval.ms": "200",
    },
  });
  context.client = newClient(context.server);
});

test.after(async ({ client, server }) => {
  await client?.close();
  await server?.close();
});

function newClient({ kafka }: Server): Client {
  const { host, port } = kafka;
  return createClient({ platform: createPlatform(), bootstrap: [`${host}:${port}`] });
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const endMs = Date.now() + waitMsMax;
  while (!isTrue()) {
    if (Date.now() > endMs) throw new Error(`waited ${waitMsMax} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

class Reader {
  readonly values: string[] = [];
  readonly consumer: GroupConsumer;
  readonly ended: Promise<void>;
  error: unknown;

  constructor(client: Client, topic: string, protocol: "classic" | "consumer") {
    this.consumer = client.groupConsumer({
      groupId: `${topic}-group`,
      topics: [topic],
      protocol,
      offsetReset: "earliest",
      sessionTimeoutMs: 6000,
      heartbeatIntervalMs: 200,
      autoCommitMs: 200,
    });
    this.ended = this.#read().catch((error: unknown) => {
      this.error = error;
    });
  }

  get count(): number {
    return this.consumer.partitions.length;
  }

  async stop(): Promise<void> {
    await this.consumer.stop();
    await this.ended;
    if (this.error) throw this.error;
  }

  async #read(): Promise<void> {
    for await (const { value } of this.consumer) {
      this.values.push(new TextDecoder().decode(value ?? new Uint8Array(0)));
    }
  }
}

for (const protocol of ["classic", "consumer"] as const) {
  test(`${protocol}: members share, hand over, and lose or repeat nothing`, async (context) => {
    const { client } = context;
    const topic = `shared-${protocol}`;
    await client.admin().createTopic({ name: topic, partitions });
    const producer = client.producer();
    const send = (from: number, to: number) =>
      producer.sendBatch(
        Array.from({ length: to - from }, (_, i) => ({
          topic,
          value: String(from + i),
          partition: (from + i) % partitions,
        })),
      );
    const first = new Reader(client, topic, protocol);
    await until("the first has all", () => first.count === partitions);
    await send(0, 60);
    await until("all is read", () => first.values.length === 60);
    const otherClient = newClient(context.server);
    const second = new Reader(otherClient, topic, protocol);
    await until("both have half", () => first.count === 3 && second.count === 3);
    await send(60, 120);
    const all = () => [...first.values, ...second.values];
    await until("all is read by both", () => new Set(all()).size === 120);
    assert.is(all().length, 120);
    assert.is(second.values.length, 30);
    await first.stop();
    await until("the second has all", () => second.count === partitions);
    await send(120, 180);
    await until("the rest is read", () => new Set(all()).size === 180);
    assert.is(all().length, 180);
    await second.stop();
    const [lag] = await client.groups().lag(`${topic}-group`);
    assert.equal([lag?.committed, lag?.lag], [30, 0]);
    const info = await client.groups().describe(`${topic}-group`);
    assert.equal([info.state, info.type], ["Empty", protocol]);
    await client.groups().delete(`${topic}-group`);
    await otherClient.close();
  });

  test(`${protocol}: commit() within revoked stores what goes`, async (context) => {
    const { client } = context;
    const topic = `going-${protocol}`;
    await client.admin().createTopic({ name: topic, partitions });
    const records = Array.from({ length: 60 }, (_, i) => {
      return { topic, value: String(i), partition: i % partitions };
    });
    await client.producer().sendBatch(records);
    const options: GroupConsumerOptions = {
      ...{ groupId: `${topic}-group`, topics: [topic], protocol, heartbeatIntervalMs: 200 },
      ...{ offsetReset: "earliest", autoCommitMs: 0 },
    };
    let read = 0;
    const count = async (consumer: GroupConsumer): Promise<void> => {
      for await (const _ of consumer) read += 1;
    };
    const first = client.groupConsumer({ ...options, revoked: () => first.commit() });
    const reading = count(first);
    await until("all is read", () => read === 60);
    const otherClient = newClient(context.server);
    const second = otherClient.groupConsumer(options);
    const taking = count(second);
    await until("the second has half", () => second.partitions.length === 3);
    const committed = await client.groups().offsets(options.groupId);
    const moved = second.partitions.map(({ partition }) => partition);
    const found = committed.filter(({ partition }) => moved.includes(partition));
    assert.equal(
      found.map(({ offset }) => offset),
      [10, 10, 10],
    );
    await Promise.all([first.stop(), second.stop()]);
    await Promise.all([reading, taking]);
    assert.is(read, 60);
    await otherClient.close();
  });
}

test("stop() in the midst of reading commits that record too, and close() waits for it", async (context) => {
  const client = newClient(context.server);
  await client.admin().createTopic({ name: "short", partitions: 1 });
  await client.producer().sendBatch(["a", "b", "c"].map((value) => ({ topic: "short", value })));
  const consumer = client.groupConsumer({
    groupId: "brief",
    topics: ["short"],
    protocol: "consumer",
    offsetReset: "earliest",
  });
  for await (const { offset } of consumer) if (offset === 1) void consumer.stop();
  await client.close();
  const [committed] = await context.client.groups().offsets("brief");
  assert.is(committed?.offset, 2);
});

test.run();
