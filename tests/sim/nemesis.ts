// Faults, drawn from the seed: what happens when, to whom, for how long. Everything it breaks it mends.

import type { BrokerHost, Brokers } from "./cluster.ts";
import { faults, growth } from "./faults.ts";
import type { Plot } from "./plots.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { Stage } from "./stage.ts";
import { isSettled } from "./state-checks.ts";
import { layTraps } from "./traps.ts";
import type { World } from "./world.ts";

const faultsMsMax = 7_000;
const recessMs = [2_500, 4_500] as const;
const provokeLookMs = 100;
/** Of the time of faults, where a recess follows. */
const faultsShare = 0.25;
const restoreLookMs = 300;
/** Some seeds are hectic: one thing has not settled when the next one happens. */
const calmMs = [100, 1_500] as const;
const hecticMs = [10, 500] as const;

/** A plot is played for so long, at least once. */
const playMs = 2_500;
const settleMsMax = 4_000;

export interface NemesisOptions {
  /** Unsynced bytes may be lost: only where an acknowledgement means synced. */
  readonly mayLosePower: boolean;
  /** Instead of faults by chance. */
  readonly plot?: Plot | undefined;
}

export class Nemesis {
  readonly world: World;
  readonly brokers: Brokers;
  readonly random: SeededRandom;
  readonly options: NemesisOptions;
  readonly done: string[] = [];
  isOver = false;
  /** Entries that the metadata service keeps when it loses the others, once all is mended. */
  keptEntries: number | undefined;
  readonly #mend = new Set<() => void>();
  #hasTraps = false;
  readonly #kept = new Set<BrokerHost>();

  constructor(world: World, brokers: Brokers, options: NemesisOptions) {
    this.world = world;
    this.brokers = brokers;
    this.options = options;
    this.random = world.random.fork("nemesis");
  }

  begin(): void {
    const { plot } = this.options;
    if (plot === undefined) this.#beginByChance();
    else this.#play(plot).catch((error) => this.world.after(0, () => Promise.reject(error)));
  }

