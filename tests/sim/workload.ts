// The clients of a simulation: producers with the promises they ask for, readers, members of a group. They use the
// client library as programs do and write down what they were told.

import { createClient } from "../../runtime/client/client.ts";
import type { Client, Consumer, GroupConsumer, Producer } from "../../runtime/client/mod.ts";
import { ClientError } from "../../runtime/client/mod.ts";
import type { History, SendEntry } from "./history.ts";
import type { SimProcess } from "./process.ts";
import { simPlatform } from "./sim-platform.ts";
import type { World } from "./world.ts";

export const topic = "flights";
export const partitions = 3;
/** Refused before anything is written, whoever leads. */
const certainFailures = new Set(["MESSAGE_TOO_LARGE", "INVALID_RECORD", "BUFFER_FULL"]);
const unansweredMax = 30;
const decoder = new TextDecoder();

export class Workload {
  readonly history: History;
  readonly #world: World;
  readonly #bootstrap: readonly string[];
  #isOver = false;
  #underWay = 0;
  readonly #readers: (() => Promise<void>)[] = [];
  readonly #failures: string[] = [];

  constructor(world: World, bootstrap: readonly string[], history: History) {
    this.#world = world;
    this.#bootstrap = bootstrap;
    this.history = history;
  }

  /** Nothing sent is without an answer. */
  get isQuiet(): boolean {
    return this.#isOver && this.#underWay === 0;
  }

  /** What a client met that it never should. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** A client of its own machine. */
  open(name: string): { client: Client; process: SimProcess } {
    const { network, core } = this.#world;
    const process = this.#world.client(name);
    const platform = simPlatform({ process, network, core });
    const client = createClient({
      platform,
      bootstrap: this.#bootstrap,
      clientId: name,
      connectTimeoutMs: 500,
      requestTimeoutMs: 3_000,
      operationTimeoutMs: 30_000,
      retryBackoffMs: 30,
      retryBackoffMsMax: 300,
    });
    return { client, process };
  }

  produce(name: string, promise: { acks: -1 | 1; isIdempotent: boolean; everyMs: number }): void {
    const { client, process } = this.open(name);
    const { acks, isIdempotent, everyMs } = promise;
    const producer = client.producer({
      acks,
      idempotent: isIdempotent,
      lingerMs: 0,
      deliveryTimeoutMs: 8_000,
    });
    let number = 0;
    let unanswered = 0;
    const next = () => {
      if (this.#isOver) return;
      const burst = process.random.chance(0.1) ? 5 : 1;
      for (let i = 0; i < burst && unanswered < unansweredMax; i++) {
        const entry: SendEntry = {
          producer: name,
          number,
          value: `${name}-${number}`,
          partition: process.random.integer(partitions),
          ...{ acks, isIdempotent },
          outcome: "info",
          offset: -1,
        };
        number++;
        unanswered++;
        void this.#send(producer, entry).finally(() => unanswered--);
      }
      process.clock.after(process.random.between(0, 2 * everyMs), next);
    };
    process.clock.after(0, next);
  }

  /** Reads all partitions from the beginning; now and then begins anew. */
  read(name: string): void {
    const { client, process } = this.open(name);
    let session = 0;
    let consumer: Consumer | undefined;
    const begin = async () => {
      consumer = client.consumer({ fetchWaitMsMax: 200 });
      session++;
      const all = Array.from({ length: partitions }, (_, partition) => partition);
      await consumer.assign(all.map((partition) => ({ topic, partition, offset: "earliest" })));
    };
    const loop = async () => {
      while (!this.#isOver) {
        try {
          if (consumer === undefined) await begin();
          const batch = await consumer!.poll(200);
          if (batch) this.#polled(name, session, batch);
        } catch (error) {
          this.#refused(name, error);
          consumer = undefined;
          await new Promise<void>((resolve) => process.clock.after(200, resolve));
        }
      }
      await consumer?.stop();
    };
    this.#run(process, loop);
  }

  /** One of those that share the partitions. */
  share(group: string, name: string): void {
    const reader = `${group}.${name}`;
    const { client, process } = this.open(name);
    let session = 0;
    let consumer: GroupConsumer | undefined;
    const seen = new Map<number, number>();
    const commit = async () => {
      const positions = [...seen];
      await consumer!.commit();
      for (const [partition, offset] of positions) {
        const entry = { group, partition, offset, atPoll: this.history.polls.length };
        this.history.commits.push({ ...entry, outcome: "ok" });
      }
    };
    const begin = () =>
      client.groupConsumer({
        groupId: group,
        topics: [topic],
        sessionTimeoutMs: 6_000,
        heartbeatIntervalMs: 500,
        rebalanceTimeoutMs: 4_000,
        autoCommitMs: 0,
        offsetReset: "earliest",
        fetchWaitMsMax: 200,
        assigned: () => void session++,
        revoked: () => seen.clear(),
      });
    const loop = async () => {
      while (!this.#isOver) {
        try {
          consumer = begin();
          session++;
          seen.clear();
          for await (const { partition, offset, value } of consumer) {
            const records = [{ offset, value: decoder.decode(value ?? new Uint8Array()) }];
            this.history.polls.push({ reader, session, partition, records });
            // It counts as read when the next one is asked for.
            seen.set(partition, offset);
            if (process.random.chance(0.05)) await commit();
            if (this.#isOver) break;
          }
          await consumer.stop();
        } catch (error) {
          this.#refused(reader, error);
          await consumer?.stop().catch(() => {});
          await new Promise<void>((resolve) => process.clock.after(200, resolve));
        }
      }
    };
    this.#run(process, loop);
    this.#readers.push(async () => consumer?.stop());
  }

  /** No more is sent; readers end. */
  stop(): void {
    this.#isOver = true;
    for (const end of this.#readers) void end().catch(() => {});
  }

  #run(process: SimProcess, loop: () => Promise<void>): void {
    process.clock.after(0, () => {
      loop().catch((error: unknown) => {
        this.#failures.push(`${process.name}: ${String(error)}`);
      });
    });
  }

  async #send(producer: Producer, entry: SendEntry): Promise<void> {
    this.history.sends.push(entry);
    this.#underWay++;
    const { value, partition } = entry;
    try {
      const { offset } = await producer.send({ topic, value, partition });
      entry.outcome = "ok";
      entry.offset = offset;
      if (this.#world.isTraced)
        this.#world.trace(entry.producer, `${value} is at ${partition}@${offset}`);
    } catch (error) {
      this.#refused(entry.producer, error, value);
      const code = error instanceof ClientError ? error.code : "";
      if (certainFailures.has(code)) entry.outcome = "fail";
    } finally {
      this.#underWay--;
    }
  }

  #polled(
    reader: string,
    session: number,
    batch: NonNullable<Awaited<ReturnType<Consumer["poll"]>>>,
  ): void {
    const records = batch.records.map(({ offset, value }) => ({
      offset,
      value: decoder.decode(value ?? new Uint8Array()),
    }));
    this.history.polls.push({ reader, session, partition: batch.partition, records });
  }

  #refused(who: string, error: unknown, value = ""): void {
    this.#world.trace(who, `${value} ${String(error)}`);
    if (error instanceof ClientError) return;
    this.#failures.push(`${who}: ${String(error)}`);
  }
}
