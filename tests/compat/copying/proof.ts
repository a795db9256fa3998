// Exactly once: copiers read a topic and write another, with their offsets in the same transactions, while they and
// the broker are killed. Counted in the end: each record that was committed to the input is in the output once.

import { setTimeout as pause } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { request } from "../../support/http-client.ts";
import { TestProcess } from "../../support/processes.ts";
import { SeededRandom } from "../../support/random.ts";
import { TestServer } from "../../support/server.ts";
import { untilStable } from "../bank/readers.ts";
import type { Copier, Copying } from "./copiers.ts";
import { copyFaults } from "./history.ts";
import { InputWriter } from "./input-writer.ts";

export interface CopyProof {
  readonly seed: number;
  readonly copiers: readonly Copier[];
  /** Between two transactions of the input. */
  readonly inputPauseMs: number;
  /** After so many records more in the output, something dies next. */
  readonly recordsPerDeath: number;
  /**
   * In turn a copier is killed (-9), a copier stopped and woken when another has its place, the broker killed. Then
   * nothing is written any more, and the copiers reach the end.
   */
  readonly deaths: number;
  readonly report?: (step: Readonly<Record<string, number | string>>) => void;
}

const partitions = 4;
const progressMsMax = 60_000;
const copierMsMax = 600_000;
const pollMs = 100;
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
  test.before(async () => {
    server = await TestServer.start({ args: settings.flatMap((each) => ["--set", each]) });
  });
  test.after(async () => {
    await server.kill();
  });
  for (const copier of proof.copiers) {
    test(`${copier.name}: each record is processed exactly once`, async () => {
      const { name } = copier;
      const [input, output] = [`copy-in-${name}`, `copy-out-${name}`];
      for (const topic of [input, output]) await createTopic(server, topic);
      const copying = { server, input, output, group: `copy-${name}` };
      const figures = await new CopyRun(proof, copier, { copying, random }).finish();
      const written = await contents(server, input);
      const faults = copyFaults(written, await contents(server, output));
      assert.equal(faults, [], `seed ${proof.seed}`);
      assert.ok(figures.restarts > 0, "nobody had to go on where another one ended");
      proof.report?.({ copier: name, records: written.flat().length, ...figures });
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
  #isQuiet = false;
  #isOver = false;
  #found = 0;
  #kills = 0;
  #restarts = 0;
  #zombieCount = 0;
  #brokerKills = 0;

  constructor(proof: CopyProof, copier: Copier, of: { copying: Copying; random: SeededRandom }) {
    this.#proof = proof;
    this.#copier = copier;
    this.#copying = of.copying;
    this.#random = of.random;
  }

  /** Resolves when all that was committed to the input is in the output. */
  async finish(): Promise<{ restarts: number } & Record<string, number>> {
    const writing = this.#write();
    const places = Array.from({ length: partitions }, (_, i) => this.#keepCopying(i));
    try {
      await this.#trouble();
      this.#isQuiet = true;
      await writing;
      await this.#untilCopied();
    } finally {
      this.#isQuiet = true;
      this.#isOver = true;
      for (const each of [...this.#places, ...this.#zombies]) each.signal("SIGKILL");
      await Promise.all([writing, ...places]);
    }
    const durationMs = Math.round(performance.now() - this.#startedMs);
    const killed = { copiersKilled: this.#kills, brokerKills: this.#brokerKills };
    return { durationMs, ...killed, zombies: this.#zombieCount, restarts: this.#restarts };
  }

  async #write(): Promise<void> {
    const { server, input } = this.#copying;
    const writer = new InputWriter({ server, topic: input, partitions, random: this.#random });
    while (!this.#isQuiet) {
      await writer.write();
      await pause(this.#proof.inputPauseMs);
    }
    await writer.close();
  }

  async #untilCopied(): Promise<void> {
    const { server, input } = this.#copying;
    await untilStable(server, [input]);
    const wanted = (await contents(server, input)).flat().length;
    await this.#untilOutput(wanted);
  }

  async #untilOutput(records: number): Promise<void> {
    const { server, output } = this.#copying;
    const endMs = performance.now() + progressMsMax;
    for (;;) {
      this.#found = (await contents(server, output)).flat().length;
      if (this.#found >= records) return;
      if (performance.now() > endMs) throw new Error(`${this.#found} of ${records} were copied`);
      await pause(pollMs);
    }
  }

  #progress(): Promise<void> {
    return this.#untilOutput(this.#found + this.#proof.recordsPerDeath);
  }

  /** A copier at this place until the end. */
  async #keepCopying(index: number): Promise<void> {
    for (let starts = 0; !this.#isOver; starts++) {
      if (starts > 0) this.#restarts++;
      const copier = new TestProcess(this.#copier.command(this.#copying, index));
      this.#places[index] = copier;
      await copier.end(copierMsMax);
    }
  }

  async #trouble(): Promise<void> {
    for (let death = 1; death <= this.#proof.deaths; death++) {
      await this.#progress();
      const index = this.#random.below(partitions);
      if (death % 3 === 1) this.#kill(this.#places[index]!);
      else if (death % 3 === 2) await this.#replace(this.#places[index]!, index);
      else await this.#killBroker();
    }
    await this.#progress();
  }

  #kill(copier: TestProcess): void {
    copier.signal("SIGKILL");
    this.#kills++;
  }

  /** It stops; another works in its place for a while; it wakes up and goes on with what it had. */
  async #replace(zombie: TestProcess, index: number): Promise<void> {
    zombie.signal("SIGSTOP");
    const other = new TestProcess(this.#copier.command(this.#copying, index));
    this.#zombies.push(zombie, other);
    await this.#progress();
    zombie.signal("SIGCONT");
    this.#zombieCount++;
    await this.#progress();
    other.signal("SIGKILL");
  }

  async #killBroker(): Promise<void> {
    await this.#copying.server.kill();
    await this.#copying.server.restart();
    this.#brokerKills++;
  }
}

async function createTopic(server: TestServer, name: string): Promise<void> {
  await request(`${server.http}/v1/topics`, { body: { name, partitions } });
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
