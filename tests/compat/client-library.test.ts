// The client library against real brokers: the same cases on Timberline and, where its jars are at hand, on
// Kafka. Kafka's Java client reads what the library packed with every codec, and the library what Java packed.
// Time limit: 150 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Client, ClientError, createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { TestServer } from "../support/server.ts";
import { careCases } from "./care-cases.ts";
import { KafkaBroker } from "./kafka-broker.ts";
import { KafkaTools } from "./kafka-tools.ts";
import { transactionCases } from "./transaction-cases.ts";

const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
const perCodec = 500;
const platform = createPlatform();

async function withClient<T>(bootstrap: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = createClient({ platform, bootstrap: [bootstrap], operationTimeoutMs: 20_000 });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

const recordText = (codec: string, i: number): string =>
  JSON.stringify({ codec, i, pad: "packs well ".repeat(i % 20) });

async function readAll(client: Client, topic: string, partitions: number, count: number) {
  const consumer = client.consumer();
  const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  await consumer.assign(places.map((place) => ({ ...place, offset: "earliest" as const })));
  const found: { partition: number; key: string; value: string }[] = [];
  while (found.length < count) {
    const batch = await consumer.poll(10_000);
    if (batch === null) break;
    for (const { key, value } of batch.records) {
      const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? undefined);
      found.push({ partition: batch.partition, key: text(key), value: text(value) });
    }
  }
  await consumer.stop();
  return found;
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "resolved",
    (error: unknown) => (error instanceof ClientError ? error.code : String(error)),
  );
}

/** What must hold on every broker. */
const cases: readonly [string, (client: Client, bootstrap: string) => Promise<void>][] = [
  ["records of every codec come back whole, in order per key", roundtrip],
  ["admin describes what it changes", describeChanges],
  ["refusals carry Kafka's names", refusals],
  ["a batch above max.message.bytes is cut by the producer", cutBatches],
  ...transactionCases,
  ...careCases,
];

async function roundtrip(client: Client): Promise<void> {
  await client.admin().createTopic({ name: "codecs", partitions: 3, replicationFactor: 1 });
  for (const compression of codecs) {
    const producer = client.producer({ compression });
    const records = Array.from({ length: perCodec }, (_, i) => ({
      topic: "codecs",
      key: `key-${i % 11}`,
      value: recordText(compression, i),
    }));
    const ranges = await producer.sendBatch(records);
    assert.is(
      ranges.reduce((sum, { count }) => sum + count, 0),
      perCodec,
    );
    await producer.close();
  }
  const found = await readAll(client, "codecs", 3, codecs.length * perCodec);
  for (let k = 0; k < 11; k++) {
    const wanted = codecs.flatMap((codec) =>
      Array.from({ length: perCodec }, (_, i) => recordText(codec, i)).filter(
        (_, i) => i % 11 === k,
      ),
    );
    const own = found.filter(({ key }) => key === `key-${k}`);
    assert.equal(
      own.map(({ value }) => value),
      wanted,
    );
    assert.is(new Set(own.map(({ partition }) => partition)).size, 1);
  }
}

