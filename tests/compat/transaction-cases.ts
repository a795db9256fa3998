// What transactions of the client library must keep on every broker: all or nothing is seen, zombies are shut out, and
// reading, processing and writing happens once, also when the program is killed in the middle of it.

import * as assert from "uvu/assert";
import {
  type Client,
  ClientError,
  createClient,
  type Transaction,
} from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";

const partitions = 3;
const messageBytesMax = 2_000;
const recordsMax = 240;
/** Batches that one life of a program processes before it is killed. */
const batchesPerLife = 5;
const livesMax = 100;
const visibleMsMax = 5_000;
const lifeMsMax = 5_000;

type Isolation = "read_committed" | "read_uncommitted";

export const transactionCases: readonly [
  string,
  (client: Client, bootstrap: string) => Promise<void>,
][] = [
  ["a transaction is seen whole or not at all", allOrNothing],
  ["offsets count when their transaction commits", offsetsWithCommit],
  ["a second producer of an id shuts the first one out", zombies],
  ["read-process-write is exactly once over crashes", exactlyOnce],
];

let topics = 0;

/** A topic of its own for each run of a case. */
async function create(client: Client, name: string): Promise<string> {
  const topic = `${name}-${++topics}`;
  const configs = { "max.message.bytes": String(messageBytesMax) };
  await client.admin().createTopic({ name: topic, partitions, replicationFactor: 1, configs });
  return topic;
}

/** All values that a reader sees now. */
async function seen(client: Client, topic: string, isolation: Isolation): Promise<string[]> {
  const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const ends = await client.admin().listOffsets(
    places.map((place) => ({ ...place, spec: "latest" as const })),
    { isolation },
  );
  const consumer = client.consumer({ isolation });
  await consumer.assign(places.map((place) => ({ ...place, offset: 0 })));
  const values: string[] = [];
  const isAtEnd = () => ends.every((end) => (consumer.position(end) ?? 0) >= end.offset);
  for (let polls = 0; !isAtEnd() && polls < 1_000; polls++) {
    const batch = await consumer.poll(50);
    for (const { value } of batch?.records ?? []) values.push(text(value));
  }
  await consumer.stop();
  return values.sort();
}

/** What a reader sees once markers have been written: Kafka answers a commit before that. */
async function committed(client: Client, topic: string, count: number): Promise<string[]> {
  const endMs = Date.now() + visibleMsMax;
  for (;;) {
    const values = await seen(client, topic, "read_committed");
    if (values.length >= count || Date.now() > endMs) return values;
  }
}

function text(value: Uint8Array | null): string {
  return new TextDecoder().decode(value ?? undefined);
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "resolved",
    (error: unknown) => (error instanceof ClientError ? error.code : String(error)),
  );
}

function sendEverywhere(transaction: Transaction, topic: string, value: string) {
  return Promise.all(
    Array.from({ length: partitions }, (_, partition) =>
      transaction.send({ topic, partition, value: `${value}${partition}` }),
    ),
  );
}

async function allOrNothing(client: Client): Promise<void> {
  const topic = await create(client, "tx-atomic");
  const producer = client.transactionalProducer({ transactionalId: topic });
  const transaction = await producer.begin();
  await sendEverywhere(transaction, topic, "a");
  assert.equal(await seen(client, topic, "read_committed"), []);
  assert.equal(await seen(client, topic, "read_uncommitted"), ["a0", "a1", "a2"]);
  await transaction.commit();
  assert.equal(await committed(client, topic, 3), ["a0", "a1", "a2"]);
  const aborted = producer.transaction(async (open) => {
    await sendEverywhere(open, topic, "b");
    throw new Error("no");
  });
  assert.is(await refusal(aborted), "Error: no");
  // A record the broker refuses takes the others with it, though nobody waited for it.
  const spoiled = producer.transaction(async (open) => {
    await sendEverywhere(open, topic, "c");
    void open.send({ topic, partition: 0, value: new Uint8Array(2 * messageBytesMax) });
  });
  assert.is(await refusal(spoiled), "MESSAGE_TOO_LARGE");
  for (let i = 0; i < 10; i++)
    await producer.transaction((open) => sendEverywhere(open, topic, "e"));
  const all = await committed(client, topic, 33);
  assert.is(all.length, 3 + 30);
  assert.equal([...new Set(all)], ["a0", "a1", "a2", "e0", "e1", "e2"]);
  const raw = await seen(client, topic, "read_uncommitted");
  assert.ok(raw.includes("b0") && raw.includes("c2"));
  await producer.close();
}

