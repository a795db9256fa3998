// A desk of the bank: one transactional id and the tellers who hold it one after another. It makes transfers with
// random ends: committed, aborted, its teller killed with a transaction open or while it commits, and a teller who
// comes back from the dead when another one sits in its place.

import type { SeededRandom } from "../../support/random.ts";
import type { Leg, Transfer } from "./history.ts";
import { lineOf, Teller } from "./teller.ts";

const startsMax = 40;
const amountMax = 100;
const transfersPerAbort = 6;
/** While a teller is committing, within so many ms it is killed. */
const commitMsMax = 12;

export interface DeskOptions {
  readonly transactionalId: string;
  readonly random: SeededRandom;
  /** Starts one more teller for this transactional id. */
  readonly command: readonly string[];
  /** Accounts with a place each, and an id for each transfer of the bank. */
  readonly accounts: readonly Leg[];
  readonly nextId: () => string;
  readonly note: (transfer: Transfer) => void;
  readonly counts: Counts;
  readonly transfersPerDeath: number;
}

export class Counts {
  kills = 0;
  zombies = 0;
  /** Tellers who gave up by themselves, most of them since the broker was killed. */
  leavers = 0;
}

type Planned = Pick<Transfer, "id" | "legs">;

export class Desk {
  readonly #options: DeskOptions;
  #teller: Teller | undefined;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Makes transfers until told to stop. */
  async work(isOver: () => boolean): Promise<void> {
    while (!isOver()) await this.#step();
  }

  /** One transfer with these legs; tries until it is committed. */
  async commit(legs: readonly Leg[]): Promise<void> {
    for (let tries = 0; tries < startsMax; tries++) {
      if ((await this.#make(legs, "commit")) === "committed") return;
    }
    throw new Error(`${this.#options.transactionalId} never gets a commit`);
  }

  async close(): Promise<void> {
    await this.#teller?.kill();
    this.#teller = undefined;
  }

  async #step(): Promise<void> {
    const { random, transfersPerDeath } = this.#options;
    const legs = this.#legs();
    if (!random.oneIn(transfersPerDeath)) {
      await this.#make(legs, random.oneIn(transfersPerAbort) ? "abort" : "commit");
      return;
    }
    const deaths = ["holding", "committing", "coming back"] as const;
    const death = random.pick(deaths);
    if (death === "holding") await this.#dieHolding(legs);
    else if (death === "committing") await this.#dieCommitting(legs);
    else await this.#comeBack(legs);
  }

  async #make(legs: readonly Leg[], end: "commit" | "abort"): Promise<Transfer["outcome"]> {
    const teller = await this.#seated();
    const transfer = this.#plan(legs);
    const answer = await teller.ask(lineOf(transfer.id, end, legs));
    const [said] = answer.split(" ");
    if (said === "committed" || said === "aborted") return this.#note(transfer, said, true);
    this.#options.counts.leavers++;
    await this.close();
    const isUnknown = said !== "lost" && end === "commit";
    return this.#note(transfer, isUnknown ? "unknown" : "aborted", false);
  }

  /** kill -9 with a transaction open: the next teller ends it, or its timeout does. */
  async #dieHolding(legs: readonly Leg[]): Promise<void> {
    const teller = await this.#seated();
    const transfer = this.#plan(legs);
    const answer = await teller.ask(lineOf(transfer.id, "hold", legs));
    this.#options.counts.kills++;
    await this.close();
    this.#note(transfer, "aborted", answer.startsWith("held"));
  }

  async #dieCommitting(legs: readonly Leg[]): Promise<void> {
    const { random, counts } = this.#options;
    const teller = await this.#seated();
    const transfer = this.#plan(legs);
    const answer = teller.ask(lineOf(transfer.id, "commit", legs));
    await new Promise((resolve) => setTimeout(resolve, random.below(commitMsMax)));
    counts.kills++;
    await this.close();
    const [said] = (await answer).split(" ");
    if (said === "committed") this.#note(transfer, "committed", true);
    else this.#note(transfer, said === "lost" ? "aborted" : "unknown", false);
  }

  /** A teller stops with a transaction open; another begins one in its place; the first wakes up and commits. */
  async #comeBack(legs: readonly Leg[]): Promise<void> {
    const zombie = await this.#seated();
    const transfer = this.#plan(legs);
    const held = await zombie.ask(lineOf(transfer.id, "hold", legs));
    if (!held.startsWith("held")) {
      await this.close();
      this.#note(transfer, "aborted", false);
      return;
    }
    zombie.signal("SIGSTOP");
    this.#teller = undefined;
    const successor = await this.#seated();
    const open = this.#plan(this.#legs());
    const opened = await successor.ask(lineOf(open.id, "hold", open.legs));
    zombie.signal("SIGCONT");
    const answer = await zombie.ask("commit");
    await zombie.kill();
    this.#options.counts.zombies++;
    // Had the zombie's commit counted, it would have been its successor's transfer that it committed.
    await this.close();
    this.#note(transfer, "aborted", true);
    this.#note(open, "aborted", opened.startsWith("held"));
    if (!answer.startsWith("committed")) return;
    throw new Error(`${this.#options.transactionalId}: a zombie was allowed to say '${answer}'`);
  }

  async #seated(): Promise<Teller> {
    for (let starts = 0; this.#teller === undefined; starts++) {
      if (starts === startsMax) {
        throw new Error(`${this.#options.transactionalId}: no teller starts`);
      }
      this.#teller = await Teller.start(this.#options.command);
    }
    return this.#teller;
  }

  #plan(legs: readonly Leg[]): Planned {
    return { id: this.#options.nextId(), legs };
  }

  #note(planned: Planned, outcome: Transfer["outcome"], isWritten: boolean): Transfer["outcome"] {
    const { transactionalId, note } = this.#options;
    note({ ...planned, transactionalId, outcome, isWritten });
    return outcome;
  }

  /** From one account to another, which may lie in the same partition. */
  #legs(): Leg[] {
    const { random, accounts } = this.#options;
    const from = random.below(accounts.length);
    const to = (from + 1 + random.below(accounts.length - 1)) % accounts.length;
    const amount = 1 + random.below(amountMax);
    return [
      { ...accounts[from]!, amount: -amount },
      { ...accounts[to]!, amount },
    ];
  }
}
