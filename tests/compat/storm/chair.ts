// A chair of the storm: one member after the other sits on it, each a process with a history of its own. What the
// storm asks of it happens one after the other.

import { join } from "node:path";
import { type End, type Life, readEvents } from "./history.ts";
import type { Seat, StormClient, StormMember } from "./member.ts";
import type { Action } from "./schedule.ts";

/** An orderly end may take this long. */
const leaveMsMax = 20_000;
/** A client that gives up at once, again and again, does not keep the machine busy. */
const returnAfterMs = 500;
const gaveUpMax = 20;

interface Sitting {
  readonly member: StormMember;
  readonly startedMs: number;
  readonly path: string;
  end: End;
}

export class Chair {
  readonly #client: StormClient;
  readonly #seat: Omit<Seat, "path">;
  readonly #folder: string;
  readonly #name: string;
  readonly #lives: Omit<Life & { path: string }, "events">[] = [];
  /** What members said before they gave up. */
  readonly complaints: string[] = [];
  #sitting: Sitting | undefined;
  #isTaken = false;
  #work: Promise<void> = Promise.resolve();

  constructor(client: StormClient, seat: Omit<Seat, "path">, at: { folder: string; name: string }) {
    this.#client = client;
    this.#seat = seat;
    this.#folder = at.folder;
    this.#name = at.name;
  }

  /** Nobody stays on it. */
  get isBroken(): boolean {
    return this.complaints.length >= gaveUpMax;
  }

  /** Whether somebody should be on it. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  get lives(): Life[] {
    return this.#lives.map(({ path, ...life }) => ({ ...life, events: readEvents(path) }));
  }

  /** Resolves when it is done: for those who go, when their process has ended. */
  ask(action: Action): Promise<void> {
    this.#isTaken = action === "return";
    this.#work = this.#work.then(() => this.#do(action));
    return this.#work;
  }

  async #do(action: Action): Promise<void> {
    if (action === "return") {
      if (this.#sitting === undefined && !this.isBroken) this.#sit();
      return;
    }
    const sitting = this.#sitting;
    if (sitting === undefined) return;
    sitting.end = action;
    if (action === "crash") sitting.member.crash();
    else await this.#leave(sitting);
    await sitting.member.ended;
  }

  async #leave(sitting: Sitting): Promise<void> {
    const { member } = sitting;
    const timer = setTimeout(() => {
      sitting.end = "late";
      member.crash();
    }, leaveMsMax);
    member.leave();
    await member.ended;
    clearTimeout(timer);
  }

  #sit(): void {
    const path = join(this.#folder, `${this.#name}-${this.#lives.length}.ndjson`);
    const member = this.#client.start({ ...this.#seat, path });
    const sitting: Sitting = { member, startedMs: Date.now(), path, end: "gave up" };
    this.#sitting = sitting;
    void member.ended.catch(() => null).then(() => this.#stand(sitting));
  }

  #stand({ member, startedMs, path, end }: Sitting): void {
    const owner = this.#seat.instanceId ?? `${this.#name}-${this.#lives.length}`;
    this.#lives.push({ owner, startedMs, endedMs: Date.now(), end, path });
    this.#sitting = undefined;
    if (end === "gave up" || end === "late") this.complaints.push(`${owner}: ${member.complaints}`);
    if (!this.#isTaken) return;
    // Nobody asked it to go: as a supervisor would, start it again.
    setTimeout(() => {
      if (this.#isTaken) void this.ask("return");
    }, returnAfterMs);
  }
}