async function offsetsWithCommit(client: Client): Promise<void> {
  const topic = await create(client, "tx-offsets");
  const producer = client.transactionalProducer({ transactionalId: topic });
  // As many groups as it takes for some to have a negative hash.
  const groups = ["a", "b", "console-consumer", "billing", "g-7"].map((name) => `${topic}-${name}`);
  const offsets = (offset: number) => [{ topic, partition: 1, offset, metadata: "m" }];
  for (const groupId of groups) {
    await producer.transaction((open) =>
      open.sendOffsets({ member: { groupId }, offsets: offsets(7) }),
    );
    const open = await producer.begin();
    await open.sendOffsets({ member: { groupId }, offsets: offsets(9) });
    await open.abort();
    const found = await client.groups().offsets(groupId);
    assert.equal(found, [{ topic, partition: 1, offset: 7, metadata: "m" }]);
    const member = { groupId, memberId: "gone", generation: 3 };
    const fenced = producer.transaction(async (transaction) => {
      await sendEverywhere(transaction, topic, "x");
      await transaction.sendOffsets({ member, offsets: offsets(11) });
    });
    const refused = await refusal(fenced);
    assert.ok(refused === "ILLEGAL_GENERATION" || refused === "UNKNOWN_MEMBER_ID", refused);
    assert.is((await client.groups().offsets(groupId))[0]?.offset, 7);
  }
  assert.equal(await seen(client, topic, "read_committed"), []);
  await producer.close();
}

async function zombies(client: Client): Promise<void> {
  const topic = await create(client, "tx-zombies");
  const [zombie, successor] = [0, 1].map(() =>
    client.transactionalProducer({ transactionalId: topic }),
  );
  const open = await zombie!.begin();
  await sendEverywhere(open, topic, "zombie");
  await successor!.transaction((transaction) => sendEverywhere(transaction, topic, "good"));
  assert.is(await refusal(open.commit()), "PRODUCER_FENCED");
  assert.is(await refusal(zombie!.transaction(() => {})), "PRODUCER_FENCED");
  assert.equal(await committed(client, topic, 3), ["good0", "good1", "good2"]);
  await Promise.all([zombie!.close(), successor!.close()]);
}

/** A platform whose connections can all be cut for ever, as when its process is killed. */
function mortalPlatform() {
  const platform = createPlatform();
  const cuts = new Set<() => void>();
  let died = () => {};
  let isDead = false;
  const death = new Promise<void>((resolve) => {
    died = resolve;
  });
  const network = {
    ...platform.network,
    async dial(options: Parameters<typeof platform.network.dial>[0]) {
      if (isDead) throw new Error("dead");
      const connection = await platform.network.dial(options);
      cuts.add(() => connection.destroy());
      return connection;
    },
  };
  const kill = () => {
    isDead = true;
    for (const cut of cuts) cut();
    died();
  };
  return { platform: { ...platform, network }, kill, death };
}

/**
 * Lives until it has processed some batches, and is killed in the middle of a transaction or a little later. What is
 * returned resolves when nothing of it is left.
 */
async function oneLife(bootstrap: string, given: { from: string; to: string; life: number }) {
  const { from, to, life } = given;
  const { platform, kill, death } = mortalPlatform();
  const client = createClient({ platform, bootstrap: [bootstrap], operationTimeoutMs: 2_000 });
  const consumer = client.groupConsumer({
    groupId: `${from}-group`,
    topics: [from],
    // The next life is the same member: nobody waits for a session to end.
    groupInstanceId: "one",
    offsetReset: "earliest",
    autoCommitMs: 0,
  });
  const producer = client.transactionalProducer({ transactionalId: `${from}-id` });
  let batches = 0;
  const lived = client.processExactlyOnce({
    consumer,
    producer,
    async process(batch, transaction) {
      const sends = batch.records.map(({ value }) =>
        transaction.send({ topic: to, value: `${text(value)}!` }),
      );
      await Promise.all(sends);
      if (++batches < batchesPerLife) return;
      if (life % 2 === 0) kill();
      else setTimeout(kill, life % 7);
    },
  });
  // With the last records done, it would wait for more.
  const idle = setTimeout(kill, lifeMsMax);
  await Promise.race([death, lived.catch(() => {})]);
  clearTimeout(idle);
  kill();
  return { buried: Promise.allSettled([client.close(), lived]) };
}

async function exactlyOnce(client: Client, bootstrap: string): Promise<void> {
  const from = await create(client, "tx-in");
  const to = await create(client, "tx-out");
  const producer = client.producer();
  // Small batches: many transactions.
  for (let i = 0; i < recordsMax; i += 2) {
    await producer.sendBatch(
      [0, 1].map((j) => ({ topic: from, partition: (i / 2) % 3, value: `${i + j}` })),
    );
  }
  const graves: Promise<unknown>[] = [];
  let life = 0;
  while ((await seen(client, to, "read_committed")).length < recordsMax) {
    if (++life > livesMax) throw new Error(`not done after ${livesMax} lives`);
    const { buried } = await oneLife(bootstrap, { from, to, life });
    graves.push(buried);
  }
  assert.ok(life > 5, `${life} lives`);
  // What the last life left open ends with its id.
  await client.transactionalProducer({ transactionalId: `${from}-id` }).begin();
  const wanted = Array.from({ length: recordsMax }, (_, i) => `${i}!`).sort();
  assert.equal(await committed(client, to, recordsMax), wanted);
  const raw = await seen(client, to, "read_uncommitted");
  assert.ok(raw.length > recordsMax, "no life was killed within a transaction");
  await Promise.all(graves);
}