async function describeChanges(client: Client): Promise<void> {
  const admin = client.admin();
  const configs = { "retention.ms": "-1" };
  await admin.createTopic({ name: "admin", partitions: 1, replicationFactor: 1, configs });
  const t0 = { topic: "admin", partition: 0 };
  await client.producer().sendBatch(
    Array.from({ length: 10 }, (_, i) => ({
      ...t0,
      value: `${i}`,
      timestampMs: 1_000 * (i + 1),
    })),
  );
  const resource = { kind: "topic", name: "admin" } as const;
  const [entry] = await admin.describeConfigs(resource, { names: ["retention.ms"] });
  assert.equal([entry?.value, entry?.source, entry?.type], ["-1", "DYNAMIC_TOPIC_CONFIG", "LONG"]);
  await admin.alterConfigs(resource, [{ name: "retention.ms", op: "delete" }]);
  const fallback = await seenSoon(
    async () => (await admin.describeConfigs(resource, { names: ["retention.ms"] }))[0],
    (entry) => entry?.value !== "-1",
  );
  assert.equal([fallback?.value, fallback?.source], ["604800000", "DEFAULT_CONFIG"]);
  await admin.alterConfigs(resource, [{ name: "retention.ms", op: "set", value: "-1" }]);

  const specs = ["earliest", "latest", "max-timestamp", { timestampMs: 4_500 }] as const;
  const offsets = await admin.listOffsets(specs.map((spec) => ({ ...t0, spec })));
  assert.equal(
    offsets.map(({ offset }) => offset),
    [0, 10, 9, 4],
  );
  assert.is(await admin.deleteRecords(t0, 3), 3);
  assert.equal((await admin.listOffsets([{ ...t0, spec: "earliest" }]))[0]?.offset, 3);
  assert.is((await admin.producers(t0))[0]?.lastSequence, 9);
  const dirs = await admin.logDirs();
  const sizes = dirs.flatMap(({ partitions }) => partitions.filter((p) => p.topic === "admin"));
  assert.ok(sizes[0]!.sizeBytes > 0 && dirs[0]!.totalBytes > 0);
  await admin.createPartitions("admin", 4);
  const grown = await seenSoon(
    async () => (await admin.topic("admin")).partitions.length,
    (count) => count === 4,
  );
  assert.is(grown, 4);
  const { brokers, controllerId } = await admin.cluster();
  assert.ok(brokers.some(({ id }) => id === controllerId));
  const ofBroker = await admin.describeConfigs({ kind: "broker", broker: brokers[0]!.id });
  assert.ok(ofBroker.some(({ name }) => name === "log.retention.ms"));
  await admin.deleteTopic("admin");
  const gone = await seenSoon(
    () => refusal(admin.topic("admin")),
    (code) => code !== "resolved",
  );
  assert.is(gone, "UNKNOWN_TOPIC_OR_PARTITION");
}

/** Kafka's brokers learn of a change a moment after it was made: asks again for a while. */
async function seenSoon<T>(ask: () => Promise<T>, isIt: (answer: T) => boolean): Promise<T> {
  let answer = await ask();
  for (let i = 0; i < 100 && !isIt(answer); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    answer = await ask();
  }
  return answer;
}

async function refusals(client: Client): Promise<void> {
  const admin = client.admin();
  await admin.createTopic({ name: "taken", partitions: 1, replicationFactor: 1 });
  const codes = await Promise.all(
    [
      admin.createTopic({ name: "taken" }),
      admin.createTopic({ name: "bad name" }),
      admin.createTopic({ name: "wide", replicationFactor: 9 }),
      admin.createTopic({ name: "odd", configs: { "no.such.key": "1" } }),
      admin.createPartitions("taken", 1),
      admin.deleteRecords({ topic: "taken", partition: 0 }, 99),
      admin.deleteTopic("never-there"),
    ].map(refusal),
  );
  assert.equal(codes, [
    "TOPIC_ALREADY_EXISTS",
    "INVALID_TOPIC_EXCEPTION",
    "INVALID_REPLICATION_FACTOR",
    "INVALID_CONFIG",
    "INVALID_PARTITIONS",
    "OFFSET_OUT_OF_RANGE",
    "UNKNOWN_TOPIC_OR_PARTITION",
  ]);
}

async function cutBatches(client: Client): Promise<void> {
  const configs = { "max.message.bytes": "20000" };
  await client.admin().createTopic({ name: "small", partitions: 1, replicationFactor: 1, configs });
  const producer = client.producer({ batchBytes: 500_000 });
  const values = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(3_000, "-"));
  await producer.sendBatch(values.map((value) => ({ topic: "small", value })));
  const found = await readAll(client, "small", 1, 100);
  assert.equal(
    found.map(({ value }) => value),
    values,
  );
  const large = producer.send({ topic: "small", value: new Uint8Array(30_000) });
  assert.is(await refusal(large), "MESSAGE_TOO_LARGE");
  assert.is((await producer.send({ topic: "small", value: "after" })).offset, 100);
}

const args = ["--flush", "os", "--set", "group.initial.rebalance.delay.ms=0"];
let server: TestServer;
test.before(async () => {
  server = await TestServer.start({ args });
});
for (const [rule, run] of cases) {
  test(`Timberline: ${rule}`, () =>
    withClient(server.bootstrap, (client) => run(client, server.bootstrap)));
}

