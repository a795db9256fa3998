// Exactly once: copiers read a topic and write another, with their offsets in the same transactions, while they and
// the broker are killed. Counted in the end: each committed input is there once.

import { setTimeout as pause } from "node:timers/promises";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { request } from "../../support/http-client.ts";
import { TestProcess } from "../../support/processes.ts";
import { SeededRandom } from "../../support/random.ts";
import { TestServer } from "../../support/server.ts";
import type { Copier, Copying } from "./copiers.ts";
import { type Contents, copyFaults } from "./history.ts";

export interface CopyProof {
  readonly seed: number;
  readonly copiers: readonly Copier[];
  readonly records: number;
  /** About this often, at random, one copier is killed (-9), or stopped and woken when another has its place. */
  readonly copierLifeMs: number;
  readonly brokerLifeMs: number;
  /** After this long nothing is killed any more, so that the copiers reach the end. */
  readonly killMs: number;
  readonly report?: (step: Readonly<Record<string, number | string>>) => void;
}

const partitions = 4;
const recordsPerTransaction = 10;
/** One in so many transactions of the input is aborted. */
const abortedInput = 5;
const copyMsMax = 120_000;
const pollMs = 200;
const input = "copy-in";
const settings = [
  "transaction.abort.timed.out.transaction.cleanup.interval.ms=200",
  "group.initial.rebalance.delay.ms=300",
  // The dead are missed as soon in the consumer protocol as they are in the classic one.
  "group.consumer.min.session.timeout.ms=6000",
  "group.consumer.session.timeout.ms=6000",
  "group.consumer.min.heartbeat.interval.ms=500",
  "group.consumer.heartbeat.interval.ms=500",
];

/** Queues a test per copier; the file that calls it calls `test.run()`. */
export function proveCopying(proof: CopyProof): void {
  const random = new SeededRandom(proof.seed);
  let server: TestServer;
  let written: Contents;
  test.before(async () => {
    server = await TestServer.start({ args: settings.flatMap((each) => ["--set", each]) });
    await createTopic(server, input);
    written = await writeInput(server, proof.records, random);
  });
  test.after(async () => {
    await server.kill();
  });
  for (const copier of proof.copiers) {
    test(`${copier.name}: each of ${proof.records} records is processed exactly once`, async () => {
      const output = `copy-out-${copier.name}`;
      await createTopic(server, output);
      const copying = { server, input, output, group: `copy-${copier.name}` };
      const run = new CopyRun(proof, copier, { copying, random });
      const figures = await run.until(written.flat().length);
      const left = await contents(server, output);
      assert.equal(copyFaults(written, left), [], `seed ${proof.seed}`);
      proof.report?.({ copier: copier.name, records: written.flat().length, ...figures });
    });
  }
}

class CopyRun {
  readonly #proof: CopyProof;
  readonly #copier: Copier;
  readonly #copying: Copying;
  readonly #random: SeededRandom;
  readonly #startedMs = performance.now();
  readonly #places: TestProcess[] = [];
  readonly #zombies: TestProcess[] = [];
  #isOver = false;
  #kills = 0;
  #zombieCount = 0;
  #brokerKills = 0;

  constructor(proof: CopyProof, copier: Copier, of: { copying: Copying; random: SeededRandom }) {
    this.#proof = proof;
    this.#copier = copier;
    this.#copying = of.copying;
    this.#random = of.random;
  }

