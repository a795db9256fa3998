// Which machine reaches which: links between machines that are slow, cut in one direction or both, and machines
// without power. Machines are named; the metadata service is one of them.

import type { SeededRandom } from "./seeded-random.ts";

export interface LinkSettings {
  /** Usual way of a packet, one direction. */
  readonly latencyMs: readonly [from: number, to: number];
  /** Now and then one takes longer. */
  readonly slowChance: number;
  readonly slowMsMax: number;
}

/** How long after a link works again what was lost is sent again. */
const resendMsMax = 200;

export class Links {
  readonly random: SeededRandom;
  settings: LinkSettings = { latencyMs: [0.05, 0.6], slowChance: 0.01, slowMsMax: 30 };
  readonly #cut = new Map<string, number>();
  readonly #slow = new Map<string, number>();
  readonly #down = new Set<string>();
  readonly #healed = new Set<() => void>();

  constructor(random: SeededRandom) {
    this.random = random;
  }

  /** Cuts add up: each must be healed. */
  cut(from: string, to: string): void {
    const key = `${from}>${to}`;
    this.#cut.set(key, (this.#cut.get(key) ?? 0) + 1);
  }

  heal(from: string, to: string): void {
    const key = `${from}>${to}`;
    const left = (this.#cut.get(key) ?? 1) - 1;
    if (left > 0) this.#cut.set(key, left);
    else this.#cut.delete(key);
    this.#tell();
  }

  /** Every packet takes so much longer. */
  slow(from: string, to: string, moreMs: number): void {
    this.#slow.set(`${from}>${to}`, moreMs);
  }

  healAll(): void {
    this.#cut.clear();
    this.#slow.clear();
    this.#tell();
  }

  powerOff(host: string): void {
    this.#down.add(host);
  }

  powerOn(host: string): void {
    this.#down.delete(host);
    this.#tell();
  }

  reaches(from: string, to: string): boolean {
    return !this.#cut.has(`${from}>${to}`) && !this.#down.has(from) && !this.#down.has(to);
  }

  delayMs(from: string, to: string): number {
    if (from === to) return 0.02;
    const { latencyMs, slowChance, slowMsMax } = this.settings;
    const moreMs = this.#slow.get(`${from}>${to}`) ?? 0;
    const usual = moreMs + this.random.between(latencyMs[0], latencyMs[1]);
    return this.random.chance(slowChance) ? usual + this.random.between(0, slowMsMax) : usual;
  }

  /** After which delay something is tried again that was lost, once there is a way again. */
  resendMs(): number {
    return this.random.between(0, resendMsMax);
  }

  /** Told whenever something may get through that did not before. */
  onHeal(run: () => void): () => void {
    this.#healed.add(run);
    return () => this.#healed.delete(run);
  }

  #tell(): void {
    for (const run of [...this.#healed]) run();
  }
}
