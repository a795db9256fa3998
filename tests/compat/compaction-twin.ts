// One input for two brokers, Kafka's own and ours: values, tombstones, committed and aborted transactions, an
// idempotent producer, two codecs. Every writer of a seed does the same steps, so that both logs get the same
// batches at the same offsets.

import { setTimeout as pause } from "node:timers/promises";
import { CompressionTypes, type Kafka, type Producer } from "kafkajs";
import { type Admin, type Client, createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { kafkaClient } from "../runtimes/steps.ts";
import { generator } from "../support/compaction-fixture.ts";
import type { Address } from "../support/server.ts";

const keys = 150;
const sendRecords = 20;
const valueBytesMax = 3_000;
const transactionalIds = ["one", "two"] as const;
const markerMsMax = 20_000;
/** Of long ago, and the same in both logs. */
const firstTimestampMs = 1_700_000_000_000;

type Draw = (below: number) => number;

export class TwinWriter {
  readonly admin: Admin;
  readonly #topic: string;
  readonly #seed: number;
  readonly #kafka: Kafka;
  readonly #client: Client;
  readonly #producers: Producer[] = [];
  #step = 0;

  constructor(address: Address, options: { topic: string; seed: number }) {
    const bootstrap = [`${address.host}:${address.port}`];
    this.#topic = options.topic;
    this.#seed = options.seed;
    this.#kafka = kafkaClient(address);
    this.#client = createClient({ platform: createPlatform(), bootstrap });
    this.admin = this.#client.admin();
  }

  async open(configs: Record<string, string>): Promise<void> {
    await this.admin.createTopic({ name: this.#topic, partitions: 1, configs });
    const once = { idempotent: true, maxInFlightRequests: 1 };
    for (const options of [
      {},
      once,
      ...transactionalIds.map((transactionalId) => ({ ...once, transactionalId })),
    ]) {
      const producer = this.#kafka.producer(options);
      await producer.connect();
      this.#producers.push(producer);
    }
  }

  async close(): Promise<void> {
    for (const producer of this.#producers) await producer.disconnect();
    await this.#client.close();
  }

  /** So many steps more. */
  async write(steps: number): Promise<void> {
    const [plain, idempotent, ...transactional] = this.#producers;
    for (let i = 0; i < steps; i++) {
      const draw = generator(this.#seed * 100_003 + this.#step++);
      const kind = draw(6);
      if (kind === 0) await this.#send(idempotent!, draw);
      else if (kind < 4) await this.#send(plain!, draw);
      else await this.#transaction(transactional[draw(2)]!, draw, kind === 4);
    }
  }

  async set(name: string, value: string): Promise<void> {
    await this.admin.alterConfigs({ kind: "topic", name: this.#topic }, [
      { name, op: "set", value },
    ]);
  }

  async endOffset(): Promise<number> {
    const asked = { topic: this.#topic, partition: 0, spec: "latest" } as const;
    const [found] = await this.admin.listOffsets([asked]);
    return found!.offset;
  }

  async #send(to: Pick<Producer, "send">, draw: Draw): Promise<void> {
    const messages = Array.from({ length: 1 + draw(sendRecords) }, (_, i) => ({
      key: `key-${draw(keys)}`,
      value: draw(8) === 0 ? null : textOf(draw),
      timestamp: String(firstTimestampMs + this.#step * 1000 + i),
      partition: 0,
    }));
    const compression = draw(3) === 0 ? CompressionTypes.GZIP : CompressionTypes.None;
    await to.send({ topic: this.#topic, messages, compression, acks: -1 });
  }

  async #transaction(producer: Producer, draw: Draw, isCommit: boolean): Promise<void> {
    const transaction = await producer.transaction();
    for (let sends = 1 + draw(2); sends > 0; sends--) await this.#send(transaction, draw);
    const before = await this.endOffset();
    if (isCommit) await transaction.commit();
    else await transaction.abort();
    // The marker comes when it comes; what follows must follow it in both logs.
    const endMs = performance.now() + markerMsMax;
    while ((await this.endOffset()) === before) {
      if (performance.now() > endMs) throw new Error("a transaction's marker never came");
      await pause(2);
    }
  }
}

function textOf(draw: Draw): string {
  return draw(2 ** 30)
    .toString(36)
    .repeat(draw(valueBytesMax / 6));
}