let overHttp: TestServer;
test("a server for clients over HTTP starts", async () => {
  overHttp = await TestServer.start({ args });
});
for (const [rule, run] of cases) {
  test(`Timberline over HTTP: ${rule}`, () =>
    withClient(overHttp.http, (client) => run(client, overHttp.http)));
}

for (const [door, place] of [
  ["Timberline", () => ({ server, address: server.bootstrap })],
  ["Timberline over HTTP", () => ({ server: overHttp, address: overHttp.http })],
] as const) {
  test(`${door}: a producer and a consumer go on over kill -9 and restart, nothing twice`, () =>
    goesOn(place()));
}

async function goesOn({ server, address }: { server: TestServer; address: string }): Promise<void> {
  await withClient(address, async (client) => {
    await client.admin().createTopic({ name: "crash", partitions: 1 });
    const producer = client.producer({ batchBytes: 2_000 });
    const consumer = client.consumer();
    await consumer.assign([{ topic: "crash", partition: 0, offset: 0 }]);
    const count = 2_000;
    const sends: Promise<unknown>[] = [];
    for (let i = 0; i < count; i++) {
      if (i === count / 2) {
        await Promise.all(sends.slice(0, count / 4));
        await server.kill();
        await server.restart();
      }
      sends.push(producer.send({ topic: "crash", value: `${i}` }));
    }
    await Promise.all(sends);
    const values: string[] = [];
    for await (const { value } of consumer) {
      values.push(new TextDecoder().decode(value ?? undefined));
      if (values.length === count) break;
    }
    assert.equal(
      values,
      Array.from({ length: count }, (_, i) => `${i}`),
    );
  });
}

const tools = KafkaTools.find();
if (tools !== undefined) {
  let kafka: KafkaBroker;
  test("Kafka starts", async () => {
    kafka = await KafkaBroker.start(tools);
  });
  for (const [rule, run] of cases) {
    test(`Kafka: ${rule}`, () =>
      withClient(kafka.bootstrap, (client) => run(client, kafka.bootstrap)));
  }

  test("Kafka goes back to the first transaction protocol", async () => {
    const connect = ["--bootstrap-server", kafka.bootstrap];
    const change = ["downgrade", "--feature", "transaction.version=1"];
    await tools.run("org.apache.kafka.tools.FeatureCommand", ...connect, ...change);
  });
  for (const [rule, run] of transactionCases.slice(0, -1)) {
    test(`Kafka, first transaction protocol: ${rule}`, () =>
      withClient(kafka.bootstrap, (client) => run(client, kafka.bootstrap)));
  }

  test("Kafka's Java consumer reads every codec as the library packs it", async () => {
    const end = await tools.listen("org.apache.kafka.tools.consumer.ConsoleConsumer", [
      ...["--bootstrap-server", kafka.bootstrap, "--topic", "codecs", "--from-beginning"],
      ...["--max-messages", String(codecs.length * perCodec), "--timeout-ms", "20000"],
    ]);
    const wanted = codecs.flatMap((codec) =>
      Array.from({ length: perCodec }, (_, i) => recordText(codec, i)),
    );
    assert.equal(end.stdout.trim().split("\n").sort(), wanted.sort());
  });

  for (const codec of codecs.slice(1)) {
    test(`the library reads ${codec} as Kafka's Java producer packs it`, async () => {
      await tools.run(
        "org.apache.kafka.tools.ProducerPerformance",
        ...["--topic", `java-${codec}`, "--num-records", "2000", "--record-size", "300"],
        ...["--throughput", "-1", "--producer-props", `bootstrap.servers=${kafka.bootstrap}`],
        `compression.type=${codec}`,
      );
      await withClient(kafka.bootstrap, async (client) => {
        const found = await readAll(client, `java-${codec}`, 1, 2_000);
        assert.is(found.length, 2_000);
        assert.ok(found.every(({ value }) => value.length === 300));
      });
    });
  }

  test("Kafka stops", async () => {
    await kafka.stop();
  });
}

test.after(async () => {
  await server.stop();
  await overHttp.stop();
});

test.run();
