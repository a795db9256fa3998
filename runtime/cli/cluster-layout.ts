// ReplicaLayout: placements that change step by step while a plan is made, with counts of who holds and leads how
// many. Racks count only where every broker names its own, as in the placement of new topics. Only `cluster-plan.ts`.

import type { Move, Placement, PlanBroker } from "./cluster-plan.ts";

interface Part {
  readonly topic: string;
  readonly partition: number;
  readonly from: readonly number[];
  readonly replicas: number[];
}

/** Brokers whose loads differ by less are even: one more copy would only swap them. */
const gapMin = 2;

export class ReplicaLayout {
  readonly #parts: readonly Part[];
  readonly #ids: readonly number[];
  /** Empty where racks do not count. */
  readonly #racks = new Map<number, string>();
  /** By broker and topic: ten thousand partitions are planned in a second. */
  readonly #held = new Map<number, Map<string, Set<Part>>>();
  readonly #loads = new Map<number, number>();
  readonly #leads = new Map<number, number>();

  constructor(input: {
    readonly brokers: readonly PlanBroker[];
    readonly placements: readonly Placement[];
  }) {
    const brokers = [...input.brokers].sort((a, b) => a.id - b.id);
    this.#ids = brokers.map(({ id }) => id);
    if (brokers.every(({ rack }) => rack !== null)) {
      for (const { id, rack } of brokers) this.#racks.set(id, rack ?? "");
    }
    this.#parts = input.placements.map(({ topic, partition, replicas }) => {
      return { topic, partition, from: replicas, replicas: [...replicas] };
    });
    for (const part of this.#parts) {
      for (const id of part.replicas) this.#count(part, id, 1);
      this.#countLeader(part, 1);
    }
  }

  moves(): Move[] {
    return this.changed().map(({ topic, partition, from, replicas }) => {
      return { topic, partition, from, replicas: [...replicas] };
    });
  }

  changed(): Part[] {
    return this.#parts.filter(({ from, replicas }) => from.some((id, at) => id !== replicas[at]));
  }

  /** Replicas on brokers that leave go where they spread best, then to whoever has least. */
  vacate(isLeaving: (id: number) => boolean): void {
    for (const part of this.#parts) {
      for (const id of [...part.replicas]) {
        if (!isLeaving(id)) continue;
        const to = this.#bestFor(part, id, this.#ids);
        if (to !== undefined) this.#replace(part, id, to);
      }
    }
  }

  /** Replicas that share a rack while another rack has none go there. */
  spreadOverRacks(): void {
    for (const part of this.#parts) {
      for (const id of [...part.replicas].reverse()) {
        const before = this.#spread(part.replicas);
        const wider = this.#ids.filter((to) => this.#spreadAfter(part, id, to) > before);
        const to = this.#bestFor(part, id, wider);
        if (to !== undefined) this.#replace(part, id, to);
      }
    }
  }

  /** From those that hold most to those that hold least, as long as that makes them more even. */
  evenOut(receivers: ReadonlySet<number> = new Set(this.#ids)): void {
    const total = this.#ids.reduce((sum, id) => sum + this.#load(id), 0);
    const share = Math.ceil(total / this.#ids.length);
    for (let step = 0; step < total; step++) {
      const done = this.#evenStep([...receivers].filter((id) => this.#load(id) < share));
      if (!done) return;
    }
  }

  /** Preferred leaders of `parts`, one after the other: no data moves for it. */
  evenLeaders(parts: readonly Part[] = this.#parts): void {
    for (let step = 0; step < this.#parts.length; step++) {
      if (!this.#leaderStep(parts)) return;
    }
  }

  // ---- replicas ----

  #evenStep(receivers: readonly number[]): boolean {
    const to = receivers.toSorted((a, b) => this.#load(a) - this.#load(b) || a - b);
    const from = this.#ids.toSorted((a, b) => this.#load(b) - this.#load(a) || a - b);
    for (const giver of from) {
      for (const taker of to) {
        if (this.#load(giver) - this.#load(taker) < gapMin) break;
        const part = this.#partToGive(giver, taker);
        if (part === undefined) continue;
        this.#replace(part, giver, taker);
        return true;
      }
    }
    return false;
  }

  /** Of the topic that the two share least evenly; among its partitions the first. */
  #partToGive(giver: number, taker: number): Part | undefined {
    let best: Part | undefined;
    let bestGap = Number.NEGATIVE_INFINITY;
    for (const [topic, parts] of this.#held.get(giver) ?? []) {
      const topicGap = parts.size - this.#loadOf(topic, taker);
      if (topicGap <= bestGap) continue;
      const part = this.#firstToGive(parts, giver, taker);
      if (part === undefined) continue;
      best = part;
      bestGap = topicGap;
    }
    return best;
  }

  #firstToGive(parts: ReadonlySet<Part>, giver: number, taker: number): Part | undefined {
    for (const part of parts) {
      if (part.replicas.includes(taker)) continue;
      if (this.#spreadAfter(part, giver, taker) >= this.#spread(part.replicas)) return part;
    }
    return undefined;
  }

  #bestFor(part: Part, leaving: number, candidates: readonly number[]): number | undefined {
    let best: { id: number; rank: readonly number[] } | undefined;
    for (const id of candidates) {
      if (part.replicas.includes(id)) continue;
      const spread = this.#spreadAfter(part, leaving, id);
      const rank = [-spread, this.#load(id), this.#loadOf(part.topic, id), id];
      if (best === undefined || isBefore(rank, best.rank)) best = { id, rank };
    }
    return best?.id;
  }

  #replace(part: Part, from: number, to: number): void {
    this.#countLeader(part, -1);
    part.replicas[part.replicas.indexOf(from)] = to;
    this.#countLeader(part, 1);
    this.#count(part, from, -1);
    this.#count(part, to, 1);
  }

  /** How many racks the replicas use; 0 where racks do not count. */
  #spread(replicas: readonly number[]): number {
    if (this.#racks.size === 0) return 0;
    return new Set(replicas.map((id) => this.#racks.get(id) ?? `broker ${id}`)).size;
  }

  #spreadAfter({ replicas }: Part, from: number, to: number): number {
    if (this.#racks.size === 0) return 0;
    return this.#spread(replicas.map((id) => (id === from ? to : id)));
  }

  // ---- leaders ----

  /** One leadership less for a broker that has most, by as many hand-overs as it takes. */
  #leaderStep(parts: readonly Part[]): boolean {
    const most = this.#ids.toSorted((a, b) => this.#led(b) - this.#led(a) || a - b);
    const least = this.#led(most.at(-1) ?? -1);
    for (const from of most) {
      if (this.#led(from) - least < gapMin) return false;
      const path = this.#handOvers(parts, from);
      if (path === undefined) continue;
      for (const { part, to } of path) this.#lead(part, to);
      return true;
    }
    return false;
  }

  /** The shortest way from a broker that leads too much to one that leads less by two. */
  #handOvers(parts: readonly Part[], from: number) {
    const cameBy = new Map<number, { part: Part; to: number; before: number }>();
    const waiting = [from];
    for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
      for (const part of parts) {
        if (part.replicas[0] !== at) continue;
        for (const to of part.replicas.slice(1)) {
          if (to === from || cameBy.has(to) || !this.#ids.includes(to)) continue;
          cameBy.set(to, { part, to, before: at });
          if (this.#led(from) - this.#led(to) >= gapMin) return pathTo(cameBy, to);
          waiting.push(to);
        }
      }
    }
    return undefined;
  }

  #lead(part: Part, leader: number): void {
    const at = part.replicas.indexOf(leader);
    const before = part.replicas[0] ?? leader;
    this.#countLeader(part, -1);
    part.replicas[at] = before;
    part.replicas[0] = leader;
    this.#countLeader(part, 1);
  }

  // ---- counts ----

  #load(id: number): number {
    return this.#loads.get(id) ?? 0;
  }

  #loadOf(topic: string, id: number): number {
    return this.#held.get(id)?.get(topic)?.size ?? 0;
  }

  #led(id: number): number {
    return this.#leads.get(id) ?? 0;
  }

  #count(part: Part, id: number, by: 1 | -1): void {
    const topics = this.#held.get(id) ?? new Map<string, Set<Part>>();
    const parts = topics.get(part.topic) ?? new Set<Part>();
    this.#held.set(id, topics.set(part.topic, parts));
    if (by > 0) parts.add(part);
    else parts.delete(part);
    this.#loads.set(id, this.#load(id) + by);
  }

  #countLeader({ replicas }: Part, by: 1 | -1): void {
    const leader = replicas[0] ?? -1;
    this.#leads.set(leader, this.#led(leader) + by);
  }
}

function pathTo<T extends { readonly before: number }>(
  cameBy: ReadonlyMap<number, T>,
  end: number,
): T[] {
  const path: T[] = [];
  for (let step = cameBy.get(end); step !== undefined; step = cameBy.get(step.before)) {
    path.push(step);
  }
  return path;
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && a[at]! < b[at]!;
}
