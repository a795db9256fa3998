// The clients of a simulation: producers with the promises they ask for, readers, and what other clients
// (`group-members.ts`, `transactions.ts`, `balances.ts`) have in common with them. They use the client library as
// programs do and write down what they were told.

import { createClient } from "../../runtime/client/client.ts";
import type { Client, Consumer, Producer } from "../../runtime/client/mod.ts";
import { ClientError } from "../../runtime/client/mod.ts";
import type { History, PollEntry, SendEntry } from "./history.ts";
import type { SimProcess } from "./process.ts";
import { simPlatform } from "./sim-platform.ts";
import type { World } from "./world.ts";

export const topic = "flights";
export const partitions = 3;
const decoder = new TextDecoder();
/** Refused before anything is written, whoever leads. */
const certainFailures = new Set(["MESSAGE_TOO_LARGE", "INVALID_RECORD", "BUFFER_FULL"]);
const unansweredMax = 30;
const restMs = 200;

/** What a producer promises, and where it writes down what it was told. */
export interface Producing {
  readonly topic: string;
  readonly partitions: number;
  /** Number of different keys; absent: none. */
  readonly keys?: number;
  readonly acks: -1 | 1;
  readonly isIdempotent: boolean;
  readonly everyMs: number;
  readonly sends: SendEntry[];
}

/** What a reader reads, and where it writes down what it saw. */
export interface Reading {
  readonly topic: string;
  readonly partitions: number;
  readonly isolation: "read_uncommitted" | "read_committed";
  readonly polls: PollEntry[];
  readonly polled?: (entry: PollEntry) => void;
}

export class Workload {
  readonly history: History;
  readonly #world: World;
  readonly #bootstrap: readonly string[];
  isOver = false;
  /** Told of each record that was acknowledged with acks=all. */
  onAcknowledged: ((place: { topic: string; partition: number }) => void) | undefined;
  #underWay = 0;
  readonly #ends: (() => Promise<void>)[] = [];
  readonly #failures: string[] = [];

  constructor(world: World, bootstrap: readonly string[], history: History) {
    this.#world = world;
    this.#bootstrap = bootstrap;
    this.history = history;
  }

  /** Nothing sent is without an answer. */
  get isQuiet(): boolean {
    return this.isOver && this.#underWay === 0;
  }

  get isTraced(): boolean {
    return this.#world.isTraced;
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

  produce(name: string, what: Producing): void {
    const { client, process } = this.open(name);
    const { acks, isIdempotent, everyMs } = what;
    const producer = client.producer({
      acks,
      idempotent: isIdempotent,
      lingerMs: 0,
      deliveryTimeoutMs: 8_000,
    });
    let number = 0;
    let unanswered = 0;
    const next = () => {
      if (this.isOver) return;
      const burst = process.random.chance(0.1) ? 5 : 1;
      for (let i = 0; i < burst && unanswered < unansweredMax; i++) {
        const entry: SendEntry = {
          producer: name,
          number,
          value: `${name}-${number}`,
          partition: process.random.integer(what.partitions),
          ...(what.keys === undefined ? {} : { key: `k${process.random.integer(what.keys)}` }),
          ...{ acks, isIdempotent },
          outcome: "info",
          offset: -1,
        };
        number++;
        unanswered++;
        what.sends.push(entry);
        void this.#send(producer, what.topic, entry).finally(() => unanswered--);
      }
      process.clock.after(process.random.between(0, 2 * everyMs), next);
    };
    process.clock.after(0, next);
  }

  /** Reads all partitions of a topic from the beginning; after an error it begins anew. */
  read(name: string, what: Reading): void {
    const { client, process } = this.open(name);
    const { topic: from, partitions: count, isolation, polls } = what;
    let session = 0;
    let consumer: Consumer | undefined;
    const begin = async () => {
      consumer = client.consumer({ fetchWaitMsMax: 200, isolation });
      session++;
      const all = Array.from({ length: count }, (_, partition) => partition);
      await consumer.assign(
        all.map((partition) => ({ topic: from, partition, offset: "earliest" })),
      );
    };
    const round = async () => {
      try {
        if (consumer === undefined) await begin();
        const batch = await consumer!.poll(200);
        if (batch === null) return;
        const { partition } = batch;
        const records = batch.records.map(({ offset, key, value }) => ({
          offset,
          value: textOf(value),
          ...(key === null ? {} : { key: textOf(key) }),
        }));
        const entry = { reader: name, session, partition, records };
        polls.push(entry);
        what.polled?.(entry);
      } catch (error) {
        this.refused(name, error);
        consumer = undefined;
        await this.rest(process);
      }
    };
    this.repeat(process, round, async () => consumer?.stop());
  }

  /** No more is sent; readers end. */
  stop(): void {
    this.isOver = true;
    for (const end of this.#ends) void end().catch(() => {});
  }

  /** Runs `end` when no more is sent. */
  onStop(end: () => Promise<void>): void {
    this.#ends.push(end);
  }

  /** Round after round, until no more is sent; then `end`. */
  repeat(process: SimProcess, round: () => Promise<void>, end: () => Promise<void>): void {
    const loop = async () => {
      while (!this.isOver) await round();
      await end();
    };
    process.clock.after(0, () => {
      loop().catch((error: unknown) => {
        this.#failures.push(`${process.name}: ${String(error)}`);
      });
    });
  }

  /** Peace waits for it. */
  async awaited<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay++;
    try {
      return await work();
    } finally {
      this.#underWay--;
    }
  }

  rest(process: SimProcess, ms = restMs): Promise<void> {
    return new Promise((resolve) => process.clock.after(ms, resolve));
  }

  async #send(producer: Producer, to: string, entry: SendEntry): Promise<void> {
    this.#underWay++;
    const { key = null, value, partition } = entry;
    try {
      const { offset } = await producer.send({ topic: to, key, value, partition });
      entry.outcome = "ok";
      entry.offset = offset;
      if (entry.acks === -1) this.onAcknowledged?.({ topic: to, partition });
      if (this.#world.isTraced)
        this.#world.trace(entry.producer, `${value} is at ${partition}@${offset}`);
    } catch (error) {
      this.refused(entry.producer, error, value);
      const code = error instanceof ClientError ? error.code : "";
      if (certainFailures.has(code)) entry.outcome = "fail";
    } finally {
      this.#underWay--;
    }
  }

  refused(who: string, error: unknown, value = ""): void {
    this.#world.trace(who, `${value} ${String(error)}`);
    if (error instanceof ClientError) return;
    this.#failures.push(`${who}: ${String(error)}`);
  }
}

export function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? "" : decoder.decode(bytes);
}