  /** Resolves when the output has so many records, or more. */
  async until(records: number): Promise<Record<string, number>> {
    const troubles = [this.#killCopiers(), this.#killBroker()];
    const places = Array.from({ length: partitions }, (_, i) => this.#keepCopying(i));
    try {
      await this.#untilCopied(records);
    } finally {
      this.#isOver = true;
      for (const each of [...this.#places, ...this.#zombies]) each.signal("SIGKILL");
      await Promise.all([...troubles, ...places]);
    }
    const durationMs = Math.round(performance.now() - this.#startedMs);
    const killed = { copiersKilled: this.#kills, brokerKills: this.#brokerKills };
    return { durationMs, ...killed, zombies: this.#zombieCount };
  }

  async #untilCopied(records: number): Promise<void> {
    const { server, output } = this.#copying;
    for (;;) {
      await pause(pollMs);
      const found = await contents(server, output).catch(() => []);
      if (found.flat().length >= records && !this.#isTrouble()) return;
      if (performance.now() - this.#startedMs > copyMsMax) {
        throw new Error(`${found.flat().length} of ${records} after ${copyMsMax} ms`);
      }
    }
  }

  /** A copier at this place until the end. */
  async #keepCopying(index: number): Promise<void> {
    while (!this.#isOver) {
      const copier = new TestProcess(this.#copier.command(this.#copying, index));
      this.#places[index] = copier;
      await copier.end(copyMsMax * 2);
    }
  }

  async #killCopiers(): Promise<void> {
    for (;;) {
      await this.#live(this.#proof.copierLifeMs);
      if (!this.#isTrouble()) return;
      const index = this.#random.below(partitions);
      const copier = this.#places[index]!;
      if (this.#random.oneIn(3)) await this.#replace(copier, index);
      else {
        copier.signal("SIGKILL");
        this.#kills++;
      }
    }
  }

  /** It stops; another works in its place for a while; it wakes up and goes on with what it had. */
  async #replace(zombie: TestProcess, index: number): Promise<void> {
    zombie.signal("SIGSTOP");
    const other = new TestProcess(this.#copier.command(this.#copying, index));
    this.#zombies.push(zombie, other);
    await this.#live(this.#proof.copierLifeMs);
    zombie.signal("SIGCONT");
    this.#zombieCount++;
    await this.#live(this.#proof.copierLifeMs);
    other.signal("SIGKILL");
  }

  async #killBroker(): Promise<void> {
    for (;;) {
      await this.#live(this.#proof.brokerLifeMs);
      if (!this.#isTrouble()) return;
      await this.#copying.server.kill();
      await this.#copying.server.restart();
      this.#brokerKills++;
    }
  }

  #isTrouble(): boolean {
    return !this.#isOver && performance.now() - this.#startedMs < this.#proof.killMs;
  }

  /** From half to one and a half times as long. */
  #live(ms: number): Promise<void> {
    return pause(ms / 2 + this.#random.below(ms));
  }
}

async function createTopic(server: TestServer, name: string): Promise<void> {
  await request(`${server.http}/v1/topics`, { body: { name, partitions } });
}

/** Returns what was committed. */
async function writeInput(
  server: TestServer,
  records: number,
  random: SeededRandom,
): Promise<Contents> {
  const kafka = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING });
  const createPartitioner = Partitioners.DefaultPartitioner;
  const options = { transactionalId: "input", maxInFlightRequests: 1, createPartitioner };
  const producer = kafka.producer({ ...options, idempotent: true });
  await producer.connect();
  const written: string[][] = Array.from({ length: partitions }, () => []);
  for (let from = 0; from < records; from += recordsPerTransaction) {
    const transaction = await producer.transaction();
    const isAborted = random.oneIn(abortedInput);
    const partition = random.below(partitions);
    const values = Array.from({ length: recordsPerTransaction }, (_, i) => `${from + i}`);
    const messages = values.map((value) => ({ value, partition }));
    await transaction.send({ topic: input, messages });
    await (isAborted ? transaction.abort() : transaction.commit());
    if (!isAborted) written[partition]!.push(...values);
  }
  await producer.disconnect();
  return written;
}

async function contents(server: TestServer, topic: string): Promise<string[][]> {
  const query = "format=ndjson&offset=earliest&isolation=read_committed";
  const answer = await request(`${server.http}/v1/topics/${topic}/records?${query}`);
  const found: string[][] = Array.from({ length: partitions }, () => []);
  for (const line of (await answer.text()).split("\n").filter((each) => each !== "")) {
    const { partition, value } = JSON.parse(line) as { partition: number; value: string };
    found[partition]!.push(value);
  }
  return found;
}
