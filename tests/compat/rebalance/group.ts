// A group of many members in this process, and how long it takes to settle after something happened to it.

import type { Member, Seat } from "./member.ts";

export interface Settled {
  /** From the event until the last partition had its owner. */
  readonly settledMs: number;
  /** Partitions whose owner is another one now. */
  readonly moved: number;
  /** Partitions taken away from members that live. */
  readonly stopped: number;
  /** Of those, ones that came back to who had them: stopped for nothing. */
  readonly inVain: number;
}

const settleMsMax = 60_000;
const lookMs = 20;

export class Group<M extends Member> {
  members: M[] = [];
  readonly #seat: Seat;
  readonly #make: (seat: Seat) => M;
  #changedAtMs = 0;

  constructor(seat: Omit<Seat, "changed">, make: (seat: Seat) => M) {
    this.#seat = {
      ...seat,
      changed: () => {
        this.#changedAtMs = performance.now();
      },
    };
    this.#make = make;
  }

  async join(count: number): Promise<void> {
    const members = Array.from({ length: count }, () => this.#make(this.#seat));
    this.members.push(...members);
    await Promise.all(members.map((member) => member.start()));
  }

  async leave(count: number): Promise<void> {
    await Promise.all(this.members.splice(0, count).map((member) => member.leave()));
  }

  async crash(count: number): Promise<void> {
    await Promise.all(this.members.splice(0, count).map((member) => member.crash()));
  }

  /**
   * What `event` does to the group. It has settled when each partition has one owner and nothing changes for
   * `quietMs`.
   */
  async settle(event: () => Promise<void>, quietMs: number): Promise<Settled> {
    const before = this.#owners();
    for (const member of this.members) member.forgetLosses();
    const startedMs = performance.now();
    await event();
    while (!this.#isWhole() || performance.now() - this.#changedAtMs < quietMs) {
      for (const { error } of this.members) if (error !== undefined) throw error;
      if (performance.now() - startedMs > settleMsMax) throw new Error("the group never settled");
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
    const after = this.#owners();
    const stopped = new Set(this.members.flatMap(({ lost }) => lost));
    const moved = [...after].filter(([partition, owner]) => before.get(partition) !== owner);
    return {
      settledMs: Math.max(0, Math.round(this.#changedAtMs - startedMs)),
      moved: moved.length,
      stopped: stopped.size,
      inVain: [...stopped].filter((each) => before.get(each) === after.get(each)).length,
    };
  }

  #owners(): Map<number, Member> {
    const owners = new Map<number, Member>();
    for (const member of this.members) {
      for (const partition of member.held) owners.set(partition, member);
    }
    return owners;
  }

  #isWhole(): boolean {
    const held = this.members.reduce((sum, member) => sum + member.held.size, 0);
    return held === this.#seat.partitions && this.#owners().size === held;
  }
}
