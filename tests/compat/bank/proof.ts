// A bank over transactions, at two sizes: desks move money between accounts in many partitions while tellers and
// the broker are killed, and at every pause all auditors must see whole transfers only, and the same total.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { request } from "../../support/http-client.ts";
import { SeededRandom } from "../../support/random.ts";
import { TestServer } from "../../support/server.ts";
import { Counts, Desk } from "./desk.ts";
import { bankFaults, type Leg, readerFaults, type Transfer } from "./history.ts";
import { Follower, type Reader, readHttp, untilStable } from "./readers.ts";

export interface BankProof {
  readonly seed: number;
  /** How tellers are started, by the client they use; a desk of each and so many of them. */
  readonly clients: readonly Client[];
  readonly desksPerClient: number;
  readonly pauses: number;
  readonly workMs: number;
  /** About this often, at random, the broker is killed (-9) while the desks work. */
  readonly brokerLifeMs: number;
  /** One in so many transfers goes wrong: its teller is killed, or comes back from the dead. */
  readonly transfersPerDeath: number;
  readonly readers: readonly Reader[];
  readonly kcat: string | undefined;
  readonly report?: (step: Readonly<Record<string, number | string>>) => void;
}

export interface Client {
  readonly name: string;
  command(bootstrap: string, transactionalId: string, timeoutMs: number): readonly string[];
}

const topics = ["bank-even", "bank-odd"];
const partitionsPerTopic = 4;
const accountsTotal = 24;
const openingBalance = 1000;
const total = accountsTotal * openingBalance;
/** Short, so that a pause need not wait long for what dead tellers left. */
const transactionTimeoutMs = 5_000;
const timeoutCheckMs = 200;

/** Queues the proof's tests in their order; the file that calls it calls `test.run()`. */
export function proveBank(proof: BankProof): void {
  const bank = new Bank(proof);
  test.before(() => bank.open());
  test.after(() => bank.close());
  for (let pause = 1; pause <= proof.pauses; pause++) {
    test(`read_committed shows whole transfers and one total at pause ${pause}`, () =>
      bank.period(pause));
  }
  if (proof.kcat !== undefined) {
    test("who followed all the time saw the same records once each", () => bank.endFollower());
  }
}

class Bank {
  readonly #proof: BankProof;
  readonly #random: SeededRandom;
  readonly #counts = new Counts();
  readonly #transfers: Transfer[] = [];
  #server: TestServer | undefined;
  #follower: Follower | undefined;
  #desks: readonly Desk[] = [];
  #brokerKills = 0;
  #ids = 0;

  constructor(proof: BankProof) {
    this.#proof = proof;
    this.#random = new SeededRandom(proof.seed);
  }

  async open(): Promise<void> {
    const setting = "transaction.abort.timed.out.transaction.cleanup.interval.ms";
    const args = ["--set", `${setting}=${timeoutCheckMs}`];
    const server = await TestServer.start({ args });
    this.#server = server;
    for (const name of topics) {
      await request(`${server.http}/v1/topics`, { body: { name, partitions: partitionsPerTopic } });
    }
    const { clients, desksPerClient, kcat } = this.#proof;
    if (kcat !== undefined) this.#follower = new Follower(kcat, server, topics);
    this.#desks = clients.flatMap((client) =>
      Array.from({ length: desksPerClient }, (_, i) => this.#desk(client, `${client.name}-${i}`)),
    );
    const opening = accounts().map((account) => ({ ...account, amount: openingBalance }));
    await this.#desks[0]!.commit(opening);
  }

  /** Some work under fire, then quiet: all that was begun has an end, and all auditors agree. */
  async period(pause: number): Promise<void> {
    const endMs = performance.now() + this.#proof.workMs;
    const isOver = () => performance.now() > endMs;
    await Promise.all([...this.#desks.map((desk) => desk.work(isOver)), this.#killBroker(isOver)]);
    const server = this.#here();
    await untilStable(server, topics);
    const readUncommitted = await readHttp(server, topics, "read_uncommitted");
    for (const reader of this.#proof.readers) {
      const readCommitted = await reader.read(server, topics);
      const books = { transfers: this.#transfers, readCommitted, readUncommitted, total };
      assert.equal(bankFaults(books), [], `${reader.name}, seed ${this.#proof.seed}`);
    }
    const { kills, zombies, leavers } = this.#counts;
    const count = (outcome: string) =>
      this.#transfers.filter((transfer) => transfer.outcome === outcome).length;
    this.#proof.report?.({
      ...{ pause, seed: this.#proof.seed, committed: count("committed") },
      ...{ aborted: count("aborted"), unknown: count("unknown"), records: readUncommitted.length },
      ...{ tellersKilled: kills, zombies, tellersLeft: leavers, brokerKills: this.#brokerKills },
    });
  }

  async endFollower(): Promise<void> {
    const wanted = await readHttp(this.#here(), topics, "read_committed");
    const seen = (await this.#follower?.end(wanted.length)) ?? [];
    assert.equal(readerFaults("who followed", seen, wanted), [], `seed ${this.#proof.seed}`);
  }

  async close(): Promise<void> {
    for (const desk of this.#desks) await desk.close();
    await this.#follower?.end(0);
    await this.#server?.kill();
  }

  async #killBroker(isOver: () => boolean): Promise<void> {
    const { brokerLifeMs } = this.#proof;
    for (;;) {
      const lifeMs = brokerLifeMs / 2 + this.#random.below(brokerLifeMs);
      await new Promise((resolve) => setTimeout(resolve, lifeMs));
      if (isOver()) return;
      await this.#here().kill();
      await this.#here().restart();
      this.#brokerKills++;
    }
  }

  #desk(client: Client, transactionalId: string): Desk {
    const { bootstrap } = this.#here();
    return new Desk({
      transactionalId,
      random: new SeededRandom(this.#random.below(2 ** 32)),
      command: client.command(bootstrap, transactionalId, transactionTimeoutMs),
      accounts: accounts(),
      nextId: () => String(this.#ids++),
      note: (transfer) => this.#transfers.push(transfer),
      counts: this.#counts,
      transfersPerDeath: this.#proof.transfersPerDeath,
    });
  }

  #here(): TestServer {
    if (this.#server === undefined) throw new Error("the bank is not open");
    return this.#server;
  }
}

function accounts(): Leg[] {
  return Array.from({ length: accountsTotal }, (_, i) => ({
    topic: topics[i % topics.length]!,
    partition: Math.floor(i / topics.length) % partitionsPerTopic,
    account: `account-${i}`,
    amount: 0,
  }));
}
