// A probe: sends to every partition all the time through our own client, and knows when each record was sent and when
// it was acknowledged. From that it tells how long a partition was without a leader for its clients.

import { createClient } from "../../runtime/mod.ts";
import { type Fleet, pause, platform } from "./fleet.ts";

const underWayMax = 40;
const waitMsMax = 60_000;
const lookEveryMs = 5;

export interface Acknowledged {
  readonly sentMs: number;
  readonly atMs: number;
}

export class Probe {
  readonly errors: string[] = [];
  readonly #topic: string;
  readonly #everyMs: number;
  readonly #client;
  readonly #producer;
  /** By partition, in the order of the answers. */
  readonly #acknowledged: Acknowledged[][];
  readonly #underWay: number[];
  #isOver = false;
  readonly #end: Promise<void>;

  constructor(fleet: Fleet, topic: string, partitions: number, everyMs = 10) {
    this.#topic = topic;
    this.#everyMs = everyMs;
    // Nothing but defaults: what a user's program would see.
    this.#client = createClient({ platform, bootstrap: fleet.bootstrap, clientId: "probe" });
    this.#producer = this.#client.producer();
    this.#acknowledged = Array.from({ length: partitions }, () => []);
    this.#underWay = this.#acknowledged.map(() => 0);
    this.#end = this.#work();
  }

  /**
   * For each of the partitions: milliseconds from `fromMs` to the first answer for a record that was sent later. What
   * was under way before may still be answered by the old leader.
   */
  async resumed(partitions: readonly number[], fromMs: number): Promise<number[]> {
    const endMs = performance.now() + waitMsMax;
    for (;;) {
      const found = partitions.map((partition) => this.#firstAfter(partition, fromMs));
      if (found.every((ms) => ms !== undefined)) return found.map((ms) => ms ?? 0);
      const missing = partitions.filter((_, index) => found[index] === undefined);
      if (performance.now() > endMs) {
        throw new Error(`no answer for partitions ${missing.slice(0, 10)} in ${waitMsMax} ms`);
      }
      await pause(lookEveryMs);
    }
  }

  /** How long each record took that was answered between the two. */
  latenciesMs(fromMs: number, toMs: number): number[] {
    return this.#acknowledged
      .flat()
      .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      .map(({ sentMs, atMs }) => atMs - sentMs);
  }

  /** The longest time without an answer of any one of the partitions (default: all) since then. */
  longestGapMs(fromMs: number, partitions: readonly number[] = this.#all): number {
    let longest = 0;
    for (const partition of partitions) {
      let lastMs = fromMs;
      for (const { atMs } of this.#acknowledged[partition]!) {
        if (atMs < fromMs) continue;
        longest = Math.max(longest, atMs - lastMs);
        lastMs = atMs;
      }
      longest = Math.max(longest, performance.now() - lastMs);
    }
    return Math.round(longest);
  }

  get #all(): number[] {
    return [...this.#acknowledged.keys()];
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#end;
    await this.#client.close();
  }

  #firstAfter(partition: number, fromMs: number): number | undefined {
    const answers = this.#acknowledged[partition]!;
    // The newest are at the end, and few are newer.
    let first: number | undefined;
    for (let index = answers.length - 1; index >= 0 && answers[index]!.atMs >= fromMs; index--) {
      if (answers[index]!.sentMs >= fromMs) first = answers[index]!.atMs - fromMs;
    }
    return first;
  }

  async #work(): Promise<void> {
    while (!this.#isOver) {
      for (const partition of this.#acknowledged.keys()) {
        if (this.#underWay[partition]! < underWayMax) void this.#send(partition);
      }
      await pause(this.#everyMs);
    }
  }

  async #send(partition: number): Promise<void> {
    const sentMs = performance.now();
    this.#underWay[partition]!++;
    try {
      await this.#producer.send({ topic: this.#topic, partition, value: "probe" });
      this.#acknowledged[partition]!.push({ sentMs, atMs: performance.now() });
    } catch (error) {
      this.errors.push(error instanceof Error ? error.message : String(error));
    }
    this.#underWay[partition]!--;
  }
}

/** Of unsorted figures: the smallest one that `part` of them do not exceed. */
export function quantile(figures: readonly number[], part: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}