  async #play(plot: Plot): Promise<void> {
    const stage = new Stage(this);
    const { scheduler } = this.world;
    const endMs = scheduler.nowMs + playMs;
    do {
      const isReady = () => this.brokers.hosts.length === 1 || isSettled(this.brokers);
      await stage.until(isReady, settleMsMax);
      await stage.wait(100, 400);
      await plot.play(stage);
      this.#mendAll();
      for (const host of this.brokers.all) this.brokers.start(host);
    } while (scheduler.nowMs < endMs);
    this.isOver = true;
  }

  #beginByChance(): void {
    // Seeds differ in what they are about: a few kinds each, rather than a bit of everything.
    const kinds = Object.entries(faults).filter(() => this.random.chance(0.4));
    // Where there is room to grow.
    if (this.brokers.all.length > this.brokers.hosts.length) kinds.push(...Object.entries(growth));
    const chosen = kinds.length > 0 ? kinds : Object.entries(faults);
    if (this.brokers.hosts.length > 1 && this.random.chance(0.5)) {
      this.#hasTraps = true;
      layTraps(this);
    }
    const faultsMs = this.random.between(2_000, faultsMsMax) * (this.#hasTraps ? faultsShare : 1);
    const endMs = this.world.scheduler.nowMs + faultsMs;
    const [fromMs, toMs] = this.random.chance(0.5) ? hecticMs : calmMs;
    const next = () => {
      if (this.world.scheduler.nowMs >= endMs) {
        this.#recess();
        return;
      }
      const [name, fault] = this.random.pick(chosen);
      const what = fault(this);
      if (what !== undefined) {
        this.done.push(name);
        this.world.trace("!!", `${name}: ${what}`);
      }
      this.world.after(this.random.between(fromMs, toMs), next);
    };
    this.world.after(this.random.between(200, 1_000), next);
  }

  /** Where traps are laid, brokers come back while they may snap: only then some join, and others are elected. */
  #recess(): void {
    if (!this.#hasTraps) {
      this.isOver = true;
      return;
    }
    this.world.trace("!!", "all but the traps is mended");
    this.#mendAll();
    for (const host of this.brokers.all) this.#keepAlive(host);
    this.#provoke();
    this.world.after(this.random.between(recessMs[0], recessMs[1]), () => {
      this.isOver = true;
    });
  }

  /** One by one they leave, and come back before the next one does. */
  #provoke(): void {
    if (this.isOver) return;
    const host = isSettled(this.brokers) ? this.victim() : undefined;
    if (host !== undefined) {
      this.brokers.crash(host, "kill");
      this.startLater(host, 20, 300);
    }
    this.world.after(provokeLookMs, () => this.#provoke());
  }

  #mendAll(): void {
    for (const mend of [...this.#mend]) mend();
    this.#mend.clear();
    this.world.links.healAll();
    for (const host of this.brokers.all) {
      host.disk?.disarm();
      host.process?.resume();
    }
  }

  healAll(): void {
    this.world.trace("!!", "all is mended");
    this.#mendAll();
    this.world.metadata.lagMs.clear();
    for (const host of this.brokers.all) this.#keepAlive(host);
    if (this.keptEntries !== undefined) this.#goBack();
  }

  /** `mend` runs after a while, and at the end at the latest. */
  for(fromMs: number, toMs: number, mend: () => void): void {
    this.world.after(this.random.between(fromMs, toMs), this.until(mend));
  }

  /** `mend` runs once when what this returns is called, and at the end at the latest. */
  until(mend: () => void): () => void {
    const once = () => {
      if (!this.#mend.delete(once)) return;
      mend();
    };
    this.#mend.add(once);
    return once;
  }

  /** A broker that runs, rather one that leads something. */
  victim(): BrokerHost | undefined {
    const { running } = this.brokers;
    return running.length === 0 ? undefined : this.random.pick(running);
  }

  some(): BrokerHost[] {
    const { running } = this.brokers;
    if (this.random.chance(0.15)) return running;
    const [one] = running.length > 0 ? [this.random.pick(running)] : [];
    return one ? [one] : [];
  }

  cut(pairs: readonly (readonly [string, string])[], fromMs: number, toMs: number): void {
    const { links } = this.world;
    for (const [from, to] of pairs) links.cut(from, to);
    this.for(fromMs, toMs, () => {
      for (const [from, to] of pairs) links.heal(from, to);
    });
  }

  startLater(host: BrokerHost, fromMs: number, toMs: number): void {
    this.for(fromMs, toMs, () => this.brokers.start(host));
  }

  /** Whether something is broken now. */
  get isBusy(): boolean {
    return this.#mend.size > 0;
  }

  /** Whether nothing more is to come. */
  get isAtPeace(): boolean {
    return this.isOver && this.keptEntries === undefined && !this.brokers.isShrinking;
  }

  /** A broker that starts would refuse: all of them run when the service loses what it knew. */
  #goBack(): void {
    const { hosts, running } = this.brokers;
    const isReached = hosts.every(({ member }) => member?.status().isConnected);
    if (running.length < hosts.length || !isReached || this.brokers.isShrinking) {
      this.world.after(restoreLookMs, () => this.#goBack());
      return;
    }
    const kept = Math.min(this.keptEntries!, this.world.metadata.length - 1);
    this.world.trace("!!", `the service goes back to ${kept} entries`);
    void this.world.metadata.goBack(kept);
    this.world.after(this.random.between(2_500, 5_000), () => this.#restore());
  }

  /** As the alarm says: on the broker with the newest copy, once all have said what they have. */
  #restore(): void {
    const { hosts, running } = this.brokers;
    if (running.length < hosts.length) {
      this.world.after(restoreLookMs, () => this.#restore());
      return;
    }
    this.keptEntries = undefined;
    const versionOf = (host: BrokerHost) => host.member!.status().version;
    const [newest] = [...hosts].sort((a, b) => versionOf(b) - versionOf(a));
    if (hosts.every(({ member }) => member?.status().alarm === null)) return;
    this.world.trace("!!", `${newest!.name} restores version ${versionOf(newest!)}`);
    this.brokers.ask(newest!, (member) => member.restore(member.snapshot()));
  }

  /** Whatever ends a broker after the faults, such as a crash that was laid in wait: it is started again. */
  #keepAlive(host: BrokerHost): void {
    if (this.#kept.has(host)) return;
    this.#kept.add(host);
    this.#lookAfter(host);
  }

  #lookAfter(host: BrokerHost): void {
    if (host.isBroken) this.brokers.crash(host, "kill");
    if (host.state === "off") this.brokers.start(host);
    this.world.after(500, () => this.#lookAfter(host));
  }
}
