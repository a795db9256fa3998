// The clients that `load.mjs` drives, each used in its fastest way: `produce` resolves when all records are
// acknowledged by all replicas; each function of `consume` reads the filled topic from its beginning.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

/** Of one partition and fetch, for all alike. */
const fetchBytes = 1_048_576;
const clientId = "bench";

const clients = { timberline, kafkajs, platformatic, "node-rdkafka": rdkafka };
let groups = 0;

export function connect(job) {
  return clients[job.client](job);
}

async function timberline({ modules, bootstrap, topic, filled }) {
  const { createClient } = await import(pathToFileURL(modules.client));
  const { createPlatform } = await import(pathToFileURL(modules.platform));
  const client = createClient({ platform: createPlatform(), bootstrap: [bootstrap], clientId });
  const producer = client.producer();
  const begin = async () => {
    const consumer = client.consumer({ partitionBytesMax: fetchBytes });
    await consumer.assign([{ topic: filled, partition: 0, offset: "earliest" }]);
    return consumer;
  };
  return {
    produce: (values) =>
      producer.sendBatch(values.map((value) => ({ topic, partition: 0, value }))),
    consume: {
      async consume(counter) {
        const consumer = await begin();
        for await (const { value } of consumer) {
          counter.see(value);
          if (counter.isFull) break;
        }
        await consumer.stop();
        return counter.done;
      },
      async consumeBatches(counter) {
        const consumer = await begin();
        for await (const batch of consumer.batches()) {
          for (const { value } of batch) counter.see(value);
          if (counter.isFull) break;
        }
        await consumer.stop();
        return counter.done;
      },
    },
    close: () => client.close(),
  };
}

async function kafkajs({ modules, bootstrap, topic, filled }) {
  const { Kafka, logLevel } = createRequire(import.meta.url)(modules.client);
  const kafka = new Kafka({ clientId, brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const producer = kafka.producer();
  await producer.connect();
  return {
    produce: (values) =>
      producer.send({
        topic,
        acks: -1,
        messages: values.map((value) => ({ value, partition: 0 })),
      }),
    consume: {
      async consume(counter) {
        const groupId = `${topic}-${groups++}`;
        const consumer = kafka.consumer({ groupId, maxBytesPerPartition: fetchBytes });
        await consumer.connect();
        await consumer.subscribe({ topic: filled, fromBeginning: true });
        const eachBatch = async ({ batch }) => {
          for (const { value } of batch.messages) counter.see(value);
        };
        await consumer.run({ autoCommit: false, eachBatch });
        const figures = await counter.done;
        await consumer.disconnect();
        return figures;
      },
    },
    close: () => producer.disconnect(),
  };
}

async function platformatic({ modules, bootstrap, topic, filled }) {
  const { Producer, Consumer, MessagesStreamModes } = await import(pathToFileURL(modules.client));
  const base = { clientId, bootstrapBrokers: [bootstrap] };
  const producer = new Producer(base);
  return {
    produce: (values) =>
      producer.send({
        acks: -1,
        messages: values.map((value) => ({ topic, partition: 0, value })),
      }),
    consume: {
      async consume(counter) {
        const consumer = new Consumer({ ...base, groupId: `${topic}-${groups++}` });
        const stream = await consumer.consume({
          topics: [filled],
          mode: MessagesStreamModes.EARLIEST,
          autocommit: false,
          maxBytesPerPartition: fetchBytes,
        });
        stream.on("error", () => {});
        stream.on("data", ({ value }) => counter.see(value));
        const figures = await counter.done;
        await consumer.close(true);
        return figures;
      },
    },
    close: () => producer.close(),
  };
}

async function rdkafka({ modules, bootstrap, topic, filled }) {
  const { Producer, KafkaConsumer } = createRequire(import.meta.url)(modules.client);
  const base = { "metadata.broker.list": bootstrap, "client.id": clientId };
  const connected = (client) =>
    new Promise((resolve, reject) =>
      client.connect({}, (error) => (error ? reject(error) : resolve())),
    );
  const producer = new Producer({ ...base, dr_cb: true, acks: -1 });
  await connected(producer);
  producer.setPollInterval(2);
  producer.on("delivery-report", (error, { opaque }) => {
    if (error) opaque.reject(error);
    else if (--opaque.left === 0) opaque.resolve();
  });
  return {
    produce: (values) =>
      new Promise((resolve, reject) => {
        const call = { left: values.length, resolve, reject };
        for (const value of values) producer.produce(topic, 0, value, null, 0, call);
      }),
    consume: {
      async consume(counter) {
        const consumer = new KafkaConsumer(
          {
            ...base,
            "group.id": `${topic}-${groups++}`,
            "enable.auto.commit": false,
            "fetch.message.max.bytes": fetchBytes,
          },
          { "auto.offset.reset": "earliest" },
        );
        await connected(consumer);
        consumer.assign([{ topic: filled, partition: 0, offset: 0 }]);
        consumer.setDefaultConsumeTimeout(100);
        const more = () =>
          consumer.consume(10_000, (_error, messages) => {
            for (const { value } of messages ?? []) counter.see(value);
            if (!counter.isFull) setImmediate(more);
          });
        more();
        const figures = await counter.done;
        consumer.disconnect();
        return figures;
      },
    },
    close: () => new Promise((resolve) => producer.disconnect(resolve)),
  };
}
