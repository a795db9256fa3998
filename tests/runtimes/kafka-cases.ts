// Cases of the Kafka door, driven by kafkajs, and of what both doors see of each other.

import { connect } from "node:net";
import { CompressionTypes } from "kafkajs";
import * as assert from "uvu/assert";
import { transactionLoad } from "../bench/load/transaction-load.ts";
import { request, requestJson } from "../support/http-client.ts";
import type { Address } from "../support/server.ts";
import type { Case, Given } from "./case.ts";
import { createTopic, fetchAll, kafkaClient, produce, values } from "./steps.ts";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

/** For one broker: their client asks nobody who leads or coordinates. */
export const oneBrokerCases: readonly Case[] = [
  {
    name: "stores the first large batch of a transaction that its client did not announce",
    async run({ http, kafka }) {
      await createTopic(http, "transacted");
      // The coordinator is asked before a batch is stored: its bytes must live until then.
      const shape = { recordsPerTransaction: 100, recordBytes: 200, transactionsPerAbort: 0 };
      await transactionLoad(kafka, {
        topic: "transacted",
        producers: 1,
        transactions: 3,
        ...shape,
      });
      assert.is(values(await fetchAll(http, "transacted")).length, 300);
    },
  },
];

export const kafkaCases: readonly Case[] = [
  {
    name: "takes records from kafkajs and gives them to HTTP",
    async run(given) {
      await createTopic(given.http, "kafkajs", 2);
      await withProducer(given, async (producer) => {
        const messages = [
          {
            key: "k",
            value: "plain",
            partition: 1,
            headers: { h: "v" },
            timestamp: "1234567890123",
          },
        ];
        const [stored] = await producer.send({ topic: "kafkajs", acks: -1, messages });
        assert.is(stored?.baseOffset, "0");
      });
      const [record] = (await fetchAll(given.http, "kafkajs", 1)).records;
      assert.is(record?.key, "k");
      assert.is(record?.value, "plain");
      assert.is(record?.timestamp, 1234567890123);
    },
  },
  {
    name: "creates a topic when a Kafka client first asks for it",
    async run(given) {
      await withProducer(given, async (producer) => {
        await producer.send({ topic: "by-itself", messages: [{ value: "here" }] });
      });
      assert.equal(values(await fetchAll(given.http, "by-itself")), ["here"]);
    },
  },
  {
    name: "lists offsets, configs and partitions to kafkajs's admin",
    async run(given) {
      const admin = kafkaClient(given.kafka).admin();
      await admin.connect();
      try {
        await admin.createTopics({ topics: [{ topic: "administered", numPartitions: 2 }] });
        await produce(given.http, "administered", ["a", "b", "c"]);
        const offsets = await admin.fetchTopicOffsets("administered");
        const [first] = offsets.filter((entry) => entry.partition === 0);
        assert.equal([first?.low, first?.high], ["0", "3"]);
        await admin.createPartitions({
          topicPartitions: [{ topic: "administered", count: 4 }],
        });
        const { topics } = await admin.fetchTopicMetadata({ topics: ["administered"] });
        assert.is(topics[0]?.partitions.length, 4);
        await admin.deleteTopics({ topics: ["administered"] });
        assert.not((await admin.listTopics()).includes("administered"));
      } finally {
        await admin.disconnect();
      }
    },
  },
  {
    name: "answers offsets by time over HTTP",
    async run({ http }) {
      await createTopic(http, "timed");
      const body = [1000, 2000, 3000].map((timestamp) => ({ value: "v", timestamp, partition: 0 }));
      await request(`${http}/v1/topics/timed/records`, { body });
      for (const [at, offset] of [
        ["earliest", 0],
        ["latest", 3],
        ["1500", 1],
        ["max-timestamp", 2],
      ] as const) {
        const url = `${http}/v1/topics/timed/offsets?at=${at}`;
        const { offsets } = await requestJson<{ offsets: { offset: number }[] }>(url);
        assert.is(offsets[0]?.offset, offset, at);
      }
    },
  },
  {
    name: "forgets what is deleted by DeleteRecords",
    async run(given) {
      await createTopic(given.http, "shortened");
      await produce(given.http, "shortened", ["0", "1", "2", "3"]);
      const admin = kafkaClient(given.kafka).admin();
      await admin.connect();
      try {
        // kafkajs finds leaders for this request only among topics it has asked about before.
        await admin.fetchTopicOffsets("shortened");
        const partitions = [{ partition: 0, offset: "3" }];
        await admin.deleteTopicRecords({ topic: "shortened", partitions });
      } finally {
        await admin.disconnect();
      }
      const left = await fetchAll(given.http, "shortened");
      assert.equal(values(left), ["3"]);
      assert.is(left.log_start_offset, 3);
    },
  },
  {
    name: "keeps and decodes every codec",
    async run(given) {
      const text = "the same words again and again ".repeat(50);
      for (const codec of CODECS) {
        const topic = `codec-${codec}`;
        await createTopic(given.http, topic);
        await produce(given.http, topic, [text, "short"], `?compression=${codec}`);
        assert.equal(values(await fetchAll(given.http, topic)), [text, "short"], codec);
      }
      await withProducer(given, async (producer) => {
        const messages = [{ value: text }];
        const compression = CompressionTypes.GZIP;
        await producer.send({ topic: "codec-gzip", compression, messages });
      });
      assert.is(values(await fetchAll(given.http, "codec-gzip")).at(-1), text);
    },
  },
  {
    name: "compresses anew for a topic that demands it",
    async run({ http }) {
      await createTopic(http, "demanding", 1, { "compression.type": "zstd" });
      const text = "x".repeat(20_000);
      await produce(http, "demanding", [text]);
      assert.equal(values(await fetchAll(http, "demanding")), [text]);
      const topic = await requestJson<{ partitions: { size_bytes: number }[] }>(
        `${http}/v1/topics/demanding`,
      );
      assert.ok((topic.partitions[0]?.size_bytes ?? Infinity) < 1000);
    },
  },
  {
    name: "hangs up on who does not speak Kafka, and serves the others",
    async run({ kafka, http, server }) {
      await createTopic(http, "unharmed");
      const nonsense: Record<string, Uint8Array> = {
        "an HTTP request": new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        "a length of 2 GiB": Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 9),
        "a negative length": Uint8Array.of(0x80, 0, 0, 0, 0, 3, 0, 9),
        "an unknown API key": Uint8Array.of(0, 0, 0, 10, 0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff),
        "a count beyond the frame": METADATA_OF_TOO_MANY,
      };
      for (const [what, bytes] of Object.entries(nonsense)) {
        assert.ok(await isHungUp(kafka, bytes), what);
      }
      await produce(http, "unharmed", ["after"]);
      assert.equal(values(await fetchAll(http, "unharmed")), ["after"]);
      assert.not.match(server.process.stderr, /\n\s+at .*\n/, "a client's mistake is no bug");
    },
  },
];

/** Metadata v1, correlation 1, client id null, and 2^31 − 1 topic names of which none follows. */
const METADATA_OF_TOO_MANY = Uint8Array.of(
  ...[0, 0, 0, 14, 0, 3, 0, 1],
  ...[0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
);
const HANG_UP_MS_MAX = 10_000;

/** Sends the bytes and waits for the server to close the connection. */
function isHungUp(address: Address, bytes: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.host, port: address.port });
    const over = (hungUp: boolean): void => {
      socket.destroy();
      resolve(hungUp);
    };
    socket.setTimeout(HANG_UP_MS_MAX, () => over(false));
    socket.on("connect", () => socket.write(bytes));
    socket.on("data", () => {});
    socket.on("end", () => over(true));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNRESET" ? over(true) : reject(error),
    );
  });
}

type Producer = ReturnType<ReturnType<typeof kafkaClient>["producer"]>;

async function withProducer(given: Given, use: (producer: Producer) => Promise<void>) {
  const producer = kafkaClient(given.kafka).producer({ allowAutoTopicCreation: true });
  await producer.connect();
  try {
    await use(producer);
  } finally {
    await producer.disconnect();
  }
}
